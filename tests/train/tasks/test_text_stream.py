"""Texts that are read from the disk: everything else of the problem is as for small ones."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest
from flax import nnx
from programs import share

from lstm_jax import cli
from lstm_jax.configs import text as recipe
from lstm_jax.errors import UserError
from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train import fit, loop
from lstm_jax.train.config import ConfigError, check
from lstm_jax.train.data import synthetic
from lstm_jax.train.data.shards import pieces, rows, store
from lstm_jax.train.evaluate import EvaluateOptions, measure
from lstm_jax.train.problems import load as load_config
from lstm_jax.train.run import checkpoints
from lstm_jax.train.run.state import make_optimizer, make_state
from lstm_jax.train.tasks.text import stream, stream_look
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.look import look_at_texts
from lstm_jax.train.tasks.text.rows import texts_to_read

pytestmark = pytest.mark.usefixtures("compile_fast")
VERSES = synthetic.verses(60, seed=0)
TINY = {
    "model": CharLMConfig(4, 5, 1), "rows": 4, "window": 16, "epochs": 2, "min_count": 1,
    "valid": 0.15, "test": 0.15, "health_every": 0,
}  # fmt: skip
FLAGS = [
    "--model.embedding-features", "4", "--model.hidden-features", "5", "--model.num-layers", "1",
    "--model.layer-dropout", "0", "--rows", "4", "--window", "16", "--epochs", "2",
    "--min-count", "1", "--valid", "0.15", "--test", "0.15", "--health-every", "0",
    "--log-every", "3", "--stream", "True", "--texts", "line",
]  # fmt: skip


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """Blocks so small that a short text has many; and a cache of one's own."""
    monkeypatch.setattr(pieces, "PIECE", 100)
    monkeypatch.setattr(store, "BLOCK", 150)
    monkeypatch.setenv("LSTM_JAX_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(VERSES), encoding="utf-8")
    return path


def own(*files, **fields):
    return replace(recipe.config, file=tuple(map(str, files)), **fields)


def symbols_of(epoch):
    """Targets that count, in the order of the rows."""
    batches = list(epoch)
    laid = [
        np.concatenate([getattr(b, name) for b in batches], 1) for name in ("targets", "weights")
    ]
    return laid[0][laid[1] > 0]


# --- the look ------------------------------------------------------------------------------------


def test_large_files_are_streamed_and_small_ones_are_not(file, monkeypatch):
    assert look_at_texts(own(file)).config.stream is None
    monkeypatch.setattr(stream, "LARGE", file.stat().st_size - 1)
    look = look_at_texts(own(file, valid=0.2, test=0.2))
    check(look.config)
    assert look.config.stream
    assert f"--stream True                  {file.stat().st_size:,} bytes are read" in look.say()
    assert look_at_texts(own(file, stream=False)).config.stream is False


def test_everything_is_chosen_as_for_small_texts(file):
    streamed, small = (look_at_texts(own(file, stream=s, texts="line")) for s in (True, None))
    check(streamed.config)
    for name in ("model", "rows", "window", "epochs", "min_count", "data_sha256", "file"):
        assert getattr(streamed.config, name) == getattr(small.config, name), name
    assert set(streamed.task.vocabulary.characters) == set(small.task.vocabulary.characters)
    assert {c.field for c in streamed.chose} == {c.field for c in small.chose}


@pytest.mark.parametrize("unit", ["character", "word", "byte"])
@pytest.mark.parametrize("texts", ["line", "file"])
def test_the_training_texts_are_read_whole_in_each_epoch(unit, texts, file):
    look = look_at_texts(own(file, stream=True, unit=unit, **(TINY | {"texts": texts})))
    task, symbols = look.task, {}
    for number in range(3):
        symbols[number] = symbols_of(task.epoch(number))
        assert sorted(symbols[number]) == sorted(symbols[0])
    assert len({tuple(found) for found in symbols.values()}) > 1
    counts = np.bincount(symbols[0], minlength=len(task.vocabulary))
    assert counts[task.vocabulary.unknown_id] == 0
    if texts == "line":
        held = sum(len(text) for text in task.valid)
        assert counts[0] == int(look.saw[1].split(": ")[1].split()[0])
        assert 0 < held < sum(counts)


def test_a_long_text_is_judged_now_and_then(file, monkeypatch):
    fields = TINY | {"epochs": 0, "texts": "file", "window": 13}
    task = look_at_texts(own(file, stream=True, **fields)).task
    whole = symbols_of(task.epoch(0))
    assert task.parts == 1
    monkeypatch.setattr(rows, "STEPS", 20)
    look = look_at_texts(own(file, stream=True, **fields))
    task = look.task
    assert task.parts == 3
    epochs = [task.epoch(number) for number in range(6)]
    assert [len(epoch) for epoch in epochs] == [len(epochs[0])] * 6
    for start in (0, 3):
        targets = np.concatenate([symbols_of(epoch) for epoch in epochs[start : start + 3]])
        assert sorted(targets) == sorted(whole)
    last, first = epochs[0][len(epochs[0]) - 1], epochs[1][0]
    goes_on = ~first.resets[:, 0]
    assert goes_on.any()
    assert (first.inputs[goes_on, 0] == last.targets[goes_on, -1]).all()
    assert look.saw[-1] == "3 epochs of 15 steps read the texts once, each with a validation"
    assert look.config.epochs == 90
    assert look.chose[-1].why.startswith("30 times the 3 epochs that read the texts once; at most")


def test_what_was_seen_is_said(file):
    saw = look_at_texts(own(file, stream=True, **(TINY | {"texts": "file", "min_count": 80}))).saw
    assert saw[0] == f"{file}: 2,879 bytes, 2,879 characters in texts"
    assert saw[1].startswith("30 texts or pieces of at most 100 characters: ")
    assert saw[2].endswith("different characters: Latin 100%")
    assert "of the training characters occur fewer than 80 times" in saw[3]


def test_files_from_ten_on_are_texts_each(tmp_path):
    paths = []
    for number in range(40):
        paths.append(tmp_path / f"{number}.txt")
        paths[-1].write_text("\n".join(VERSES[number : number + 3]), encoding="utf-8")
    chose = {c.field: c for c in look_at_texts(own(*paths, stream=True, valid=0.2, test=0.2)).chose}
    assert chose["texts"].value == "file"
    assert chose["texts"].why == "there are 40 files, and each is a text"


def test_rare_symbols_are_unknown_without_preparing_again(file, monkeypatch):
    one = look_at_texts(own(file, stream=True, **TINY)).task
    monkeypatch.setattr("lstm_jax.train.data.shards.prepare._make", None)
    few = look_at_texts(own(file, stream=True, **(TINY | {"min_count": 60}))).task
    assert 2 < len(few.vocabulary) < len(one.vocabulary)
    first, second = symbols_of(one.epoch(0)), symbols_of(few.epoch(0))
    assert second.tolist() == np.where(first < len(few.vocabulary), first, 1).tolist()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"valid": 0.9},
            r"^--valid must be at most 0.69 \(2,000 of 2,879 bytes, which are kept in memory\)",
        ),
        ({"file": ("none.txt",)}, r"^there is no file 'none.txt'"),
        ({"file": ()}, r"^there are no texts to learn from: use --file"),
        ({"encoding": "ascii-art"}, r"^there is no encoding 'ascii-art'"),
    ],
)
def test_what_cannot_be_streamed_is_one_line(fields, said, file, monkeypatch):
    monkeypatch.setattr(stream_look, "MOST_HELD", 2000)
    with pytest.raises(UserError, match=said):
        look_at_texts(replace(own(file, stream=True, **(TINY | {"texts": "line"})), **fields))


