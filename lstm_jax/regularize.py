"""Noise and penalties. Every noise takes a key, and a key of None means no noise.

dropout          zeros elements of a sequence at random: inputs, outputs, between layers
zoneout          wraps a step, so that units keep their old state at random
drop_state       wraps a step, so that the recurrent product reads h through one mask
drop_weights     zeros elements of the recurrent kernel at random, for a whole sequence
penalties        activation (AR) and temporal activation (TAR) regularization
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.cells import P, S, Step, X
from lstm_jax.trees import Tree, replaced, widened


def dropout(key: Array | None, xs: Array, rate: float, *, shared_axes: Sequence[int] = ()) -> Array:
    """Zero each element with probability `rate` and scale the rest by 1 / (1 - rate).

    Args:
        key: a `jax.random` key; None returns `xs` unchanged.
        xs: any shape.
        rate: in [0, 1).
        shared_axes: axes along which all elements share one draw. Sharing the time axis is the
            variational dropout of Gal & Ghahramani (2016).

    Raises:
        ValueError: if the rate is outside [0, 1).
    """
    check_rate("rate", rate)
    if key is None or rate == 0:
        return xs
    shape = list(xs.shape)
    for axis in shared_axes:
        shape[axis] = 1
    keep = jax.random.bernoulli(key, 1 - rate, tuple(shape))
    return jnp.where(keep, xs / (1 - rate), jnp.zeros_like(xs))


def check_rate(name: str, rate: float) -> None:
    """Raise a ValueError if the dropout rate called `name` is outside [0, 1)."""
    if not 0 <= rate < 1:
        raise ValueError(f"{name} must lie in [0, 1), got {rate}")


def zoneout(step: Step[P, S, X], rates: Tree) -> Step[P, S, tuple[X, Array | None]]:
    """Wrap a step so that each unit keeps its old state with a probability (Krueger et al. 2017).

        s_t = m ⊙ s_{t-1} + (1 - m) ⊙ step(s_{t-1}, x_t)        m ~ Bernoulli(rate)

    Args:
        step: `(params, state, x) -> new_state`.
        rates: a number in [0, 1) for all leaves of the state, or a pytree like the state, such as
            `LSTMState(h=0.05, c=0.3)`.

    Returns:
        `(params, state, (x, key)) -> new_state`, with a key for each step. If the key is None, it
        returns the expectation, rate · old + (1 - rate) · new.

    Raises:
        ValueError: if a rate is outside [0, 1).
    """
    for rate in jax.tree.leaves(rates):
        check_rate("zoneout", rate)

    def zoned(params: P, state: S, inputs: tuple[X, Array | None]) -> S:
        x, key = inputs
        new = step(params, state, x)
        leaves, tree = jax.tree.flatten(new)
        each = jax.tree.leaves(rates)
        each = each * len(leaves) if isinstance(rates, numbers.Real) else each
        keys = [None] * len(leaves) if key is None else jax.random.split(key, len(leaves))
        mixed = map(_mix, keys, each, jax.tree.leaves(state), leaves)
        return jax.tree.unflatten(tree, list(mixed))

    return zoned


def _mix(key: Array | None, rate: float, old: Array, new: Array) -> Array:
    if rate == 0:
        return new
    if key is None:
        return (rate * old + (1 - rate) * new).astype(new.dtype)
    return jnp.where(jax.random.bernoulli(key, rate, new.shape), old, new)


def drop_state(step: Step[P, S, X]) -> Step[tuple[P, Array], S, X]:
    """Wrap a step so that it reads h through a mask (Gal & Ghahramani 2016).

    This is for cells that use h in matrix products alone (`Cell.masks_h`), such as the LSTM and
    the RNN, but not the GRU.

    Args:
        step: `(params, state, x) -> new_state`.

    Returns:
        `((params, mask), state, x) -> new_state`. The mask broadcasts to h and is the same for all
        time steps, such as `dropout(key, jnp.ones_like(state.h), rate)`.
    """

    def dropped(params: tuple[P, Array], state: S, x: X) -> S:
        inner, mask = params
        old: Tree = state
        return step(inner, replaced(state, h=old.h * mask.astype(old.h.dtype)), x)

    return dropped


def drop_weights(key: Array | None, params: P, rate: float) -> P:
    """Apply DropConnect to the recurrent kernel (Merity et al. 2018, AWD-LSTM).

    All time steps and rows share one mask, and the same key draws the same mask.

    Args:
        key: a `jax.random` key; None drops nothing.
        params: a dataclass with a `recurrent_kernel`.
        rate: in [0, 1).

    Returns:
        The parameters, with some elements of that kernel zero and the others scaled by
        1 / (1 - rate).

    Raises:
        ValueError: if the rate is outside [0, 1), or the parameters have no `recurrent_kernel`.
    """
    check_rate("weight_dropout", rate)
    if key is None or rate == 0:
        return params
    kernel = getattr(params, "recurrent_kernel", None)
    if kernel is None:
        raise ValueError(
            f"weight_dropout drops elements of recurrent_kernel, but {type(params).__name__} has "
            "no such field; use zoneout, or drop weights before the call"
        )
    return replaced(params, recurrent_kernel=dropout(key, kernel, rate))


def activation_penalty(hs: Array, *, mask: Array | None = None) -> Array:
    """Compute AR, the mean of h² over valid steps and units, to be scaled by α.

    The penalty is that of Merity et al. (2017).

    Args:
        hs: outputs (T, ..., H), after dropout in the paper.
        mask: (T, ...), True at valid steps.

    Returns:
        A scalar, float32 at least; 0 if no step is valid. Invalid steps, even if they hold NaN,
        reach neither the value nor the gradient.
    """
    return _mean_square(_selected(hs, mask), mask)


def temporal_activation_penalty(hs: Array, *, mask: Array | None = None) -> Array:
    """Compute TAR, the mean of (h_t - h_{t-1})² where both are valid, to be scaled by β.

    Args:
        hs: outputs (T, ..., H), before dropout in the paper.
        mask: (T, ...), True at valid steps.

    Returns:
        A scalar, float32 at least; 0 if no two consecutive steps are valid. Invalid steps, even if
        they hold NaN, reach neither the value nor the gradient.
    """
    hs = _selected(hs, mask)
    both = None if mask is None else mask[1:] & mask[:-1]
    return _mean_square(_selected(hs[1:] - hs[:-1], both), both)


def _selected(values: Array, mask: Array | None) -> Array:
    """Return the values, float32 at least, with zeros at invalid steps.

    Values must be selected before they are squared, because the gradient of a square that is
    dropped later is 0 times the value, which is NaN if the value is.
    """
    values = widened(values)
    return values if mask is None else jnp.where(mask[..., None], values, 0)


def _mean_square(values: Array, mask: Array | None) -> Array:
    squares = (values**2).mean(-1)
    if mask is None:
        return squares.mean() if squares.size else jnp.zeros((), squares.dtype)
    count = jnp.maximum(mask.sum(), 1)
    return squares.sum() / count.astype(squares.dtype)
