"""From logits to a symbol: temperature, top-k, nucleus and the draw itself."""

from __future__ import annotations

import math
import numbers
from typing import TypeGuard

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.promotion import aligned, divide, float32_at_least, lift

BLOCK = 128  # symbols; about the square root of a large vocabulary


def is_int(value: object) -> TypeGuard[int]:
    """Return whether a value is an integer, Python's or NumPy's, and not a boolean.

    Args:
        value: anything.
    """
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def validate(
    *,
    temperature: object = 1.0,
    top_k: object = None,
    top_p: object = None,
    max_length: object = 1,
) -> None:
    """Check the settings of a sampler.

    JAX arrays are not checked: reading one would wait for the device, and reading a traced one
    would fail.

    Args:
        temperature: must be finite, 0 or more.
        top_k: must be an int, 1 or more, or None.
        top_p: must be in (0, 1], or None.
        max_length: must be an int, 1 or more.

    Raises:
        ValueError: if a setting is out of range, in one line.
    """

    def is_real(value: object) -> TypeGuard[float]:
        return isinstance(value, numbers.Real) and math.isfinite(value)

    def checkable(value: object) -> bool:
        return value is not None and not isinstance(value, Array)

    if not isinstance(temperature, Array) and not (is_real(temperature) and temperature >= 0):
        raise ValueError(
            f"temperature must be a finite number, 0 (greedy) or more, got {temperature!r}"
        )
    if checkable(top_k) and not (is_int(top_k) and top_k >= 1):
        raise ValueError(f"top_k must be an int, 1 or more, or None for no limit, got {top_k!r}")
    if checkable(top_p) and not (is_real(top_p) and 0 < top_p <= 1):
        raise ValueError(f"top_p must be a number in (0, 1], or None for no limit, got {top_p!r}")
    if not (is_int(max_length) and max_length >= 1):
        raise ValueError(f"max_length must be an int, 1 or more, got {max_length!r}")


