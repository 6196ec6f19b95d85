"""The folder of a report: nothing gets lost."""

import json
from pathlib import Path

import pytest
from report.conftest import PNG

from lstm_jax.report.command import write_report
from lstm_jax.report.folder import check_folder
from lstm_jax.report.reading import ReportError


@pytest.fixture
def written(made, tmp_path):
    """A report of one's own to spoil."""
    folder = tmp_path / "report"
    folder.mkdir()
    for path in made.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def refuse(folder, overwrite, said):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ReportError, match=said) as error:
        check_folder(folder, overwrite=overwrite)
    assert "\n" not in str(error.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_report_is_replaced_only_when_asked(written, made, tmp_path, undrawn):
    refuse(written, False, "holds a report: --overwrite replaces it")
    with pytest.raises(ReportError, match="holds a report"):
        write_report(made.diagnosis, written)
    write_report(made.diagnosis, written, overwrite=True)
    assert json.loads((written / "diagnosis.json").read_text(encoding="utf-8")) == made.figures
    assert (written / "roads.png").read_bytes() == PNG
    assert not (written / "roads.svg").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_never_touched(tmp_path, overwrite):
    (tmp_path / "thesis.txt").write_text("mine")
    refuse(tmp_path, overwrite, "is not empty and holds no report")
    (tmp_path / "diagnosis.json").write_text('{"of": "another kind"}')
    refuse(tmp_path, overwrite, "is not empty and holds no report")
    with pytest.raises(ReportError, match="is a file"):
        check_folder(tmp_path / "thesis.txt", overwrite=overwrite)


def test_notes_beside_a_report_are_not_lost(written):
    (written / "notes.txt").write_text("mine")
    refuse(written, True, r"no part of a report \(notes.txt\)")


def test_an_empty_folder_will_do(tmp_path, made, undrawn):
    (tmp_path / "out").mkdir()
    write_report(made.diagnosis, tmp_path / "out")
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_write_that_fails_leaves_the_old_report(written, made, tmp_path, monkeypatch, undrawn):
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    rename = Path.rename

    def failing(self, target):
        if self.name.endswith(".partial"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(ReportError, match="No space left"):
        write_report(made.diagnosis, written, overwrite=True)
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
