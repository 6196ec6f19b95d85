"""An order for one vocabulary, as tables that say what may stand where.

A place is a line and a column, both from 0 on: column c comes after c characters of the line. Line
L, after the last, takes the end alone. Whatever a poem is to be like is a table over the places, so
that what may come next is looked up and not worked out; see `rules`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from lstm_jax.models.storage import ModelError
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.forms.order import Form, Order
from lstm_jax.text.forms.readings import Readings, table
from lstm_jax.text.forms.tones import EITHER, LEVEL, OBLIQUE, REGULATED, patterns
from lstm_jax.text.verse import FULL_STOPS, MARKS

PAUSES = "，；？！"
"""What may end the first line of a couplet."""

CHARACTERS, PAUSE, STOP, END, GOES_ON, CLOSES = range(6)
"""Classes of symbols: a character, the mark of a first line, the mark of a second one, the end; and
in lines of any length, a character or any mark, and a character or a full stop."""

UNRHYMED, RHYMES, RHYMES_IF_LEVEL = range(3)
"""What a place has to do with the rhyme; the last is the end of the first line of a regulated poem,
which takes part where its tone may be level."""


class Tones(NamedTuple):
    """Hold what tones are wanted where.

    Attributes:
        wanted: (P, L + 1, C + 1) int, of each pattern: 0 either, 1 level, 2 oblique.
        may_be: (3, V) bool, whether a symbol may stand where 0, 1 or 2 is wanted.
    """

    wanted: Array
    may_be: Array


class Rhymes(NamedTuple):
    """Hold where the poem rhymes and on what.

    Attributes:
        where: (L + 1, C + 1) int: `UNRHYMED`, `RHYMES` or `RHYMES_IF_LEVEL`.
        of: (V, R) bool, whether a symbol is of a rhyme. A rhyme that has not symbols enough for
            all rhyming lines has none.
        may_be_level: (V,) bool.
    """

    where: Array
    of: Array
    may_be_level: Array


class Plan(NamedTuple):
    """Hold the tables of an order: a pytree.

    Attributes:
        classes: (6, V) bool, the symbols of each class.
        kinds: (L + 1, C + 1) int, the class that a place takes; in lines of any length C is 1, and
            the last column goes for all after it.
        heads: (L + 1,) int, the symbol that a line must begin with; -1 for any of its class.
        marks: (V,) bool, the symbols that end a line.
        tones: None if they are free.
        rhymes: None if they are free.
    """

    classes: Array
    kinds: Array
    heads: Array
    marks: Array
    tones: Tones | None
    rhymes: Rhymes | None


def make_plan(order: Order, vocabulary: Vocabulary) -> Plan:
    """Turn an order into tables.

    Args:
        order: it rules something, and was checked.
        vocabulary: of the model that is to keep to it.

    Raises:
        ModelError: a vocabulary in which such a poem cannot be written, tones of a form that has no
            pattern, or a Pingshui table that is not installed.
    """
    symbols = ("", "", *vocabulary.characters)  # END and UNKNOWN are none of the classes'
    marks = _among(symbols, MARKS)
    unknown = vocabulary.unknown(order.acrostic)
    if unknown:
        raise ModelError(f"the model does not know {unknown!r}, in the acrostic {order.acrostic!r}")
    strange = [symbol for symbol in order.acrostic if not _is_character(symbol)]
    if strange:
        raise ModelError(
            f"the acrostic {order.acrostic!r} holds {strange[0]!r}: a line begins with a character"
        )
    lacking = vocabulary.unknown("，。")
    if lacking:
        raise ModelError(f"the model writes no {lacking}: forms are for models of Chinese verse")

    characters = np.array([_is_character(symbol) for symbol in symbols])
    end = np.arange(len(symbols)) == vocabulary.end_id
    pauses, stops = _among(symbols, PAUSES), _among(symbols, FULL_STOPS)
    heads = np.full(order.lines + 1, -1, np.int32)
    for line, character in order.heads.items():
        heads[line] = vocabulary.encode(character)[0]
    shape = order.shape
    readings = None
    if shape and (order.rhyme or order.tones):
        readings = table().readings(symbols)
    classes = [characters, pauses, stops, end, characters | marks, characters | stops]
    return Plan(
        classes=jnp.asarray(np.stack(classes)),
        kinds=jnp.asarray(_kinds(shape, order.lines)),
        heads=jnp.asarray(heads),
        marks=jnp.asarray(marks),
        tones=_tones(shape, readings) if shape and readings and order.tones else None,
        rhymes=_rhymes(shape, readings, order) if shape and readings and order.rhyme else None,
    )


def open_patterns(plan: Plan, order: Order, prompt: np.ndarray) -> np.ndarray:
    """Find the tone patterns that the known characters of a poem break least.

    Args:
        plan: of the order, with tones.
        order: its acrostic is known.
        prompt: ids of the prompt, which fits the order.

    Returns:
        (P,) bool, at least one.
    """
    assert plan.tones is not None
    wanted, may_be = np.asarray(plan.tones.wanted), np.asarray(plan.tones.may_be)
    heads, marks = np.asarray(plan.heads), np.asarray(plan.marks)
    known = {(line, 0): heads[line] for line in order.heads}
    line = column = 0
    for symbol in prompt.tolist():
        known[line, column] = symbol
        line, column = (line + 1, 0) if marks[symbol] else (line, column + 1)
    broken = np.zeros(len(wanted), int)
    for (line, column), symbol in known.items():
        broken += ~may_be[wanted[:, line, column], symbol]
    return broken == broken.min()


def _is_character(symbol: str) -> bool:
    return len(symbol) == 1 and symbol.isalnum()


def _among(symbols: tuple[str, ...], some: str) -> np.ndarray:
    return np.array([symbol != "" and symbol in some for symbol in symbols])


def _kinds(shape: Form | None, lines: int) -> np.ndarray:
    columns = shape.characters if shape else 1
    kinds = np.full((lines + 1, columns + 1), CHARACTERS, np.int32)
    kinds[:, -1] = PAUSE if shape else GOES_ON
    if shape:
        kinds[1::2, -1] = STOP
    kinds[lines - 1, -1] = STOP if shape else CLOSES
    kinds[lines] = END
    return kinds


def _tones(shape: Form, readings: Readings) -> Tones:
    if shape not in REGULATED:
        known = ", ".join(map(str, REGULATED))
        raise ModelError(f"the form {shape} has no tone pattern: {known} have one")
    numbers = {EITHER: 0, LEVEL: 1, OBLIQUE: 2}
    wanted = np.zeros((len(patterns(shape)), shape.lines + 1, shape.characters + 1), np.int32)
    for pattern, lines in zip(wanted, patterns(shape), strict=True):
        pattern[:-1, :-1] = [[numbers[tone] for tone in line] for line in lines]
    level, oblique = readings.may_be_level, readings.may_be_oblique
    if not (level.any() and oblique.any()):
        raise ModelError("the model knows no characters of both tones")
    may_be = np.stack([np.ones_like(level), level, oblique])
    return Tones(jnp.asarray(wanted), jnp.asarray(may_be))


def _rhymes(shape: Form, readings: Readings, order: Order) -> Rhymes:
    """Let even lines rhyme; with tones in level rhymes only, and the first line if it is level."""
    where = np.full((shape.lines + 1, shape.characters + 1), UNRHYMED, np.int32)
    where[1 : shape.lines : 2, -2] = RHYMES
    of = readings.rhymes.copy()
    if order.tones:
        where[0, -2] = RHYMES_IF_LEVEL
        of[:, ~readings.level] = False
    words = int((where != UNRHYMED).sum())
    of[:, of.sum(0) < words] = False
    if not of.any():
        raise ModelError(f"no rhyme has the {words} characters that the form {shape} needs")
    return Rhymes(jnp.asarray(where), jnp.asarray(of), jnp.asarray(readings.may_be_level))
