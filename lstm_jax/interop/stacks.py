"""A stack of layers: a tuple, bottom first, of parameters or of `Directions`."""

from __future__ import annotations

from typing import Any

from lstm_jax.cells import LSTMParams, RNNParams
from lstm_jax.gated import GRUParams
from lstm_jax.stacks import Directions

Params = LSTMParams | GRUParams | RNNParams


Layer = Params | Directions


def each_direction(layer: Layer) -> tuple[Params, ...]:
    """One set of parameters, or two, forward first."""
    return tuple(layer) if isinstance(layer, Directions) else (layer,)


def as_layer(directions: list[Params]) -> Layer:
    """The inverse of `each_direction`."""
    return directions[0] if len(directions) == 1 else Directions(*directions)


def check_layers(layers: Any) -> None:
    """Raise a ValueError for what is no stack: no layers, or one that is not in a tuple."""
    if isinstance(layers, Directions) or not isinstance(layers, (tuple, list)):
        raise ValueError(
            "layers must be a tuple of layers, bottom first, got one "
            f"{type(layers).__name__}; for one layer pass (layer,)"
        )
    if not layers:
        raise ValueError("layers must have at least one layer, got none")
