"""The diagnosis of any recurrence, such as a step of your own, from Python.

diagnosis = diagnose_step(step, params, xs, state, loss)
print(diagnosis)                      # a short table
write_report(diagnosis, Path("report"))
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.cells import P, S, Step
from lstm_jax.recurrence import StackState, scan, stack
from lstm_jax.report.diagnosis import Diagnosis, Doing, Facts, ask, settings_of
from lstm_jax.report.measures import size_of
from lstm_jax.report.question import Question
from lstm_jax.report.questions import QUESTIONS
from lstm_jax.report.readers import Prepared
from lstm_jax.report.reading import Reader, ReportError, Settings, Streams, Words, repeat
from lstm_jax.trees import Tree

WORDS = Words(
    symbol="step",
    row="sequence",
    judged="sequence",
    unit="loss",
    formula="<i>L</i> is the loss of single sequences",
    spread="each computed at its end",
    reads="Lag 0 is the last step of a sequence.",
)


def diagnose_step(
    step: Step[P, S, Array],
    params: P,
    xs: ArrayLike,
    state: S,
    loss: Callable[[Array], Array],
    *,
    gates: Callable[[P, S, Array], Tree] | None = None,
    settings: Settings | None = None,
    questions: Sequence[Question[Any]] = QUESTIONS,
    name: str = "a step",
    source: str = "",
    doing: Doing = contextlib.nullcontext,
) -> Diagnosis:
    """Ask a recurrence about its gradients, gates and memory.

    Args:
        step: `(params, state, x) -> state`, pure; the state has an `h`. `lstm_jax.stack` combines
            layers into one step.
        params: of the step.
        xs: sequences to read, (T, B, D).
        state: before each sequence, leaves (H,), without batch axes.
        loss: hidden states (T, B, H) -> the loss of each sequence (B,), such as
            `lambda hs: ((hs[-1] @ kernel - targets) ** 2).sum(-1)`.
        gates: for a step with a cell, `(params, state, x) -> LSTMGates`; without it, no question
            about gates is asked.
        settings: the amount of detail; lengths come from xs. `QUICK` takes seconds.
        questions: the questions to ask; `QUICK_QUESTIONS` take seconds.
        name: of the step, for the report.
        source: a sentence on what the sequences are.
        doing: called with a description of each task, and entered while the task runs.

    Returns:
        The answers, which print as a short table and which `write_report` writes to a folder.

    Raises:
        ReportError: if xs are not (T, B, D), have too few steps, or the state has no h.
    """
    xs = jnp.asarray(xs)
    if xs.ndim != 3:
        raise ReportError(f"xs must be (T, B, D), got shape {xs.shape}")
    if not hasattr(state, "h"):
        raise ReportError(f"the state must have a field h, got a {type(state).__name__}")
    layered = isinstance(state, StackState)
    start = state if layered else StackState([state])
    stacked: Any = step if layered else stack(step)
    reader = Reader(
        step=stacked,
        params=params if layered else (params,),  # type: ignore[arg-type]
        start=start,
        gates=None if gates is None else _gates(gates, layered),
        loss=lambda hs, targets: loss(hs),
        again=lambda steps: np.asarray(_losses(stacked, reader, xs[-steps:], loss)),
        words=WORDS,
    )
    steps, count, _ = xs.shape
    streams = Streams(np.asarray(xs).swapaxes(0, 1), np.zeros(count), None, [])
    facts = Facts(
        data=None,
        vocabulary=None,
        embedding_features=None,
        hidden_features=jnp.shape(start.h)[-1],
        num_layers=len(start),
        state_size=size_of(start),
        name=name,
    )
    settings = settings_of(settings, count, steps, WORDS.row)
    return ask(Prepared(reader, streams, xs), facts, settings, source, (), questions, doing)


def _gates(gates: Callable[..., Tree], layered: bool) -> Callable[..., Tree]:
    return gates if layered else lambda params, state, x: (gates(params[0], state[0], x),)


def _losses(step: Any, reader: Reader, xs: Array, loss: Callable[[Array], Array]) -> Array:
    """Compute the losses of all sequences after reading `xs`, the end of each."""
    begin = repeat(reader.start, xs.shape[1])
    return jax.jit(lambda xs: loss(scan(step, reader.params, xs, begin)[1]))(xs)
