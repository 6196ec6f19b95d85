"""Initial parameters: per-gate orthogonal recurrence, forget bias, chrono biases."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias, TypedDict

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lstm_jax.cells import LSTMNorm, LSTMParams, RNNParams
from lstm_jax.gated import GRUParams, MGUParams
from lstm_jax.promotion import float32_at_least

Preset: TypeAlias = Literal["torch", "keras", "flax"]
PRESETS = ("torch", "keras", "flax")


class InitOptions(TypedDict, total=False):
    """What `init_rnn` and `init_mgu` take besides sizes and dtype."""

    bias: bool
    preset: Preset | None


class GRUInitOptions(InitOptions, total=False):
    """What `init_gru` takes besides sizes and dtype."""

    recurrent_bias: bool


class LSTMInitOptions(InitOptions, total=False):
    """What `init_lstm` takes besides sizes and dtype."""

    forget_bias: float
    max_timescale: float | None
    peepholes: bool
    coupled: bool
    projection_features: int | None
    layer_norm: bool


class ConvLSTMInitOptions(TypedDict, total=False):
    """What `lstm_jax.conv.init_conv_lstm` takes besides sizes, window and dtype."""

    forget_bias: float
    bias: bool
    peepholes: bool


def orthogonal_gates(
    key: Array,
    hidden_features: int,
    num_gates: int,
    *,
    rows: int | None = None,
    scale: float = 1.0,
    dtype: DTypeLike | None = None,
) -> Array:
    """(rows, num_gates · H): one random orthogonal block per gate (Saxe et al. 2014); H rows.

    Per gate and not on the whole matrix: an orthogonal (H, 4H) has blocks whose singular values
    lie well below 1, which makes a fresh network forget before it has learned anything.
    """
    one = jax.nn.initializers.orthogonal(scale)
    shape = (rows or hidden_features, hidden_features)
    dtype = jnp.dtype(dtype or jnp.float32)
    wide = float32_at_least(dtype)  # QR knows no bfloat16
    blocks = [one(k, shape, wide) for k in jax.random.split(key, num_gates)]
    return jnp.concatenate(blocks, axis=1).astype(dtype)


def init_lstm(
    key: Array,
    in_features: int,
    hidden_features: int,
    *,
    forget_bias: float = 1.0,
    max_timescale: float | None = None,
    bias: bool = True,
    peepholes: bool = False,
    coupled: bool = False,
    projection_features: int | None = None,
    layer_norm: bool = False,
    preset: Preset | None = None,
    dtype: DTypeLike | None = None,
) -> LSTMParams:
    """Make LSTM parameters: LeCun-normal input kernel, per-gate orthogonal recurrent kernel.

    Args:
        key: a key of `jax.random`.
        in_features, hidden_features: D and H.
        forget_bias: the forget gate's bias; the others are 0 (Jozefowicz et al. 2015 argue for 1).
        max_timescale: if given, the biases are those of `chrono`, in place of `forget_bias`.
        bias: whether there is one.
        peepholes: the gates see c, at first with weights 0.
        coupled: i = 1 - f, in place of an input gate of its own.
        projection_features: P, the width of h, if it is projected.
        layer_norm: normalise both products and the c that h reads.
        preset: kernels and biases as a peer draws them; see `preset_kernels`.
        dtype: of the parameters; float32 if None.

    Returns:
        The parameters.

    Raises:
        ValueError: for features below 1, a timescale that is not above 2 steps, or options that
            do not go together.
    """
    gates = 3 if coupled else 4
    reads = hidden_features if projection_features is None else projection_features
    kernel_key, projection_key, timescale_key = (
        key, jax.random.fold_in(key, 1), jax.random.fold_in(key, 2)
    )  # fmt: skip
    kernels = _kernels(kernel_key, in_features, hidden_features, gates, dtype, preset, reads)
    dtype = kernels[0].dtype
    norm = projection = None
    if layer_norm:
        ones = jnp.ones(gates * hidden_features, dtype)
        cell = jnp.ones(hidden_features, dtype)
        norm = LSTMNorm(ones, ones, cell, jnp.zeros_like(cell))
    if projection_features is not None:
        shape = (hidden_features, projection_features)
        projection = jax.nn.initializers.lecun_normal()(projection_key, shape, dtype)
    params = LSTMParams(
        *kernels,
        None if not bias else _gate_bias(kernel_key, gates, hidden_features, forget_bias, preset,
                                         dtype),
        jnp.zeros((gates - 1, hidden_features), dtype) if peepholes else None,
        projection,
        norm,
    )  # fmt: skip
    return params if max_timescale is None else chrono(timescale_key, params, max_timescale)


def init_rnn(
    key: Array,
    in_features: int,
    hidden_features: int,
    *,
    bias: bool = True,
    preset: Preset | None = None,
    dtype: DTypeLike | None = None,
) -> RNNParams:
    """Make vanilla RNN parameters: LeCun-normal input kernel, orthogonal recurrent one, zero bias.

    Args:
        key: a key of `jax.random`.
        in_features, hidden_features: D and H.
        bias: whether there is one.
        preset: kernels and biases as a peer draws them; see `preset_kernels`.
        dtype: of the parameters; float32 if None.

    Returns:
        The parameters.

    Raises:
        ValueError: for features below 1, or an unknown preset.
    """
    return RNNParams(*_simple(key, in_features, hidden_features, 1, bias, preset, dtype))


def init_gru(
    key: Array,
    in_features: int,
    hidden_features: int,
    *,
    bias: bool = True,
    recurrent_bias: bool = True,
    preset: Preset | None = None,
    dtype: DTypeLike | None = None,
) -> GRUParams:
    """Make GRU parameters: LeCun-normal input kernel, orthogonal gates, zero biases.

    Args:
        key: a key of `jax.random`.
        in_features, hidden_features: D and H.
        bias: whether there are any.
        recurrent_bias: whether the candidate has one inside the reset product.
        preset: kernels and biases as a peer draws them; see `preset_kernels`.
        dtype: of the parameters; float32 if None.

    Returns:
        The parameters.

    Raises:
        ValueError: for features below 1, or an unknown preset.
    """
    made = _simple(key, in_features, hidden_features, 3, bias, preset, dtype)
    if not (bias and recurrent_bias):
        return GRUParams(*made)
    inside = preset_bias(preset, jax.random.fold_in(key, 4), hidden_features, hidden_features,
                         made[0].dtype)  # fmt: skip
    return GRUParams(*made, inside)


def init_mgu(
    key: Array,
    in_features: int,
    hidden_features: int,
    *,
    bias: bool = True,
    preset: Preset | None = None,
    dtype: DTypeLike | None = None,
) -> MGUParams:
    """Make parameters of the minimal gated unit, as those of the GRU.

    Args:
        key: a key of `jax.random`.
        in_features, hidden_features: D and H.
        bias: whether there is one.
        preset: kernels and biases as a peer draws them; see `preset_kernels`.
        dtype: of the parameters; float32 if None.

    Returns:
        The parameters.

    Raises:
        ValueError: for features below 1, or an unknown preset.
    """
    return MGUParams(*_simple(key, in_features, hidden_features, 2, bias, preset, dtype))


def chrono(key: Array, params: LSTMParams, max_timescale: float) -> LSTMParams:
    """Draw biases for dependencies up to `max_timescale` steps (Tallec & Ollivier 2018).

        b_f ~ ln U(1, max_timescale - 1)        b_i = -b_f

    A forget gate σ(b_f) then has a characteristic time 1/(1 - f) = 1 + e^{b_f}, in steps.

    Args:
        key: a key of `jax.random`.
        params: an LSTM's, with a bias.
        max_timescale: in steps.

    Returns:
        The parameters with these biases.

    Raises:
        ValueError: for a timescale that is not above 2 steps, or parameters without a bias.
    """
    if not max_timescale > 2:
        raise ValueError(f"max_timescale must be above 2 steps, got {max_timescale}")
    if params.bias is None:
        raise ValueError("max_timescale and bias=False do not go together: chrono is a bias")
    width = params.hidden_features
    times = jax.random.uniform(
        key, (width,), params.bias.dtype, minval=1.0, maxval=max_timescale - 1.0
    )
    forget = jnp.log(times)
    coupled = len(params.bias) == 3 * width
    rest = jnp.zeros(2 * width, params.bias.dtype)
    return replace(params, bias=jnp.concatenate([*([] if coupled else [-forget]), forget, rest]))


def preset_bias(
    preset: Preset | None, key: Array, size: int, hidden_features: int, dtype: DTypeLike
) -> Array:
    """Zeros, or PyTorch's U(-1/√H, 1/√H), twice, for its two biases that are added."""
    if preset != "torch":
        return jnp.zeros(size, dtype)
    bound = hidden_features**-0.5
    return jax.random.uniform(key, (2, size), dtype, -bound, bound).sum(0)


