"""Ask a model every question: `diagnose` returns a `Diagnosis` with typed answers."""

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
    """Describe a model; `data` is the training data named on its card.

    Only language models have the sizes of a vocabulary and of its embedding.
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
    """Store the answers of a model.

    Attributes:
        model: facts about the model.
        reading: the data that it read, with every state and gate on the way.
        source: a sentence on where the data comes from.
        notes: on the data.
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
        """Return a short table of labels and figures, with some lines for each question."""
        words = self.reading.reader.words
        lines = [("perplexity", f"{self.reading.perplexity:.4g} on these texts")]
        if self.reading.whole:
            mean = self.reading.losses.mean()
            lines = [("loss", f"{mean:.4g} on these {words.row}s ({words.unit})")]
        for answered in self.answers:
            lines += answered.question.summarize(answered.answer)
        return lines

    def figures(self) -> JsonValue:
        """Return all figures as JSON values, as in diagnosis.json.

        Natural logarithms are named ln_...; a figure that does not exist and the logarithm of zero
        are None.

        Returns:
            `format`, `kind`, `model`, `settings`, `texts` or `rows`, an entry for each question by
            its name, and `seconds`.
        """
        reading = self.reading
        data: dict[str, object] = {
            "notes": self.notes,
            "symbols": reading.streams.symbols,
            "nats": reading.losses.T,
            "perplexity": reading.perplexity,
            "source": self.source,
        }
        if reading.whole:
            words = reading.reader.words
            del data["nats"], data["perplexity"]
            data |= {"of": words.row, "unit": words.unit, "losses": reading.losses}
        return plain(
            {
                "format": FORMAT,
                "kind": KIND,
                "model": self.model,
                "settings": reading.settings,
                "rows" if reading.whole else "texts": data,
                **{a.question.name: a.question.figures(a.answer) for a in self.answers},
                "seconds": {a.question.name: a.seconds for a in self.answers},
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
    """Ask a language model about its gradients, gates and memory while it reads texts.

    Args:
        model: a `CharLM` with its vocabulary.
        texts: each is read from the empty state; those shorter than `settings.steps` are joined.
        settings: the amount of data and of detail.
        name: of the model, for the report.
        source: a sentence on where the texts come from.
        notes: added to those on how the texts were joined and cut.
        questions: the questions to ask.
        doing: called with a description of each task, and entered while the task runs.

    Returns:
        The answers, with the reading that they come from.

    Raises:
        ReportError: if the texts are too few, too short or not in the model's characters, or if
            the settings contradict each other.
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
    """Ask a model with one loss per sequence about its gradients, gates and memory.

    Args:
        stored: a forecaster, a classifier or a sequence model.
        rows: the sequences, of which all steps are read, regardless of `settings.steps`.
        settings: the amount of detail.
        name, notes, questions, doing: as in `diagnose`.

    Returns:
        The answers, with the reading that they come from.

    Raises:
        ReportError: if the rows are too short, or the model does not read each of them once.
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
    """Adapt settings to sequences that have one loss each and are read completely.

    Args:
        settings: the amount of detail.
        count: number of sequences.
        steps: number of steps in each.
        kind: the name of a sequence.

    Raises:
        ReportError: if there are too few steps, or the settings contradict each other.
    """
    settings = settings or Settings()
    if steps < LEAST_STEPS:
        raise ReportError(
            f"the {kind}s must have at least {LEAST_STEPS} steps for a diagnosis, got {steps}"
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
    """Run a model over its data, and ask every question that applies to it.

    Args:
        prepared: the model and its data.
        facts: about the model.
        settings: that fit the data.
        source, notes, questions, doing: as in `diagnose`.

    Returns:
        The answers, with the reading that they come from.
    """
    with doing(f"reading the {prepared.reader.words.row}s"):
        reading = read(*prepared, settings)
    reasons = [(question, question.lacks(reading)) for question in questions]
    unasked = [f"“{question.title}” was not asked: {why}" for question, why in reasons if why]
    questions = [question for question, why in reasons if not why]
    answers = []
    for number, question in enumerate(questions):
        # ln 0 is -inf and leads to NaN, which is reported as a missing figure and needs no warning.
        task = f"{number + 1} of {len(questions)}: {question.doing}"
        with doing(task), np.errstate(divide="ignore", invalid="ignore"):
            began = time.perf_counter()
            answer = question.ask(reading)
            answers.append(Answered(question, answer, time.perf_counter() - began))
    all_notes = (*prepared.streams.notes, *unasked, *notes)
    return Diagnosis(facts, reading, source, all_notes, Answers(answers))
