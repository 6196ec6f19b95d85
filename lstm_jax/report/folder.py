"""The folder of a report, written completely or not at all, and never over anything else.

report.html       the questions, with pictures, figures and explanations, in one file
gates.html        every gate of an LSTM at every step of the first row
diagnosis.json    all figures
*.png, *.svg      the pictures
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from lstm_jax.report.diagnosis import KIND
from lstm_jax.report.questions import QUESTIONS
from lstm_jax.report.reading import ReportError

PAGE, GATES, FIGURES = "report.html", "gates.html", "diagnosis.json"
PICTURES = tuple(picture.name for question in QUESTIONS for picture in question.pictures)
OWN = {PAGE, GATES, FIGURES, *(f"{name}.{kind}" for name in PICTURES for kind in ("png", "svg"))}


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Check that writing a report to a folder would not destroy anything.

    Args:
        folder: of the report; it need not exist.
        overwrite: whether an existing report may be replaced.

    Raises:
        ReportError: if something would be lost, in one line.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise ReportError(f"{folder} is a file, but --out must be a folder")
    names = {path.name for path in folder.iterdir()}
    if not names:
        return
    if not _is_report(folder):
        raise ReportError(f"{folder} is not empty and holds no report; choose another --out")
    if not overwrite:
        raise ReportError(f"{folder} holds a report; add --overwrite to replace it")
    others = sorted(names - OWN)
    if others:
        raise ReportError(
            f"{folder} holds files that do not belong to a report ({', '.join(others[:3])}); move "
            "them away, or choose another --out"
        )


def _is_report(folder: Path) -> bool:
    try:
        figures = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(figures, dict) and figures.get("kind") == KIND


def write_folder(folder: Path, files: Mapping[str, bytes], *, overwrite: bool = False) -> None:
    """Write the files of a report, completely or not at all.

    Args:
        folder: created if it does not exist.
        files: contents by name.
        overwrite: whether an existing report is replaced.

    Raises:
        ReportError: if something in the folder would be lost, or it cannot be written.
    """
    check_folder(folder, overwrite=overwrite)
    try:
        _replace(folder.resolve(), files)
    except OSError as error:
        raise ReportError(f"{folder} cannot be written: {error}") from None


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    token = secrets.token_hex(4)
    partial, old = (folder.with_name(f".{folder.name}.{token}.{k}") for k in ("partial", "old"))
    try:
        partial.mkdir(parents=True)
        for name, content in files.items():
            (partial / name).write_bytes(content)
        existed = folder.exists()
        if existed:
            folder.rename(old)
        try:
            partial.rename(folder)
        except OSError:
            if existed:
                old.rename(folder)
            raise
    finally:
        _remove(partial, OWN | files.keys())
    _remove(old, OWN)


def _remove(folder: Path, names: set[str]) -> None:
    """Remove the files of a report, and the folder unless it holds anything else."""
    with contextlib.suppress(OSError):
        for name in names:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
