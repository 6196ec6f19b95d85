"""The six questions of a diagnosis: each takes a `Reading` and answers with a dictionary.

Logarithms are natural, and named ln_...; where there are several predictions or texts, a norm is
their geometric mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lstm_jax import diagnostics
from lstm_jax.cells import LSTMGates
from lstm_jax.report.reading import Reading, Settings

FRACTIONS = {"1/e": float(np.exp(-1)), "1 %": 0.01}
TOLERANCE = 0.01  # nats: two losses nearer than this count as one
UNIT_GROUPS = 64
SCALE = 2.0**40  # of a loss whose gradient may be very small


def adjoints(reading: Reading) -> dict[str, Any]:
    """dL/ds at every lag before a prediction, L the loss of that prediction alone."""
    problem = _predictions(reading)
    step, params = reading.recurrence.step, reading.recurrence.params
    _, found = jax.jit(lambda: diagnostics.adjoints(step, params, *problem))()
    by_layer = _norms_by_lag(found)
    whole = _whole(by_layer)
    felt = whole[0] > 0  # a character foreseen with certainty has no gradient
    relative = whole[:, felt] / whole[0, felt]
    ln_relative = _mean_ln(relative)
    curve, lags = np.exp(ln_relative), np.arange(len(ln_relative))
    quantiles = np.quantile(relative, [0.1, 0.9], axis=1) if felt.any() else [curve, curve]
    units = diagnostics.norms_by_lag(found, per="unit")
    return {
        "lags": lags,
        "predictions": int(felt.sum()),
        "relative": curve,
        "low": quantiles[0],
        "high": quantiles[1],
        "ln_norm_at_lag_0": _mean_ln(whole[:1, felt])[0],
        "layers": [
            {name: np.exp(_mean_ln(norm[:, felt])) for name, norm in layer._asdict().items()}
            for layer in by_layer
        ],
        "influence_lag": {
            name: _reached(diagnostics.influence_lag(jnp.asarray(curve), fraction), lags[-1])
            for name, fraction in FRACTIONS.items()
        },
        "power_law": _line(np.log(lags[1:]), ln_relative[1:]),
        "exponential": _line(lags[1:], ln_relative[1:]),
        "units": [
            _unit_groups(_wide(layer.c)[:, felt] / whole[0, felt, None], gates.f)
            for layer, gates in zip(units, reading.trace.gates, strict=True)
        ],
    }


def jacobians(reading: Reading) -> dict[str, Any]:
    """Norms of the last steps of the first text, and spectra of their products."""
    lags, key = reading.settings.lags, jax.random.key(reading.settings.seed)
    xs, start = _window(reading, reading.settings.steps, row=0)
    count = min(reading.settings.singular_values, _size(start))
    powers = [int(lag) for lag in 2 ** np.arange(np.log2(lags) + 1) if lag < lags]
    problem = reading.recurrence.step, reading.recurrence.params, xs, start
    steps = jax.jit(lambda: diagnostics.step_norms(*problem, key=key))()
    product = jax.jit(
        lambda: diagnostics.product_spectrum(*problem, k=count, lags=[*powers, lags], key=key)
    )()
    return {
        "row": 0,
        "ln_spectral": steps.log_spectral,
        "ln_frobenius": steps.log_frobenius,
        "ln_bound": diagnostics.log_bound(steps.log_spectral),
        "lags": product.lags,
        "ln_singular_values": product.log_singular_values,
        "ln_product_frobenius": product.log_frobenius,
        "stable_rank": product.stable_rank,
    }


def lyapunov(reading: Reading) -> dict[str, Any]:
    """Finite-time exponents of every text, and how they settled."""
    step, params, start = reading.recurrence[:3]
    settings = reading.settings
    options = {
        "k": min(settings.exponents, _size(start)),
        "burn_in": settings.burn_in,
        "key": jax.random.key(settings.seed),
    }

    def one(xs):
        return diagnostics.lyapunov_spectrum(step, params, xs, start, **options)

    found = jax.jit(jax.vmap(one, in_axes=1))(reading.xs)
    exponents, curve = _wide(found.exponents), _wide(found.curve)
    first = float(exponents[:, 0].mean())
    return {
        "exponents": exponents,
        "mean": exponents.mean(0),
        "spread": exponents.std(0),
        "e_folding": 1 / abs(first) if first else None,
        "times": found.times[0],
        "curve": curve.mean(0),
        "curve_spread": curve.std(0),
    }


def roads(reading: Reading) -> dict[str, Any]:
    """dL/ds in all, along the cell alone, and through the hidden state alone."""
    xs, start, loss = _predictions(reading)
    step, params = reading.recurrence.step, reading.recurrence.params

    # The gradient is linear in the loss: a power of two keeps the faint road within float32.
    def scaled(states):
        return SCALE * loss(states)

    found = jax.jit(lambda: diagnostics.cell_and_hidden(step, params, xs, start, scaled))()
    norms = [_whole(_norms_by_lag(road)) / SCALE for road in found]
    felt = norms[0][0] > 0
    names = ("ln_total", "ln_through_cell", "ln_through_hidden")
    total, cell = (
        np.concatenate([_wide(layer.c)[::-1][..., felt, :] for layer in road], axis=-1)
        for road in found[:2]
    )
    cosine = (total * cell).sum(-1) / np.sqrt((total**2).sum(-1) * (cell**2).sum(-1))
    means = {name: _mean_ln(norm[:, felt]) for name, norm in zip(names, norms, strict=True)}
    lags = np.arange(len(total))
    return {
        "lags": lags,
        "predictions": int(felt.sum()),
        **means,
        "share_of_cell": np.exp(means["ln_through_cell"] - means["ln_total"]),
        "cosine_of_cell": cosine.mean(-1),
        "hidden_rate": _line(lags[1:], means["ln_through_hidden"][1:])["slope"],
    }


def gates(reading: Reading) -> dict[str, Any]:
    """Histograms, saturation, timescales and memory horizons of every layer."""
    return {"layers": [_gates_of_layer(found) for found in reading.trace.gates]}


@jax.jit
def _gates_of_layer(found: LSTMGates) -> dict[str, Any]:
    every = found._asdict()
    sides = {name: diagnostics.saturation(every[name]) for name in "ifo"}
    horizon = diagnostics.memory_horizon(found.f)
    taus = diagnostics.timescales(found.f)
    return {
        "histograms": {
            name: diagnostics.histogram(gate, limits=(-1.0 if name == "g" else 0.0, 1.0))._asdict()
            for name, gate in every.items()
        },
        "mean": {name: gate.mean() for name, gate in every.items()},
        "saturation": {name: side._asdict() for name, side in sides.items()},
        "saturated": {
            name: {"left": side.left.mean(), "right": side.right.mean()}
            for name, side in sides.items()
        },
        "timescales": taus,
        "median_timescale": jnp.median(taus),
        "slowest_tenth": jnp.quantile(taus, 0.9),
        "median_horizon": jnp.median(horizon),
        "beyond_text": (horizon > len(found.f)).mean(),
    }


def context(reading: Reading) -> dict[str, Any]:
    """The loss of the same predictions after reading only the last few symbols before each."""
    step, params, start, _, nats, _ = reading.recurrence
    longest = reading.settings.lags
    shorter = [*(2 ** np.arange(np.log2(longest) + 1)), 3 * longest // 4]
    contexts = sorted({int(c) for c in shorter if 1 <= c < longest} | {longest})

    def one(row):
        xs, targets = row

        def loss(state, t):
            return nats(state.h, targets[t])

        return diagnostics.loss_by_context(step, params, xs, start, loss, contexts).losses

    # Of a longer text its beginning: every prediction is made anew for each context.
    some = slice(2 * longest)
    targets = jnp.asarray(reading.streams.targets[:, some])
    rows = jnp.swapaxes(reading.xs[some], 0, 1), targets
    losses = _wide(jax.jit(lambda: jax.lax.map(one, rows))())  # (B, L, predictions)
    whole = reading.nats[some][longest - 1 :].T[:, None]
    gap = (losses - whole).mean(2)  # of each text: its predictions are not independent
    mean = losses.mean((0, 2))
    # All that there is to read stands last, as the longest context; 0 names it.
    all_contexts, all_means = jnp.array([*contexts, 0]), jnp.array([*mean, whole.mean()])
    length = diagnostics.memory_length(all_contexts, all_means, tolerance=TOLERANCE)
    error = gap.std(0, ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else np.full(len(mean), np.nan)
    return {
        "contexts": contexts,
        "nats": mean,
        "whole": whole.mean(),
        "gap": gap.mean(0),
        "gap_error": error,
        "predictions": losses[:, 0].size,
        "tolerance": TOLERANCE,
        "memory_length": int(length) or None,
    }


# --- what they share -----------------------------------------------------------------------------


def _predictions(reading: Reading) -> tuple[Array, Any, Callable[[Any], Array]]:
    """`(xs, state, loss)` of windows before some predictions of each text, side by side.

    Each window begins in the state in which the text has left the model there.
    """
    ends = prediction_ends(reading.settings, len(reading.streams.inputs))
    windows = [_window(reading, end, row) for row, of_row in enumerate(ends) for end in of_row]
    xs = jnp.stack([xs for xs, _ in windows], axis=1)
    start = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[state for _, state in windows])
    targets = [reading.streams.targets[row, end - 1] for row, of in enumerate(ends) for end in of]

    def loss(states):
        return reading.recurrence.nats(states.h[-1], np.array(targets)).sum()

    return xs, start, loss


def prediction_ends(settings: Settings, rows: int) -> np.ndarray:
    """How much of each text is read before the predictions that are followed back, (B, ends).

    Evenly spaced in a text, and shifted from text to text: verses have their full stops at the
    same places, and a full stop is not like other characters.
    """
    room = settings.steps - settings.lags
    shift = (np.arange(rows) + 0.5) / rows
    places = (np.arange(settings.ends) + shift[:, None]) / settings.ends
    return settings.lags + np.rint(places * room).astype(int)


def _window(reading: Reading, end: int, row: int) -> tuple[Array, Any]:
    """The inputs of the `lags` steps of a text before `end`, and the state before them."""
    first = end - reading.settings.lags
    if first:
        start = jax.tree.map(lambda leaf: leaf[first - 1, row], reading.trace.states)
    else:
        start = reading.recurrence.start
    return reading.xs[first:end, row], start


def _size(state: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(state))


def _norms_by_lag(adjoints: Any) -> Any:
    """As `diagnostics.norms_by_lag` of each sequence, in float64: small numbers are squared."""
    return jax.tree.map(lambda leaf: np.linalg.norm(_wide(leaf)[::-1], axis=-1), adjoints)


def _whole(norms: Any) -> np.ndarray:
    """The norm over all leaves together."""
    return np.sqrt(sum(leaf**2 for leaf in jax.tree.leaves(norms)))


def _mean_ln(norms: np.ndarray) -> np.ndarray:
    """The mean of ln over the last axis: of the geometric mean."""
    if not norms.shape[-1]:
        return np.full(len(norms), np.nan)
    return np.log(norms).mean(-1)


def _line(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """The straight line nearest to the points that are finite: its slope, and R²."""
    kept = np.isfinite(y)
    x, y = x[kept], y[kept]
    if len(x) < 3 or np.ptp(y) == 0:
        return {"slope": None, "r2": None}
    slope, level = np.polyfit(x, y, 1)
    rest = y - slope * x - level
    return {"slope": slope, "r2": 1 - rest.var() / y.var()}


def _unit_groups(magnitudes: np.ndarray, forget: Array) -> dict[str, Any]:
    """Root mean squares over predictions and over groups of units of like timescales.

    The magnitudes are relative, so that every prediction counts, not the unforeseen ones alone.
    """
    taus = np.asarray(diagnostics.timescales(forget))
    order = np.argsort(taus, kind="stable")
    groups = np.array_split(order, min(UNIT_GROUPS, len(order)))
    squares = (magnitudes**2).mean(1)
    return {
        "timescale": [np.median(taus[group]) for group in groups],
        "rms": np.stack([np.sqrt(squares[:, group].mean(1)) for group in groups], axis=1),
    }


def _reached(lag: Any, last: int) -> int | None:
    return int(lag) if lag <= last else None


def _wide(array: Any) -> np.ndarray:
    return np.asarray(array, np.float64)


QUESTIONS: dict[str, Callable[[Reading], dict[str, Any]]] = {
    "adjoints": adjoints,
    "jacobians": jacobians,
    "lyapunov": lyapunov,
    "roads": roads,
    "gates": gates,
    "context": context,
}
