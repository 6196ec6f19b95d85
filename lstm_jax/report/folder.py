"""A report's folder: written whole or not at all, and never over something else.

report.html       the questions: pictures, figures in words, what they mean; one file
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
    """Refuse a folder in which something would be lost.

    Args:
        folder: where a report is to go; it need not exist.
        overwrite: whether a report that is there may go.

    Raises:
        ReportError: one line.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise ReportError(f"{folder} is a file; --out names the folder of a report")
    held = {path.name for path in folder.iterdir()}
    if not held:
        return
    if not _is_report(folder):
        raise ReportError(f"{folder} is not empty and holds no report: choose another --out")
    if not overwrite:
        raise ReportError(f"{folder} holds a report: --overwrite replaces it")
    others = sorted(held - OWN)
    if others:
        raise ReportError(
            f"{folder} holds what is no part of a report ({', '.join(others[:3])}): move it away, "
            "or choose another --out"
        )


def _is_report(folder: Path) -> bool:
    try:
        found = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("kind") == KIND


def write_folder(folder: Path, files: Mapping[str, bytes], *, overwrite: bool = False) -> None:
    """Write a report, whole or not at all.

    Args:
        folder: made if it does not exist.
        files: contents by name.
        overwrite: replace a report that is there.

    Raises:
        ReportError: something in the folder would be lost, or it cannot be written.
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
        there = folder.exists()
        if there:
            folder.rename(old)
        try:
            partial.rename(folder)
        except OSError:
            if there:
                old.rename(folder)
            raise
    finally:
        _remove(partial, OWN | files.keys())
    _remove(old, OWN)


def _remove(folder: Path, names: set[str]) -> None:
    """Remove a report, and leave it where it holds anything else."""
    with contextlib.suppress(OSError):
        for name in names:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
