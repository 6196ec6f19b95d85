"""An order for one vocabulary, as tables of the symbols that may stand in each place.

A place is a line and a column, both counted from 0: column c comes after c characters of the line.
Line L, after the last, takes only the end. Every rule is a table over the places, so that `rules`
looks up the allowed symbols instead of computing them.
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
"""Marks that may end the first line of a couplet."""

CHARACTERS, PAUSE, STOP, END, GOES_ON, CLOSES = range(6)
"""Classes of symbols: a character, the mark after a first line, the mark after a second line, and
the end; for lines of any length, a character or any mark, and a character or a full stop."""

UNRHYMED, RHYMES, RHYMES_IF_LEVEL = range(3)
"""Part of a place in the rhyme: none, always, or (at the end of the first line of a regulated poem)
only if its tone may be level."""


class Tones(NamedTuple):
    """Store the tones of each place.

    Attributes:
        wanted: (P, L + 1, C + 1) int, the tone in each pattern: 0 either, 1 level, 2 oblique.
        may_be: (3, V) bool, whether a symbol may stand where the tone is 0, 1 or 2.
    """

    wanted: Array
    may_be: Array


class Rhymes(NamedTuple):
    """Store the rhyming places and the rhymes of the symbols.

    Attributes:
        where: (L + 1, C + 1) int: `UNRHYMED`, `RHYMES` or `RHYMES_IF_LEVEL`.
        of: (V, R) bool, whether a symbol belongs to a rhyme. A rhyme with too few symbols for all
            rhyming lines is left empty.
        may_be_level: (V,) bool, whether a symbol has a level reading.
    """

    where: Array
    of: Array
    may_be_level: Array


class Plan(NamedTuple):
    """Store the tables of an order; a pytree.

    Attributes:
        classes: (6, V) bool, the symbols of each class.
        kinds: (L + 1, C + 1) int, the class of symbols in each place. For lines of any length C is
            1, and the last column stands for all later ones.
        heads: (L + 1,) int, the symbol that a line must begin with; -1 for any of its class.
        marks: (V,) bool, the symbols that end a line.
        tones: None if tones are free.
        rhymes: None if rhymes are free.
    """

    classes: Array
    kinds: Array
    heads: Array
    marks: Array
    tones: Tones | None
    rhymes: Rhymes | None


def make_plan(order: Order, vocabulary: Vocabulary) -> Plan:
    """Build the tables of an order.

    Args:
        order: an order that sets rules and was checked.
        vocabulary: of the model that will keep to it.

    Raises:
        ModelError: if the vocabulary cannot write such a poem, the form has no tone patterns, or
            the Pingshui table is not installed.
    """
    symbols = ("", "", *vocabulary.characters)  # END and UNKNOWN match no class of symbols
    marks = _among(symbols, MARKS)
    unknown = vocabulary.unknown(order.acrostic)
    if unknown:
        raise ModelError(f"the model does not know {unknown!r}, in the acrostic {order.acrostic!r}")
    others = [symbol for symbol in order.acrostic if not _is_character(symbol)]
    if others:
        raise ModelError(
            f"the acrostic must consist of characters, got {others[0]!r} in {order.acrostic!r}"
        )
    missing = vocabulary.unknown("，。")
    if missing:
        raise ModelError(f"the model does not know {missing}: forms need a model of Chinese verse")

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
    """Find the tone patterns that are violated least by the characters known in advance.

    Args:
        plan: of the order, with tones.
        order: the order, whose acrostic is known.
        prompt: ids of the prompt, which fits the order.

    Returns:
        (P,) bool, at least one True.
    """
    assert plan.tones is not None
    wanted, may_be = np.asarray(plan.tones.wanted), np.asarray(plan.tones.may_be)
    heads, marks = np.asarray(plan.heads), np.asarray(plan.marks)
    known = {(line, 0): heads[line] for line in order.heads}
    line = column = 0
    for symbol in prompt.tolist():
        known[line, column] = symbol
        line, column = (line + 1, 0) if marks[symbol] else (line, column + 1)
    violations = np.zeros(len(wanted), int)
    for (line, column), symbol in known.items():
        violations += ~may_be[wanted[:, line, column], symbol]
    return violations == violations.min()


def _is_character(symbol: str) -> bool:
    return len(symbol) == 1 and symbol.isalnum()


def _among(symbols: tuple[str, ...], members: str) -> np.ndarray:
    return np.array([symbol != "" and symbol in members for symbol in symbols])


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
        raise ModelError(f"the form {shape} has no tone pattern; tones need one of {known}")
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
    """Rhyme even lines. With tones, only on level rhymes, and the first line too if it is level."""
    where = np.full((shape.lines + 1, shape.characters + 1), UNRHYMED, np.int32)
    where[1 : shape.lines : 2, -2] = RHYMES
    of = readings.rhymes.copy()
    if order.tones:
        where[0, -2] = RHYMES_IF_LEVEL
        of[:, ~readings.level] = False
    needed = int((where != UNRHYMED).sum())
    of[:, of.sum(0) < needed] = False
    if not of.any():
        raise ModelError(f"no rhyme has the {needed} characters that the form {shape} needs")
    return Rhymes(jnp.asarray(where), jnp.asarray(of), jnp.asarray(readings.may_be_level))
