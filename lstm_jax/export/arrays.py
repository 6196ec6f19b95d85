"""A model's parameters by name, with recurrent layers in the layout of another framework."""

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
"""Framework whose names and shapes the recurrent layers have."""

Arrays: TypeAlias = dict[str, np.ndarray | Array]

KERAS = ("kernel", "recurrent_kernel", "bias")
CELLS = {"linen": interop.to_linen, "nnx": interop.to_nnx, "equinox": interop.to_equinox}


def arrays_in(network: Model[Any], layout: Layout) -> Arrays:
    """Return a model's arrays by their names in a file.

    The names of recurrent layers begin with the name of the model's attribute, `lstm.` or
    `recurrent.`, followed by, in the layout

        torch                   the names of a state_dict: weight_ih_l0, weight_hh_l0_reverse
        keras                   the layer's number, the direction if there are two, and kernel,
                                recurrent_kernel or bias, in the order of get_weights()
        linen, nnx, equinox     the layer's number, the direction if there are two, and the names
                                of the cell
        haiku                   the module path of the core, and w, b, ...
        own                     the names of `lstm_jax.interop.load_safetensors`

    All other arrays keep their names and shapes.

    Args:
        network: a model of any kind.
        layout: of the recurrent layers.

    Returns:
        Name -> array.

    Raises:
        ValueError: if the layout cannot represent such layers.
    """
    layers = {name: part for name, part in vars(network).items() if isinstance(part, Recurrent)}
    recurrent = {
        f"{name}.{part}": array
        for name, layer in layers.items()
        for part, array in _in_layout(layer, layout).items()
    }
    prefixes = tuple(f"{name}." for name in layers)
    others = {n: a for n, a in arrays_of(network).items() if not n.startswith(prefixes)}
    return {**recurrent, **others}


def _in_layout(layer: Recurrent, layout: Layout) -> Arrays:
    if layer.connections is not None and layout != "own":
        raise ValueError(
            f"the {layout} layout has no {layer.connections} connections, which the layers have; "
            "use --layout own"
        )
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
        count = len(arrays) // len(sides)
        for index, array in enumerate(arrays):
            yield f"{k}.{sides[index // count]}{KERAS[index % count]}", array


def _haiku(params: Sequence[Layer], reset_after: bool) -> Iterator[tuple[str, np.ndarray | Array]]:
    cells = [cell for layer in params for cell in each_direction(layer)]
    if any(isinstance(cell, RNNParams) for cell in cells):
        raise ValueError("hk.VanillaRNN uses ReLU, but this model uses tanh")
    for k, cell in enumerate(cells):
        if reset_after and isinstance(cell, GRUParams):
            raise ValueError("hk.GRU resets before the matrix product, but this model after it")
        name = DEFAULT_NAMES[type(cell)] + (f"_{k}" if k else "")
        yield from _flat(interop.to_haiku(cell, name, reset_after=reset_after)).items()


def _sides(layer: Layer) -> list[str]:
    return [f"{side}." for side in Directions._fields] if isinstance(layer, Directions) else [""]


def _flat(tree: Mapping[str, Any]) -> Arrays:
    """Join the names of nested dictionaries with dots."""
    arrays: Arrays = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            arrays |= {f"{name}.{part}": array for part, array in _flat(value).items()}
        else:
            arrays[name] = value
    return arrays
