"""Runs: how to go on, and folders that cannot take one."""

import shutil
from pathlib import Path

import pytest
from folders import digest

from lstm_jax import cli
from lstm_jax.configs import smoke
from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.text.language import load
from lstm_jax.train import problems

pytestmark = pytest.mark.usefixtures("compile_fast")


TINY = [
    "--model.embedding-features", "4", "--model.hidden-features", "5", "--model.num-layers", "1",
    "--rows", "3", "--window", "24", "--min-count", "1", "--epochs", "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(few_verses, tmp_path_factory):
    """A run of two steps of a recipe; and what the command printed."""
    folder = tmp_path_factory.mktemp("runs") / "a run"
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as caught,
    ):
        cli.main(["train", "smoke", *TINY, "--out", str(folder), "--max-steps", "2"])
    assert not caught.value.code
    return folder, out.getvalue(), err.getvalue()


def test_training_says_how_to_go_on_and_the_line_is_not_broken(trained):
    folder, out, err = trained
    assert err == ""
    first, compiling, last = out.splitlines()
    assert first.startswith("verses: 4 texts, vocabulary ")
    assert compiling == "compiling the first step"
    assert last == (
        "stopped and saved after step 2; resume with lstm-jax train smoke "
        + " ".join(TINY)
        + f" --out '{folder}' --resume"
    )
    config = problems.load(folder / "config.json")
    assert config.model == CharLMConfig(4, 5, 1)
    assert config.max_steps == 2
    assert config.optimizer == smoke.config.optimizer, "what no flag names is the recipe's"


def test_what_is_said_last_goes_on(trained, call, tmp_path):
    folder = Path(shutil.copytree(trained[0], tmp_path / "run"))
    code, out, err = call("train", "smoke", *TINY, "--out", folder, "--resume")
    assert (code, err) == (0, "")
    assert "resuming from step 2" in out
    assert f"done after 4 steps: {folder}" in out
    card = load(folder).card
    assert card["steps"] == 4
    assert card["command"].startswith("lstm-jax train smoke --model.embedding-features 4 ")


def test_a_folder_that_holds_a_run(trained, refused):
    folder, before = trained[0], digest(trained[0], times=False)
    said = refused("train", "smoke", *TINY, "--out", folder)
    assert "already holds a run; use --resume, --overwrite or another --out" in said
    said = refused("train", "smoke", *TINY, "--out", folder, "--resume", "--overwrite")
    assert "cannot be used together" in said
    said = refused("train", "smoke", *TINY, "--out", folder, "--resume", "--rows", "4")
    assert "has rows 3, not 4" in said
    said = refused("train", "smoke", "--out", folder, "--resume")
    assert "resume it with the same configuration" in said
    assert digest(folder, times=False) == before


def test_folders_that_cannot_take_a_run(refused, tmp_path):
    (tmp_path / "poem.txt").write_text("mine")
    for more in ([], ["--overwrite"]):
        assert "is not a run's folder" in refused("train", "smoke", "--out", tmp_path, *more)
    assert "cannot be used" in refused("train", "smoke", "--out", tmp_path / "poem.txt" / "run")
    assert "no run to resume" in refused("train", "smoke", "--out", tmp_path, "--resume")
    assert [path.name for path in tmp_path.iterdir()] == ["poem.txt"]


def break_manifest(latest):
    (latest / "manifest.json").unlink()


def break_array(latest):
    path = max((p for p in latest.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1])


def give_another_models(latest):
    import jax.numpy as jnp

    from lstm_jax.train.run import checkpoints

    checkpoints.save(latest, {"kernel": jnp.ones(3)}, metadata={})


@pytest.mark.parametrize("spoil", [break_manifest, break_array, give_another_models])
def test_a_checkpoint_that_cannot_be_resumed(spoil, trained, refused, tmp_path, capsys):
    folder = Path(shutil.copytree(trained[0], tmp_path / "run"))
    spoil(folder / "checkpoints" / "latest")
    arguments = ["train", "smoke", *TINY, "--out", folder, "--max-steps", "2", "--resume"]
    before = digest(folder, times=False)
    assert "latest" in refused(*arguments)
    assert digest(folder, times=False) == before
