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
from lstm_jax.models import storage
from lstm_jax.models.char_lm import CharLM
from lstm_jax.models.storage import Stored
from lstm_jax.models.vocabulary import Vocabulary
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
"""`find(stored, count, steps)`: at most so many sequences, of at most so many steps."""

QUICK_NOTES = (
    "a quick look: too little was read to quote its figures, and the spectra were not sought",
)
MAX_LAGS = 128  # the work of three of the questions grows as the square


@dataclass(frozen=True)
class DiagnoseOptions:
    """What to diagnose, on what, and where the report goes."""

    model: tyro.conf.Positional[str] = "tang"
    """A released model's name or a run's folder."""
    file: Path | None = None
    """For language models: a UTF-8 file with one text a line. (Held-out data of the run's own;
    of a model of Tang poems, twelve of the test split)"""
    out: Path | None = None
    """The report's folder. (diagnosis/MODEL if not given)"""
    overwrite: bool = False
    """Replace the report in the folder."""
    steps: int | None = None
    """Symbols read of each text, shorter ones being joined; of other sequences steps, at most. A
    forecaster reads its whole window. (120)"""
    seed: int = 0
    """Of the random directions that spectra are sought from."""
    quick: bool = False
    """Look at little, in seconds: influence, gates and memory, and no spectra."""
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


def run(options: DiagnoseOptions, console: Console, find: Find | None = None) -> Diagnosis:
    """Diagnose a model and write the report.

    Args:
        options: what the command line said.
        console: for the progress.
        find: finds data that the model did not learn from; if None, there is none but the poems.

    Returns:
        The diagnosis that was written.

    Raises:
        ReportError, TextFileError: in one line, before anything is written.
        ModelError: no such model.
        UserError: what `find` has to say of data that is missing.
    """
    check_folder(options.folder, overwrite=options.overwrite)
    _drawing()  # what is missing is said before the minutes
    stored, settings = storage.load(options.model), options.settings
    check(settings)
    found = _data(options, stored, settings, find)

    @contextlib.contextmanager
    def doing(what: str) -> Iterator[None]:
        began = time.perf_counter()
        with console.status(what):
            yield
        console.print(f"{time.perf_counter() - began:6.1f} s  {what}")

    questions, notes = (QUICK_QUESTIONS, QUICK_NOTES) if options.quick else (QUESTIONS, ())
    if isinstance(found, Rows):
        diagnosis = diagnose_rows(
            stored,
            found,
            settings,
            name=options.model,
            notes=notes,
            questions=questions,
            doing=doing,
        )
    else:
        notes = (*notes, *_beside(stored, options))
        vocabulary = Vocabulary.restored(stored.description["vocabulary"])
        diagnosis = diagnose(
            LanguageModel(stored.network, vocabulary, stored.card),
            found.texts,
            settings,
            name=options.model,
            source=found.source,
            notes=notes,
            questions=questions,
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
        PAGE: encoded(report_html(diagnosis, images)),
        **images,
    }
    if diagnosis.reading.gates is not None:
        files[GATES] = encoded(gates_html(diagnosis))
    write_folder(folder, files, overwrite=overwrite)


def _beside(stored: Stored, options: DiagnoseOptions) -> Iterator[str]:
    """Say why the perplexity is not that of the model's card, where it has one."""
    known = stored.card.get("test_perplexity")
    if known is not None and options.file is None:
        yield (
            f"the perplexity is of these texts alone; of the whole test split it is {known:g}, as "
            "the model's card says"
        )


def _data(
    options: DiagnoseOptions, stored: Stored, settings: Settings, find: Find | None
) -> Rows | Texts:
    """What the model is to read."""
    language = stored.description["kind"] == CharLM.__name__
    tang = language and stored.card.get("data") == "tang"
    if options.file is not None:
        if not language:
            raise ReportError(
                f"--file is for language models, and {options.model} is none: it is diagnosed on "
                "held-out data of its own"
            )
        texts = read_lines(options.file)
        read = tuple(to_traditional(text) for text in texts) if tang else texts
        return Texts(read, f"The lines of {options.file.name}.")
    if tang:
        return Texts(
            HELD_OUT,
            "Twelve Tang poems of the corpus' test split, which share no lines with the poems "
            "of its training split.",
        )
    if find is None:
        raise ReportError(
            f"{options.model} was not trained on Tang poems, and no other texts come with the "
            "package: give some with --file"
        )
    count = settings.streams if language else settings.streams * settings.ends
    return find(stored, count, settings.steps)


def _drawing() -> Callable[[Answers], dict[str, bytes]]:
    try:
        from lstm_jax.report.pictures import files
    except ImportError as error:
        raise ReportError(str(error)) from None
    return files
