"""A model taken apart at its recurrence: what its layers are given, and what it makes of theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from flax import nnx
from jax import Array

from lstm_jax.models.base import Model
from lstm_jax.nn.recurrent import Recurrent
from lstm_jax.trees import Tree

Y = TypeVar("Y")

Call = Callable[[Any], Y]
"""Runs a model on something: `lambda network: network(xs)`."""


class Heard(NamedTuple, Generic[Y]):
    """What went through a model's recurrence in one call.

    Attributes:
        layer: the recurrence.
        xs: what it was given, (B, T, D).
        final: the state that it ended in, a tuple over layers.
        hs: what it gave, (B, T, H).
        outputs: what the model made of that.
    """

    layer: Recurrent
    xs: Array
    final: tuple[Tree, ...]
    hs: Array
    outputs: Y


class _Ear:
    """In a recurrence's place: runs it, and keeps what it was given and gave."""

    def __init__(self, layer: Recurrent):
        self.layer, self.heard = layer, []

    def __getattr__(self, name: str) -> object:
        return getattr(self.layer, name)

    def __call__(self, xs: Array, *others: object, **options: object) -> tuple[Tree, Array]:
        asked = [one for one in (*others, *options.values()) if one is not None]
        if asked or self.heard:
            raise ValueError(
                "the model does not read each sequence once, whole and from the zero state"
            )
        found = self.layer(xs)
        self.heard.append((xs, *found))
        return found


class _Given:
    """In a recurrence's place: gives what it is told to, whatever it reads."""

    def __init__(self, layer: Recurrent, final: tuple[Tree, ...], hs: Array):
        self.layer, self.final, self.hs = layer, final, hs

    def __getattr__(self, name: str) -> object:
        return getattr(self.layer, name)

    def __call__(self, *args: object, **options: object) -> tuple[tuple[Tree, ...], Array]:
        return self.final, self.hs


def listen(network: Model[Any], call: Call[Y]) -> Heard[Y]:
    """Run a model, and note what went through its recurrence.

    Args:
        network: of any kind.
        call: runs it, without a key.

    Returns:
        What was heard.

    Raises:
        ValueError: the model has no recurrence or several, or reads with it more than once, with
            lengths, or from a state of its own.
    """
    name, layer = _recurrence(network)
    ear, copied = _Ear(layer), nnx.clone(network)
    setattr(copied, name, ear)
    outputs = call(copied)
    [(xs, final, hs)] = ear.heard
    return Heard(layer, xs, final, hs, outputs)


def answer(network: Model[Any], call: Call[Y], final: tuple[Tree, ...], hs: Array) -> Y:
    """Run a model as though its recurrence had ended in a state and given some h.

    Args:
        network: of any kind.
        call: runs it.
        final: a tuple over layers.
        hs: (B, T, H).

    Returns:
        What the model makes of them, differentiable in them.

    Raises:
        ValueError: the model has no recurrence, or several.
    """
    name, layer = _recurrence(network)
    copied = nnx.clone(network)
    setattr(copied, name, _Given(layer, final, hs))
    return call(copied)


def _recurrence(network: Model[Any]) -> tuple[str, Recurrent]:
    found = [(name, one) for name, one in vars(network).items() if isinstance(one, Recurrent)]
    if len(found) != 1:
        raise ValueError(f"the model has {len(found)} recurrences, where one is expected")
    return found[0]
