"""A running text: its split, and a run over it from data to evaluation."""

import hashlib
import json
from dataclasses import replace

import pytest

from lstm_jax.cli import main
from lstm_jax.train import sets
from lstm_jax.train.data import shakespeare
from lstm_jax.train.data.download import DataError
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.task import load_texts, make_text_task

pytestmark = pytest.mark.usefixtures("compile_fast")

TRAINED, HELD_OUT = "To see or not to see,\nthat is it. " * 9, "What is a zoo?\n" * 3


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A made-up text where a mirror is, as the pinned one."""
    text = TRAINED + HELD_OUT
    file = tmp_path / "tinyshakespeare" / shakespeare.FILE
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()
    source = replace(shakespeare.SOURCE, files={shakespeare.FILE: digest})
    monkeypatch.setattr(shakespeare, "SOURCE", source)
    monkeypatch.setattr(shakespeare, "TRAINED", len(TRAINED))
    monkeypatch.setenv("LSTM_JAX_DATA", str(tmp_path))
    return file


def test_what_follows_the_trained_text_is_held_out(mirror):
    assert load_texts("shakespeare").splits == {"train": (TRAINED,), "valid": (HELD_OUT,)}
    figures, said = sets.describe("shakespeare")
    assert figures["characters"] == {"train": len(TRAINED), "valid": len(HELD_OUT)}
    assert said.count("characters") == 2


def test_characters_of_the_held_out_text_are_not_learned(mirror):
    task = make_text_task(TextConfig(data="shakespeare", min_count=1))
    assert set(task.vocabulary.characters) == set(TRAINED)
    assert "z" in HELD_OUT
    assert "z" not in TRAINED


def test_an_altered_text_is_refused(mirror):
    mirror.write_text("To be", encoding="utf-8")
    with pytest.raises(DataError, match=r"input\.txt in .* altered"):
        shakespeare.load()


def run(*argv):
    with pytest.raises(SystemExit) as exit:
        main(list(map(str, argv)))
    return exit.value.code


def test_a_tiny_run_learns_and_is_judged(mirror, tmp_path, capsys):
    out = tmp_path / "run"
    tiny = ["--rows", 4, "--window", 8, "--epochs", 2, "--log-every", 1, "--health-every", 0]
    sizes = ["--model.embedding-features", 8, "--model.hidden-features", 8]
    faster = ["--optimizer.warmup-steps", 0, "--optimizer.learning-rate", 0.03]
    assert run("train", "shakespeare", "--out", out, *tiny, *sizes, *faster) == 0
    logged = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in logged if "loss" in line]
    assert losses[-1] < 0.9 * losses[0]

    capsys.readouterr()
    assert run("evaluate", out, "--split", "valid", "--json") == 0
    # A continuous text has no end to predict, in a file of one's own either.
    whole = json.loads(capsys.readouterr().out)
    assert whole["symbols"] == len(HELD_OUT)
    (tmp_path / "play.txt").write_text(HELD_OUT, encoding="utf-8")
    assert run("evaluate", out, "--file", tmp_path / "play.txt", "--dynamic", "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["nats_per_symbol"] == whole["nats_per_symbol"]
    assert figures["dynamic"]["nats_per_symbol"] < whole["nats_per_symbol"]
    assert run("evaluate", out) == 2
    assert "no test split; --split must be train or valid" in capsys.readouterr().err
