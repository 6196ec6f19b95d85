"""The folder of a report: nothing gets lost."""

import json
from pathlib import Path

import pytest
from report.conftest import PNG, TINY

from lstm_jax.report import diagnose
from lstm_jax.report.command import write_report
from lstm_jax.report.folder import OWN, check_folder, write_folder
from lstm_jax.report.poems import HELD_OUT
from lstm_jax.report.reading import ReportError
from lstm_jax.text.language import load

pytestmark = pytest.mark.usefixtures("compile_fast")


@pytest.fixture(scope="module")
def unasked(poet, compile_fast):
    """A diagnosis without questions, which takes no time."""
    return diagnose(load(poet), HELD_OUT, TINY, questions=())


@pytest.fixture
def written(tmp_path):
    """A report of before to spoil."""
    folder = tmp_path / "report"
    files = {**dict.fromkeys(OWN, b"old"), "diagnosis.json": b'{"kind": "diagnosis"}'}
    write_folder(folder, files)
    return folder


def refuse(folder, overwrite, said):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ReportError, match=said) as error:
        check_folder(folder, overwrite=overwrite)
    assert "\n" not in str(error.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_report_is_replaced_only_when_asked(written, unasked, tmp_path, undrawn):
    refuse(written, False, "holds a report; add --overwrite to replace it")
    with pytest.raises(ReportError, match="holds a report"):
        write_report(unasked, written)
    write_report(unasked, written, overwrite=True)
    assert json.loads((written / "diagnosis.json").read_text(encoding="utf-8")) == unasked.figures()
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
    refuse(written, True, r"do not belong to a report \(notes.txt\)")


def test_an_empty_folder_will_do(tmp_path, unasked, undrawn):
    (tmp_path / "out").mkdir()
    write_report(unasked, tmp_path / "out")
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_write_that_fails_leaves_the_old_report(written, unasked, tmp_path, monkeypatch, undrawn):
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    rename = Path.rename

    def failing(self, target):
        if self.name.endswith(".partial"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(ReportError, match="No space left"):
        write_report(unasked, written, overwrite=True)
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
