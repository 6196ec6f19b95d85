"""Sampling from a recurrent language model, given as one pure function:

    next_logits(params, state, ids) -> (state, logits)     ids (B,) int32, logits (B, V)

The state is any pytree whose leaves have a leading batch axis B. `prefill` reads the prompts,
`decode` draws symbols, in any number of calls, and `sample` does both. Nothing here waits for the
device: a row that has ended is masked, and the scan goes on.

`prefill` and `decode` are compiled once per `next_logits`, shapes and choice of filters;
temperature, top_k and top_p are traced. `next_logits` is compared by identity, so pass the same
function every time, and pass values that change through `params`.
"""

from __future__ import annotations

from functools import partial
from typing import Generic, NamedTuple, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.promotion import add, aligned, float32_at_least
from lstm_jax.text.filters import draw, filter_logits, validate
from lstm_jax.trees import Tree

Params = TypeVar("Params", contravariant=True)
State = TypeVar("State")


class NextLogits(Protocol[Params, State]):
    """Describe a recurrent language model as a pure function: one symbol in, next logits out."""

    def __call__(self, params: Params, state: State, ids: Array, /) -> tuple[State, Array]:
        """Read one symbol of each row.

        Args:
            params: the model's parameters, any pytree.
            state: leaves (B, ...).
            ids: (B,) int32.

        Returns:
            `(new_state, logits)`: logits (B, V), floating.
        """
        ...


class Decoding(NamedTuple, Generic[State]):
    """Store the progress of B rows: everything that `decode` needs to continue.

    Attributes:
        state: leaves (B, ...).
        logits: (B, V), for the next symbol; meaningless for a row that is done.
        position: (B,) int32, the number of symbols drawn so far, eos included.
        done: (B,) bool, True once eos was drawn.
    """

    state: State
    logits: Array
    position: Array
    done: Array


@jax.jit(static_argnames="next_logits")
def prefill(
    next_logits: NextLogits[Params, State],
    params: Params,
    state: State,
    prompt_ids: ArrayLike,
    prompt_lengths: ArrayLike,
) -> Decoding[State]:
    """Read the prompts, one symbol per step, so that `decode` can draw the first symbol.

    Args:
        next_logits: `(params, state, ids (B,)) -> (state, logits (B, V))`.
        params: the first argument of `next_logits`.
        state: the initial state, leaves (B, ...).
        prompt_ids: (B, P) integers, right-padded; the padding may hold any ids.
        prompt_lengths: (B,) integers in 1..P, begin symbol included. A row keeps its state and
            logits once its prompt has ended, so that padding does not affect it.

    Returns:
        A `Decoding` with position 0 and no row done.

    Raises:
        ValueError: if a shape or dtype differs from the above.
    """
    prompt_ids, prompt_lengths = jnp.asarray(prompt_ids), jnp.asarray(prompt_lengths)
    _check_batch(state, prompt_ids, prompt_lengths)
    prompt_ids = prompt_ids.astype(jnp.int32)

    def read(carry, x):
        position, ids = x
        going = jnp.less(*aligned(position, prompt_lengths))
        return _where_rows(going, next_logits(params, carry[0], ids), carry), None

    # The first step runs outside the scan, to give the carry its shapes, dtypes and sharding.
    carry = next_logits(params, state, prompt_ids[:, 0])
    positions = jnp.arange(1, prompt_ids.shape[1])
    if len(positions):  # without jit, JAX cannot run a loop of zero steps
        carry, _ = jax.lax.scan(read, carry, (positions, prompt_ids[:, 1:].T))
    state, logits = carry
    return Decoding(
        state=state,
        logits=logits,
        position=jnp.zeros_like(prompt_lengths, dtype=jnp.int32),
        done=jnp.zeros_like(prompt_lengths, dtype=bool),
    )


