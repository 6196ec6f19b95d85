"""Their side of an exchange: names, dtypes and shapes as a layout has them, or an error."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from lstm_jax.interop.parameters import GATES, Params

# What letters stand for in the arrays at hand: {"H": 3, "G·H": 12, ...}.
Sizes = dict[str, int]


def check_names(
    layout: str, arrays: Mapping[str, object], names: Collection[str], hint: str = ""
) -> None:
    """Raise a ValueError that lists the names which are missing, and those not expected."""
    missing = [name for name in names if name not in arrays]
    unexpected = [name for name in arrays if name not in names]
    if missing or unexpected:
        parts = [f"missing {', '.join(map(repr, missing))}"] if missing else []
        parts += [f"unexpected {', '.join(map(repr, unexpected))}"] if unexpected else []
        raise ValueError(
            f"{layout}: {'; '.join(parts)}. Expected {', '.join(names)}" + (hint and f"; {hint}")
        )


def check_mapping(layout: str, value: object) -> None:
    """Raise a ValueError for what is no mapping of names."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{layout}: expected a dictionary of arrays, got {type(value).__name__}")


def as_numpy(name: str, value: ArrayLike) -> np.ndarray:
    """A floating NumPy array of what a framework gives.

    Raises:
        ValueError: where it is of another dtype.
    """
    try:
        array = np.asarray(value)
    except TypeError:
        # PyTorch's bfloat16, which NumPy itself does not know: by way of JAX, which has the same
        # bits, and which takes no views.
        contiguous = getattr(value, "contiguous", None)
        if contiguous is None:
            raise
        array = np.asarray(jnp.from_dlpack(contiguous()))
    if not jnp.issubdtype(array.dtype, np.floating):
        raise ValueError(f"{name} must be an array of floating point, got dtype {array.dtype}")
    return array


def take(
    layout: str,
    arrays: Mapping[str, ArrayLike],
    names: Collection[str],
    hint: str = "",
    prefix: str = "",
) -> dict[str, np.ndarray]:
    """The arrays of a dictionary that has these names and no others, in the order of `names`.

    Args:
        layout: who refuses what does not fit, such as "PyTorch".
        arrays: what was given.
        names: what must be there.
        hint: ends the error on names.
        prefix: stands before a name in the error on its dtype.

    Raises:
        ValueError: what is no dictionary, other names, an array that is not floating.
    """
    check_mapping(layout, arrays)
    check_names(layout, arrays, names, hint)
    return {name: as_numpy(f"{prefix}{name}", arrays[name]) for name in names}


def check_shape(name: str, array: np.ndarray, letters: str, sizes: Sizes) -> None:
    """Raise a ValueError where an array is not of the shape that its letters say.

    Args:
        name: of the array, for the error.
        array: of any shape.
        letters: such as "(G·H, D)".
        sizes: what they stand for. A letter that is not there is as large as the array has it.
    """
    shape = []
    for axis, letter in enumerate(letters.strip("(),").split(", ")):
        own = array.shape[min(axis, array.ndim - 1)] if array.ndim else 0
        shape.append(int(letter) if letter.isdigit() else sizes.get(letter, own))
    if array.shape != tuple(shape):
        raise ValueError(f"{name} must be {letters} = {tuple(shape)}, got shape {array.shape}")


def sizes_of(cell: type[Params], hidden: int) -> Sizes:
    """What H and G·H stand for; 4H, 3H too."""
    gates = len(GATES[cell])
    return {"H": hidden, "G·H": gates * hidden, f"{gates}H": gates * hidden}


def cell_of(
    name: str, recurrent: np.ndarray, *, transposed: bool = False
) -> tuple[type[Params], Sizes]:
    """The cell that a recurrent kernel (H, G · H) is of, by G, and what its letters stand for.

    Args:
        name: its name, for the error.
        recurrent: the kernel, or, if `transposed`, (G · H, H).

    Raises:
        ValueError: for a G that is not 4, 3 or 1.
    """
    if recurrent.ndim == 2 and recurrent.size:
        rows, columns = recurrent.T.shape if transposed else recurrent.shape
        for cell, gates in GATES.items():
            if columns == len(gates) * rows:
                return cell, sizes_of(cell, rows)
    letters = "(G·H, H)" if transposed else "(H, G·H)"
    raise ValueError(
        f"{name} must be {letters}, G being 4 for an LSTM, 3 for a GRU, 1 for an RNN, "
        f"got shape {recurrent.shape}"
    )
