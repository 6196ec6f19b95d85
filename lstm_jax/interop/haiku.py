"""Haiku's `hk.LSTM`, `hk.GRU` and `hk.VanillaRNN`.

The parameters of one core are stored under the path of its module:

    lstm/linear            w (D + H, 4H) for [x, h], b (4H,), gates i, g, f, o
    gru                    w_i (D, 3H), w_h (H, 3H), b (3H,), gates z, r, a
    vanilla_rnn/linear     w (D, H), b (H,)
    vanilla_rnn/linear_1   w (H, H), b (H,); no b with `double_bias=False`

`hk.LSTM` adds 1 to the forget gate when it runs, and does not store the 1. `hk.GRU` resets before
the product, and its z is our 1 - z, so the columns of z are negated. `hk.VanillaRNN` uses ReLU.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from lstm_jax.cells import LSTMParams, RNNParams
from lstm_jax.gated import GRUParams
from lstm_jax.interop.arrays import bias_or_zeros, owned, reorder, sum_biases
from lstm_jax.interop.checks import cell_of, check_mapping, check_names, check_shape, take
from lstm_jax.interop.parameters import GATES, Params, check_holds, to_jax, to_numpy

DEFAULT_NAMES = {LSTMParams: "lstm", GRUParams: "gru", RNNParams: "vanilla_rnn"}
# In our letters: Haiku's a of a GRU is n.
ORDER = {LSTMParams: "igfo", GRUParams: "zrn", RNNParams: "h"}

Module = Mapping[str, ArrayLike]


def from_haiku(
    arrays: Mapping[str, Module], name: str | None = None, *, reset_after: bool = True
) -> Params:
    """Convert the parameters of one core, whose kind follows from the names of its modules.

    The bias of the forget gate is Haiku's plus 1, and that of the RNN the sum of two, each rounded
    once. Everything else is exact to the bit. Run the RNN by `rnn(..., activation=jax.nn.relu)`.

    Args:
        arrays: Haiku's parameters, module path -> name -> array. Convert a stack core by core.
        name: module path of the core, such as "my_model/~/lstm_1"; other modules are ignored. It
            may be None if there is only one core.
        reset_after: must be False for `hk.GRU`, which has no other variant; pass it to `gru(...)`
            too.

    Returns:
        `LSTMParams`, `GRUParams` or `RNNParams`, in the dtypes of the arrays.

    Raises:
        ValueError: if names are missing or unexpected, shapes do not fit, there are several cores
            and no `name`, or the core is a GRU and `reset_after` is True.
    """
    check_mapping("Haiku", arrays)
    if name is None:
        roots = sorted({re.sub(r"/linear(_1)?$", "", path) for path in arrays})
        if len(roots) != 1:
            raise ValueError(
                f"Haiku: expected the modules of one core, got {', '.join(roots) or 'none'}; "
                "choose one with name="
            )
        (name,) = roots
    modules = {
        path[len(name) :]: value
        for path, value in arrays.items()
        if path == name or path.startswith(f"{name}/")
    }
    if "/linear_1" in modules:
        return _import_rnn(name, modules)
    if "" in modules:
        _check_reset_after(reset_after)
        return _import_gru(name, modules)
    return _import_lstm(name, modules)


def to_haiku(
    params: Params, name: str | None = None, *, reset_after: bool = True
) -> dict[str, dict[str, np.ndarray]]:
    """Convert parameters to those of one core of Haiku; `from_haiku` restores them to the bit.

    The forget bias b of an LSTM is an exception, because it is stored as b - 1. That is exact for
    b >= 1/2, including the usual 1. For a smaller b, there may be no number to which Haiku could
    add 1 and get b, so b changes by at most u · (1 - b), with u = 2^-24 in float32. Further round
    trips are exact.

    Haiku has every bias, so a bias of None becomes zeros. The second bias of the RNN is zeros.

    Args:
        params: parameters of one core. Convert a stack core by core.
        name: module path of the core; Haiku's name for the first such core if None.
        reset_after: must be False for a GRU, because `hk.GRU` is `gru(..., reset_after=False)`.

    Returns:
        NumPy arrays, module path -> name -> array.

    Raises:
        ValueError: if the parameters have options that Haiku does not support: peepholes, layer
            normalization, coupled gates, projections, a GRU with `reset_after=True` or a
            `recurrent_bias`.
    """
    check_holds("Haiku", "params", params)
    cell = type(params)
    name = DEFAULT_NAMES[cell] if name is None else name
    ours = to_numpy(params)
    kernel, recurrent, bias = ours["input_kernel"], ours["recurrent_kernel"], bias_or_zeros(ours)
    if cell is LSTMParams:
        parts = {"w": np.concatenate([kernel, recurrent]), "b": shift_forget(bias, -1)}
        arrays = {f"{name}/linear": parts}
    elif cell is GRUParams:
        _check_reset_after(reset_after)
        if "recurrent_bias" in ours:
            raise ValueError("Haiku does not support params.recurrent_bias; it must be None")
        arrays = {name: {"w_i": negate_z(kernel), "w_h": negate_z(recurrent), "b": negate_z(bias)}}
    else:
        arrays = {
            f"{name}/linear": {"w": kernel, "b": bias},
            f"{name}/linear_1": {"w": recurrent, "b": np.zeros_like(bias)},
        }
    return {
        path: {k: owned(reorder(a, GATES[cell], ORDER[cell])) for k, a in parts.items()}
        for path, parts in arrays.items()
    }


def shift_forget(bias: np.ndarray, by: int) -> np.ndarray:
    """Add `by` to the forget gate of a bias (4H,), ordered i, f, g, o, in its dtype."""
    i, f, g, o = np.split(bias, 4)
    return np.concatenate([i, f + np.asarray(by, f.dtype), g, o])


def negate_z(array: np.ndarray) -> np.ndarray:
    """Negate the columns of z in (..., 3H), ordered r, z, n, because σ(-a) = 1 - σ(a)."""
    r, z, n = np.split(array, 3, axis=-1)
    return np.concatenate([r, -z, n], axis=-1)


def _check_reset_after(reset_after: bool) -> None:
    if reset_after:
        raise ValueError(
            "hk.GRU resets before the product: pass reset_after=False here and to gru(...)"
        )


def _take(path: str, module: Module, names: tuple[str, ...]) -> list[np.ndarray]:
    return list(take(f"Haiku {path}", module, names, prefix=f"{path} ").values())


def _import_lstm(name: str, modules: Mapping[str, Module]) -> LSTMParams:
    check_names(f"Haiku {name}", modules, ("/linear",))
    w, b = _take(f"{name}/linear", modules["/linear"], ("w", "b"))
    hidden = b.shape[0] // 4 if b.ndim else 0
    features = w.shape[0] - hidden if w.ndim else 0
    check_shape(f"{name}/linear b", b, "(4H,)", {"4H": 4 * hidden})
    if features < 1 or w.shape != (features + hidden, 4 * hidden):
        raise ValueError(
            f"{name}/linear w must be (D + H, 4H), which for a b of {b.shape} means more than "
            f"{hidden} rows and {4 * hidden} columns, got shape {w.shape}"
        )
    w, b = (reorder(array, ORDER[LSTMParams], GATES[LSTMParams]) for array in (w, b))
    return to_jax(LSTMParams, w[:features], w[features:], shift_forget(b, 1))


def _import_gru(name: str, modules: Mapping[str, Module]) -> GRUParams:
    check_names(f"Haiku {name}", modules, ("",))
    kernel, recurrent, bias = _take(name, modules[""], ("w_i", "w_h", "b"))
    cell, sizes = cell_of(f"{name} w_h", recurrent)
    if cell is not GRUParams:
        raise ValueError(f"{name} w_h must be (H, 3H), got shape {recurrent.shape}")
    check_shape(f"{name} w_i", kernel, "(D, 3H)", sizes)
    check_shape(f"{name} b", bias, "(3H,)", sizes)
    ours = (reorder(a, ORDER[cell], GATES[cell]) for a in (kernel, recurrent, bias))
    return to_jax(GRUParams, *map(negate_z, ours))


def _import_rnn(name: str, modules: Mapping[str, Module]) -> RNNParams:
    check_names(f"Haiku {name}", modules, ("/linear", "/linear_1"))
    kernel, bias = _take(f"{name}/linear", modules["/linear"], ("w", "b"))
    second = ("w", "b") if "b" in modules["/linear_1"] else ("w",)
    recurrent, *more = _take(f"{name}/linear_1", modules["/linear_1"], second)
    cell, sizes = cell_of(f"{name}/linear_1 w", recurrent)
    if cell is not RNNParams:
        raise ValueError(f"{name}/linear_1 w must be (H, H), got shape {recurrent.shape}")
    check_shape(f"{name}/linear w", kernel, "(D, H)", sizes)
    for path, array in zip(("linear", "linear_1"), (bias, *more), strict=False):
        check_shape(f"{name}/{path} b", array, "(H,)", sizes)
    return to_jax(RNNParams, kernel, recurrent, sum_biases(bias, more[0]) if more else bias)
