"""Records of arrays as NNX modules: one `nnx.Param` for each array, and the record back."""

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
    """The arrays of one record: of a cell's parameters, or of a state that is learned.

    A record is a dataclass or a NamedTuple; a record inside it is held by a module of its own, what
    is None is not held, and what is no array is kept as it is.
    """

    def __init__(self, record: Tree):
        self.held_type = type(record)
        given = {name: value for name, value in _fields(record).items() if value is not None}
        self.held_names = tuple(given)
        for name, value in given.items():
            if _is_record(value):
                value = Held(value)
            elif isinstance(value, (jax.Array, np.ndarray)):
                value = nnx.Param(value)
            setattr(self, name, value)

    @property
    def record(self) -> Tree:
        """The record, of the arrays as they are now."""
        found = {}
        for name in self.held_names:
            value = getattr(self, name)
            if isinstance(value, Held):
                value = value.record
            elif isinstance(value, nnx.Variable):
                value = value[...]
            found[name] = value
        return self.held_type(**found)

    def take(self, record: Tree) -> None:
        """Put other arrays in place of those that are held, in the dtypes of these.

        Args:
            record: of the same type, fields and shapes; see `records.check_like`.
        """
        for field, value in _fields(record).items():
            held = getattr(self, field, None)
            if isinstance(held, Held):
                held.take(value)
            elif isinstance(held, nnx.Variable):
                held[...] = jnp.asarray(value, held.dtype)


class HeldPair(nnx.Module):
    """The two directions of a layer."""

    def __init__(self, forward: Tree, backward: Tree):
        self.forward = Held(forward)
        self.backward = Held(backward)

    @property
    def record(self) -> Directions:
        """Both records."""
        return Directions(self.forward.record, self.backward.record)

    def take(self, record: Directions) -> None:
        """Put other arrays in place of both directions'; as `Held.take`."""
        self.forward.take(record.forward)
        self.backward.take(record.backward)


Holder: TypeAlias = Held | HeldPair


class Owner(nnx.Module):
    """A module whose `params` can be set, as a property of its class says."""

    if not TYPE_CHECKING:  # or every attribute would pass for one that may be set

        def __setattr__(self, name: str, value: object) -> None:
            if name == "params":  # which Flax would store beside the property
                object.__setattr__(self, name, value)
            else:
                super().__setattr__(name, value)


def hold(records: Sequence[Tree]) -> Holder:
    """Make the module of each direction's record: one, or a pair."""
    return HeldPair(*records) if len(records) == 2 else Held(records[0])


def init_of(cell: Cell[P, S, X]) -> Callable[..., P]:
    """Give what makes a cell's parameters.

    Raises:
        ValueError: a cell that has no `init`.
    """
    if cell.init is None:
        raise ValueError(
            f"a module makes its parameters, and {cell.name} has no init: give the Cell one"
        )
    return cell.init


def check_init_options(
    owner: type, cell: Cell[P, S, X], kind: type, init_options: Iterable[str]
) -> None:
    """Raise a TypeError that names the option which a module does not have, and the nearest.

    Args:
        owner: the class that a user calls.
        cell: whose `init` takes some of its options.
        kind: the TypedDict of those that every such module has.
        init_options: what is left for the `init`.
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
