"""Masks on the logits of a poem that keeps to a plan, as pure functions.

    place = advance(plan, place, ids)         after each symbol that was read
    logits -> where(allowed(plan, place), logits, -inf)

All functions work on B rows and run inside the sampler's one program. Besides the line and the
column, the symbols drawn so far affect only two sets: the tone patterns and the rhymes that are
still open. A symbol is allowed if an open pattern or rhyme allows it, and it closes those that it
does not fit. If it fits none of them, which can happen in a prompt or an acrostic, the set does
not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.forms.order import Order
from lstm_jax.text.forms.plan import (
    RHYMES,
    RHYMES_IF_LEVEL,
    UNRHYMED,
    Plan,
    make_plan,
    open_patterns,
)
from lstm_jax.text.sampling import NextLogits


class Place(NamedTuple):
    """Store the position of B poems in their plan.

    Attributes:
        skip: (B,) int, number of symbols still to be read before the poem begins.
        line: (B,) int, number of complete lines.
        column: (B,) int, number of characters in the current line.
        patterns: (B, P) bool, tone patterns that are still open; None if tones are free.
        rhymes: (B, R) bool, rhymes that are still open; None if rhymes are free.
        spent: (B, V) bool, symbols that have rhymed; None if rhymes are free.
    """

    skip: Array
    line: Array
    column: Array
    patterns: Array | None
    rhymes: Array | None
    spent: Array | None


def start(plan: Plan, skip: np.ndarray, patterns: np.ndarray | None) -> Place:
    """Return the place before the first symbol.

    Args:
        plan: the tables.
        skip: (B,) int, number of symbols before the poem: the begin symbol and the mood, if any.
        patterns: (B, P) bool, the tone patterns that are open; None if tones are free.
    """
    rows, rhymes = len(skip), plan.rhymes
    return Place(
        skip=jnp.asarray(skip, jnp.int32),
        line=jnp.zeros(rows, jnp.int32),
        column=jnp.zeros(rows, jnp.int32),
        patterns=None if patterns is None else jnp.asarray(patterns),
        rhymes=None if rhymes is None else jnp.tile(rhymes.of.any(0), (rows, 1)),
        spent=None if rhymes is None else jnp.zeros((rows, len(rhymes.of)), bool),
    )


def begin(
    order: Order, vocabulary: Vocabulary, prompts: Sequence[str], *, skip: int
) -> tuple[Plan, Place]:
    """Plan poems, and return the plan with the place before their first symbols.

    Args:
        order: an order that sets rules and was checked.
        vocabulary: of the model that will keep to it; it knows the prompts.
        prompts: the beginnings of B poems.
        skip: number of symbols that are read before them.

    Raises:
        ModelError: if a prompt does not fit, or the plan cannot be made; see `make_plan`.
    """
    unique = list(dict.fromkeys(prompts))
    for prompt in unique:
        order.check_prompt(prompt)
    plan = make_plan(order, vocabulary)
    patterns = None
    if plan.tones is not None:
        by_prompt = {
            prompt: open_patterns(plan, order, vocabulary.encode(prompt)) for prompt in unique
        }
        patterns = np.stack([by_prompt[prompt] for prompt in prompts])
    return plan, start(plan, np.full(len(prompts), skip), patterns)


def allowed(plan: Plan, place: Place) -> Array:
    """Find the symbols that may come next.

    Args:
        plan: the tables.
        place: the place of the B poems.

    Returns:
        (B, V) bool, at least one True in each row.
    """
    line, column = _indices(plan, place)
    may = plan.classes[plan.kinds[line, column]]
    if plan.tones is not None:
        wanted = jax.nn.one_hot(plan.tones.wanted[:, line, column], 3, dtype=bool)  # (P, B, 3)
        open_tones = (wanted & _present(place.patterns).T[:, :, None]).any(0)
        may &= _shared(plan.tones.may_be.T, open_tones)
    if plan.rhymes is not None:
        need = plan.rhymes.where[line, column][:, None]
        level = plan.rhymes.may_be_level[None]
        fits = _shared(plan.rhymes.of, _present(place.rhymes)) & ~_present(place.spent)
        may &= fits | (need == UNRHYMED) | ((need == RHYMES_IF_LEVEL) & ~level)
    head = jnp.where(column == 0, plan.heads[line], -1)
    return jnp.where(head[:, None] >= 0, _only(head, may.shape[1]), may)


def advance(plan: Plan, place: Place, ids: Array) -> Place:
    """Advance the poems by one symbol.

    Args:
        plan: the tables.
        place: the place of the B poems.
        ids: (B,) int, the symbol that each of them reads.

    Returns:
        The place after the symbol.
    """
    line, column = _indices(plan, place)
    counts = place.skip == 0
    ends = plan.marks[ids]
    patterns, rhymes, spent = place.patterns, place.rhymes, place.spent
    if plan.tones is not None:
        agrees = plan.tones.may_be[plan.tones.wanted[:, line, column], ids].T  # (B, P)
        patterns = _narrow(_present(patterns), agrees, counts)
    if plan.rhymes is not None:
        need = plan.rhymes.where[line, column]
        level = (need == RHYMES_IF_LEVEL) & plan.rhymes.may_be_level[ids]
        takes_part = counts & ((need == RHYMES) | level)
        rhymes = _narrow(_present(rhymes), plan.rhymes.of[ids], takes_part)
        spent = _present(spent) | (_only(ids, len(plan.marks)) & takes_part[:, None])
    return Place(
        jnp.maximum(place.skip - 1, 0),
        jnp.where(counts & ends, place.line + 1, place.line),
        jnp.where(counts, jnp.where(ends, 0, place.column + 1), place.column),
        patterns,
        rhymes,
        spent,
    )


@lru_cache(maxsize=32)
def ruled(next_logits: NextLogits[Any, Any]) -> NextLogits[Any, Any]:
    """Restrict a language model to a plan; cached because samplers compile each function once.

    Args:
        next_logits: `(params, state, ids) -> (state, logits)`.

    Returns:
        The same function of `(params, plan)` and `(state, place)`, in which the logits of symbols
        that are not allowed are -inf.
    """

    def masked(params_and_plan, state_and_place, ids):
        (params, plan), (state, place) = params_and_plan, state_and_place
        state, logits = next_logits(params, state, ids)
        place = advance(plan, place, ids)
        return (state, place), jnp.where(allowed(plan, place), logits, -jnp.inf)

    return masked


@jax.jit(static_argnames="next_logits")
def masses_left(
    next_logits: NextLogits[Any, Any],
    params: Any,
    state: Any,
    plan: Plan,
    place: Place,
    ids: Array,
) -> Array:
    """Compute how much of a model's distribution a plan allows, along texts.

        ln Σ_v [v is allowed] p_v       if one symbol is forced, its own ln p

    Args:
        next_logits, params, state: the model, without rules.
        plan: the tables.
        place: the place of the B texts before their first symbol.
        ids: (B, T) int, the symbols that are read.

    Returns:
        (B, T), after each symbol the value for the next symbol.
    """

    def read(carry, ids):
        state, place = carry
        state, logits = next_logits(params, state, ids)
        place = advance(plan, place, ids)
        masked = jnp.where(allowed(plan, place), logits, -jnp.inf)
        log_mass = jax.nn.logsumexp(masked, axis=-1) - jax.nn.logsumexp(logits, axis=-1)
        return (state, place), log_mass

    return jax.lax.scan(read, (state, place), ids.T)[1].T


def _indices(plan: Plan, place: Place) -> tuple[Array, Array]:
    lines, columns = plan.kinds.shape
    return jnp.minimum(place.line, lines - 1), jnp.minimum(place.column, columns - 1)


def _present(array: Array | None) -> Array:
    assert array is not None, "the place belongs to another plan"
    return array


def _only(ids: Array, size: int) -> Array:
    """Return (B, V) bool, True only at the id of each row; all False for -1."""
    return jax.nn.one_hot(ids, size, dtype=bool)


def _shared(of: Array, open_: Array) -> Array:
    """Return (B, V), whether a symbol has, by `of` (V, R), one of the open (B, R)."""
    return open_.astype(jnp.float32) @ of.T.astype(jnp.float32) > 0


def _narrow(open_: Array, fits: Array, rows: Array) -> Array:
    """Close everything that does not fit, in the selected rows that would keep something open."""
    both = open_ & fits
    return jnp.where(rows[:, None] & both.any(1, keepdims=True), both, open_)
