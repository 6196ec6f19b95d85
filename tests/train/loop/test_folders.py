"""What a folder holds is never overwritten or lost, and one run at a time is in it."""

import io
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from folders import digest
from rich.console import Console
from small_run import (
    CONFIG,
    copy,
    latest,
    run,
    template,
)

from lstm_jax.train import fitting, loop
from lstm_jax.train.config import ConfigError
from lstm_jax.train.problems import load as load_config
from lstm_jax.train.run import checkpoints, lock
from lstm_jax.train.run.lock import LockedError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "already holds a run; use --resume, --overwrite or another --out"),
        ({"resume": True, "overwrite": True}, "cannot be used together"),
    ],
)
def test_a_folder_that_holds_a_run_is_refused_and_untouched(options, message, whole):
    before = digest(whole[0])
    with pytest.raises(ConfigError, match=message):
        loop.prepare(whole[0], CONFIG, **{"resume": False, "overwrite": False, **options})
    assert digest(whole[0]) == before


def test_a_bad_value_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match="--rows"):
        loop.prepare(tmp_path / "run", replace(CONFIG, rows=0), resume=False, overwrite=True)
    assert not (tmp_path / "run").exists()


def test_overwrite_starts_anew_and_spares_what_is_not_the_runs(whole, tmp_path):
    folder = copy(whole[0], tmp_path)
    (folder / "notes.txt").write_text("mine")
    other = replace(CONFIG, rows=4)
    assert loop.prepare(folder, other, resume=False, overwrite=True) == other
    assert {path.name for path in folder.iterdir()} == {"config.json", "notes.txt"}
    assert load_config(folder / "config.json") == other


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["thesis.txt", "config.json", "checkpoints"])
def test_a_folder_that_is_no_run_is_refused_and_untouched(name, overwrite, tmp_path):
    (tmp_path / name).write_text('{"model_type": "bert"}')
    before = digest(tmp_path)
    with pytest.raises(ConfigError, match="is not a run's folder; choose another --out"):
        loop.prepare(tmp_path, CONFIG, resume=False, overwrite=overwrite)
    assert digest(tmp_path) == before


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        loop.prepare(tmp_path / "file" / "run", CONFIG, resume=False, overwrite=False)
    assert "\n" not in str(caught.value)