def test_a_bad_byte_is_said_with_the_file_and_its_place(file):
    content = file.read_bytes()
    file.write_bytes(content + b"\n\xff" + content)
    with pytest.raises(UserError) as error:
        look_at_texts(own(file, stream=True, **TINY))
    assert str(error.value) == (
        f"{file}, line 61, byte 2,880, is not UTF-8 text (byte 0xff): save it as UTF-8, or name "
        "its encoding with --encoding, such as latin-1 or gb18030"
    )


def test_too_little_is_refused(tmp_path):
    path = tmp_path / "little.txt"
    path.write_text("one\ntwo\nthree\n" * 4, encoding="utf-8")
    with pytest.raises(UserError, match=r"but at least 200 are needed|too few to set some"):
        look_at_texts(own(path, stream=True, **(TINY | {"texts": "line"})))


def test_only_texts_of_ones_own_are_streamed():
    with pytest.raises(ConfigError, match="--stream must be left alone unless --data is own"):
        check(TextConfig(data="verses", stream=True))


# --- the run -------------------------------------------------------------------------------------


def train(file, out, *more):
    with pytest.raises(SystemExit) as exit:
        cli.main(["train", "text", "--file", str(file), *FLAGS, "--out", str(out), *more])
    assert exit.value.code == 0


