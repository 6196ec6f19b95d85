"""A model's parameters by names, its recurrent layers as another framework has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from jax import Array

from lstm_jax import interop
from lstm_jax.cells import RNNParams
from lstm_jax.gated import GRUParams
from lstm_jax.interop.haiku import DEFAULT_NAMES
from lstm_jax.interop.parameters import Layer, each_direction
from lstm_jax.interop.safetensors import named_arrays
from lstm_jax.models.base import Model
from lstm_jax.models.storage import arrays_of
from lstm_jax.nn.layers import GRU
from lstm_jax.nn.recurrent import Recurrent
from lstm_jax.stacks import Directions

Layout = Literal["torch", "keras", "linen", "nnx", "haiku", "equinox", "own"]
"""Whose names and shapes the recurrent layers have."""

Arrays: TypeAlias = dict[str, np.ndarray | Array]

KERAS = ("kernel", "recurrent_kernel", "bias")
CELLS = {"linen": interop.to_linen, "nnx": interop.to_nnx, "equinox": interop.to_equinox}


def arrays_in(network: Model[Any], layout: Layout) -> Arrays:
    """Name a model's arrays for a file.

    The recurrent layers' names begin with that of the model's attribute, `lstm.` or `recurrent.`.
    After it stand, in the layout

        torch                   the names of a state_dict: weight_ih_l0, weight_hh_l0_reverse
        keras                   the layer's number, the direction of two, and kernel,
                                recurrent_kernel or bias, in the order of get_weights()
        linen, nnx, equinox     the layer's number, the direction of two, and the cell's own names
        haiku                   the core's module path, and w, b, ...
        own                     the names of `lstm_jax.interop.load_safetensors`

    All other arrays have the names and shapes that they have in the model.

    Args:
        network: of any kind.
        layout: of the recurrent layers.

    Returns:
        Name -> array.

    Raises:
        ValueError: the layout has no place for such layers.
    """
    layers = {name: one for name, one in vars(network).items() if isinstance(one, Recurrent)}
    own = {
        f"{name}.{part}": array
        for name, one in layers.items()
        for part, array in _in_layout(one, layout).items()
    }
    prefixes = tuple(f"{name}." for name in layers)
    others = {n: a for n, a in arrays_of(network).items() if not n.startswith(prefixes)}
    return {**own, **others}


def _in_layout(layer: Recurrent, layout: Layout) -> Arrays:
    params = layer.params
    reset_after = layer.reset_after if isinstance(layer, GRU) else True
    if layout == "torch":
        return {**interop.to_torch(params)}
    if layout == "keras":
        return dict(_keras(interop.to_keras(params, reset_after=reset_after), params))
    if layout == "haiku":
        return dict(_haiku(params, reset_after))
    if layout == "own":
        return {**named_arrays(params)}
    return {
        f"{k}.{side}{name}": array
        for k, layer in enumerate(params)
        for side, cell in zip(_sides(layer), each_direction(layer), strict=True)
        for name, array in _flat(CELLS[layout](cell)).items()
    }


def _keras(
    weights: Sequence[Sequence[np.ndarray]], params: Sequence[Layer]
) -> Iterator[tuple[str, np.ndarray]]:
    for k, (arrays, layer) in enumerate(zip(weights, params, strict=True)):
        sides = _sides(layer)
        each = len(arrays) // len(sides)
        for place, array in enumerate(arrays):
            yield f"{k}.{sides[place // each]}{KERAS[place % each]}", array


def _haiku(params: Sequence[Layer], reset_after: bool) -> Iterator[tuple[str, np.ndarray | Array]]:
    cells = [cell for layer in params for cell in each_direction(layer)]
    if any(isinstance(cell, RNNParams) for cell in cells):
        raise ValueError("hk.VanillaRNN runs by ReLU, and this model by tanh")
    for k, cell in enumerate(cells):
        if reset_after and isinstance(cell, GRUParams):
            raise ValueError("hk.GRU resets before the product, and this model after it")
        name = DEFAULT_NAMES[type(cell)] + (f"_{k}" if k else "")
        yield from _flat(interop.to_haiku(cell, name, reset_after=reset_after)).items()


def _sides(layer: Layer) -> list[str]:
    return [f"{side}." for side in Directions._fields] if isinstance(layer, Directions) else [""]


def _flat(tree: Mapping[str, Any]) -> Arrays:
    """Join the names of nested dictionaries by dots."""
    found: Arrays = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{part}": array for part, array in _flat(value).items()}
        else:
            found[name] = value
    return found
