"""Forecasts that read their own forecasts."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from lstm_jax.models.forecaster import Forecaster
from lstm_jax.train.data.panels.windows import Prepared


def make_roll(
    model: Forecaster, prepared: Prepared, steps: int, output: int
) -> Callable[[nnx.State, np.ndarray], np.ndarray]:
    """Make `roll(params, at (N,)) -> (N, steps)`, in the target's unit: forecasts are read in turn.

    Of the model's forecasts only the next step's is taken; the window then moves on by one row, in
    which it stands as if it had been seen. The calendar of that row is known.

    Args:
        model: whose structure the parameters have.
        prepared: the series, its first column the only one beside the calendar.
        steps: to roll on.
        output: which of the model's outputs is read.
    """
    graph = nnx.graphdef(model)
    mean, scale = prepared.scaler.mean[0, 0], prepared.scaler.scale[0, 0]
    aimed = prepared.target_scaler

    @jax.jit
    def rolled(params, window, last, known):
        network = nnx.merge(graph, params)

        def step(carry, row):
            window, last = carry
            said = network(window)[:, 0, output] * aimed.scale[0, 0] + aimed.mean[0, 0]
            value = last + said if prepared.predict == "change" else said
            read = value - last if prepared.read == "change" else value
            row = jnp.concatenate([((read - mean) / scale)[:, None], row], 1)[:, None]
            return (jnp.concatenate([window[:, 1:], row], 1), value), value

        return jax.lax.scan(step, (window, last), known)[1].T

    def roll(params: nnx.State, at: np.ndarray) -> np.ndarray:
        rows = at + np.arange(1, steps + 1)[:, None]
        known = prepared.features[rows, 1:]  # (steps, N, D - 1)
        last = prepared.target[at].astype(np.float32)
        return np.asarray(rolled(params, prepared.inputs(at), last, known), np.float64)

    return roll