def preset_kernels(
    preset: Preset | None,
    key: Array,
    in_features: int,
    hidden_features: int,
    gates: int,
    reads: int,
    dtype: DTypeLike,
) -> tuple[Array, Array]:
    """Input kernel (D, gates · H) and recurrent kernel (reads, gates · H) as a peer draws them.

    None, "flax"    LeCun normal; orthogonal, gate by gate
    "keras"         Glorot uniform; orthogonal, of the whole matrix
    "torch"         U(-1/√H, 1/√H) both
    """
    input_key, recurrent_key = jax.random.split(key)
    shapes = (in_features, gates * hidden_features), (reads, gates * hidden_features)
    if preset == "torch":
        bound = hidden_features**-0.5
        keys = input_key, recurrent_key
        drawn = [jax.random.uniform(k, s, dtype, -bound, bound)
                 for k, s in zip(keys, shapes, strict=True)]  # fmt: skip
        return drawn[0], drawn[1]
    wide = float32_at_least(dtype)  # QR knows no bfloat16
    if preset == "keras":
        glorot, whole = jax.nn.initializers.glorot_uniform(), jax.nn.initializers.orthogonal()
        recurrent = whole(recurrent_key, shapes[1], wide).astype(dtype)
        return glorot(input_key, shapes[0], dtype), recurrent
    lecun = jax.nn.initializers.lecun_normal()
    recurrent = orthogonal_gates(recurrent_key, hidden_features, gates, rows=reads, dtype=dtype)
    return lecun(input_key, shapes[0], dtype), recurrent


