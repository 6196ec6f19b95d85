"""A diagnosis of a step of one's own: any recurrence, from Python.

seen = diagnose_step(step, params, xs, state, loss)
print(seen)                      # a short table
write_report(seen, Path("report"))
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
    spread="each judged at its end",
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
        step: `(params, state, x) -> state`, pure; the state has an `h`. Of layers, `lstm_jax.stack`
            makes one step.
        params: as the step takes them.
        xs: sequences to read, (T, B, D).
        state: before each of them, leaves (H,): without batch axes.
        loss: what each sequence is judged by, of the hidden states (T, B, H): (B,), such as
            `lambda hs: ((hs[-1] @ kernel - targets) ** 2).sum(-1)`.
        gates: of a step with a cell, `(params, state, x) -> LSTMGates`; without it the gates are
            not asked for.
        settings: how closely it is looked at; the lengths are those of xs. `QUICK` takes seconds.
        questions: what is asked; `QUICK_QUESTIONS` are those that take seconds.
        name: of the step, for the report.
        source: a sentence that says what the sequences are.
        doing: called with what is being done, and entered while it is.

    Returns:
        The answers: printed, a short table; `write_report` makes a folder of them.

    Raises:
        ReportError: inputs that are not (T, B, D), too few steps, or a state without h.
    """
    xs = jnp.asarray(xs)
    if xs.ndim != 3:
        raise ReportError(f"xs must be (T, B, D), got shape {xs.shape}")
    if not hasattr(state, "h"):
        raise ReportError(f"the state must have an h, and a {type(state).__name__} has none")
    layered = isinstance(state, StackState)
    start = state if layered else StackState([state])
    whole: Any = step if layered else stack(step)
    reader = Reader(
        step=whole,
        params=params if layered else (params,),  # type: ignore[arg-type]
        start=start,
        gates=None if gates is None else _gates(gates, layered),
        loss=lambda hs, targets: loss(hs),
        again=lambda steps: np.asarray(_losses(whole, reader, xs[-steps:], loss)),
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
    """The losses of all sequences after reading their ends alone."""
    begin = repeat(reader.start, xs.shape[1])
    return jax.jit(lambda xs: loss(scan(step, reader.params, xs, begin)[1]))(xs)
