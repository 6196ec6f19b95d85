"""A run whose folder cannot be written moves elsewhere, once, and reports where."""

import tempfile
from pathlib import Path

import pytest

from lstm_jax.train.run.checkpoints import CheckpointError
from lstm_jax.train.run.rescue import Place


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a run's folder, and use `tmp_path / "temporary"` for temporary files."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    folder = tmp_path / "runs" / "tang"
    for name in ("best", "latest", "latest.old", "latest.new"):
        (folder / "checkpoints" / name).mkdir(parents=True)
    for name in ("config.json", "run.lock", "checkpoints/best/x", ".model.0.partial.json"):
        (folder / name).write_text(name)
    return folder


def writer(*full):
    """Return a function that writes a file, but fails below some folders."""

    def write(folder):
        if any(folder == one or one in folder.parents for one in full):
            raise CheckpointError(f"no space left in {folder.name}")
        (folder / "written").write_text("whole")

    return write


def test_nothing_moves_while_the_folder_can_be_written(folder, tmp_path):
    place = Place(folder)
    place.write(writer())
    assert (place.folder, place.trouble) == (folder, None)
    assert (folder / "written").exists()
    assert list((tmp_path / "runs").iterdir()) == [folder]


def test_a_run_moves_beside_with_all_but_its_latest_checkpoints(folder, tmp_path):
    place = Place(folder)
    place.write(writer(folder))
    assert place.folder.parent == tmp_path / "runs"
    assert place.folder.name.startswith("tang-")
    found = {str(path.relative_to(place.folder)) for path in place.folder.rglob("*")}
    files = {"config.json", "written", "checkpoints/best/x"}
    assert found == files | {"checkpoints", "checkpoints/best"}
    again = place.folder
    place.write(writer(folder))
    assert place.folder == again, "it moves once"
    assert str(place.left(7)) == (
        f"no space left in tang; the run was saved after step 7 in {again}; resume it with "
        f"--resume --out {again}"
    )


def test_a_run_moves_among_the_temporary_files_where_its_disk_is_full(folder, tmp_path):
    place = Place(folder)
    place.write(writer(tmp_path / "runs"))
    assert place.folder.parent == tmp_path / "temporary"
    assert list((tmp_path / "runs").iterdir()) == [folder], "the copy that was no good is gone"


def test_where_nothing_can_be_written_it_is_said(folder, tmp_path):
    place = Place(folder)
    with pytest.raises(CheckpointError) as caught:
        place.write(writer(tmp_path))
    assert str(caught.value) == (
        f"no space left in tang; the run could not be saved in {tmp_path / 'runs'} or "
        f"{tmp_path / 'temporary'} either, so the training since its last checkpoint is lost"
    )
    assert not list((tmp_path / "temporary").iterdir())


def test_a_folder_that_is_gone_is_not_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    place = Place(Path(tmp_path / "runs" / "tang"))
    with pytest.raises(CheckpointError, match="could not be saved in"):
        place.write(writer(tmp_path))