def test_nothing_to_resume(tmp_path):
    with pytest.raises(ConfigError, match=r"no run to resume in .* \(no config\.json\)"):
        loop.prepare(tmp_path, CONFIG, resume=True, overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_overwrite_empties_checkpoints_that_lie_on_another_disk(whole, tmp_path):
    folder = copy(whole[0], tmp_path)
    scratch = tmp_path / "scratch"
    (folder / "checkpoints").rename(scratch)
    (folder / "checkpoints").symlink_to(scratch)
    other = replace(CONFIG, seed=7, max_steps=1)
    _, said = run(folder, other, overwrite=True)
    assert "resuming" not in said
    assert checkpoints.load(scratch / "latest", template())[0].step == 1


def test_a_mesh_that_does_not_fit_deletes_nothing(whole, tmp_path):
    folder = copy(whole[0], tmp_path)
    before = digest(folder)

    class Four:
        mesh = SimpleNamespace(size=4)

        def check(self, epoch):
            raise ConfigError("--mesh data=4 cannot split the 3 rows of a batch evenly")

    look = fitting.look_at(CONFIG, console=Console(file=io.StringIO()))
    with pytest.raises(ConfigError, match="cannot split the 3 rows"):
        fitting.train(look, folder, overwrite=True, devices=Four(), console=Console())
    assert digest(folder) == before


def test_a_run_that_cannot_be_deleted_is_refused_and_still_there(whole, tmp_path, monkeypatch):
    folder = copy(whole[0], tmp_path)

    def refuse(path, *args, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(ConfigError, match=r"cannot be used: .*Permission denied"):
        loop.prepare(folder, replace(CONFIG, seed=7), resume=False, overwrite=True)
    assert load_config(folder / "config.json") == CONFIG
    assert checkpoints.exists(latest(folder))


def test_a_checkpoint_of_another_configuration_is_never_loaded(whole, tmp_path):
    other = tmp_path / "other"
    run(other, replace(CONFIG, seed=7, max_steps=1))
    shutil.rmtree(other / "checkpoints")
    shutil.copytree(whole[0] / "checkpoints", other / "checkpoints")
    with pytest.raises(ConfigError, match="has seed 0, not 7"):
        run(other, replace(CONFIG, seed=7), resume=True)


def closed(monkeypatch, folder):
    """Make a folder unreadable, as the system does for everyone but root."""
    for name in ("stat", "iterdir", "open"):
        method = getattr(Path, name)

        def refused(self, *args, method=method, **options):
            if folder == self or folder in self.parents:
                raise PermissionError(13, "Permission denied", str(self))
            return method(self, *args, **options)

        monkeypatch.setattr(Path, name, refused)


@pytest.mark.parametrize("options", [{}, {"resume": True}, {"overwrite": True}], ids=str)
@pytest.mark.parametrize("place", [".", "config.json", "checkpoints/latest"])
def test_what_is_closed_to_us_is_one_line_and_untouched(
    place, options, whole, tmp_path, monkeypatch
):
    folder = copy(whole[0], tmp_path)
    with monkeypatch.context() as patch:
        closed(patch, folder / place)
        patch.setattr(shutil, "rmtree", lambda path: (path / "x").stat())
        with pytest.raises(ConfigError) as caught:
            run(folder, **options)
    said = str(caught.value)
    assert "\n" not in said
    assert "Permission denied" in said or said.endswith("another --out")
    for name in ("metrics.jsonl", "model.json", "checkpoints/latest/manifest.json"):
        assert (folder / name).read_bytes() == (whole[0] / name).read_bytes()


@pytest.mark.parametrize("more", ["--resume", "--overwrite"])
def test_a_second_process_is_refused_and_touches_nothing(more, whole, started, tmp_path):
    folder = copy(whole[0], tmp_path)
    with lock.held(folder):
        before = digest(folder)
        with started(folder, more) as second:
            _, err = second.communicate(timeout=300)
        assert second.returncode == 2
        assert f"{folder} is in use by process {os.getpid()} on " in err
        assert err.count("\n") == 1
        assert digest(folder) == before
    assert not (folder / "run.lock").exists()


def test_who_held_a_folder_and_was_killed_is_said(tmp_path):
    run(tmp_path, replace(CONFIG, max_steps=2))
    who = {"process": 17, "host": "elsewhere", "since": "Monday"}
    (tmp_path / "run.lock").write_text(json.dumps(who))
    with lock.held(tmp_path) as before:
        assert before == "process 17 on elsewhere, since Monday"
        with pytest.raises(LockedError, match=f"is in use by process {os.getpid()} on "):
            run(tmp_path, replace(CONFIG, max_steps=2), resume=True)
    with lock.held(tmp_path) as before:
        assert before is None


def test_a_folder_of_a_run_that_was_killed_as_it_began_is_taken(tmp_path):
    (tmp_path / ".config.0a1b2c3d.partial.json").write_text("{")
    (tmp_path / "run.lock").write_text("")
    loop.prepare(tmp_path, CONFIG, resume=False, overwrite=False)
    assert load_config(tmp_path / "config.json") == CONFIG


def test_half_files_of_a_killed_process_are_swept_away_and_others_are_not(whole, tmp_path):
    folder = copy(whole[0], tmp_path)
    halves = {".metrics.0a1b2c3d.partial.jsonl", ".model.0a1b2c3d.partial.safetensors"}
    mine = {".model.0a1b2c3d.partial.onnx", ".notes.0a1b2c3d.partial.json"}
    for name in halves | mine:
        (folder / name).write_text("half")
    loop.prepare(folder, CONFIG, resume=True, overwrite=False)
    names = {path.name for path in folder.iterdir()}
    assert mine <= names
    assert not halves & names