def state_of(folder):
    config = load_config(folder / "config.json")
    task = look_at_texts(config).task
    model = task.model(nnx.Rngs(0))
    optimizer, _ = make_optimizer(config.optimizer, 1)
    like = make_state(model, optimizer, task.carry(model))
    state, _ = checkpoints.load(folder / "checkpoints" / "latest", like)
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state)]


def lines(folder):
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "tokens_per_second"} for line in found]


def test_a_run_that_stops_goes_on_to_the_same_bits(file, tmp_path, capsys, monkeypatch):
    share(monkeypatch, (loop, "make_update"))
    train(file, tmp_path / "whole")
    epoch = len(look_at_texts(load_config(tmp_path / "whole" / "config.json")).task.epoch(0))
    train(file, tmp_path / "halves", "--max-steps", str(epoch + 5))
    train(file, tmp_path / "halves", "--resume")
    assert f"resuming from step {epoch + 5}" in capsys.readouterr().out
    assert state_of(tmp_path / "halves") == state_of(tmp_path / "whole")
    assert lines(tmp_path / "halves")[-1] == lines(tmp_path / "whole")[-1]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "halves")]
    assert weights[0] == weights[1]


@pytest.fixture
def run(file, tmp_path):
    return fit.text(file, out=tmp_path / "run", stream=True, **TINY)


def test_texts_from_python_are_not_streamed():
    with pytest.raises(UserError, match=r"^texts from Python are already in memory: leave out str"):
        fit.text(texts=VERSES, stream=True)


def test_a_run_is_evaluated_on_what_was_held_out(run, file, tmp_path):
    figures, said = measure(EvaluateOptions(str(tmp_path / "run"), split="valid"))
    assert figures["perplexity"] == pytest.approx(run.card["valid_perplexity"], rel=1e-5)
    assert figures["baselines"] == {}
    assert said.splitlines()[-1] == (
        "there are no n-grams to compare with, because the training texts are larger than memory"
    )
    assert run.evaluate()["on"] == "own test"
    with pytest.raises(
        UserError, match="the run has no train split; --split must be valid or test"
    ):
        measure(EvaluateOptions(str(tmp_path / "run"), split="train"))
    other = tmp_path / "other.txt"
    other.write_text("\n".join(VERSES[:4]), encoding="utf-8")
    assert measure(EvaluateOptions(str(tmp_path / "run"), file=other))[0]["characters"] == 191
    texts, source = texts_to_read(run.stored, run.config, 5, 20)[:2]
    assert all(text in file.read_text() for text in texts)
    assert source == "Texts of the test split of own."


def test_texts_that_changed_are_not_gone_on_with(run, file, tmp_path):
    file.write_text("\n".join(VERSES[1:]), encoding="utf-8")
    with pytest.raises(UserError, match=r"texts have changed since the run was trained on them"):
        measure(EvaluateOptions(str(tmp_path / "run")))
