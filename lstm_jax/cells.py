"""The textbook cells as pure functions: `new_state = step(params, state, x)`.

Every step takes `x` of shape (..., D) and a state whose leaves are (..., H), with any number of
batch axes, none included. Gate order is (i, f, g, o) and state order is (h, c), always.

LSTM and RNN are an affine pre-activation z = x W_x + h W_h + b followed by an elementwise
`pointwise(params, z, state)`; the fast path is written over that form.

What an LSTM has beyond the textbook is said by its parameters: an array that is None is an option
that is not there, and leaves no trace in the compiled program. Functions that are not tanh or σ
are arguments of a step: `functools.partial(rnn_step, activation=jax.nn.relu)` is a step too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

LSTM_GATE_ORDER = ("i", "f", "g", "o")
GRU_GATE_ORDER = ("r", "z", "n")


Activation = Callable[[Array], Array]


class LSTMState(NamedTuple):
    """Hidden state h and cell state c, each (..., H)."""

    h: Array
    c: Array


class LSTMGates(NamedTuple):
    """Activations of the input, forget, candidate and output gates, each (..., H)."""

    i: Array
    f: Array
    g: Array
    o: Array


class RNNState(NamedTuple):
    """Hidden state h, (..., H)."""

    h: Array


class GRUState(NamedTuple):
    """Hidden state h, (..., H)."""

    h: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LSTMNorm:
    """Scales and shifts of an LSTM's layer normalisations (Ba et al. 2016, equations 20 to 22).

    `input_scale`, `recurrent_scale` (4H,) of x W_x and of h W_h, whose shifts are the bias;
    `cell_scale`, `cell_shift` (H,) of the c that h reads.
    """

    input_scale: Array
    recurrent_scale: Array
    cell_scale: Array
    cell_shift: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LSTMParams:
    """`input_kernel` (D, 4H), `recurrent_kernel` (H, 4H), `bias` (4H,) or None.

    Columns are ordered i, f, g, o. The rest are options, not there where None:

    Attributes:
        peephole: (3, H), rows i, f, o: the gates see c (Gers & Schmidhuber 2000).
        projection: (H, P): h = (o ⊙ tanh(c)) W_p (Sak et al. 2014); `recurrent_kernel` is then
            (P, 4H), and h (..., P).
        norm: layer normalisation.

    With columns f, g, o alone, (·, 3H) and peephole rows f, o, the input gate is coupled to the
    forget gate: i = 1 - f (Greff et al. 2017).
    """

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None
    peephole: Array | None = None
    projection: Array | None = None
    norm: LSTMNorm | None = None

    @property
    def hidden_features(self) -> int:
        """H, the width of c."""
        kernel = self.recurrent_kernel if self.projection is None else self.projection
        return kernel.shape[0]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RNNParams:
    """`input_kernel` (D, H), `recurrent_kernel` (H, H), `bias` (H,) or None."""

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GRUParams:
    """`input_kernel` (D, 3H), `recurrent_kernel` (H, 3H), `bias` (3H,), `recurrent_bias` (H,).

    Columns are ordered r, z, n. `recurrent_bias` is the candidate's, inside the reset product;
    where the reset comes before the matrix product there is none. Either bias may be None.
    """

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None
    recurrent_bias: Array | None = None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MGUParams:
    """`input_kernel` (D, 2H), `recurrent_kernel` (H, 2H), `bias` (2H,) or None; columns f, n."""

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None


class LSTMActivations(NamedTuple):
    """The functions of an LSTM: of its gates, of the candidate, and of the c that h reads."""

    gate: Activation = jax.nn.sigmoid
    candidate: Activation = jnp.tanh
    cell: Activation = jnp.tanh


TEXTBOOK = LSTMActivations()


def affine(params: LSTMParams | RNNParams, h: Array, x: Array) -> Array:
    """Pre-activation z = x W_x + h W_h + b, in the promoted dtype of its operands.

    Raises:
        ValueError: where the features of `x` or `h` do not fit the kernels.
    """
    check_features(params, h, x)
    return add_bias(x @ params.input_kernel + h @ params.recurrent_kernel, params.bias)


def add_bias(z: Array, bias: Array | None) -> Array:
    """z + b; z where there is no bias."""
    return z if bias is None else z + bias


def layer_norm(x: Array, scale: Array, shift: Array | None = None) -> Array:
    """scale ⊙ (x - mean) / √(variance + 1e-5) + shift, over the last axis (Ba et al. 2016)."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean = wide.mean(-1, keepdims=True)
    variance = ((wide - mean) ** 2).mean(-1, keepdims=True)
    return add_bias(((wide - mean) * jax.lax.rsqrt(variance + 1e-5)).astype(x.dtype) * scale, shift)


def lstm_pre_activation(params: LSTMParams, h: Array, x: Array) -> Array:
    """z (..., 4H): `affine`, both products normalised where there is a `norm`."""
    if params.norm is None:
        return affine(params, h, x)
    check_features(params, h, x)
    from_x = layer_norm(x @ params.input_kernel, params.norm.input_scale)
    from_h = layer_norm(h @ params.recurrent_kernel, params.norm.recurrent_scale)
    return add_bias(from_x + from_h, params.bias)