@jax.jit(static_argnames=("next_logits", "num_steps", "eos_id"))
def decode(
    next_logits: NextLogits[Params, State],
    params: Params,
    decoding: Decoding[State],
    *,
    key: Array,
    num_steps: int,
    eos_id: int,
    temperature: ArrayLike = 1.0,
    top_k: ArrayLike | None = None,
    top_p: ArrayLike | None = None,
) -> tuple[Decoding[State], Array]:
    """Draw `num_steps` symbols per row, in a way that a later call can continue.

        id_t ~ softmax(filter_logits(logits_t)),   with the key fold_in(fold_in(key, row), t)

    t counts from the end of the prompt, over all calls: with the same key, 8 + 8 steps draw the
    same symbols as 16, and a row draws the same symbols for any number of rows. (This holds if
    `next_logits` rounds the same way for every B, and with threefry keys, JAX's default; rbg keys
    depend on the batch under vmap.) A row that drew `eos_id` emits it forever and keeps its state.
    A negative `eos_id` never stops a row.

    Args:
        next_logits, params: the same as for `prefill`.
        decoding: from `prefill`, or from an earlier call.
        key: one PRNG key.
        num_steps: number of symbols to draw, 1 or more.
        eos_id: the symbol that ends a row.
        temperature, top_k, top_p: see `filter_logits`; scalars, or (B,) for one value per row.

    Returns:
        The new `Decoding`, and ids (B, num_steps) int32.
    """
    sharding = jax.typeof(decoding.position).sharding  # vmap needs keys and logits sharded alike
    rows = jnp.arange(decoding.position.size, out_sharding=sharding)
    dtype = float32_at_least(decoding.logits.dtype)

    def uniforms(row, position):
        steps = add(position, jnp.arange(num_steps))
        keys = jax.vmap(partial(jax.random.fold_in, jax.random.fold_in(key, row)))(steps)
        return jax.vmap(lambda k: jax.random.uniform(k, dtype=dtype))(keys)

    def draw_symbol(old, uniform):
        weights = filter_logits(old.logits, temperature=temperature, top_k=top_k, top_p=top_p)
        ids = jax.vmap(draw)(jnp.exp(weights), uniform)
        ids = jnp.where(old.done, eos_id, ids).astype(jnp.int32)
        done = old.done | (ids == eos_id)
        state, logits = next_logits(params, old.state, ids)
        # Nothing is drawn from the logits of a row that is done, so they need not be kept.
        state = _where_rows(~done, state, old.state)
        return Decoding(state, logits, position=add(old.position, ~old.done), done=done), ids

    # All random numbers, one per symbol, are drawn before the loop, so that a step of a small
    # model consists of little more than its matrix products.
    us = jax.vmap(uniforms, out_axes=1)(rows, decoding.position)
    decoding, ids = jax.lax.scan(draw_symbol, decoding, us)
    return decoding, ids.T


def sample(
    next_logits: NextLogits[Params, State],
    params: Params,
    state: State,
    prompt_ids: ArrayLike,
    prompt_lengths: ArrayLike,
    *,
    key: Array,
    max_length: int,
    eos_id: int,
    temperature: float | Array = 1.0,
    top_k: int | Array | None = None,
    top_p: float | Array | None = None,
) -> Array:
    """Continue each prompt by up to `max_length` symbols: `prefill` and `decode` in one program.

    Args:
        next_logits, params, state, prompt_ids, prompt_lengths: see `prefill`.
        key, eos_id, temperature, top_k, top_p: see `decode`.
        max_length: number of symbols to draw, the prompt not counted.

    Returns:
        ids (B, max_length) int32 without the prompt; after the first `eos_id`, all are `eos_id`.

    Raises:
        ValueError: if a setting is out of range, or shapes do not agree; see `validate`, `prefill`.
    """
    validate(temperature=temperature, top_k=top_k, top_p=top_p, max_length=max_length)
    return _sample(
        next_logits,
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


@jax.jit(static_argnames=("next_logits", "num_steps", "eos_id"))
def _sample(next_logits, params, state, prompt_ids, prompt_lengths, **settings):
    decoding = prefill(next_logits, params, state, prompt_ids, prompt_lengths)
    return decode(next_logits, params, decoding, **settings)[1]


def _scalar(
    value: float | Array | None, dtype: type[np.float32 | np.int32]
) -> np.float32 | np.int32 | Array | None:
    # One dtype for 1, 1.0 and np.float64(1), because each would be compiled separately otherwise.
    if value is None or isinstance(value, Array):
        return value
    return dtype(min(value, np.iinfo(dtype).max) if dtype is np.int32 else value)


def _where_rows(rows: Array, new: Tree, old: Tree) -> Tree:
    """Select `new` where `rows` (B,) is True and `old` elsewhere, for leaves (B, ...)."""

    def choose(a: Array, b: Array) -> Array:
        return jnp.where(jnp.expand_dims(rows, tuple(range(1, a.ndim))), a, b)

    return jax.tree.map(choose, new, old)


def _check_batch(state: Tree, prompt_ids: Array, prompt_lengths: Array) -> None:
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
