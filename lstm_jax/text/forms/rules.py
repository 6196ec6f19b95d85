"""What may come next in a poem that keeps to a plan: masks on the logits, as pure functions.

    place = advance(plan, place, ids)         after each symbol that was read
    logits -> where(allowed(plan, place), logits, -inf)

All are over B rows and run inside the sampler's one program. Besides the line and the column, what
was drawn matters to two things only, and each is a set that a draw narrows: the tone patterns and
the rhymes that are still open. A symbol may come where one of the open ones allows it, and those
that it does not fit are closed; where it fits none, as a prompt or an acrostic may, they stay as
they were.
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
    """Hold where B poems stand.

    Attributes:
        skip: (B,) int, symbols that are still to be read before the poem begins.
        line: (B,) int, whole lines so far.
        column: (B,) int, characters of the next line so far.
        patterns: (B, P) bool, tone patterns that are still open; None if tones are free.
        rhymes: (B, R) bool, rhymes that are still open; None if they are free.
        spent: (B, V) bool, symbols that have rhymed; None if rhymes are free.
    """

    skip: Array
    line: Array
    column: Array
    patterns: Array | None
    rhymes: Array | None
    spent: Array | None


def start(plan: Plan, skip: np.ndarray, patterns: np.ndarray | None) -> Place:
    """Stand before the first symbol.

    Args:
        plan: the tables.
        skip: (B,) int, symbols before the poem: the begin symbol, and a mood if there is one.
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
    """Plan poems and stand before their first symbols.

    Args:
        order: it rules something, and was checked.
        vocabulary: of the model that is to keep to it, which knows the prompts.
        prompts: the beginnings of B poems.
        skip: symbols that are read before them.

    Raises:
        ModelError: a prompt that does not fit, or a plan that cannot be made; see `make_plan`.
    """
    different = list(dict.fromkeys(prompts))
    for prompt in different:
        order.check_prompt(prompt)
    plan = make_plan(order, vocabulary)
    patterns = None
    if plan.tones is not None:
        of = {one: open_patterns(plan, order, vocabulary.encode(one)) for one in different}
        patterns = np.stack([of[prompt] for prompt in prompts])
    return plan, start(plan, np.full(len(prompts), skip), patterns)


def allowed(plan: Plan, place: Place) -> Array:
    """Say which symbols may come next.

    Args:
        plan: the tables.
        place: where the B poems stand.

    Returns:
        (B, V) bool, at least one in each row.
    """
    line, column = _indices(plan, place)
    may = plan.classes[plan.kinds[line, column]]
    if plan.tones is not None:
        wanted = jax.nn.one_hot(plan.tones.wanted[:, line, column], 3, dtype=bool)  # (P, B, 3)
        open_tones = (wanted & _held(place.patterns).T[:, :, None]).any(0)
        may &= _shared(plan.tones.may_be.T, open_tones)
    if plan.rhymes is not None:
        need = plan.rhymes.where[line, column][:, None]
        level = plan.rhymes.may_be_level[None]
        fits = _shared(plan.rhymes.of, _held(place.rhymes)) & ~_held(place.spent)
        may &= fits | (need == UNRHYMED) | ((need == RHYMES_IF_LEVEL) & ~level)
    head = jnp.where(column == 0, plan.heads[line], -1)
    return jnp.where(head[:, None] >= 0, _only(head, may.shape[1]), may)


def advance(plan: Plan, place: Place, ids: Array) -> Place:
    """Go on by one symbol.

    Args:
        plan: the tables.
        place: where the B poems stand.
        ids: (B,) int, what each of them reads.

    Returns:
        Where they stand after it.
    """
    line, column = _indices(plan, place)
    counts = place.skip == 0
    ends = plan.marks[ids]
    patterns, rhymes, spent = place.patterns, place.rhymes, place.spent
    if plan.tones is not None:
        agrees = plan.tones.may_be[plan.tones.wanted[:, line, column], ids].T  # (B, P)
        patterns = _narrow(_held(patterns), agrees, counts)
    if plan.rhymes is not None:
        need = plan.rhymes.where[line, column]
        level = (need == RHYMES_IF_LEVEL) & plan.rhymes.may_be_level[ids]
        takes_part = counts & ((need == RHYMES) | level)
        rhymes = _narrow(_held(rhymes), plan.rhymes.of[ids], takes_part)
        spent = _held(spent) | (_only(ids, len(plan.marks)) & takes_part[:, None])
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
    """Make a language model keep to a plan. Cached: a sampler compiles each function once.

    Args:
        next_logits: `(params, state, ids) -> (state, logits)`.

    Returns:
        The same of `(params, plan)` and `(state, place)`; what may not come has the logit -inf.
    """

    def masked(both, state_and_place, ids):
        (params, plan), (state, place) = both, state_and_place
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
    """Weigh what a plan leaves of a model's own distribution, along texts.

        ln Σ_v [v is allowed] p_v       where one symbol is forced, its own ln p

    Args:
        next_logits, params, state: the model, which keeps to nothing.
        plan: the tables.
        place: where the B texts stand before their first symbol.
        ids: (B, T) int, what is read.

    Returns:
        (B, T): after each symbol, for the next one.
    """

    def read(carry, ids):
        state, place = carry
        state, logits = next_logits(params, state, ids)
        place = advance(plan, place, ids)
        left = jnp.where(allowed(plan, place), logits, -jnp.inf)
        sums = jax.nn.logsumexp(left, axis=-1) - jax.nn.logsumexp(logits, axis=-1)
        return (state, place), sums

    return jax.lax.scan(read, (state, place), ids.T)[1].T


def _indices(plan: Plan, place: Place) -> tuple[Array, Array]:
    lines, columns = plan.kinds.shape
    return jnp.minimum(place.line, lines - 1), jnp.minimum(place.column, columns - 1)


def _held(array: Array | None) -> Array:
    assert array is not None, "a place of another plan"
    return array


def _only(ids: Array, size: int) -> Array:
    """Give (B, V) bool, True at the id of each row; at none for -1."""
    return jax.nn.one_hot(ids, size, dtype=bool)


def _shared(of: Array, open_: Array) -> Array:
    """Tell (B, V) whether a symbol is of one (V, R) of those that are open (B, R)."""
    return open_.astype(jnp.float32) @ of.T.astype(jnp.float32) > 0


def _narrow(open_: Array, fits: Array, rows: Array) -> Array:
    """Close what does not fit, in the rows that it is about and where something is left."""
    both = open_ & fits
    return jnp.where(rows[:, None] & both.any(1, keepdims=True), both, open_)