def lstm_cell_path(
    params: LSTMParams, z: Array, c: Array, activations: LSTMActivations = TEXTBOOK
) -> tuple[LSTMGates, Array]:
    """Gates from the pre-activation z (..., 4H) and the old c, and the new c = f ⊙ c + i ⊙ g."""
    *input_gate, f, g, o = jnp.split(z, z.shape[-1] // c.shape[-1], axis=-1)
    if params.peephole is not None:
        *input_peephole, f_peephole, o_peephole = params.peephole
        input_gate = [i + p * c for i, p in zip(input_gate, input_peephole, strict=True)]
        f = f + f_peephole * c
    f, g = activations.gate(f), activations.candidate(g)
    i = activations.gate(input_gate[0]) if input_gate else 1 - f
    new_c = f * c + i * g
    if params.peephole is not None:
        o = o + o_peephole * new_c
    return LSTMGates(i, f, g, activations.gate(o)), new_c


def lstm_pointwise(
    params: LSTMParams, z: Array, state: LSTMState, *, activations: LSTMActivations = TEXTBOOK
) -> LSTMState:
    """What follows z: c_t = f ⊙ c_{t-1} + i ⊙ g, h_t = o ⊙ tanh(c_t), and h_t W_p if projected."""
    gates, c = lstm_cell_path(params, z, state.c, activations)
    seen = c
    if params.norm is not None:
        seen = layer_norm(c, params.norm.cell_scale, params.norm.cell_shift)
    h = gates.o * activations.cell(seen)
    if params.projection is not None:
        h = h @ params.projection
    return LSTMState(h.astype(state.h.dtype), c.astype(state.c.dtype))


def lstm_gates(
    params: LSTMParams, state: LSTMState, x: Array, *, activations: LSTMActivations = TEXTBOOK
) -> LSTMGates:
    """The gates that `lstm_step` would use at this state and input.

        i = σ(W_i [h, x] + b_i)        f = σ(W_f [h, x] + b_f)
        g = tanh(W_g [h, x] + b_g)     o = σ(W_o [h, x] + b_o)

    Args:
        params: kernels, bias and options, columns ordered i, f, g, o.
        state: h and c, each (..., H); c is read by peepholes alone.
        x: input, (..., D).
        activations: in place of σ and tanh.

    Returns:
        Four arrays of shape (..., H), in the promoted dtype of parameters, state and input.

    Raises:
        ValueError: where the features of `x` or `h` do not fit the kernels.
    """
    z = lstm_pre_activation(params, state.h, x)
    return lstm_cell_path(params, z, state.c, activations)[0]


def lstm_step(
    params: LSTMParams, state: LSTMState, x: Array, *, activations: LSTMActivations = TEXTBOOK
) -> LSTMState:
    """One step of the LSTM with a forget gate (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t        h_t = o_t ⊙ tanh(c_t)

    The cell path is additive: ∂c_t/∂c_{t-1} along it is diag(f_t), with no matrix and no squashing.

    Args:
        params: `input_kernel` (D, 4H), `recurrent_kernel` (H, 4H), `bias` (4H,), and what
            options `LSTMParams` has.
        state: h and c, each (..., H); h is (..., P) with a projection.
        x: input, (..., D).
        activations: in place of σ and tanh.

    Returns:
        The new state, in the shapes and dtypes of the old one.

    Raises:
        ValueError: where the features of `x` or `h` do not fit the kernels.
    """
    z = lstm_pre_activation(params, state.h, x)
    return lstm_pointwise(params, z, state, activations=activations)


def rnn_pointwise(
    params: RNNParams, z: Array, state: RNNState, *, activation: Activation = jnp.tanh
) -> RNNState:
    """The elementwise half of the vanilla RNN: h_t = tanh(z)."""
    del params
    return RNNState(activation(z).astype(state.h.dtype))


def rnn_step(
    params: RNNParams, state: RNNState, x: Array, *, activation: Activation = jnp.tanh
) -> RNNState:
    """One step of the vanilla RNN (Elman 1990): h_t = tanh(x_t W_x + h_{t-1} W_h + b).

    Args:
        params: `input_kernel` (D, H), `recurrent_kernel` (H, H), `bias` (H,).
        state: h, (..., H).
        x: input, (..., D).
        activation: in place of tanh.

    Returns:
        The new state, in the shape and dtype of the old one.

    Raises:
        ValueError: where the features of `x` or `h` do not fit the kernels.
    """
    z = affine(params, state.h, x)
    return rnn_pointwise(params, z, state, activation=activation)


def gru_step(
    params: GRUParams,
    state: GRUState,
    x: Array,
    *,
    reset_after: bool = True,
    gate_activation: Activation = jax.nn.sigmoid,
    activation: Activation = jnp.tanh,
) -> GRUState:
    """One step of the GRU (Cho et al. 2014), by default with the reset gate after the product.

        r = σ(x W_r + h U_r + b_r)     z = σ(x W_z + h U_z + b_z)
        n = tanh(x W_n + b_n + r ⊙ (h U_n + b'_n))         reset_after
        n = tanh(x W_n + b_n + (r ⊙ h) U_n)                not reset_after
        h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}

    The first is the variant of cuDNN, PyTorch, Flax and Keras, and ONNX's linear_before_reset;
    the second that of the paper.

    Args:
        params: kernels (D, 3H) and (H, 3H), `bias` (3H,), `recurrent_bias` (H,), which is b'_n.
        state: h, (..., H).
        x: input, (..., D).
        reset_after: which of the two.
        gate_activation, activation: in place of σ and tanh.

    Returns:
        The new state, in the shape and dtype of the old one.

    Raises:
        ValueError: where the features of `x` or `h` do not fit the kernels.
    """
    check_features(params, state.h, x)
    if not reset_after and params.recurrent_bias is not None:
        raise ValueError("recurrent_bias needs reset_after=True: it is inside the reset product")
    hidden = state.h.shape[-1]
    kernel = params.recurrent_kernel
    x_r, x_z, x_n = jnp.split(add_bias(x @ params.input_kernel, params.bias), 3, axis=-1)
    if reset_after:
        h_r, h_z, h_n = jnp.split(state.h @ kernel, 3, axis=-1)
    else:
        h_r, h_z = jnp.split(state.h @ kernel[:, : 2 * hidden], 2, axis=-1)
    r, z = gate_activation(x_r + h_r), gate_activation(x_z + h_z)
    if reset_after:
        h_n = r * add_bias(h_n, params.recurrent_bias)
    else:
        h_n = (r * state.h) @ kernel[:, 2 * hidden :]
    h = (1 - z) * activation(x_n + h_n) + z * state.h
    return GRUState(h.astype(state.h.dtype))


def gru_affine(params: GRUParams) -> tuple[Array, Array, Array]:
    """Kernels (D, 4H), (H, 4H) and bias (4H,) of the pre-activations r, z, x's n and h's n.

    The last two are apart, for the reset gate multiplies one of them: a block of zeros each.
    """
    hidden = params.recurrent_kernel.shape[0]
    inputs, recurrent = params.input_kernel, params.recurrent_kernel
    gates, candidate = recurrent[:, : 2 * hidden], recurrent[:, 2 * hidden :]
    none = jnp.zeros_like(candidate)
    zeros = jnp.zeros(hidden, inputs.dtype)
    bias = jnp.zeros(3 * hidden, inputs.dtype) if params.bias is None else params.bias
    candidate_bias = zeros if params.recurrent_bias is None else params.recurrent_bias
    return (
        jnp.concatenate([inputs, jnp.zeros_like(inputs[:, :hidden])], axis=1),
        jnp.concatenate([gates, none, candidate], axis=1),
        jnp.concatenate([bias, candidate_bias]),
    )


def gru_pointwise(
    params: GRUParams,
    z: Array,
    state: GRUState,
    *,
    gate_activation: Activation = jax.nn.sigmoid,
    activation: Activation = jnp.tanh,
) -> GRUState:
    """What follows the pre-activations of `gru_affine`, z (..., 4H): the GRU with reset after."""
    del params
    r, update, from_x, from_h = jnp.split(z, 4, axis=-1)
    r, update = gate_activation(r), gate_activation(update)
    h = (1 - update) * activation(from_x + r * from_h) + update * state.h
    return GRUState(h.astype(state.h.dtype))


def mgu_step(params: MGUParams, state: GRUState, x: Array) -> GRUState:
    """One step of the minimal gated unit (Zhou et al. 2016): a GRU whose two gates are one.

        f = σ(x W_f + h U_f + b_f)     n = tanh(x W_n + b_n + (f ⊙ h) U_n)
        h_t = (1 - f) ⊙ h_{t-1} + f ⊙ n

    Args:
        params: kernels (D, 2H) and (H, 2H), `bias` (2H,).
        state: h, (..., H).
        x: input, (..., D).

    Returns:
        The new state, in the shape and dtype of the old one.

    Raises:
        ValueError: where the features of `x` or `h` do not fit the kernels.
    """
    check_features(params, state.h, x)
    forget_kernel, candidate_kernel = jnp.split(params.recurrent_kernel, 2, axis=-1)
    x_f, x_n = jnp.split(add_bias(x @ params.input_kernel, params.bias), 2, axis=-1)
    f = jax.nn.sigmoid(x_f + state.h @ forget_kernel)
    n = jnp.tanh(x_n + (f * state.h) @ candidate_kernel)
    return GRUState(((1 - f) * state.h + f * n).astype(state.h.dtype))


def check_features(
    params: LSTMParams | RNNParams | GRUParams | MGUParams, h: Array, x: Array
) -> None:
    """Raise a ValueError that names the array whose last axis does not fit the kernels."""
    for name, array, kernel_name in (("x", x, "input_kernel"), ("h", h, "recurrent_kernel")):
        kernel = getattr(params, kernel_name)
        if not array.ndim or array.shape[-1] != kernel.shape[0]:
            raise ValueError(
                f"{name} has shape {array.shape}; its last axis must be {kernel.shape[0]}, "
                f"the rows of {kernel_name} {kernel.shape}"
            )
