"""Forecasts over many steps that read their own forecasts."""

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
    """Build `roll(params, at (N,)) -> (N, steps)`, which feeds forecasts back as inputs.

    Only the forecast of the next step is used. The window then moves by one row, in which the
    forecast takes the place of the observed value. The calendar of that row is known. The results
    are in the unit of the target.

    Args:
        model: a model with the structure of the parameters.
        prepared: the series, which has no columns besides the target and the calendar.
        steps: number of steps.
        output: index of the output of the model that is fed back.
    """
    graph = nnx.graphdef(model)
    mean, scale = prepared.scaler.mean[0, 0], prepared.scaler.scale[0, 0]
    aimed = prepared.target_scaler

    @jax.jit
    def rolled(params, window, last, known):
        network = nnx.merge(graph, params)

        def step(carry, row):
            window, last = carry
            forecast = network(window)[:, 0, output] * aimed.scale[0, 0] + aimed.mean[0, 0]
            value = last + forecast if prepared.predict == "change" else forecast
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
