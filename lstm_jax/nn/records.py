"""Parameters that a layer is given, in place of those that it would draw: do they fit?"""

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
    """Give the parameters of a stack as they are, once they are seen to be of one.

    Args:
        params: a tuple or list over layers; `Directions` of two in all of them, or in none.

    Raises:
        TypeError: one layer that is not in a tuple.
        ValueError: no layers, or some in one direction and some in both.
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
    """Raise where a layer's options contradict the parameters that it is given, if it is.

    Args:
        owner: the class of the layer.
        params: of every layer, or None.
        num_layers, bidirectional: what the layer is to be.
        init_options: of what would have drawn them.

    Raises:
        TypeError: options of the drawing beside parameters, or what `check_layers` refuses.
        ValueError: another number of layers or directions.
    """
    if params is None:
        return
    layers = check_layers(params)
    if init_options:
        names = ", ".join(init_options)
        raise TypeError(f"{owner} takes no {names} beside params: the parameters decide that")
    if len(layers) != num_layers:
        raise ValueError(f"params must be a tuple of num_layers={num_layers}, got {len(layers)}")
    if isinstance(layers[0], Directions) != bidirectional:
        wanted = "Directions of two" if bidirectional else "of one direction"
        raise ValueError(f"params[0] must be {wanted} where bidirectional={bidirectional}")


def sizes_of(record: Tree) -> dict[str, int]:
    """Read D and H off the kernels of one layer.

    Args:
        record: the parameters of a cell, or `Directions` of two.

    Raises:
        TypeError: parameters that have no kernels by those names.
    """
    record = record.forward if isinstance(record, Directions) else record
    kernels: list[tuple[int, ...]] = [
        np.shape(getattr(record, f"{name}_kernel", ())) for name in ("input", "recurrent")
    ]
    if min(map(len, kernels)) < 2:
        raise TypeError(
            f"{type(record).__name__} has no input_kernel and recurrent_kernel to read the sizes "
            "off: make the layer with its sizes and params=params"
        )
    hidden = getattr(record, "hidden_features", kernels[1][-2])
    return {"in_features": kernels[0][-2], "hidden_features": hidden}


def check_open(decided: Mapping[str, object], options: Mapping[str, object]) -> None:
    """Raise a TypeError for options that the parameters of a layer have decided."""
    both = [name for name in options if name in {*decided, "params", "rngs"}]
    if both:
        raise TypeError(f"from_params takes no {', '.join(both)}: the parameters decide that")


def window_of(record: Tree) -> tuple[int, ...]:
    """Read a convolution's window off its kernel.

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
    """Give the parameters of a cell as JAX's arrays, if they fit.

    Args:
        cell: the recurrence.
        init: what would draw them.
        record: the parameters, of NumPy's or JAX's arrays.
        name: what an error calls them, such as "params[0]".
        reads: the features that the layer reads.
        hidden_features: H.
        dtype: to cast them to; their own if None.

    Raises:
        TypeError: parameters of another cell.
        ValueError: arrays that do not fit one another, or what lies below.
    """
    drawn = jax.eval_shape(lambda: init(jax.random.key(0), reads, hidden_features))
    if type(record) is not type(drawn):
        raise TypeError(
            f"{name} must be {type(drawn).__name__}, of which this layer is made, got "
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
    """Raise where a record is not of the type, the fields and the shapes of another.

    Args:
        held: what a layer has.
        record: what is to take its place.
        name: what an error calls it, such as "params[0]".

    Raises:
        TypeError: a record of another type.
        ValueError: fields or shapes that differ, the first of them named.
    """
    if type(record) is not type(held):
        raise TypeError(f"{name} must be {type(held).__name__}, got {type(record).__name__}")
    shapes = [_shapes(tree) for tree in (held, record)]
    for field in {**shapes[0], **shapes[1]}:
        here, there = (each.get(field) for each in shapes)
        if here != there:
            raise ValueError(
                f"{name}.{field} {_words(there)}, and the layer's {_words(here)}: make a layer "
                "of these parameters with from_params"
            )


def _shapes(record: Tree) -> dict[str, tuple[int, ...]]:
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): np.shape(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(record)
    }


def _words(shape: tuple[int, ...] | None) -> str:
    return "is not there" if shape is None else f"has shape {shape}"
