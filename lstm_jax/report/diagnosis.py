"""Ask a model, and keep its answers: `diagnose` gives a `Diagnosis`, typed until it is written."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.models.storage import Stored
from lstm_jax.report.figures import JsonValue, plain
from lstm_jax.report.measures import size_of
from lstm_jax.report.question import Answered, Answers, Lines, Question
from lstm_jax.report.questions import QUESTIONS
from lstm_jax.report.readers import Prepared, of_rows, of_texts
from lstm_jax.report.reading import Reading, ReportError, Settings, check, read
from lstm_jax.report.rows import Rows
from lstm_jax.report.streams import make_streams
from lstm_jax.text.language import LanguageModel
from lstm_jax.text.units import UNITS

FORMAT, KIND = 1, "diagnosis"
LEAST_STEPS = 4

Doing = Callable[[str], AbstractContextManager[object]]


class Facts(NamedTuple):
    """What is known of a model beforehand: `data` is what it was trained on, as its card says.

    The sizes of a vocabulary and of its embedding are a language model's.
    """

    data: str | None
    vocabulary: int | None
    embedding_features: int | None
    hidden_features: int
    num_layers: int
    state_size: int
    name: str


@dataclass(frozen=True)
class Diagnosis:
    """What a model answered while it read.

    Attributes:
        model: the model.
        reading: what it read, and every state and gate on the way.
        source: a sentence that says whence the texts are.
        notes: on what was read.
        answers: in the order of the page.
    """

    model: Facts
    reading: Reading
    source: str
    notes: tuple[str, ...]
    answers: Answers

    def __str__(self) -> str:
        lines = self.summary()
        width = max(len(label) for label, _ in lines)
        return "\n".join(f"{label:{width}}  {figure}" for label, figure in lines)

    def summary(self) -> Lines:
        """Give the short table: label and figure, some lines for each question."""
        words = self.reading.reader.words
        lines = [("perplexity", f"{self.reading.perplexity:.4g} on these texts")]
        if self.reading.whole:
            mean = self.reading.losses.mean()
            lines = [("loss", f"{mean:.4g} on these {words.row}s ({words.unit})")]
        for one in self.answers:
            lines += one.question.summarize(one.answer)
        return lines

    def figures(self) -> JsonValue:
        """Give everything in what JSON holds, as diagnosis.json keeps it.

        Natural logarithms are named ln_..., and None stands where a figure does not exist or a
        logarithm is of zero.

        Returns:
            `format`, `kind`, `model`, `settings`, `texts` or `rows`, an entry for each question by
            its name, and `seconds`.
        """
        reading = self.reading
        read: dict[str, object] = {
            "notes": self.notes,
            "symbols": reading.streams.symbols,
            "nats": reading.losses.T,
            "perplexity": reading.perplexity,
            "source": self.source,
        }
        if reading.whole:
            words = reading.reader.words
            del read["nats"], read["perplexity"]
            read |= {"of": words.row, "unit": words.unit, "losses": reading.losses}
        return plain(
            {
                "format": FORMAT,
                "kind": KIND,
                "model": self.model,
                "settings": reading.settings,
                "rows" if reading.whole else "texts": read,
                **{one.question.name: one.question.figures(one.answer) for one in self.answers},
                "seconds": {one.question.name: one.seconds for one in self.answers},
            }
        )


def diagnose(
    model: LanguageModel,
    texts: Sequence[str],
    settings: Settings | None = None,
    *,
    name: str = "a model",
    source: str = "",
    notes: Sequence[str] = (),
    questions: Sequence[Question[Any]] = QUESTIONS,
    doing: Doing = contextlib.nullcontext,
) -> Diagnosis:
    """Ask a model about its gradients, gates and memory, on these texts.

    Args:
        model: a `CharLM` with its vocabulary.
        texts: each read from the empty state; those shorter than `settings.steps` are joined.
        settings: how much is read.
        name: of the model, for the report.
        source: a sentence that says whence the texts are.
        notes: to stand beside those on how the texts were joined and cut.
        questions: what is asked.
        doing: called with what is being done, and entered while it is.

    Returns:
        The answers, and the reading that they were made from.

    Raises:
        ReportError: texts that are too few, too short or not in the model's characters, or
            settings that do not fit one another.
    """
    settings = settings or Settings()
    check(settings)
    unit = UNITS[model.unit]
    streams = make_streams(model.vocabulary, [unit.split(text) for text in texts], settings)
    config = model.network.config
    facts = Facts(
        data=model.card.get("data"),
        vocabulary=len(model.vocabulary),
        embedding_features=config.embedding_features,
        hidden_features=config.hidden_features,
        num_layers=config.num_layers,
        state_size=2 * config.num_layers * config.hidden_features,
        name=name,
    )
    prepared = of_texts(model.network, streams, unit.name)
    return ask(prepared, facts, settings, source, notes, questions, doing)


def diagnose_rows(
    stored: Stored,
    rows: Rows,
    settings: Settings | None = None,
    *,
    name: str = "a model",
    notes: Sequence[str] = (),
    questions: Sequence[Question[Any]] = QUESTIONS,
    doing: Doing = contextlib.nullcontext,
) -> Diagnosis:
    """Ask a model that judges whole sequences about its gradients, gates and memory.

    Args:
        stored: a forecaster, a classifier, a sequence model.
        rows: what it reads. All of their steps are read, whatever `settings` say.
        settings: how closely it is looked at.
        name, notes, questions, doing: as in `diagnose`.

    Returns:
        The answers, and the reading that they were made from.

    Raises:
        ReportError: rows that are too short, or a model that does not read each of them once.
    """
    count, steps = np.shape(rows.inputs)[:2]
    settings = settings_of(settings, count, steps, rows.kind)
    prepared = of_rows(stored.network, rows)
    config = stored.network.config
    facts = Facts(
        data=stored.card.get("data"),
        vocabulary=None,
        embedding_features=None,
        hidden_features=config.hidden_features,
        num_layers=config.num_layers,
        state_size=size_of(prepared.reader.start),
        name=name,
    )
    return ask(prepared, facts, settings, rows.source, notes, questions, doing)


def settings_of(settings: Settings | None, count: int, steps: int, kind: str) -> Settings:
    """Fit settings to sequences that are judged as a whole, of which all is read.

    Args:
        settings: how closely is to be looked.
        count: of sequences.
        steps: of each.
        kind: what a sequence is called.

    Raises:
        ReportError: too few steps, or settings that do not fit one another.
    """
    settings = settings or Settings()
    if steps < LEAST_STEPS:
        raise ReportError(
            f"the {kind}s have {steps} steps, and a diagnosis needs {LEAST_STEPS} at least"
        )
    settings = replace(
        settings,
        steps=steps,
        streams=count,
        ends=1,
        lags=min(settings.lags, steps - 1),
        burn_in=min(settings.burn_in, steps // 6),
    )
    check(settings)
    return settings


def ask(
    prepared: Prepared,
    facts: Facts,
    settings: Settings,
    source: str,
    notes: Sequence[str],
    questions: Sequence[Question[Any]],
    doing: Doing,
) -> Diagnosis:
    """Let a model read, and put every question to it that it can answer.

    Args:
        prepared: the model, and what it is to read.
        facts: known of it beforehand.
        settings: that fit what it reads.
        source, notes, questions, doing: as in `diagnose`.

    Returns:
        The answers, and the reading that they were made from.
    """
    with doing(f"reading the {prepared.reader.words.row}s"):
        reading = read(*prepared, settings)
    reasons = [(question, question.lacks(reading)) for question in questions]
    unasked = [f"“{one.title}” was not asked: {why}" for one, why in reasons if why]
    questions = [question for question, why in reasons if not why]
    answers = []
    for number, question in enumerate(questions):
        # ln 0 is -inf, and what is made of it NaN: no figure, and no reason to warn.
        what = f"{number + 1} of {len(questions)}: {question.doing}"
        with doing(what), np.errstate(divide="ignore", invalid="ignore"):
            began = time.perf_counter()
            answer = question.ask(reading)
            answers.append(Answered(question, answer, time.perf_counter() - began))
    every = (*prepared.streams.notes, *unasked, *notes)
    return Diagnosis(facts, reading, source, every, Answers(answers))
