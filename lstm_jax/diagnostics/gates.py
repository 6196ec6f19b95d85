"""Statistics of gates: histograms, saturation, timescales and memory horizons."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.diagnostics.linear import refuse_nan
from lstm_jax.trees import wide, widened

SATURATED_BELOW, SATURATED_ABOVE = 0.1, 0.9


class GateHistogram(NamedTuple):
    """Store the `share` of activations in each bin, (N,), and the `edges` of the bins, (N + 1,).

    The shares sum to 1 unless activations lie outside the bins.
    """

    share: Array
    edges: Array


class Saturation(NamedTuple):
    """Store the shares of steps with a gate nearly closed (`left`) and open (`right`), (H,)."""

    left: Array
    right: Array


def histogram(
    gate: Array, *, bins: int = 50, limits: tuple[float, float] = (0.0, 1.0)
) -> GateHistogram:
    """Compute the histogram of a gate's activations, with integer counts for any dtype and size.

    Args:
        gate: activations, any shape.
        bins: N, the number of bins of equal width.
        limits: limits of the bins; (0, 1) for i, f, o, and (-1, 1) for the candidate.

    Returns:
        Shares by bin, and the edges, float32 at least.

    Raises:
        ValueError: if there are no activations, or fewer than one bin.
    """
    if bins < 1 or not jnp.size(gate):
        raise ValueError(f"there must be activations and bins, got {jnp.size(gate)} and {bins}")
    gate = widened(jnp.ravel(gate))
    edges = jnp.linspace(*limits, bins + 1, dtype=wide(gate))
    # jnp.histogram counts in the gate's dtype: bfloat16 stops at 256, float32 at 2^24.
    right = jnp.where(gate == edges[-1], bins, jnp.searchsorted(edges, gate, side="right"))
    counts = jnp.zeros(bins + 2, jnp.int32).at[right].add(1)[1:-1]
    return GateHistogram(counts.astype(edges.dtype) / gate.size, edges)


def saturation(gate: Array) -> Saturation:
    """Compute how often each unit is below 0.1 or above 0.9 (Karpathy et al. 2015).

    Args:
        gate: activations of i, f or o, (..., H).

    Returns:
        Shares of the steps, (H,) each, float32 at least.
    """
    gate = widened(gate).reshape(-1, gate.shape[-1])
    sides = gate < SATURATED_BELOW, gate > SATURATED_ABOVE
    counts = (side.sum(0, dtype=jnp.int32).astype(gate.dtype) for side in sides)
    return Saturation(*(count / len(gate) for count in counts))


def timescales(forget: ArrayLike) -> Array:
    """Compute τ = -1 / mean ln f of each unit: after τ steps, the cell keeps 1/e.

    Logarithms are averaged because the product of the forget gates decides what is kept. A unit
    whose gate was 1 at every step has an infinite τ.

    Args:
        forget: f_t, (..., H), in [0, 1].

    Returns:
        τ in steps, (H,).
    """
    mean = jnp.log(widened(forget)).mean(tuple(range(jnp.ndim(forget) - 1)))
    return -1 / jnp.where(mean == 0, -0.0, mean)


def memory_horizon(forget: Array, *, fraction: float = 0.01) -> Array:
    """Count for each unit the steps back from the last until ∏ f falls to a fraction.

    Args:
        forget: f_t, (T, ..., H).
        fraction: remaining fraction that counts as forgotten, in (0, 1).

    Returns:
        Integers, (..., H); T + 1 if ∏ f does not fall that far within the sequence or, in traced
        gates, before a NaN.

    Raises:
        ValueError: if the fraction is outside (0, 1), or gates are NaN.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie in (0, 1), got {fraction}")
    refuse_nan("forget gates", forget)
    kept = jnp.cumsum(jnp.log(widened(forget))[::-1], axis=0)  # never increases
    fallen = kept <= jnp.log(fraction)
    return jnp.where(fallen.any(0), fallen.argmax(0), len(fallen)) + 1


def order_by_timescale(forget: Array) -> Array:
    """Sort units from the shortest timescale to the longest.

    Args:
        forget: f_t, (..., H), in [0, 1].

    Returns:
        Indices, (H,).
    """
    return jnp.argsort(timescales(forget))
