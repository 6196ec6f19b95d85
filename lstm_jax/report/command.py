"""`lstm-jax diagnose`: ask a model, and write a report that a person reads."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import tyro
from rich.console import Console

from lstm_jax.files import encoded
from lstm_jax.report.diagnosis import Diagnosis, diagnose
from lstm_jax.report.folder import FIGURES, GATES, PAGE, check_folder, write_folder
from lstm_jax.report.page import gates_html, report_html
from lstm_jax.report.poems import HELD_OUT
from lstm_jax.report.question import Answers
from lstm_jax.report.reading import QUICK, ReportError, Settings
from lstm_jax.text.language import LanguageModel, load
from lstm_jax.text.lines import read_lines
from lstm_jax.text.script import to_traditional

MAX_LAGS = 128  # the work of three of the questions grows as the square


@dataclass(frozen=True)
class DiagnoseOptions:
    """What to diagnose, on what, and where the report goes."""

    model: tyro.conf.Positional[str] = "tang"
    """A released model's name or a run's folder."""
    file: Path | None = None
    """A UTF-8 file with one text a line. (Twelve poems of the test split if not given)"""
    out: Path | None = None
    """The report's folder. (diagnosis/MODEL if not given)"""
    overwrite: bool = False
    """Replace the report in the folder."""
    steps: int | None = None
    """Symbols read of each text, shorter ones being joined. (120)"""
    seed: int = 0
    """Of the random directions that spectra are sought from."""
    quick: bool = False
    """Look at little, in seconds: to see that it works."""
    json: bool = False
    """Print JSON."""

    @property
    def folder(self) -> Path:
        """Where the report goes."""
        return self.out or Path("diagnosis") / Path(self.model).resolve().name

    @property
    def settings(self) -> Settings:
        """How much is read, and how closely it is looked at."""
        settings = replace(QUICK if self.quick else Settings(), seed=self.seed)
        if self.steps is None:
            return settings
        lags = min(8 * self.steps // 15, MAX_LAGS)
        return replace(settings, steps=self.steps, lags=lags, burn_in=self.steps // 6)


def run(options: DiagnoseOptions, console: Console) -> Diagnosis:
    """Diagnose a model and write the report.

    Args:
        options: what the command line said.
        console: for the progress.

    Returns:
        The diagnosis that was written.

    Raises:
        ReportError, TextFileError: in one line, before anything is written.
        ModelError: no such model, or one of another kind.
    """
    check_folder(options.folder, overwrite=options.overwrite)
    _drawing()  # what is missing is said before the minutes
    model = load(options.model)
    texts, source = _texts(options, model)

    @contextlib.contextmanager
    def doing(what: str) -> Iterator[None]:
        began = time.perf_counter()
        with console.status(what):
            yield
        console.print(f"{time.perf_counter() - began:6.1f} s  {what}")

    quick = ["a quick look: too little was read to quote its figures"] if options.quick else []
    diagnosis = diagnose(
        model,
        texts,
        options.settings,
        name=options.model,
        source=source,
        notes=quick,
        doing=doing,
    )
    write_report(diagnosis, options.folder, overwrite=options.overwrite)
    return diagnosis


def write_report(diagnosis: Diagnosis, folder: Path, *, overwrite: bool = False) -> None:
    """Write a report's folder, whole or not at all.

    Args:
        diagnosis: what is reported.
        folder: made if it does not exist.
        overwrite: replace a report that is there.

    Raises:
        ReportError: matplotlib is missing, or something in the folder would be lost.
    """
    draw = _drawing()
    check_folder(folder, overwrite=overwrite)
    images = draw(diagnosis.answers)
    figures = json.dumps(diagnosis.figures(), ensure_ascii=False, allow_nan=False)
    files = {
        FIGURES: encoded(f"{figures}\n"),
        GATES: encoded(gates_html(diagnosis)),
        PAGE: encoded(report_html(diagnosis, images)),
        **images,
    }
    write_folder(folder, files, overwrite=overwrite)


def _texts(options: DiagnoseOptions, model: LanguageModel) -> tuple[tuple[str, ...], str]:
    """The texts, and a sentence that says whence they are."""
    tang = model.card.get("data") == "tang"
    if options.file is None:
        if not tang:
            raise ReportError(
                f"{options.model} was not trained on Tang poems, and no other texts come with the "
                "package: give some with --file"
            )
        return HELD_OUT, (
            "Twelve Tang poems of the corpus' test split, which share no lines with the poems "
            "of its training split."
        )
    texts = read_lines(options.file)
    source = f"The lines of {options.file.name}."
    return tuple(to_traditional(text) for text in texts) if tang else texts, source


def _drawing() -> Callable[[Answers], dict[str, bytes]]:
    try:
        from lstm_jax.report.pictures import files
    except ImportError as error:
        raise ReportError(str(error)) from None
    return files
