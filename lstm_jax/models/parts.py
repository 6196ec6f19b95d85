"""Split a model at its recurrence, to observe or replace what goes in and out of the layers."""

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
"""A function that runs a model, such as `lambda network: network(xs)`."""


class Heard(NamedTuple, Generic[Y]):
    """Store the inputs and outputs of a model's recurrence in one call.

    Attributes:
        layer: the recurrence.
        xs: its inputs, (B, T, D).
        final: its final state, a tuple over layers.
        hs: its outputs, (B, T, H).
        outputs: the outputs of the model.
    """

    layer: Recurrent
    xs: Array
    final: tuple[Tree, ...]
    hs: Array
    outputs: Y


class _Recorder:
    """Replace a recurrence: run it, and keep its inputs and outputs."""

    def __init__(self, layer: Recurrent):
        self.layer, self.heard = layer, []

    def __getattr__(self, name: str) -> object:
        return getattr(self.layer, name)

    def __call__(self, xs: Array, *args: object, **options: object) -> tuple[Tree, Array]:
        extra = [value for value in (*args, *options.values()) if value is not None]
        if extra or self.heard:
            raise ValueError(
                "the model does not read each sequence once, whole and from the zero state"
            )
        result = self.layer(xs)
        self.heard.append((xs, *result))
        return result


class _Fixed:
    """Replace a recurrence: return a fixed result for any input."""

    def __init__(self, layer: Recurrent, final: tuple[Tree, ...], hs: Array):
        self.layer, self.final, self.hs = layer, final, hs

    def __getattr__(self, name: str) -> object:
        return getattr(self.layer, name)

    def __call__(self, *args: object, **options: object) -> tuple[tuple[Tree, ...], Array]:
        return self.final, self.hs


def listen(network: Model[Any], call: Call[Y]) -> Heard[Y]:
    """Run a model, and record the inputs and outputs of its recurrence.

    Args:
        network: a model of any kind.
        call: function that runs it, without a key.

    Returns:
        The recorded arrays.

    Raises:
        ValueError: if the model does not have exactly one recurrence, or runs it more than once,
            with lengths, or from another state than zeros.
    """
    name, layer = _recurrence(network)
    recorder, copied = _Recorder(layer), nnx.clone(network)
    setattr(copied, name, recorder)
    outputs = call(copied)
    [(xs, final, hs)] = recorder.heard
    return Heard(layer, xs, final, hs, outputs)


def answer(network: Model[Any], call: Call[Y], final: tuple[Tree, ...], hs: Array) -> Y:
    """Run a model with a fixed result of its recurrence.

    Args:
        network: a model of any kind.
        call: function that runs it.
        final: final state of the recurrence, a tuple over layers.
        hs: outputs of the recurrence, (B, T, H).

    Returns:
        The outputs of the model, differentiable in `final` and `hs`.

    Raises:
        ValueError: if the model does not have exactly one recurrence.
    """
    name, layer = _recurrence(network)
    copied = nnx.clone(network)
    setattr(copied, name, _Fixed(layer, final, hs))
    return call(copied)


def _recurrence(network: Model[Any]) -> tuple[str, Recurrent]:
    layers = [(name, part) for name, part in vars(network).items() if isinstance(part, Recurrent)]
    if len(layers) != 1:
        raise ValueError(f"the model must have one recurrence, got {len(layers)}")
    return layers[0]
