"""Checks of parameters that are passed to a layer instead of being initialized by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from lstm_jax.cells import Cell
from lstm_jax.stacks import Directions
from lstm_jax.trees import Tree

T = TypeVar("T")


def check_layers(params: object) -> Sequence[Tree]:
    """Check that an object is the parameters of a stack of layers, and return it.

    Args:
        params: a tuple or list over layers; all of them are `Directions`, or none.

    Raises:
        TypeError: if it is not a tuple of layers.
        ValueError: if it has no layers, or only some are bidirectional.
    """
    if not isinstance(params, (tuple, list)) or hasattr(params, "_fields"):
        raise TypeError(
            f"params must be a tuple of layers, bottom first, got one {type(params).__name__}; "
            "for one layer pass (params,)"
        )
    if not params:
        raise ValueError("params must have at least one layer, got none")
    if len({isinstance(layer, Directions) for layer in params}) > 1:
        raise ValueError("params must be Directions in every layer, or in none")
    return params


def check_given(
    owner: str,
    params: object,
    num_layers: int,
    bidirectional: bool,
    init_options: Mapping[str, object],
) -> None:
    """Check that the options of a layer agree with the parameters passed to it, if any.

    Args:
        owner: name of the layer's class.
        params: parameters of every layer, or None.
        num_layers, bidirectional: options of the layer.
        init_options: options of the cell's `init`.

    Raises:
        TypeError: if options of the `init` are passed with parameters, or as in `check_layers`.
        ValueError: if the number of layers or directions differs.
    """
    if params is None:
        return
    layers = check_layers(params)
    if init_options:
        names = ", ".join(init_options)
        raise TypeError(f"{owner} takes no {names} with params: the parameters decide that")
    if len(layers) != num_layers:
        raise ValueError(f"params must be a tuple of num_layers={num_layers}, got {len(layers)}")
    if isinstance(layers[0], Directions) != bidirectional:
        expected = "Directions of two" if bidirectional else "of one direction"
        raise ValueError(f"params[0] must be {expected} where bidirectional={bidirectional}")


def sizes_of(record: Tree) -> dict[str, int]:
    """Read D and H from the kernels of one layer.

    Args:
        record: the parameters of a cell, or `Directions` of two.

    Raises:
        TypeError: if the parameters do not have an input kernel and a recurrent kernel.
    """
    record = record.forward if isinstance(record, Directions) else record
    kernels: list[tuple[int, ...]] = [
        np.shape(getattr(record, f"{name}_kernel", ())) for name in ("input", "recurrent")
    ]
    if min(map(len, kernels)) < 2:
        raise TypeError(
            f"{type(record).__name__} has no input_kernel and recurrent_kernel to read the sizes "
            "from; pass the sizes and params=params to the layer"
        )
    hidden = getattr(record, "hidden_features", kernels[1][-2])
    return {"in_features": kernels[0][-2], "hidden_features": hidden}


def check_open(decided: Mapping[str, object], options: Mapping[str, object]) -> None:
    """Raise a TypeError if an option is already decided by the parameters of a layer."""
    both = [name for name in options if name in {*decided, "params", "rngs"}]
    if both:
        raise TypeError(f"from_params takes no {', '.join(both)}: the parameters decide that")


def window_of(record: Tree) -> tuple[int, ...]:
    """Read the window of a convolution from its kernel.

    Args:
        record: the parameters of a cell, or `Directions` of two.
    """
    record = record.forward if isinstance(record, Directions) else record
    return np.shape(record.input_kernel)[:-2]


def fitting(
    cell: Cell[T, Any, Any],
    init: Callable[..., T],
    record: T,
    name: str,
    *,
    reads: int,
    hidden_features: int,
    dtype: DTypeLike | None,
) -> T:
    """Return the parameters of a cell as JAX arrays, after checking that they fit.

    Args:
        cell: the recurrence.
        init: function that would initialize the parameters.
        record: the parameters, as NumPy or JAX arrays.
        name: name of the parameters in errors, such as "params[0]".
        reads: number of features that the layer reads.
        hidden_features: H.
        dtype: dtype to cast them to; if None, they keep theirs.

    Raises:
        TypeError: if they are the parameters of another cell.
        ValueError: if the arrays do not fit each other, or the layer below.
    """
    drawn = jax.eval_shape(lambda: init(jax.random.key(0), reads, hidden_features))
    if type(record) is not type(drawn):
        raise TypeError(
            f"{name} must be {type(drawn).__name__}, the parameters of this layer's cell, got "
            f"{type(record).__name__}"
        )
    record = jax.tree.map(lambda array: jnp.asarray(array, dtype), record)
    xs = jax.ShapeDtypeStruct((1, *(1,) * cell.space, reads), jnp.float32)

    def run(record: T, xs: jax.Array) -> Tree:
        return cell.step(record, cell.zero(record, xs[None]), xs)

    try:
        states = [jax.eval_shape(run, each, xs) for each in (drawn, record)]
    except (TypeError, ValueError) as error:
        shapes = ", ".join(f"{field} {shape}" for field, shape in _shapes(record).items())
        raise ValueError(f"{name} does not fit: {error}; it has {shapes}") from None
    widths = [getattr(state, "c", state.h).shape[-1] for state in states]
    if widths[0] != widths[1]:
        raise ValueError(f"{name} is {widths[1]} features wide, where hidden_features={widths[0]}")
    return record


def check_like(held: Tree, record: Tree, name: str) -> None:
    """Check that a record has the type, fields and shapes of the record that it replaces.

    Args:
        held: the record of the layer.
        record: the new record.
        name: name of the record in errors, such as "params[0]".

    Raises:
        TypeError: if the types differ.
        ValueError: if fields or shapes differ; the message names the first.
    """
    if type(record) is not type(held):
        raise TypeError(f"{name} must be {type(held).__name__}, got {type(record).__name__}")
    shapes = [_shapes(tree) for tree in (held, record)]
    for field in {**shapes[0], **shapes[1]}:
        here, there = (each.get(field) for each in shapes)
        if here != there:
            raise ValueError(
                f"{name}.{field} {_describe(there)}, but the layer's {_describe(here)}; use "
                "from_params to make a layer of these parameters"
            )


def _shapes(record: Tree) -> dict[str, tuple[int, ...]]:
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): np.shape(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(record)
    }


def _describe(shape: tuple[int, ...] | None) -> str:
    return "is missing" if shape is None else f"has shape {shape}"
