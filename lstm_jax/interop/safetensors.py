"""Layers in a safetensors file, which contains only arrays and executes nothing.

The name of an array is the number of its layer, its direction if there are two, its cell, and its
field:

    0.lstm.input_kernel      0.lstm.norm.cell_scale      1.forward.gru.bias

Every cell, option and dtype is supported. Files written by PyTorch users contain a `state_dict`:
`from_torch(safetensors.flax.load_file(path))` reads such a file, including bfloat16, and
`safetensors.numpy.save_file(to_torch(layers), path)` writes one.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TypeAlias

from jax import Array
from safetensors import SafetensorError
from safetensors.flax import load_file

from lstm_jax.cells import LSTMNorm, LSTMParams, RNNParams
from lstm_jax.files import safetensors_bytes, safetensors_names, write_whole
from lstm_jax.gated import GRUParams, MGUParams
from lstm_jax.interop.checks import check_names
from lstm_jax.interop.parameters import (
    Layer,
    Params,
    arrays_of,
    check_layers,
    check_params,
)
from lstm_jax.stacks import Directions

CELLS = {"lstm": LSTMParams, "gru": GRUParams, "rnn": RNNParams, "mgu": MGUParams}

# The arrays of a file, nested by the parts of their names.
Nested: TypeAlias = dict[str, "Nested"] | Array


def save_safetensors(path: str | Path, layers: tuple[Layer, ...]) -> None:
    """Write layers to a file atomically; `load_safetensors` restores them to the bit.

    Args:
        path: path of the file, which is replaced if it exists.
        layers: a tuple, bottom first, of parameters or `Directions`.

    Raises:
        ValueError: if the layers are not such a tuple, or arrays do not fit each other.
    """
    write_whole(Path(path), safetensors_bytes(named_arrays(layers)))


def named_arrays(layers: tuple[Layer, ...]) -> dict[str, Array]:
    """Return the arrays of layers by their names in such a file.

    Args:
        layers: a tuple, bottom first, of parameters or `Directions`.

    Returns:
        Arrays by name.

    Raises:
        ValueError: if the layers are not such a tuple, or arrays do not fit each other.
    """
    check_layers(layers)
    arrays = {}
    for k, layer in enumerate(layers):
        if isinstance(layer, Directions):
            for side, params in layer._asdict().items():
                arrays |= _flatten(f"{k}.{side}", params)
        else:
            arrays |= _flatten(str(k), layer)
    return arrays


def load_safetensors(path: str | Path) -> tuple[Layer, ...]:
    """Read layers that `save_safetensors` wrote.

    Args:
        path: path of the file.

    Returns:
        A tuple over layers, bottom first, in the dtypes of the file; float64 becomes float32, as
        everywhere in JAX, unless x64 is enabled.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, contains something else, or has more arrays than any
            model.
    """
    try:
        with Path(path).open("rb") as file:
            safetensors_names(file)
        arrays = load_file(path)
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"{path} is not a complete safetensors file: {error}") from error
    tree: dict[str, Nested] = {}
    for name, array in arrays.items():
        *parents, leaf = name.split(".")
        at = tree
        for parent in parents:
            below = at.setdefault(parent, {})
            if not isinstance(below, dict):
                raise ValueError(f"{path}: {name!r} lies below another array")
            at = below
        at[leaf] = array
    if not tree:
        raise ValueError(f"{path} contains no layers")
    numbers = [str(k) for k in range(len(tree))]
    hint = "for a PyTorch state_dict: from_torch(safetensors.flax.load_file(path))"
    check_names(str(path), tree, numbers, hint)
    return tuple(_layer(f"{path}: {k}", tree[k]) for k in numbers)


def _flatten(name: str, params: Params) -> dict[str, Array]:
    names = {cell: word for word, cell in CELLS.items()}
    if type(params) not in names:
        known = ", ".join(cell.__name__ for cell in names)
        raise ValueError(f"layer {name} must be one of {known}, got {type(params).__name__}")
    check_params(f"layer {name}", params)
    prefix = f"{name}.{names[type(params)]}"
    return {f"{prefix}.{part}": array for part, array in arrays_of(params).items()}


def _layer(name: str, tree: Nested) -> Layer:
    if isinstance(tree, dict) and set(tree) & set(Directions._fields):
        check_names(name, tree, Directions._fields)
        return Directions(*(_params(f"{name}.{s}", tree[s]) for s in Directions._fields))
    return _params(name, tree)


def _params(name: str, tree: Nested) -> Params:
    if not isinstance(tree, dict) or len(tree) != 1 or not set(tree) <= set(CELLS):
        content = ", ".join(tree) if isinstance(tree, dict) else "an array"
        raise ValueError(f"{name} must be one of {', '.join(CELLS)}, got {content}")
    ((word, branch),) = tree.items()
    name, cell = f"{name}.{word}", CELLS[word]
    branch = dict(_branch(name, branch))
    known, kernels = [field.name for field in fields(cell)], ("input_kernel", "recurrent_kernel")
    check_names(name, branch, [n for n in known if n in branch or n in kernels])
    norm = {}
    if "norm" in branch:
        scales = _branch(f"{name}.norm", branch.pop("norm"))
        check_names(f"{name}.norm", scales, [field.name for field in fields(LSTMNorm)])
        norm = {"norm": LSTMNorm(**_arrays(f"{name}.norm", scales))}
    params = cell(**_arrays(name, branch), **norm)
    check_params(name, params)
    return params


def _branch(name: str, tree: Nested) -> dict[str, Nested]:
    if not isinstance(tree, dict):
        raise ValueError(f"{name} must contain arrays by name, got an array")
    return tree


def _arrays(name: str, branch: dict[str, Nested]) -> dict[str, Array]:
    arrays = {part: value for part, value in branch.items() if not isinstance(value, dict)}
    if len(arrays) < len(branch):
        nested = ", ".join(part for part in branch if part not in arrays)
        raise ValueError(f"{name}: {nested} must be an array")
    return arrays
