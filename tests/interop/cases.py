"""Runs of other frameworks, with weights, inputs and outputs, and our run of the same."""

from __future__ import annotations

import functools
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import lstm_jax as lj
from lstm_jax.cells import LSTMParams, LSTMState, RNNParams, RNNState
from lstm_jax.gated import GRUParams, GRUState
from lstm_jax.interop import Directions

FIXTURES = Path(__file__).parent / "fixtures"


@dataclass(frozen=True)
class Case:
    """A peer's `weights` as it nests them, time-major inputs, outputs, and states.

    `initial` and `final` have one array (N, B, ·) for each field of the state, h first; N counts
    directions within layers, bottom first. `options`: "reset_after", "activation", and arguments
    of the import.
    """

    weights: Any
    xs: np.ndarray
    initial: list[np.ndarray]
    hs: np.ndarray
    final: list[np.ndarray]
    lengths: np.ndarray | None = None
    options: dict[str, Any] = field(default_factory=dict)


def save(path, case, versions):
    """Arrays by number, and JSON that says where each belongs."""
    arrays = []

    def number(array):
        arrays.append(np.asarray(array))
        return len(arrays) - 1

    parts = {k: jax.tree.map(number, v) for k, v in vars(case).items() if k != "options"}
    about = json.dumps({**parts, "options": case.options, "versions": versions})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, *arrays, about=np.array(about))
    path.write_bytes(buffer.getvalue())


def load(name):
    with np.load(FIXTURES / f"{name}.npz", allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
        options = about.pop("options")
        assert about.pop("versions")
        parts = jax.tree.map(lambda k: file[f"arr_{k}"], about)
    return Case(**parts, options=options)


def step_of(params, options):
    if isinstance(params, LSTMParams):
        return lj.lstm_step, LSTMState
    if isinstance(params, RNNParams):
        activation = getattr(jnp, options["activation"], None) or getattr(
            jax.nn, options["activation"]
        )
        return functools.partial(lj.rnn_step, activation=activation), RNNState
    assert isinstance(params, GRUParams)
    step = functools.partial(lj.gru_step, reset_after=options.get("reset_after", True))
    return step, GRUState


def run(layers, case):
    """Our own recurrence over a stack: hs, and the final states as `Case` has them."""
    n = sum(len(layer) if isinstance(layer, Directions) else 1 for layer in layers)
    assert [len(array) for array in case.initial] == [n] * len(case.initial)
    # One compilation for a stack, not one for each of its scans.
    run = jax.jit(functools.partial(recurrence, options=case.options))
    return run(layers, case.xs, case.initial, case.lengths)


def recurrence(layers, xs, initial, lengths, *, options):
    finals = []
    for layer in layers:
        outputs = []
        for params in layer if isinstance(layer, Directions) else (layer,):
            step, State = step_of(params, options)
            state = State(*(array[len(finals)] for array in initial))
            backward = len(outputs) == 1
            final, hs = lj.scan(step, params, xs, state, lengths=lengths, reverse=backward)
            finals.append(final)
            outputs.append(hs)
        xs = jnp.concatenate(outputs, axis=-1)
    return xs, [jnp.stack(arrays) for arrays in zip(*finals, strict=True)]


def relative_error(actual, desired):
    """The largest difference relative to the largest value: values near 0 may cancel."""
    actual, desired = np.asarray(actual), np.asarray(desired)
    assert actual.dtype == desired.dtype == np.float32
    assert actual.shape == desired.shape
    return np.abs(actual - desired).max() / np.abs(desired).max()


def assert_runs_alike(layers, case):
    hs, final = run(layers, case)
    assert relative_error(hs, case.hs) <= 1e-5
    assert len(final) == len(case.final)
    for ours, theirs in zip(final, case.final, strict=True):
        assert relative_error(ours, theirs) <= 1e-5


def assert_identical(actual, desired):
    """The same tree, dtypes, shapes and bits, NaN and -0.0 included."""
    assert jax.tree.structure(actual) == jax.tree.structure(desired)
    paths = jax.tree_util.tree_leaves_with_path(desired)
    for a, (path, d) in zip(jax.tree.leaves(actual), paths, strict=True):
        a, d = np.asarray(a), np.asarray(d)
        assert (a.dtype, a.shape) == (d.dtype, d.shape), jax.tree_util.keystr(path)
        assert a.tobytes() == d.tobytes(), jax.tree_util.keystr(path)


GATES = {"lstm": (LSTMParams, 4), "gru": (GRUParams, 3), "rnn": (RNNParams, 1)}


def make_cell(cell, D, H, *, bias=True, projection=None, candidate=True, seed=0, dtype="float32"):
    """Random parameters, including -0.0."""
    rng = np.random.default_rng(seed)
    Params, gates = GATES[cell]
    below = H if projection is None else projection

    def draw(*shape):
        values = rng.normal(size=shape)
        values[rng.random(shape) < 0.1] = -0.0
        return jnp.asarray(values.astype(jnp.dtype(dtype)))  # cast here: JAX would compile it

    parts = {"input_kernel": draw(D, gates * H), "recurrent_kernel": draw(below, gates * H)}
    if bias:
        parts["bias"] = draw(gates * H)
    if bias and candidate and cell == "gru":
        parts["recurrent_bias"] = draw(H)
    if projection is not None:
        parts["projection"] = draw(H, projection)
    return Params(**parts)


def make_stack(cell, D, H, *, num_layers=1, bidirectional=False, seed=0, **options):
    layers = []
    for k in range(num_layers):
        sides = [
            make_cell(cell, D, H, seed=(seed, k, side), **options)
            for side in range(1 + bidirectional)
        ]
        layers.append(Directions(*sides) if bidirectional else sides[0])
        D = (options.get("projection") or H) * len(sides)
    return tuple(layers)