def _gate_bias(key, gates, hidden_features, forget_bias, preset, dtype):
    size = gates * hidden_features
    if preset == "torch":
        return preset_bias(preset, jax.random.fold_in(key, 3), size, hidden_features, dtype)
    first = (gates - 3) * hidden_features  # f comes after i, where there is one
    forget = {"flax": 0.0, "keras": 1.0}.get(preset, forget_bias)
    return jnp.zeros(size, dtype).at[first : first + hidden_features].set(forget)


def _simple(key, in_features, hidden_features, gates, bias, preset, dtype):
    kernels = _kernels(key, in_features, hidden_features, gates, dtype, preset, hidden_features)
    if not bias:
        return *kernels, None
    size, dtype = gates * hidden_features, kernels[0].dtype
    key = jax.random.fold_in(key, 3)
    return *kernels, preset_bias(preset, key, size, hidden_features, dtype)


def _kernels(key, in_features, hidden_features, gates, dtype, preset, reads):
    sizes = {"in_features": in_features, "hidden_features": hidden_features}
    for name, features in (sizes | {"projection_features": reads}).items():
        if features < 1:
            raise ValueError(f"{name} must be at least 1, got {features}")
    if preset not in (None, *PRESETS):
        raise ValueError(f"preset must be None or one of {', '.join(PRESETS)}, got {preset!r}")
    dtype = dtype or jnp.float32
    return preset_kernels(preset, key, in_features, hidden_features, gates, reads, dtype)
