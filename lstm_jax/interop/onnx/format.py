"""ONNX's recurrent operators, with the order of their gates, for import and export.

An ONNX kernel stacks the gates in rows, (directions, gates · H, D); ours has them in columns,
(D, gates · H), in another order. Both orders are spelled in our letters: ONNX's c is g, its h is n.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.cells import LSTMParams, LSTMState, RNNParams, RNNState
from lstm_jax.gated import GRUParams, GRUState
from lstm_jax.interop.parameters import GATES, Params

PEEPHOLE_ORDER = "ifo"
ONNX_PEEPHOLE_ORDER = "iof"


class Operator(NamedTuple):
    """Describe a recurrent operator of ONNX, with the cell that it corresponds to."""

    params: type[Params]
    state: type[LSTMState] | type[GRUState] | type[RNNState]
    onnx_gates: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    activations: tuple[str, ...]

    @property
    def gates(self) -> str:
        """Return the letters of its gates in our order."""
        return GATES[self.params]


_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h")

OPERATORS = {
    "LSTM": Operator(
        LSTMParams,
        LSTMState,
        "iofg",
        (*_INPUTS, "initial_c", "P"),
        ("Y", "Y_h", "Y_c"),
        ("Sigmoid", "Tanh", "Tanh"),
    ),
    "GRU": Operator(GRUParams, GRUState, "zrn", _INPUTS, ("Y", "Y_h"), ("Sigmoid", "Tanh")),
    "RNN": Operator(RNNParams, RNNState, "h", _INPUTS, ("Y", "Y_h"), ("Tanh",)),
}


def _affine(z: Array, alpha: float, beta: float) -> Array:
    return alpha * z + beta


def _thresholded_relu(z: Array, alpha: float) -> Array:
    return jnp.where(z >= alpha, z, 0)


def _scaled_tanh(z: Array, alpha: float, beta: float) -> Array:
    return alpha * jnp.tanh(beta * z)


def _hard_sigmoid(z: Array, alpha: float, beta: float) -> Array:
    return jnp.clip(alpha * z + beta, 0, 1)


def _leaky_relu(z: Array, alpha: float) -> Array:
    return jax.nn.leaky_relu(z, alpha)


def _elu(z: Array, alpha: float) -> Array:
    return jax.nn.elu(z, alpha)


# Each activation as a function of z and its constants, with the defaults of ONNX's operators of the
# same name. Affine and ScaledTanh are no longer operators, and have no defaults.
NO_DEFAULTS: dict[str, float | None] = {"alpha": None, "beta": None}
ACTIVATIONS: dict[str, tuple[Callable[..., Array], Mapping[str, float | None]]] = {
    "Sigmoid": (jax.nn.sigmoid, {}),
    "Tanh": (jnp.tanh, {}),
    "Relu": (jax.nn.relu, {}),
    "Softsign": (jax.nn.soft_sign, {}),
    "Softplus": (jax.nn.softplus, {}),
    "Affine": (_affine, NO_DEFAULTS),
    "LeakyRelu": (_leaky_relu, {"alpha": 0.01}),
    "ThresholdedRelu": (_thresholded_relu, {"alpha": 1.0}),
    "ScaledTanh": (_scaled_tanh, NO_DEFAULTS),
    "HardSigmoid": (_hard_sigmoid, {"alpha": 0.2, "beta": 0.5}),
    "Elu": (_elu, {"alpha": 1.0}),
}


def onnx_package() -> ModuleType:
    """Import and return the `onnx` package.

    Raises:
        ImportError: if it is not installed; the message has the command that installs it.
    """
    try:
        import onnx
    except ImportError:
        raise ImportError(
            'the package onnx is missing; install it with: pip install "lstm_jax[onnx]"'
        ) from None
    return onnx
