"""What import from and export to ONNX share: its recurrent operators and the order of their gates.

An ONNX kernel is a row of blocks per gate, (directions, gates · H, D); ours is a column of blocks,
(D, gates · H), in another order. Both orders are spelt in our letters: ONNX's c is g, its h is n.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.cells import LSTM_GATE_ORDER, LSTMParams, LSTMState, RNNParams, RNNState
from lstm_jax.gated import GRU_GATE_ORDER, GRUParams, GRUState

PEEPHOLE_ORDER = ("i", "f", "o")
ONNX_PEEPHOLE_ORDER = ("i", "o", "f")


class Operator(NamedTuple):
    """A recurrent operator of ONNX beside the cell that it is."""

    params: Any
    state: Any
    gates: tuple[str, ...]
    onnx_gates: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    activations: tuple[str, ...]


_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h")

OPERATORS = {
    "LSTM": Operator(
        LSTMParams,
        LSTMState,
        LSTM_GATE_ORDER,
        ("i", "o", "f", "g"),
        (*_INPUTS, "initial_c", "P"),
        ("Y", "Y_h", "Y_c"),
        ("Sigmoid", "Tanh", "Tanh"),
    ),
    "GRU": Operator(
        GRUParams,
        GRUState,
        GRU_GATE_ORDER,
        ("z", "r", "n"),
        _INPUTS,
        ("Y", "Y_h"),
        ("Sigmoid", "Tanh"),
    ),
    "RNN": Operator(RNNParams, RNNState, ("h",), ("h",), _INPUTS, ("Y", "Y_h"), ("Tanh",)),
}


def _hard_sigmoid(z, alpha, beta):
    return jnp.clip(alpha * z + beta, 0, 1)


# Each as a function of z and its constants, with the constants' defaults: those of the operators
# of the same names, as ONNX asks. Affine and ScaledTanh are operators no more and have none.
NO_DEFAULTS = {"alpha": None, "beta": None}
ACTIVATIONS = {
    "Sigmoid": (jax.nn.sigmoid, {}),
    "Tanh": (jnp.tanh, {}),
    "Relu": (jax.nn.relu, {}),
    "Softsign": (jax.nn.soft_sign, {}),
    "Softplus": (jax.nn.softplus, {}),
    "Affine": (lambda z, alpha, beta: alpha * z + beta, NO_DEFAULTS),
    "LeakyRelu": (lambda z, alpha: jax.nn.leaky_relu(z, alpha), {"alpha": 0.01}),
    "ThresholdedRelu": (lambda z, alpha: jnp.where(z >= alpha, z, 0), {"alpha": 1.0}),
    "ScaledTanh": (lambda z, alpha, beta: alpha * jnp.tanh(beta * z), NO_DEFAULTS),
    "HardSigmoid": (_hard_sigmoid, {"alpha": 0.2, "beta": 0.5}),
    "Elu": (lambda z, alpha: jax.nn.elu(z, alpha), {"alpha": 1.0}),
}


def reorder(array: Any, source: tuple[str, ...], target: tuple[str, ...]) -> Any:
    """The blocks of the last axis, named by `source`, in the order of `target`.

    A name may be left out of the target. NumPy in, NumPy out; JAX in, JAX out.
    """
    width = array.shape[-1] // len(source)
    columns = [source.index(name) * width + np.arange(width) for name in target]
    return array[..., np.concatenate(columns)]


def onnx_package() -> Any:
    """The `onnx` package, imported when first needed.

    Raises:
        ImportError: where it is not installed, with the command that installs it.
    """
    try:
        import onnx
    except ImportError:
        raise ImportError(
            'the package onnx is missing; install it with: pip install "lstm_jax[onnx]"'
        ) from None
    return onnx
