"""NNX modules that hold records of arrays, with one `nnx.Param` for each array."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from lstm_jax.cells import Cell, P, S, X
from lstm_jax.spelling import check_options, hands_on, options_of
from lstm_jax.stacks import Directions
from lstm_jax.trees import Tree


class Held(nnx.Module):
    """Store the arrays of one record: the parameters of a cell, or a learned state.

    A record is a dataclass or a NamedTuple. A record inside it has its own module, fields that are
    None stay None, and values that are not arrays are stored unchanged.
    """

    def __init__(self, record: Tree):
        self.held_type = type(record)
        every = _fields(record)
        values = {name: value for name, value in every.items() if value is not None}
        self.held_names = tuple(values)
        self.left_out = tuple(name for name in every if name not in values)
        for name, value in values.items():
            if _is_record(value):
                value = Held(value)
            elif isinstance(value, (jax.Array, np.ndarray)):
                value = nnx.Param(value)
            setattr(self, name, value)

    @property
    def record(self) -> Tree:
        """Return the record with the current arrays."""
        values: dict[str, Tree] = dict.fromkeys(self.left_out)
        for name in self.held_names:
            value = getattr(self, name)
            if isinstance(value, Held):
                value = value.record
            elif isinstance(value, nnx.Variable):
                value = value[...]
            values[name] = value
        return self.held_type(**values)

    def take(self, record: Tree) -> None:
        """Replace the arrays, and keep their dtypes.

        Args:
            record: a record with the same type, fields and shapes; see `records.check_like`.
        """
        for field, value in _fields(record).items():
            held = getattr(self, field, None)
            if isinstance(held, Held):
                held.take(value)
            elif isinstance(held, nnx.Variable):
                held[...] = jnp.asarray(value, held.dtype)


class HeldPair(nnx.Module):
    """Store the records of the two directions of a layer."""

    def __init__(self, forward: Tree, backward: Tree):
        self.forward = Held(forward)
        self.backward = Held(backward)

    @property
    def record(self) -> Directions:
        """Return both records."""
        return Directions(self.forward.record, self.backward.record)

    def take(self, record: Directions) -> None:
        """Replace the arrays of both directions, as `Held.take` does."""
        self.forward.take(record.forward)
        self.backward.take(record.backward)


Holder: TypeAlias = Held | HeldPair


class Owner(nnx.Module):
    """Base of modules whose property `params` has a setter."""

    if not TYPE_CHECKING:  # otherwise a type checker would let any attribute be set

        def __setattr__(self, name: str, value: object) -> None:
            if name == "params":  # Flax would store it as an attribute and bypass the property
                object.__setattr__(self, name, value)
            else:
                super().__setattr__(name, value)


def hold(records: Sequence[Tree]) -> Holder:
    """Build the module that holds the records of one or two directions."""
    return HeldPair(*records) if len(records) == 2 else Held(records[0])


def init_of(cell: Cell[P, S, X]) -> Callable[..., P]:
    """Return the function that initializes the parameters of a cell.

    Raises:
        ValueError: if the cell has no `init`.
    """
    if cell.init is None:
        raise ValueError(
            f"a module initializes its parameters, but {cell.name} has no init; set Cell.init"
        )
    return cell.init


def check_init_options(
    owner: type, cell: Cell[P, S, X], kind: type, init_options: Iterable[str]
) -> None:
    """Raise a TypeError that names an unknown option and suggests the nearest one.

    Args:
        owner: the class that the user called.
        cell: the cell, whose `init` takes some of the options.
        kind: TypedDict of the options that all such modules share.
        init_options: names of the remaining options, meant for the `init`.
    """
    init = init_of(cell)
    if not hands_on(init):
        of_init = options_of(init) - {"key", "dtype"}
        known = of_init.union(kind.__annotations__, options_of(owner.__init__))
        check_options(owner.__name__, init_options, known - {"self", "cell", "rngs"})


def _is_record(value: object) -> bool:
    return (is_dataclass(value) and not isinstance(value, type)) or hasattr(value, "_asdict")


def _fields(record: Tree) -> dict[str, Tree]:
    if is_dataclass(record):
        return {field.name: getattr(record, field.name) for field in fields(record)}
    return record._asdict()
