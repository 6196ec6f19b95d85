"""Noise and penalties, each a few lines; keys are passed, and no key means no noise.

dropout          zeros at random, of whole sequences: inputs, outputs, between layers
zoneout          wraps a step: units keep their old state at random
drop_state       wraps a step: the product with the recurrent kernel sees h through one mask
drop_weights     parameters whose recurrent kernel has zeros at random, for one whole sequence
penalties        activation (AR) and temporal activation (TAR) regularisation
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
        key: a key of `jax.random`; None returns `xs` as it is.
        xs: any shape.
        rate: in [0, 1).
        shared_axes: axes along which one draw is used. Sharing time gives the variational
            dropout of Gal & Ghahramani (2016).

    Raises:
        ValueError: for a rate outside [0, 1).
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
    """Raise a ValueError that names a dropout rate outside [0, 1)."""
    if not 0 <= rate < 1:
        raise ValueError(f"{name} must lie in [0, 1), got {rate}")


def zoneout(step: Step[P, S, X], rates: Tree) -> Step[P, S, tuple[X, Array | None]]:
    """Wrap a step so that each unit keeps its old state with a probability (Krueger et al. 2017).

        s_t = m ⊙ s_{t-1} + (1 - m) ⊙ step(s_{t-1}, x_t)        m ~ Bernoulli(rate)

    Args:
        step: `(params, state, x) -> new_state`.
        rates: a number in [0, 1) for every leaf of the state, or a pytree as the state, such as
            `LSTMState(h=0.05, c=0.3)`.

    Returns:
        `(params, state, (x, key)) -> new_state`, a key for each step; the expectation,
        rate · old + (1 - rate) · new, where the key is None.

    Raises:
        ValueError: a rate outside [0, 1).
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
    """Wrap a step so that its product with h sees it through a mask (Gal & Ghahramani 2016).

    For cells that read h in a product alone, `Cell.masks_h`: the LSTM and the RNN, not the GRU.

    Args:
        step: `(params, state, x) -> new_state`.

    Returns:
        `((params, mask), state, x) -> new_state`, mask as h or broadcasting to it, such as
        `dropout(key, jnp.ones_like(state.h), rate)`: one for all time steps.
    """

    def dropped(params: tuple[P, Array], state: S, x: X) -> S:
        inner, mask = params
        old: Tree = state
        return step(inner, replaced(state, h=old.h * mask.astype(old.h.dtype)), x)

    return dropped


def drop_weights(key: Array | None, params: P, rate: float) -> P:
    """Apply DropConnect to the recurrent kernel (Merity et al. 2018, AWD-LSTM).

    One mask for all time steps and rows; the same for the same key.

    Args:
        key: a key of `jax.random`; None drops nothing.
        params: a dataclass with a `recurrent_kernel`.
        rate: in [0, 1).

    Returns:
        The parameters, elements of that kernel zero and the others scaled by 1 / (1 - rate).

    Raises:
        ValueError: a rate outside [0, 1), or parameters without a `recurrent_kernel`.
    """
    check_rate("weight_dropout", rate)
    if key is None or rate == 0:
        return params
    kernel = getattr(params, "recurrent_kernel", None)
    if kernel is None:
        raise ValueError(
            f"weight_dropout drops elements of recurrent_kernel, which {type(params).__name__} "
            "has not: use zoneout, or drop them before the call"
        )
    return replaced(params, recurrent_kernel=dropout(key, kernel, rate))


def activation_penalty(hs: Array, *, mask: Array | None = None) -> Array:
    """Give AR, the mean of h² over valid steps and units, to be scaled by α (Merity et al. 2017).

    Args:
        hs: outputs (T, ..., H), after dropout in the paper.
        mask: (T, ...), True where valid.

    Returns:
        A scalar, float32 at least; 0 where nothing is valid. What stands in steps that are not,
        NaN too, reaches neither the value nor the gradient.
    """
    return _mean_square(_selected(hs, mask), mask)


def temporal_activation_penalty(hs: Array, *, mask: Array | None = None) -> Array:
    """Give TAR, the mean of (h_t - h_{t-1})² where both are valid, to be scaled by its β.

    Args:
        hs: outputs (T, ..., H), before dropout in the paper.
        mask: (T, ...), True where valid.

    Returns:
        A scalar, float32 at least; 0 where no two steps in a row are valid. What stands in steps
        that are not, NaN too, reaches neither the value nor the gradient.
    """
    hs = _selected(hs, mask)
    both = None if mask is None else mask[1:] & mask[:-1]
    return _mean_square(_selected(hs[1:] - hs[:-1], both), both)


def _selected(values: Array, mask: Array | None) -> Array:
    """Give the values, float32 at least, with zeros where they are not valid.

    Selected before anything is done with them: the gradient of a square that is dropped later is
    0 times what was squared, and that is NaN for a NaN.
    """
    values = widened(values)
    return values if mask is None else jnp.where(mask[..., None], values, 0)


def _mean_square(values: Array, mask: Array | None) -> Array:
    squares = (values**2).mean(-1)
    if mask is None:
        return squares.mean() if squares.size else jnp.zeros((), squares.dtype)
    count = jnp.maximum(mask.sum(), 1)
    return squares.sum() / count.astype(squares.dtype)
