"""Checks of another framework's arrays: names, dtypes and shapes must be those of its layout."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from lstm_jax.interop.parameters import GATES, Params

# The sizes that letters stand for: {"H": 3, "G·H": 12, ...}.
Sizes = dict[str, int]


def check_names(
    layout: str, arrays: Mapping[str, object], names: Collection[str], hint: str = ""
) -> None:
    """Raise a ValueError that lists missing and unexpected names, if there are any."""
    missing = [name for name in names if name not in arrays]
    unexpected = [name for name in arrays if name not in names]
    if missing or unexpected:
        parts = [f"missing {', '.join(map(repr, missing))}"] if missing else []
        parts += [f"unexpected {', '.join(map(repr, unexpected))}"] if unexpected else []
        raise ValueError(
            f"{layout}: {'; '.join(parts)}. Expected {', '.join(names)}" + (hint and f"; {hint}")
        )


def check_mapping(layout: str, value: object) -> None:
    """Raise a ValueError if the value is not a mapping."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{layout}: expected a dictionary of arrays, got {type(value).__name__}")


def as_numpy(name: str, value: ArrayLike) -> np.ndarray:
    """Convert an array of a framework to a floating-point NumPy array.

    Raises:
        ValueError: if it has another dtype.
    """
    try:
        array = np.asarray(value)
    except TypeError:
        # NumPy does not know PyTorch's bfloat16. JAX does, with the same bits, if the tensor is
        # not a view.
        contiguous = getattr(value, "contiguous", None)
        if contiguous is None:
            raise
        array = np.asarray(jnp.from_dlpack(contiguous()))
    if not jnp.issubdtype(array.dtype, np.floating):
        raise ValueError(f"{name} must be floating point, got dtype {array.dtype}")
    return array


def take(
    layout: str,
    arrays: Mapping[str, ArrayLike],
    names: Collection[str],
    hint: str = "",
    prefix: str = "",
) -> dict[str, np.ndarray]:
    """Return the arrays of a dictionary in the order of `names`, which must be exactly its keys.

    Args:
        layout: name of the layout in errors, such as "PyTorch".
        arrays: the dictionary.
        names: the expected names.
        hint: end of the error about names.
        prefix: prefix of the name in the error about a dtype.

    Raises:
        ValueError: if it is not a dictionary, its names differ, or an array is not floating point.
    """
    check_mapping(layout, arrays)
    check_names(layout, arrays, names, hint)
    return {name: as_numpy(f"{prefix}{name}", arrays[name]) for name in names}


def check_shape(name: str, array: np.ndarray, letters: str, sizes: Sizes) -> None:
    """Raise a ValueError if an array does not have the shape given by letters.

    Args:
        name: name of the array in the error.
        array: the array.
        letters: the expected shape, such as "(G·H, D)".
        sizes: sizes of the letters; an axis whose letter is missing may have any size.
    """
    shape = []
    for axis, letter in enumerate(letters.strip("(),").split(", ")):
        size = array.shape[min(axis, array.ndim - 1)] if array.ndim else 0
        shape.append(int(letter) if letter.isdigit() else sizes.get(letter, size))
    if array.shape != tuple(shape):
        raise ValueError(f"{name} must be {letters} = {tuple(shape)}, got shape {array.shape}")


def sizes_of(cell: type[Params], hidden: int) -> Sizes:
    """Return the sizes of H and G·H, and of 4H or 3H."""
    gates = len(GATES[cell])
    return {"H": hidden, "G·H": gates * hidden, f"{gates}H": gates * hidden}


def cell_of(
    name: str, recurrent: np.ndarray, *, transposed: bool = False
) -> tuple[type[Params], Sizes]:
    """Determine the cell of a recurrent kernel (H, G · H) from G, and the sizes of its letters.

    Args:
        name: name of the kernel in the error.
        recurrent: the kernel, or (G · H, H) if `transposed`.

    Raises:
        ValueError: if G is not 4, 3 or 1.
    """
    if recurrent.ndim == 2 and recurrent.size:
        rows, columns = recurrent.T.shape if transposed else recurrent.shape
        for cell, gates in GATES.items():
            if columns == len(gates) * rows:
                return cell, sizes_of(cell, rows)
    letters = "(G·H, H)" if transposed else "(H, G·H)"
    raise ValueError(
        f"{name} must be {letters}, where G is 4 for an LSTM, 3 for a GRU and 1 for an RNN, "
        f"got shape {recurrent.shape}"
    )
