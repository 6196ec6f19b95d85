"""Cells as pure functions, `new_state = step(params, state, x)`: the LSTM and the vanilla RNN.

Every step takes `x` of shape (..., D) and a state whose leaves are (..., H), with any number of
batch axes, including none. The gate order is always (i, f, g, o) and the state order (h, c).

`Cell` is the record that the rest of the package reads: the step, how to make its parameters and
its zero state, and the properties that some options depend on. The LSTM and the RNN are an affine
pre-activation z = x W_x + h W_h + b followed by an elementwise `pointwise(rest, z, state)`; a cell
declares this form in its `Affine`, and the fast path works on it.

The parameters of an LSTM decide which options it has beyond the textbook. An array that is None
turns its option off, and leaves no trace in the compiled program. Functions other than tanh and σ
are arguments of a step: `functools.partial(rnn_step, activation=jax.nn.relu)` is also a step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jax.typing import DTypeLike

from lstm_jax.named import itself, reduced
from lstm_jax.promotion import add, common, float32_at_least, matmul, multiply
from lstm_jax.trees import Tree

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
R = TypeVar("R")

Step: TypeAlias = Callable[[P, S, X], S]
"""A pure function `(params, state, x) -> new_state`."""
Activation: TypeAlias = Callable[[Array], Array]
Kernels: TypeAlias = tuple[Array, Array, Array | None]
"""`(input_kernel (D, G), recurrent_kernel (H, G), bias (G,) or None)`."""

LSTM_GATE_ORDER = ("i", "f", "g", "o")


class LSTMState(NamedTuple):
    """Store the hidden state h and the cell state c, each (..., H)."""

    h: Array
    c: Array


class LSTMGates(NamedTuple):
    """Store the activations of the gates: input i, forget f, candidate g and output o.

    Each is (..., H).
    """

    i: Array
    f: Array
    g: Array
    o: Array


class RNNState(NamedTuple):
    """Store the hidden state h, (..., H)."""

    h: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LSTMNorm:
    """Store the scales and shifts of layer normalization (Ba et al. 2016, equations 20 to 22).

    Attributes:
        input_scale, recurrent_scale: (4H,), scales of x W_x and of h W_h; the bias shifts them.
        cell_scale, cell_shift: (H,), scale and shift of the c from which h is computed.
    """

    input_scale: Array
    recurrent_scale: Array
    cell_scale: Array
    cell_shift: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LSTMParams:
    """Store the parameters of an LSTM, with columns ordered i, f, g, o.

    Attributes:
        input_kernel: (D, 4H).
        recurrent_kernel: (H, 4H).
        bias: (4H,), or None.
        peephole: (3, H), rows i, f, o, by which the gates read c (Gers & Schmidhuber 2000); or
            None.
        projection: (H, P), so that h = (o ⊙ tanh(c)) W_p (Sak et al. 2014); `recurrent_kernel` is
            then (P, 4H) and h is (..., P). Or None.
        norm: scales and shifts of layer normalization, or None.

    If the kernels have the columns f, g, o alone, (·, 3H), and the peephole the rows f, o, the
    input gate is coupled to the forget gate: i = 1 - f (Greff et al. 2017).
    """

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None
    peephole: Array | None = None
    projection: Array | None = None
    norm: LSTMNorm | None = None

    @property
    def hidden_features(self) -> int:
        """Return H, the width of c."""
        kernel = self.recurrent_kernel if self.projection is None else self.projection
        return kernel.shape[0]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RNNParams:
    """Store the parameters of a vanilla RNN.

    Attributes:
        input_kernel: (D, H).
        recurrent_kernel: (H, H).
        bias: (H,), or None.
    """

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None


class LSTMActivations(NamedTuple):
    """Store the activation functions of an LSTM.

    Attributes:
        gate: function of the input, forget and output gates.
        candidate: function of g.
        cell: function of c in h = o ⊙ tanh(c).
    """

    gate: Activation = jax.nn.sigmoid
    candidate: Activation = jnp.tanh
    cell: Activation = jnp.tanh

    __deepcopy__ = itself

    def __reduce__(self):
        return reduced(type(self), *self)


TEXTBOOK = LSTMActivations()


def affine(params: LSTMParams | RNNParams, h: Array, x: Array) -> Array:
    """Compute the pre-activation z = x W_x + h W_h + b, in the promoted dtype of its operands.

    Raises:
        ValueError: if the features of `x` or `h` do not fit the kernels.
    """
    check_features(params, h, x)
    return add_bias(x @ params.input_kernel + h @ params.recurrent_kernel, params.bias)


def add_bias(z: Array, bias: Array | None) -> Array:
    """Return z + b, or z if the bias is None."""
    return z if bias is None else add(z, bias)


def layer_norm(x: Array, scale: Array, shift: Array | None = None) -> Array:
    """Normalize the last axis (Ba et al. 2016).

    scale ⊙ (x - mean) / √(variance + 1e-5) + shift
    """
    wide = x.astype(float32_at_least(x.dtype))
    mean = wide.mean(-1, keepdims=True)
    variance = ((wide - mean) ** 2).mean(-1, keepdims=True)
    normal = ((wide - mean) * jax.lax.rsqrt(variance + 1e-5)).astype(x.dtype)
    return add_bias(multiply(normal, scale), shift)


def lstm_pre_activation(params: LSTMParams, h: Array, x: Array) -> Array:
    """Compute z (..., 4H) as `affine` does, with both products normalized if there is a `norm`."""
    if params.norm is None:
        return affine(params, h, x)
    check_features(params, h, x)
    from_x = layer_norm(x @ params.input_kernel, params.norm.input_scale)
    from_h = layer_norm(h @ params.recurrent_kernel, params.norm.recurrent_scale)
    return add_bias(from_x + from_h, params.bias)


def lstm_cell_path(
    params: LSTMParams, z: Array, c: Array, activations: LSTMActivations = TEXTBOOK
) -> tuple[LSTMGates, Array]:
    """Compute the gates from z (..., 4H) and the old c, and the new c = f ⊙ c + i ⊙ g."""
    check_floating("c", c)
    *input_gate, f, g, o = jnp.split(z, z.shape[-1] // c.shape[-1], axis=-1)
    if params.peephole is not None:
        *input_peephole, f_peephole, _ = params.peephole
        peepholes = zip(input_gate, input_peephole, strict=True)
        input_gate = [add(i, multiply(p, c)) for i, p in peepholes]
        f = add(f, multiply(f_peephole, c))
    f, g = activations.gate(f), activations.candidate(g)
    i = activations.gate(input_gate[0]) if input_gate else 1 - f
    # f * c + i * g; c may have a wider dtype than the gates.
    new_c = add(multiply(f, c), multiply(i, g))
    if params.peephole is not None:
        o = add(o, multiply(params.peephole[-1], new_c))
    return LSTMGates(i, f, g, activations.gate(o)), new_c


def lstm_pointwise(
    params: LSTMParams, z: Array, state: LSTMState, *, activations: LSTMActivations = TEXTBOOK
) -> LSTMState:
    """Compute c_t = f ⊙ c_{t-1} + i ⊙ g and h_t = o ⊙ tanh(c_t) from z; h_t W_p if projected."""
    gates, c = lstm_cell_path(params, z, state.c, activations)
    seen = c
    if params.norm is not None:
        seen = layer_norm(c, params.norm.cell_scale, params.norm.cell_shift)
    h = multiply(gates.o, activations.cell(seen))
    if params.projection is not None:
        h = matmul(h, params.projection)
    return LSTMState(h.astype(state.h.dtype), c.astype(state.c.dtype))


def lstm_gates(
    params: LSTMParams, state: LSTMState, x: Array, *, activations: LSTMActivations = TEXTBOOK
) -> LSTMGates:
    """Compute the gates that `lstm_step` uses at this state and input.

        i = σ(W_i [h, x] + b_i)        f = σ(W_f [h, x] + b_f)
        g = tanh(W_g [h, x] + b_g)     o = σ(W_o [h, x] + b_o)

    Args:
        params: kernels, bias and options, with columns ordered i, f, g, o.
        state: h and c, each (..., H); only peepholes read c.
        x: input, (..., D).
        activations: functions used instead of σ and tanh.

    Returns:
        Four arrays of shape (..., H), in the promoted dtype of parameters, state and input.

    Raises:
        ValueError: if the features of `x` or `h` do not fit the kernels.
    """
    z = lstm_pre_activation(params, state.h, x)
    return lstm_cell_path(params, z, state.c, activations)[0]


def lstm_step(
    params: LSTMParams, state: LSTMState, x: Array, *, activations: LSTMActivations = TEXTBOOK
) -> LSTMState:
    """Take one step of the LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000).

        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t        h_t = o_t ⊙ tanh(c_t)

    The cell path is additive: ∂c_t/∂c_{t-1} along it is diag(f_t), without a matrix or a squashing
    function.

    Args:
        params: `input_kernel` (D, 4H), `recurrent_kernel` (H, 4H), `bias` (4H,), and the options
            of `LSTMParams`.
        state: h and c, each (..., H); h is (..., P) with a projection.
        x: input, (..., D).
        activations: functions used instead of σ and tanh.

    Returns:
        The new state, with the shapes and dtypes of the old one.

    Raises:
        ValueError: if the features of `x` or `h` do not fit the kernels.
    """
    z = lstm_pre_activation(params, state.h, x)
    return lstm_pointwise(params, z, state, activations=activations)


def rnn_pointwise(
    params: RNNParams, z: Array, state: RNNState, *, activation: Activation = jnp.tanh
) -> RNNState:
    """Compute h_t = tanh(z), the elementwise half of the vanilla RNN."""
    del params
    return RNNState(activation(z).astype(state.h.dtype))


def rnn_step(
    params: RNNParams, state: RNNState, x: Array, *, activation: Activation = jnp.tanh
) -> RNNState:
    """Take one step of the vanilla RNN (Elman 1990): h_t = tanh(x_t W_x + h_{t-1} W_h + b).

    Args:
        params: `input_kernel` (D, H), `recurrent_kernel` (H, H), `bias` (H,).
        state: h, (..., H).
        x: input, (..., D).
        activation: function used instead of tanh.

    Returns:
        The new state, with the shape and dtype of the old one.

    Raises:
        ValueError: if the features of `x` or `h` do not fit the kernels.
    """
    z = affine(params, state.h, x)
    return rnn_pointwise(params, z, state, activation=activation)


class Dense(Protocol):
    """Describe parameters that have an input kernel and a recurrent kernel."""

    @property
    def input_kernel(self) -> Array: ...

    @property
    def recurrent_kernel(self) -> Array: ...


def check_features(params: Dense, h: Array, x: Array) -> None:
    """Check that `x` and `h` fit the kernels.

    Raises:
        TypeError: if h has an integer dtype, to which each step would round its result.
        ValueError: if the last axis of an array does not fit; the message names the array.
    """
    check_rows(x, params.input_kernel, "x", "input_kernel")
    check_rows(h, params.recurrent_kernel, "h", "recurrent_kernel")
    check_floating("h", h)


def check_floating(name: str, array: Array) -> None:
    """Raise a TypeError if an array of a state does not have a floating-point dtype."""
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        raise TypeError(
            f"{name} of the state must be floating point, got {array.dtype}, to which a step would "
            f"round its result; pass {name}.astype(jnp.float32)"
        )


def check_rows(array: Array, kernel: Array, name: str, kernel_name: str) -> None:
    """Raise a ValueError if the length of the last axis of `array` is not `kernel.shape[0]`."""
    if not array.ndim or array.shape[-1] != kernel.shape[0]:
        raise ValueError(
            f"{name} has shape {array.shape}; its last axis must be {kernel.shape[0]}, "
            f"the rows of {kernel_name} {kernel.shape}"
        )


# --- the record ----------------------------------------------------------------------------------


def zeros(xs: Array, kernel: Array, features: int, dtype: DTypeLike | None = None) -> Array:
    """Build one leaf of a zero state, (..., features), for inputs (T, ..., D).

    Args:
        xs: the inputs; the leaf has their batch axes and, on an explicit mesh, their sharding.
        kernel: a matrix of the cell, whose columns are sharded as the features will be.
        features: H.
        dtype: dtype of the leaf; the promoted dtype of `xs` and `kernel` if None.

    Returns:
        Zeros (..., features).

    Raises:
        ValueError: if xs has fewer than two axes.
    """
    if jnp.ndim(xs) < 2:
        raise ValueError(f"xs must be (T, ..., D), got shape {jnp.shape(xs)}")
    dtype = common(xs, kernel) if dtype is None else dtype
    shape = (*jnp.shape(xs)[1:-1], features)
    # Inside shard_map, a state varies over the same axes of the mesh as xs.
    return jnp.zeros_like(xs, dtype, shape, device=_sharding(xs, kernel))


def _sharding(xs: Array, kernel: Array) -> NamedSharding | None:
    """Return the sharding of a state, if the mesh is explicit."""
    sharding = jax.typeof(xs).sharding
    if AxisType.Explicit not in sharding.mesh.axis_types:
        return None
    columns = jax.typeof(kernel).sharding.spec[-1:]
    return NamedSharding(sharding.mesh, PartitionSpec(*sharding.spec[1:-1], *columns))


class Wide(Dense, Protocol):
    """Describe parameters that know the width of c."""

    @property
    def hidden_features(self) -> int: ...


def zero_hc(params: Wide, xs: Array) -> LSTMState:
    """Return the zero state for inputs (T, ..., D): h (..., H or P) and c (..., H).

    Both have the promoted dtype of inputs and kernels, but c is at least float32, because bfloat16
    loses the small terms of a long sum.

    Args:
        params: parameters with `input_kernel`, `recurrent_kernel` and `hidden_features`.
        xs: the inputs.

    Returns:
        The state.

    Raises:
        ValueError: if xs has fewer than two axes.
    """
    kernel = params.recurrent_kernel
    dtype = common(xs, params.input_kernel)
    h = zeros(xs, kernel, kernel.shape[-2], dtype)
    wide = float32_at_least(dtype)
    return LSTMState(h, zeros(xs, kernel, params.hidden_features, wide))


def zero_h(params: Dense, xs: Array) -> RNNState:
    """Return the zero state of a cell without c, (..., H), for inputs (T, ..., D).

    Args:
        params: parameters with `input_kernel` and `recurrent_kernel`.
        xs: the inputs.

    Returns:
        The state, in the promoted dtype.

    Raises:
        ValueError: if xs has fewer than two axes.
    """
    dtype = common(xs, params.input_kernel)
    return RNNState(zeros(xs, params.recurrent_kernel, params.recurrent_kernel.shape[0], dtype))


def split_named(params: Any) -> tuple[Kernels, Any]:
    """Split a dataclass into its `input_kernel`, `recurrent_kernel` and `bias`, and the rest."""
    kernels = params.input_kernel, params.recurrent_kernel, params.bias
    return kernels, replace(params, input_kernel=None, recurrent_kernel=None, bias=None)


class Affine(NamedTuple, Generic[P, S, R]):
    """Describe the affine form of a cell: z = x W_x + h W_h + b, then an elementwise function.

    Attributes:
        pointwise: `(rest, z, state) -> new_state`, row by row, with z (..., G).
        split: `params -> (kernels, rest)`; `pointwise` reads the rest.
        padded: whether `split` pads the kernels with zeros, which makes products larger; with many
            rows, the plain loop is then faster.
        without: names of the parameters that do not fit this form, and must be None.
    """

    pointwise: Callable[[R, Array, S], S]
    split: Callable[[P], tuple[Kernels, R]] = split_named
    padded: bool = False
    without: tuple[str, ...] = ()

    __deepcopy__ = itself

    def __reduce__(self):
        return reduced(type(self), *self)


class Cell(NamedTuple, Generic[P, S, X]):
    """Describe a recurrence to the rest of the package.

    To wrap the step, make another cell: `cell._replace(step=wrapped, affine=None)`.

    Attributes:
        step: `(params, state, x) -> new_state`, a pure function; the state is a NamedTuple whose
            field `h` is the output.
        init: `(key, in_features, hidden_features, **options) -> params`, used by layers; its
            options include `dtype`.
        zero: `(params, xs) -> state`, the state before inputs xs (T, ..., D), with leaves (..., H);
            the default makes h and c.
        affine: the affine form of the cell, if it has one, for the fast path.
        gates: `(params, state, x) -> gates`, used by traces and diagnostics.
        masks_h: whether the step uses h in matrix products alone, so that `state_dropout` can mask
            it there without erasing memory.
        space: number of axes between the batch axes and the features of an input: 0 for vectors,
            2 for images.
        textbook: which textbook cell this is exactly, for kernels of other libraries that
            implement nothing else.
    """

    step: Step[P, S, X]
    init: Callable[..., P] | None = None
    zero: Callable[[P, Array], S] = zero_hc  # type: ignore[assignment]
    affine: Affine[P, S, Any] | None = None
    gates: Callable[[P, S, X], Tree] | None = None
    masks_h: bool = False
    space: int = 0
    textbook: Literal["lstm", "gru", "rnn"] | None = None

    __deepcopy__ = itself

    def __reduce__(self):
        return reduced(type(self), *self)

    @property
    def name(self) -> str:
        """Return the name of the step, for messages."""
        return getattr(getattr(self.step, "func", self.step), "__name__", "this step")
