"""Ask a model, and keep its answers: `diagnose` gives a `Diagnosis`, typed until it is written."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.report.figures import JsonValue, plain
from lstm_jax.report.question import Answered, Answers, Lines, Question
from lstm_jax.report.questions import QUESTIONS
from lstm_jax.report.reading import Reading, Settings, check, make_streams, read, reader
from lstm_jax.text.language import LanguageModel

FORMAT, KIND = 1, "diagnosis"

Doing = Callable[[str], AbstractContextManager[object]]


class Facts(NamedTuple):
    """What is known of a model beforehand: `data` is what it was trained on, as its card says."""

    data: str | None
    vocabulary: int
    embedding_features: int
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

    def summary(self) -> Lines:
        """Give the short table: label and figure, some lines for each question."""
        lines = [("perplexity", f"{self.reading.perplexity:.4g} on these texts")]
        for one in self.answers:
            lines += one.question.summarize(one.answer)
        return lines

    def figures(self) -> JsonValue:
        """Give everything in what JSON holds, as diagnosis.json keeps it.

        Natural logarithms are named ln_..., and None stands where a figure does not exist or a
        logarithm is of zero.

        Returns:
            `format`, `kind`, `model`, `settings`, `texts`, an entry for each question by its
            name, and `seconds`.
        """
        return plain(
            {
                "format": FORMAT,
                "kind": KIND,
                "model": self.model,
                "settings": self.reading.settings,
                "texts": {
                    "notes": self.notes,
                    "symbols": self.reading.streams.symbols,
                    "nats": self.reading.nats.T,
                    "perplexity": self.reading.perplexity,
                    "source": self.source,
                },
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
    streams = make_streams(model.vocabulary, texts, settings)
    with doing("reading the texts"):
        reading = read(reader(model.network), streams, settings)
    answers = []
    for number, question in enumerate(questions):
        # ln 0 is -inf, and what is made of it NaN: no figure, and no reason to warn.
        what = f"{number + 1} of {len(questions)}: {question.doing}"
        with doing(what), np.errstate(divide="ignore", invalid="ignore"):
            began = time.perf_counter()
            answer = question.ask(reading)
            answers.append(Answered(question, answer, time.perf_counter() - began))
    return Diagnosis(
        _facts(model, name), reading, source, (*streams.notes, *notes), Answers(answers)
    )


def _facts(model: LanguageModel, name: str) -> Facts:
    config = model.network.config
    return Facts(
        data=model.card.get("data"),
        vocabulary=len(model.vocabulary),
        embedding_features=config.embedding_features,
        hidden_features=config.hidden_features,
        num_layers=config.num_layers,
        state_size=2 * config.num_layers * config.hidden_features,
        name=name,
    )