def filter_logits(
    logits: ArrayLike,
    *,
    temperature: ArrayLike,
    top_k: ArrayLike | None = None,
    top_p: ArrayLike | None = None,
) -> Array:
    """Compute the log-weights of the distribution to draw from, -inf for excluded symbols.

    Temperature comes first, then top-k, then the nucleus (Holtzman et al. 2020, "The Curious Case
    of Neural Text Degeneration") among the symbols that top-k kept:

        w_v = (logits_v - max(logits)) / temperature
        top-k     keeps exactly the k largest; among equal logits, the lower ids
        nucleus   keeps the smallest set, largest first, whose probability reaches p; the symbol
                  that crosses p stays, so at least one always does

    All three settings may be traced; only whether a setting is None is static. Nothing is sorted
    without top_k and top_p. The values are not checked here: see `validate`.

    Args:
        logits: (..., V), floating. -inf excludes a symbol; at least one must be finite, and none
            may be +inf or NaN.
        temperature: scalar or (...). 0 is greedy: only the argmax, the lowest id among equals.
        top_k: None, or an integer scalar or (...), >= 1; more than V keeps all symbols.
        top_p: None, or a scalar or (...) in (0, 1]; 1 keeps all symbols.

    Returns:
        (..., V) log-weights, not normalized, the largest of them 0, in float32 or wider.
    """
    logits = jnp.asarray(logits)
    logits = logits.astype(float32_at_least(logits.dtype))
    dtype = logits.dtype
    symbols = jnp.arange(logits.shape[-1])
    temperature = jnp.asarray(temperature, dtype)[..., None]
    greedy = temperature < jnp.finfo(dtype).tiny  # a subnormal would be flushed: 0 / 0
    divisor = jnp.where(greedy, 1, temperature)
    top = jnp.max(logits, axis=-1, keepdims=True)
    weights = divide(logits - top, divisor)  # the largest is exactly 0 however small the divisor

    if top_k is not None or top_p is not None:
        # Temperature does not change the order, so sort and compare the original logits: equal
        # ones are equal bit for bit, and no difference has been rounded away by the division.
        ranked = _sort_descending(logits)
        ranks = lift(symbols, logits.ndim)
        count = jnp.full((1,) * logits.ndim, symbols.size)
        if top_k is not None:
            count = jnp.minimum(
                count, lift(jnp.asarray(top_k, count.dtype)[..., None], logits.ndim)
            )
        if top_p is not None:
            top_p = lift(jnp.asarray(top_p, dtype)[..., None], logits.ndim)
            mass = jnp.where(ranks < count, jnp.exp(divide(ranked - top, divisor)), 0)
            before = jnp.cumsum(mass, axis=-1) - mass
            inside = before < top_p * jnp.sum(mass, axis=-1, keepdims=True)
            # Counting keeps rounding in the running sum from leaving a hole in the set. At p = 1
            # the tail must stay although the rounded sum may have reached 1 before it.
            nucleus = jnp.sum(inside, axis=-1, keepdims=True)
            count = jnp.where(top_p < 1, jnp.minimum(count, nucleus), count)
        count = jnp.maximum(count, 1)
        last = jnp.min(ranked, axis=-1, keepdims=True, where=ranks < count, initial=jnp.inf)
        above, equal = logits > last, logits == last
        room = count - jnp.sum(above, axis=-1, keepdims=True)
        weights = jnp.where(
            above | (equal & (jnp.cumsum(equal, axis=-1) <= room)), weights, -jnp.inf
        )

    def with_greedy_rows() -> Array:
        best = jnp.argmax(logits, axis=-1)[..., None]
        one_hot = jnp.where(jnp.equal(*aligned(symbols, best)), 0.0, -jnp.inf).astype(dtype)
        return jnp.where(greedy, one_hot, weights)

    # On a CPU the argmax takes four times as long as everything else, so it runs only if needed.
    return jax.lax.cond(
        greedy.any(), with_greedy_rows, lambda: jnp.broadcast_to(weights, logits.shape)
    )


def draw(mass: Array, uniform: Array) -> Array:
    """Draw a symbol: the first at which the running sum of the mass exceeds `uniform` of the total.

    One running sum over all symbols would be slow, so the block of the symbol is found first and
    then the symbol in it.

    Args:
        mass: (V,), 0 or more, not all 0; it need not sum to 1.
        uniform: a scalar, uniform in [0, 1).

    Returns:
        The symbol, a scalar integer, drawn with a probability equal to its share of the mass.
    """
    blocks = jnp.pad(mass, (0, -mass.size % BLOCK)).reshape(-1, BLOCK)
    sums = blocks.sum(1)
    ends = jnp.cumsum(sums)
    target = uniform * ends[-1]
    block = jnp.sum(ends <= target)
    # Rounding may overshoot the last symbol that has mass, in the last block or inside any other,
    # so both searches stop at the last entry with positive mass.
    block = jnp.minimum(block, _last(sums > 0))
    before = jnp.where(block > 0, ends[block - 1], 0)
    inside = blocks[block]
    offset = jnp.sum(jnp.cumsum(inside) <= target - before)
    return block * BLOCK + jnp.minimum(offset, _last(inside > 0))


def _sort_descending(x: Array) -> Array:
    # Sort as integers in the same order: XLA's float comparison is six times slower on a CPU.
    integer = jnp.int32 if x.dtype == jnp.float32 else jnp.int64

    def flip(bits: Array) -> Array:
        return jnp.where(bits < 0, bits ^ jnp.iinfo(integer).max, bits)

    ascending = jnp.sort(~flip(jax.lax.bitcast_convert_type(x, integer)), axis=-1)
    return jax.lax.bitcast_convert_type(flip(~ascending), x.dtype)


def _last(flags: Array) -> Array:
    """Return the index of the last flag that is set."""
    return flags.size - 1 - jnp.argmax(flags[::-1])
