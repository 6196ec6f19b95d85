"""Sampling from a recurrent language model: pure functions over `(state, logits) = step(...)`.

    step(params, state, ids) -> (state, logits)     ids (B,) int32, logits (B, V)

The state is any pytree whose leaves have a leading batch axis B. `prefill` reads the prompts,
`decode` draws symbols, in as many calls as one likes, and `sample` does both. Nothing here waits
for the device: a row that has ended is masked, and the scan goes on.

`prefill` and `decode` are compiled once per `step`, shapes and choice of filters; temperature,
top_k and top_p are traced. `step` is compared by identity, so pass the same function every time
and let what changes go through `params`.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

Step = Callable[[Any, Any, Array], tuple[Any, Array]]

BLOCK = 128  # symbols; about the root of a large vocabulary


class Decoding(NamedTuple):
    """Where B rows stand: all that `decode` needs to go on.

    `state`: leaves (B, ...); `logits`: (B, V), for the next symbol; `position`: (B,) int32, the
    number of symbols drawn so far, eos included; `done`: (B,) bool, True once eos was drawn.
    """

    state: Any
    logits: Array
    position: Array
    done: Array


def validate(
    *, temperature: Any = 1.0, top_k: Any = None, top_p: Any = None, max_length: Any = 1
) -> None:
    """Raise ValueError, in one line, for settings that make no sense.

    Wants temperature finite and >= 0, top_k an int >= 1 or None, top_p in (0, 1] or None, and
    max_length an int >= 1. JAX arrays, traced ones included, are passed over: to look at them
    would wait for the device, or fail.
    """

    def is_int(value):
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)

    def is_real(value):
        return isinstance(value, numbers.Real) and math.isfinite(value)

    def given(value):
        return value is not None and not isinstance(value, Array)

    if not isinstance(temperature, Array) and not (is_real(temperature) and temperature >= 0):
        raise ValueError(
            f"temperature must be a finite number, 0 (greedy) or more, got {temperature!r}"
        )
    if given(top_k) and not (is_int(top_k) and top_k >= 1):
        raise ValueError(f"top_k must be an int, 1 or more, or None for no limit, got {top_k!r}")
    if given(top_p) and not (is_real(top_p) and 0 < top_p <= 1):
        raise ValueError(f"top_p must be a number in (0, 1], or None for no limit, got {top_p!r}")
    if not (is_int(max_length) and max_length >= 1):
        raise ValueError(f"max_length must be an int, 1 or more, got {max_length!r}")


def filter_logits(
    logits,
    *,
    temperature: ArrayLike,
    top_k: ArrayLike | None = None,
    top_p: ArrayLike | None = None,
) -> Array:
    """Log-weights of the distribution to draw from; what is excluded has -inf.

    Temperature, then top-k, then nucleus (Holtzman et al. 2020, "The Curious Case of Neural Text
    Degeneration"), over what top-k left:

        w_v = (logits_v - max(logits)) / temperature
        top-k     keeps the k largest, exactly: of equal logits the lower ids stay
        nucleus   keeps the smallest set, largest first, whose probability reaches p: the symbol
                  that crosses p stays, so at least one always does

    Args:
      logits: (..., V), floating. -inf excludes a symbol; at least one must be finite, none +inf
        or NaN.
      temperature: scalar or (...); 0 is greedy: the argmax alone, the lowest id of equals.
      top_k: None, or an integer scalar or (...), >= 1; more than V keeps all.
      top_p: None, or scalar or (...) in (0, 1]; 1 keeps all.

    All three may be traced; only None or not is static, and without top_k and top_p nothing is
    sorted. They are not checked here: see `validate`.

    Returns:
      (..., V) log-weights, not normalized, the largest of them 0, in float32 or wider.
    """
    logits = jnp.asarray(logits)
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    dtype = logits.dtype
    symbols = jnp.arange(logits.shape[-1])
    temperature = jnp.asarray(temperature, dtype)[..., None]
    greedy = temperature < jnp.finfo(dtype).tiny  # a subnormal would be flushed: 0 / 0
    divisor = jnp.where(greedy, 1, temperature)
    top = jnp.max(logits, axis=-1, keepdims=True)
    best = jnp.argmax(logits, axis=-1)[..., None]
    weights = (logits - top) / divisor  # the largest is exactly 0 however small the divisor

    if top_k is not None or top_p is not None:
        # Temperature does not change the order: sort and compare the logits as they came, which
        # are equal bit for bit, and whose differences the division cannot have rounded away.
        ranked = _sort_descending(logits)
        count = jnp.full((1,), symbols.size)
        if top_k is not None:
            count = jnp.minimum(count, jnp.asarray(top_k)[..., None])
        if top_p is not None:
            top_p = jnp.asarray(top_p, dtype)[..., None]
            mass = jnp.where(symbols < count, jnp.exp((ranked - top) / divisor), 0)
            before = jnp.cumsum(mass, axis=-1) - mass
            inside = before < top_p * jnp.sum(mass, axis=-1, keepdims=True)
            # Counted, so that rounding in the running sum cannot leave a hole in the set. At
            # p = 1 the tail must stay although the rounded sum may have reached 1 before it.
            nucleus = jnp.sum(inside, axis=-1, keepdims=True)
            count = jnp.where(top_p < 1, jnp.minimum(count, nucleus), count)
        count = jnp.maximum(count, 1)
        last = jnp.min(ranked, axis=-1, keepdims=True, where=symbols < count, initial=jnp.inf)
        above, equal = logits > last, logits == last
        room = count - jnp.sum(above, axis=-1, keepdims=True)
        weights = jnp.where(
            above | (equal & (jnp.cumsum(equal, axis=-1) <= room)), weights, -jnp.inf
        )

    return jnp.where(greedy, jnp.where(symbols == best, 0.0, -jnp.inf).astype(dtype), weights)


@jax.jit(static_argnames="step")
def prefill(step: Step, params, state, prompt_ids, prompt_lengths) -> Decoding:
    """Read the prompts, one symbol a step, and stand before the first symbol to draw.

    Args:
      step: `(params, state, ids (B,)) -> (state, logits (B, V))`.
      params: whatever `step` takes.
      state: the initial state, leaves (B, ...).
      prompt_ids: (B, P) integers, right-padded; the padding may hold anything.
      prompt_lengths: (B,) integers in 1..P, begin symbol included. A row keeps its state and
        logits once its prompt has ended, so that padding does not reach it.

    Returns:
      A `Decoding` with position 0 and no row done.

    Raises:
      ValueError: where shapes or dtypes are not as above.
    """
    prompt_ids, prompt_lengths = jnp.asarray(prompt_ids), jnp.asarray(prompt_lengths)
    _check_batch(state, prompt_ids, prompt_lengths)
    prompt_ids = prompt_ids.astype(jnp.int32)

    def read(carry, x):
        position, ids = x
        return _where_rows(position < prompt_lengths, step(params, carry[0], ids), carry), None

    # The first step stands outside the scan: it gives the carry its shapes, dtypes and sharding.
    carry = step(params, state, prompt_ids[:, 0])
    positions = jnp.arange(1, prompt_ids.shape[1])
    (state, logits), _ = jax.lax.scan(read, carry, (positions, prompt_ids[:, 1:].T))
    return Decoding(
        state=state,
        logits=logits,
        position=jnp.zeros_like(prompt_lengths, dtype=jnp.int32),
        done=jnp.zeros_like(prompt_lengths, dtype=bool),
    )


@jax.jit(static_argnames=("step", "num_steps", "eos_id"))
def decode(
    step: Step,
    params,
    decoding: Decoding,
    *,
    key,
    num_steps: int,
    eos_id: int,
    temperature: ArrayLike = 1.0,
    top_k: ArrayLike | None = None,
    top_p: ArrayLike | None = None,
) -> tuple[Decoding, Array]:
    """Draw `num_steps` symbols a row, and stand where the next call goes on.

        id_t ~ softmax(filter_logits(logits_t)),   with the key fold_in(fold_in(key, row), t)

    t counts from the end of the prompt, over all calls: with the same key, 8 + 8 steps draw what
    16 do, and a row draws the same whatever the number of rows. (So far as `step` rounds alike
    for any B, and with threefry keys, JAX's default; rbg keys depend on the batch under vmap.)
    A row that drew `eos_id` emits it forever and keeps its state. A negative `eos_id` never stops.

    Args:
      decoding: from `prefill`, or from an earlier call.
      key: one PRNG key.
      temperature, top_k, top_p: see `filter_logits`; scalars, or (B,) for one a row.

    Returns:
      The new `Decoding`, and ids (B, num_steps) int32.
    """
    sharding = jax.typeof(decoding.position).sharding  # vmap wants keys and logits split alike
    rows = jnp.arange(decoding.position.size, out_sharding=sharding)
    dtype = jnp.promote_types(decoding.logits.dtype, jnp.float32)

    def uniforms(row, position):
        steps = position + jnp.arange(num_steps)
        keys = jax.vmap(partial(jax.random.fold_in, jax.random.fold_in(key, row)))(steps)
        return jax.vmap(lambda k: jax.random.uniform(k, dtype=dtype))(keys)

    def draw(old, uniform):
        weights = filter_logits(old.logits, temperature=temperature, top_k=top_k, top_p=top_p)
        ids = jax.vmap(_inverse)(jnp.exp(weights), uniform)
        ids = jnp.where(old.done, eos_id, ids).astype(jnp.int32)
        done = old.done | (ids == eos_id)
        carry = _where_rows(~done, step(params, old.state, ids), (old.state, old.logits))
        return Decoding(*carry, position=old.position + ~old.done, done=done), ids

    # One random number a symbol, all of them before the loop: of a small model, what is left of
    # a step is little more than its products.
    us = jax.vmap(uniforms, out_axes=1)(rows, decoding.position)
    decoding, ids = jax.lax.scan(draw, decoding, us)
    return decoding, ids.T


def sample(
    step: Step,
    params,
    state,
    prompt_ids,
    prompt_lengths,
    *,
    key,
    max_length: int,
    eos_id: int,
    temperature: ArrayLike = 1.0,
    top_k: ArrayLike | None = None,
    top_p: ArrayLike | None = None,
) -> Array:
    """Continue each prompt by up to `max_length` symbols: `prefill`, then `decode`, one program.

    Args:
      step, params, state, prompt_ids, prompt_lengths: see `prefill`.
      key, eos_id, temperature, top_k, top_p: see `decode`.
      max_length: how many symbols to draw, the prompt not counted.

    Returns:
      ids (B, max_length) int32, the prompt not included; after the first `eos_id`, all `eos_id`.

    Raises:
      ValueError: from `validate`, or from `prefill` where shapes do not agree.
    """
    validate(temperature=temperature, top_k=top_k, top_p=top_p, max_length=max_length)
    return _sample(
        step,
        params,
        state,
        prompt_ids,
        prompt_lengths,
        key=key,
        num_steps=max_length,
        eos_id=eos_id,
        temperature=_scalar(temperature, np.float32),
        top_k=_scalar(top_k, np.int32),
        top_p=_scalar(top_p, np.float32),
    )


@jax.jit(static_argnames=("step", "num_steps", "eos_id"))
def _sample(step, params, state, prompt_ids, prompt_lengths, **settings):
    decoding = prefill(step, params, state, prompt_ids, prompt_lengths)
    return decode(step, params, decoding, **settings)[1]


def _sort_descending(x):
    # As integers of the same order: XLA's float comparison makes this six times slower on a CPU.
    integer = jnp.int32 if x.dtype == jnp.float32 else jnp.int64

    def flip(bits):
        return jnp.where(bits < 0, bits ^ jnp.iinfo(integer).max, bits)

    ascending = jnp.sort(~flip(jax.lax.bitcast_convert_type(x, integer)), axis=-1)
    return jax.lax.bitcast_convert_type(flip(~ascending), x.dtype)


def _inverse(mass, uniform):
    """The first symbol with whom the running sum of mass (V,) passes `uniform` of it all.

    In blocks, for one running sum over all symbols is slow: first the block is found, then the
    symbol.
    """
    blocks = jnp.pad(mass, (0, -mass.size % BLOCK)).reshape(-1, BLOCK)
    sums = blocks.sum(1)
    ends = jnp.cumsum(sums)
    goal = uniform * ends[-1]
    block = jnp.sum(ends <= goal)
    # Rounding may lead beyond what has mass, in the last block and inside any: then the last that
    # has some is meant.
    block = jnp.minimum(block, _last(sums > 0))
    before = jnp.where(block > 0, ends[block - 1], 0)
    inside = blocks[block]
    place = jnp.sum(jnp.cumsum(inside) <= goal - before)
    return block * BLOCK + jnp.minimum(place, _last(inside > 0))


def _last(flags):
    """The index of the last flag that is set."""
    return flags.size - 1 - jnp.argmax(flags[::-1])


def _scalar(value, dtype):
    # One dtype for 1, 1.0 and np.float64(1): each would be compiled for otherwise.
    if value is None or isinstance(value, Array):
        return value
    return dtype(min(value, np.iinfo(dtype).max) if dtype is np.int32 else value)


def _where_rows(rows, new, old):
    """`new` in the rows (B,) that are True, else `old`, over pytrees of leaves (B, ...)."""

    def choose(a, b):
        return jnp.where(jnp.expand_dims(rows, tuple(range(1, a.ndim))), a, b)

    return jax.tree.map(choose, new, old)


def _check_batch(state, prompt_ids, prompt_lengths):
    for name, ids in (("prompt_ids", prompt_ids), ("prompt_lengths", prompt_lengths)):
        if not jnp.issubdtype(ids.dtype, jnp.integer):
            raise ValueError(f"{name} must be integers, got {ids.dtype}")
    if prompt_ids.ndim != 2 or prompt_ids.shape[1] == 0:
        raise ValueError(
            "prompt_ids must be (B, P) with P >= 1 (prepend the begin symbol), "
            f"got shape {prompt_ids.shape}"
        )
    batch = prompt_ids.shape[:1]
    if prompt_lengths.shape != batch:
        raise ValueError(f"prompt_lengths must be (B,) = {batch}, got {prompt_lengths.shape}")
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        if jnp.shape(leaf)[:1] != batch:
            name = "state" + jax.tree_util.keystr(path)
            raise ValueError(
                f"{name} must have the leading axis B = {batch[0]}, got {jnp.shape(leaf)}"
            )
