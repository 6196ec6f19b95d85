"""`lstm-jax diagnose`: question a model, and write a report."""

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
from lstm_jax.models import storage
from lstm_jax.models.char_lm import CharLM
from lstm_jax.models.storage import Stored
from lstm_jax.report.diagnosis import Diagnosis, diagnose, diagnose_rows
from lstm_jax.report.folder import FIGURES, GATES, PAGE, check_folder, write_folder
from lstm_jax.report.page import gates_html, report_html
from lstm_jax.report.poems import HELD_OUT
from lstm_jax.report.question import Answers
from lstm_jax.report.questions import QUESTIONS, QUICK_QUESTIONS
from lstm_jax.report.reading import QUICK, ReportError, Settings, check
from lstm_jax.report.rows import Rows, Texts
from lstm_jax.text.language import LanguageModel
from lstm_jax.text.lines import read_lines
from lstm_jax.text.script import to_traditional

Find = Callable[[Stored, int, int], Rows | Texts]
"""`find(stored, count, steps)`: at most `count` sequences of at most `steps` steps."""

QUICK_NOTES = (
    "this is a quick look: the model read too little for quotable figures, and no spectra were "
    "computed",
)
MAX_LAGS = 128  # three of the questions take time quadratic in the lags


@dataclass(frozen=True)
class DiagnoseOptions:
    """Configure the diagnosis of a model."""

    model: tyro.conf.Positional[str] = "tang"
    """Name of a released model, or folder of a run."""
    file: Path | None = None
    """UTF-8 file with one text per line, for language models; without it, held-out data is used."""
    out: Path | None = None
    """Folder of the report; diagnosis/MODEL if left out."""
    overwrite: bool = False
    """Replace the report in the folder."""
    steps: int | None = None
    """Length of the sequences, 120 if left out: shorter texts are joined, longer ones are cut.
    A forecaster always reads its whole window."""
    seed: int = 0
    """Seed of the random directions from which spectra are computed."""
    quick: bool = False
    """Finish in seconds: only influence, gates and memory, on little data, without spectra."""
    json: bool = False
    """Print JSON."""

    @property
    def folder(self) -> Path:
        """Return the folder of the report."""
        return self.out or Path("diagnosis") / Path(self.model).resolve().name

    @property
    def settings(self) -> Settings:
        """Return the settings of the diagnosis."""
        settings = replace(QUICK if self.quick else Settings(), seed=self.seed)
        if self.steps is None:
            return settings
        lags = min(8 * self.steps // 15, MAX_LAGS)
        return replace(settings, steps=self.steps, lags=lags, burn_in=self.steps // 6)


def run(options: DiagnoseOptions, console: Console, find: Find | None = None) -> Diagnosis:
    """Diagnose a model and write the report.

    Args:
        options: as on the command line.
        console: for the progress.
        find: finds held-out data of the model; if None, only the poems are available.

    Returns:
        The diagnosis that was written.

    Raises:
        ReportError, TextFileError: if the report cannot be made, before anything is written.
        ModelError: if there is no such model.
        UserError: from `find`, if the data is missing.
    """
    check_folder(options.folder, overwrite=options.overwrite)
    _drawing()  # a missing package is reported before minutes of work
    stored, settings = storage.load(options.model), options.settings
    check(settings)
    data = _data(options, stored, settings, find)

    @contextlib.contextmanager
    def doing(task: str) -> Iterator[None]:
        began = time.perf_counter()
        with console.status(task):
            yield
        console.print(f"{time.perf_counter() - began:6.1f} s  {task}")

    questions, notes = (QUICK_QUESTIONS, QUICK_NOTES) if options.quick else (QUESTIONS, ())
    if isinstance(data, Rows):
        diagnosis = diagnose_rows(
            stored,
            data,
            settings,
            name=options.model,
            notes=notes,
            questions=questions,
            doing=doing,
        )
    else:
        notes = (*notes, *_perplexity_note(stored, options))
        diagnosis = diagnose(
            LanguageModel.of(stored),
            data.texts,
            settings,
            name=options.model,
            source=data.source,
            notes=notes,
            questions=questions,
            doing=doing,
        )
    write_report(diagnosis, options.folder, overwrite=options.overwrite)
    return diagnosis


def write_report(diagnosis: Diagnosis, folder: Path, *, overwrite: bool = False) -> None:
    """Write the folder of a report, completely or not at all.

    Args:
        diagnosis: the answers to report.
        folder: created if it does not exist.
        overwrite: whether an existing report is replaced.

    Raises:
        ReportError: if matplotlib is missing, or something in the folder would be lost.
    """
    draw = _drawing()
    check_folder(folder, overwrite=overwrite)
    images = draw(diagnosis.answers)
    figures = json.dumps(diagnosis.figures(), ensure_ascii=False, allow_nan=False)
    files = {
        FIGURES: encoded(f"{figures}\n"),
        PAGE: encoded(report_html(diagnosis, images)),
        **images,
    }
    if diagnosis.reading.gates is not None:
        files[GATES] = encoded(gates_html(diagnosis))
    write_folder(folder, files, overwrite=overwrite)


def _perplexity_note(stored: Stored, options: DiagnoseOptions) -> Iterator[str]:
    """Explain why the perplexity differs from the one on the model's card, if there is one."""
    known = stored.card.get("test_perplexity")
    if known is not None and options.file is None:
        yield (
            f"the perplexity is that of these texts only; on the whole test split it is {known:g}, "
            "as on the model's card"
        )


def _data(
    options: DiagnoseOptions, stored: Stored, settings: Settings, find: Find | None
) -> Rows | Texts:
    """Choose the data for the model to read."""
    language = stored.description["kind"] == CharLM.__name__
    tang = language and stored.card.get("data") == "tang"
    if options.file is not None:
        if not language:
            raise ReportError(
                f"--file is for language models, but {options.model} is not one; leave it out to "
                "use the model's own held-out data"
            )
        lines = read_lines(options.file)
        texts = tuple(to_traditional(line) for line in lines) if tang else lines
        return Texts(texts, f"The lines of {options.file.name}.")
    if tang:
        return Texts(
            HELD_OUT,
            "Twelve Tang poems from the test split of the corpus, which share no lines with the "
            "poems of the training split.",
        )
    if find is None:
        raise ReportError(
            f"{options.model} was not trained on Tang poems, and the package has no other texts; "
            "give some with --file"
        )
    count = settings.streams if language else settings.streams * settings.ends
    return find(stored, count, settings.steps)


def _drawing() -> Callable[[Answers], dict[str, bytes]]:
    try:
        from lstm_jax.report.pictures import files
    except ImportError as error:
        raise ReportError(str(error)) from None
    return files
