"""Haiku's `hk.LSTM`, `hk.GRU` and `hk.VanillaRNN`.

One core is its part of the parameters, under the path of its module:

    lstm/linear            w (D + H, 4H) over [x, h], b (4H,), gates i, g, f, o
    gru                    w_i (D, 3H), w_h (H, 3H), b (3H,), gates z, r, a
    vanilla_rnn/linear     w (D, H), b (H,)
    vanilla_rnn/linear_1   w (H, H), b (H,); no b with `double_bias=False`

`hk.LSTM` adds 1 to the forget gate when it runs, and does not store it. `hk.GRU` resets before
the product, and its z is our 1 - z: the columns of z are negated. `hk.VanillaRNN` is ReLU's.
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
    """The parameters of one core, of the kind that its modules' names say.

    The forget gate's bias is Haiku's plus 1, and the RNN's the sum of two, each rounded once.
    Everything else is Haiku's own bits. The RNN runs by `rnn(..., activation=jax.nn.relu)`.

    Args:
        arrays: Haiku's parameters, module path -> name -> array. A stack is one call for each
            core.
        name: the core's module path, such as "my_model/~/lstm_1"; modules outside it are not
            looked at. None where there is no other.
        reset_after: False for `hk.GRU`, which has no other variant, and for `gru(...)` after it.

    Returns:
        `LSTMParams`, `GRUParams` or `RNNParams`, in the arrays' dtypes.

    Raises:
        ValueError: names that are missing or not expected, shapes that do not fit, several cores
            without a `name`, or a GRU with `reset_after=True`.
    """
    check_mapping("Haiku", arrays)
    if name is None:
        roots = sorted({re.sub(r"/linear(_1)?$", "", path) for path in arrays})
        if len(roots) != 1:
            raise ValueError(
                f"Haiku: expected the modules of one core, got {', '.join(roots) or 'none'}; "
                "say which by name="
            )
        (name,) = roots
    own = {
        path[len(name) :]: value
        for path, value in arrays.items()
        if path == name or path.startswith(f"{name}/")
    }
    if "/linear_1" in own:
        return _import_rnn(name, own)
    if "" in own:
        _check_reset_after(reset_after)
        return _import_gru(name, own)
    return _import_lstm(name, own)


def to_haiku(
    params: Params, name: str | None = None, *, reset_after: bool = True
) -> dict[str, dict[str, np.ndarray]]:
    """A core's part of Haiku's parameters; `from_haiku` gives back the same, bit for bit.

    But for an LSTM's forget bias b, which is stored as b - 1. Where b >= 1/2, the usual 1 among
    them, that is exact; below, b moves by at most u · (1 - b), u being 2^-24 in float32, for
    Haiku holds no number that it could add 1 to and get b. What came back once goes round exactly
    ever after.

    Haiku has every bias: one that is None is zeros and comes back so. The RNN's second is zeros.

    Args:
        params: of one core. A stack is one call for each.
        name: the core's module path; Haiku's own for the first such core if None.
        reset_after: False for a GRU: `hk.GRU` is `gru(..., reset_after=False)`.

    Returns:
        NumPy arrays, module path -> name -> array.

    Raises:
        ValueError: options that Haiku has no place for: peepholes, layer normalisation, coupled
            gates, projections, and a GRU with `reset_after=True` or a `recurrent_bias`.
    """
    check_holds("Haiku", "params", params)
    cell = type(params)
    name = DEFAULT_NAMES[cell] if name is None else name
    own = to_numpy(params)
    kernel, recurrent, bias = own["input_kernel"], own["recurrent_kernel"], bias_or_zeros(own)
    if cell is LSTMParams:
        parts = {"w": np.concatenate([kernel, recurrent]), "b": shift_forget(bias, -1)}
        arrays = {f"{name}/linear": parts}
    elif cell is GRUParams:
        _check_reset_after(reset_after)
        if "recurrent_bias" in own:
            raise ValueError("Haiku has no place for params.recurrent_bias; it must be None")
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
    """A bias (4H,), ordered i, f, g, o, with `by` added to the forget gate's, in its dtype."""
    i, f, g, o = np.split(bias, 4)
    return np.concatenate([i, f + np.asarray(by, f.dtype), g, o])


def negate_z(array: np.ndarray) -> np.ndarray:
    """(..., 3H), ordered r, z, n, with the columns of z negated: σ(-a) = 1 - σ(a)."""
    r, z, n = np.split(array, 3, axis=-1)
    return np.concatenate([r, -z, n], axis=-1)


def _check_reset_after(reset_after: bool) -> None:
    if reset_after:
        raise ValueError(
            "hk.GRU resets before the product: pass reset_after=False here and to gru(...)"
        )


def _take(path: str, module: Module, names: tuple[str, ...]) -> list[np.ndarray]:
    return list(take(f"Haiku {path}", module, names, prefix=f"{path} ").values())


def _import_lstm(name: str, own: Mapping[str, Module]) -> LSTMParams:
    check_names(f"Haiku {name}", own, ("/linear",))
    w, b = _take(f"{name}/linear", own["/linear"], ("w", "b"))
    hidden = b.shape[0] // 4 if b.ndim else 0
    features = w.shape[0] - hidden if w.ndim else 0
    check_shape(f"{name}/linear b", b, "(4H,)", {"4H": 4 * hidden})
    if features < 1 or w.shape != (features + hidden, 4 * hidden):
        raise ValueError(
            f"{name}/linear w must be (D + H, 4H), beside a b of {b.shape} with more than "
            f"{hidden} rows and {4 * hidden} columns, got shape {w.shape}"
        )
    w, b = (reorder(array, ORDER[LSTMParams], GATES[LSTMParams]) for array in (w, b))
    return to_jax(LSTMParams, w[:features], w[features:], shift_forget(b, 1))


def _import_gru(name: str, own: Mapping[str, Module]) -> GRUParams:
    check_names(f"Haiku {name}", own, ("",))
    kernel, recurrent, bias = _take(name, own[""], ("w_i", "w_h", "b"))
    cell, sizes = cell_of(f"{name} w_h", recurrent)
    if cell is not GRUParams:
        raise ValueError(f"{name} w_h must be (H, 3H), got shape {recurrent.shape}")
    check_shape(f"{name} w_i", kernel, "(D, 3H)", sizes)
    check_shape(f"{name} b", bias, "(3H,)", sizes)
    ours = (reorder(a, ORDER[cell], GATES[cell]) for a in (kernel, recurrent, bias))
    return to_jax(GRUParams, *map(negate_z, ours))


def _import_rnn(name: str, own: Mapping[str, Module]) -> RNNParams:
    check_names(f"Haiku {name}", own, ("/linear", "/linear_1"))
    kernel, bias = _take(f"{name}/linear", own["/linear"], ("w", "b"))
    second = ("w", "b") if "b" in own["/linear_1"] else ("w",)
    recurrent, *more = _take(f"{name}/linear_1", own["/linear_1"], second)
    cell, sizes = cell_of(f"{name}/linear_1 w", recurrent)
    if cell is not RNNParams:
        raise ValueError(f"{name}/linear_1 w must be (H, H), got shape {recurrent.shape}")
    check_shape(f"{name}/linear w", kernel, "(D, H)", sizes)
    for path, array in zip(("linear", "linear_1"), (bias, *more), strict=False):
        check_shape(f"{name}/{path} b", array, "(H,)", sizes)
    return to_jax(RNNParams, kernel, recurrent, sum_biases(bias, more[0]) if more else bias)
