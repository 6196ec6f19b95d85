"""`lstm-jax doctor`: does this machine, with this compiler, compute what the equations say?"""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from rich.console import Console

from lstm_jax.cells import LSTMParams, LSTMState, lstm_step
from lstm_jax.functional import explain, lstm, lstm_cell
from lstm_jax.initializers import init_lstm
from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.recurrence import scan
from lstm_jax.text.language import load
from lstm_jax.train import loop
from lstm_jax.train.folder import CHECKPOINTS
from lstm_jax.train.problems import make_task
from lstm_jax.train.run import checkpoints
from lstm_jax.train.run.machine import platform
from lstm_jax.train.run.state import make_optimizer, make_state
from lstm_jax.train.tasks.text.config import TextConfig

T, B, D, H = 24, 5, 6, 16
PACKAGES = ("lstm_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
KNOWN = {
    "0.10.2": "some vmapped products with reductions come out wrong (jax#39103)",
    "0.11.1": "small outputs of loops are copied whole at every step (jax#40101)",
}
"""Publicly known faults of versions of jaxlib; no function of this package is known to hit them."""


@dataclass(frozen=True)
class DoctorOptions:
    """Configure the output of `lstm-jax doctor`."""

    json: bool = False
    """Print JSON."""


class Finding(NamedTuple):
    """Store the result of a check: its error, and the largest error that is allowed."""

    check: str
    off: float
    allowed: float

    @property
    def well(self) -> bool:
        """Return whether the error is within the allowed range; NaN is not."""
        return self.off <= self.allowed


def examine() -> tuple[dict[str, object], str, bool]:
    """Run the checks, which takes about a minute.

    Returns:
        The figures for JSON, the report as text, and whether every check passed.
    """
    start = time.perf_counter()
    findings = [Finding(name, *check()) for name, check in CHECKS.items()]
    versions = {name: version(name) for name in PACKAGES}
    params, xs = _problem()
    chosen = explain(lstm_cell(), params, jnp.asarray(xs, jnp.float32))
    machine = platform(f"{jax.device_count()} {jax.devices()[0].device_kind}")
    warnings = list(_warnings(versions["jaxlib"]))
    figures: dict[str, object] = {
        "versions": versions,
        "platform": machine,
        "engine": str(chosen),
        "findings": [{**finding._asdict(), "well": finding.well} for finding in findings],
        "warnings": warnings,
    }
    lines = [
        ", ".join(f"{name} {number}" for name, number in versions.items()),
        ", ".join(f"{name} {value}" for name, value in machine.items() if value),
        f"an LSTM runs as {chosen}",
        "",
    ]
    width = max(len(finding.check) for finding in findings)
    lines += [
        f"{'ok   ' if finding.well else 'WRONG'}  {finding.check:{width}}  error "
        f"{finding.off:.1e}, allowed {finding.allowed:.0e}"
        for finding in findings
    ]
    lines += ["", *warnings] if warnings else []
    well = all(finding.well for finding in findings)
    seconds = time.perf_counter() - start
    verdict = (
        "all checks passed"
        if well
        else "do not trust results computed here; try another version of jax"
    )
    return figures, "\n".join([*lines, "", f"{verdict} ({seconds:.0f} s)"]), well


def _warnings(jaxlib: str) -> Iterator[str]:
    if jaxlib in KNOWN:
        yield f"jaxlib {jaxlib} has a publicly known fault: {KNOWN[jaxlib]}"
    if "ynn" in os.environ.get("XLA_FLAGS", "").lower():
        yield "XLA_FLAGS names YNNPACK, whose sums are known to differ from run to run (xla#49085)"


# --- the checks: each returns its error and the largest error that is allowed --------------------


def _problem() -> tuple[LSTMParams, np.ndarray]:
    params = init_lstm(jax.random.key(0), D, H)
    return params, np.random.default_rng(0).normal(size=(T, B, D))


def _by_hand(params: LSTMParams, xs: np.ndarray) -> np.ndarray:
    """Compute the equations step by step, in NumPy and float64."""
    kernel, recurrent, bias = (np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(params))
    h = c = np.zeros((xs.shape[1], H))
    hs = []
    for x in xs:
        i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, -1)
        i, f, o = (1 / (1 + np.exp(-z)) for z in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        hs.append(h)
    return np.stack(hs)


def _relative_error(actual: object, expected: object) -> float:
    """Return the largest difference, relative to the largest magnitude of `expected`."""
    a, b = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    return float(np.abs(a - b).max() / np.abs(b).max())


def forward() -> tuple[float, float]:
    """Compare h of the default engine with the equations in float64."""
    params, xs = _problem()
    hs = lstm(params, jnp.asarray(xs, jnp.float32))[1]
    return _relative_error(hs, _by_hand(params, xs)), 1e-5


def gradient() -> tuple[float, float]:
    """Compare a directional derivative of the default engine with a central difference."""
    params, xs = _problem()
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(T, B, H))
    leaves, tree = jax.tree.flatten(params)
    direction = [rng.normal(size=leaf.shape) for leaf in leaves]

    def loss_at(distance: float) -> float:
        moved = [
            np.asarray(leaf, np.float64) + distance * d
            for leaf, d in zip(leaves, direction, strict=True)
        ]
        return float((_by_hand(jax.tree.unflatten(tree, moved), xs) * weights).sum())

    expected = (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5
    narrow = [jnp.asarray(a, jnp.float32) for a in (xs, weights)]
    gradients = jax.grad(lambda p: (lstm(p, narrow[0])[1] * narrow[1]).sum())(params)
    derivative = sum(
        float((np.asarray(g, np.float64) * d).sum())
        for g, d in zip(jax.tree.leaves(gradients), direction, strict=True)
    )
    return abs(derivative - expected) / abs(expected), 1e-4


def vmapped() -> tuple[float, float]:
    """Compare a vmapped batch with its sequences one by one, with reductions of products."""
    params, xs = _problem()
    rows = jnp.asarray(xs.swapaxes(0, 1), jnp.float32)
    state = LSTMState(jnp.zeros(H), jnp.zeros(H))

    def loss(row: jax.Array) -> jax.Array:
        hs = scan(lstm_step, params, row, state)[1]
        return (hs @ params.recurrent_kernel).sum(0)

    batched = jax.jit(jax.vmap(loss))(rows)
    return _relative_error(batched, np.stack([jax.jit(loss)(row) for row in rows])), 1e-5


def sampler() -> tuple[float, float]:
    """Compare the released poet's greedy text with its step-by-step distributions."""
    poet = load("tang")
    [text] = poet.generate("春", temperature=0, max_length=8)
    wrong = sum(
        max(poet.next_characters(text[:end]).items(), key=lambda pair: pair[1])[0] != text[end]
        for end in range(1, min(len(text), 6))
    )
    return float(wrong), 0.0


def resumed() -> tuple[float, float]:
    """Compare the parameters of a run that was stopped and resumed with an uninterrupted run's."""
    config = TextConfig(
        data="verses", rows=16, window=32, epochs=1, checkpoint_every=0, health_every=0,
        model=CharLMConfig(embedding_features=4, hidden_features=8, num_layers=1), max_steps=4,
    )  # fmt: skip
    task = make_task(config)
    model = task.model(nnx.Rngs(config.seed))
    like = make_state(model, make_optimizer(config.optimizer, 1)[0], task.carry(model))
    quiet = Console(file=io.StringIO())
    with tempfile.TemporaryDirectory() as temporary:
        whole, parts = Path(temporary) / "whole", Path(temporary) / "parts"
        for folder, steps, resume in ((whole, 4, False), (parts, 2, False), (parts, 4, True)):
            stopping = replace(config, max_steps=steps)
            loop.prepare(folder, stopping, resume=resume, overwrite=False)
            loop.train(stopping, folder, task=task, console=quiet)
        states = [checkpoints.load(f / CHECKPOINTS / "latest", like)[0] for f in (whole, parts)]
    a, b = (b"".join(np.asarray(x).tobytes() for x in jax.tree.leaves(state)) for state in states)
    return float(a != b), 0.0


CHECKS: dict[str, Callable[[], tuple[float, float]]] = {
    check.__name__: check for check in (forward, gradient, vmapped, sampler, resumed)
}
