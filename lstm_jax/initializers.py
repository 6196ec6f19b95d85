"""Initial parameters: orthogonal recurrence for each gate, forget bias, chrono biases."""

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
    """Describe the options of `init_rnn` and `init_mgu`, besides sizes and dtype."""

    bias: bool
    preset: Preset | None


class GRUInitOptions(InitOptions, total=False):
    """Describe the options of `init_gru`, besides sizes and dtype."""

    recurrent_bias: bool


class LSTMInitOptions(InitOptions, total=False):
    """Describe the options of `init_lstm`, besides sizes and dtype."""

    forget_bias: float
    max_timescale: float | None
    peepholes: bool
    coupled: bool
    projection_features: int | None
    layer_norm: bool


class ConvLSTMInitOptions(TypedDict, total=False):
    """Describe the options of `lstm_jax.conv.init_conv_lstm`, besides sizes, window and dtype."""

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
    """Draw a random orthogonal block for each gate: (rows, num_gates · H) (Saxe et al. 2014).

    There are H rows by default. Each block is orthogonal, rather than the whole matrix, because
    the blocks of an orthogonal (H, 4H) have singular values well below 1, so that an untrained
    network would forget before it has learned anything.
    """
    draw = jax.nn.initializers.orthogonal(scale)
    shape = (rows or hidden_features, hidden_features)
    dtype = jnp.dtype(dtype or jnp.float32)
    wide = float32_at_least(dtype)  # QR does not support bfloat16
    blocks = [draw(k, shape, wide) for k in jax.random.split(key, num_gates)]
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
    """Initialize an LSTM: LeCun-normal input kernel, recurrent kernel orthogonal for each gate.

    Args:
        key: a `jax.random` key.
        in_features, hidden_features: D and H.
        forget_bias: bias of the forget gate; the other biases are 0 (Jozefowicz et al. 2015 argue
            for 1). A preset has its own.
        max_timescale: if set, draw the biases by `chrono` and ignore `forget_bias`.
        bias: whether the gates have biases.
        peepholes: whether the gates also read c, initially with weights 0.
        coupled: whether i = 1 - f replaces the input gate.
        projection_features: P, the width of a projected h; None for no projection.
        layer_norm: whether to normalize both products and the c from which h is computed.
        preset: draw kernels and biases as another framework does; see `preset_kernels`.
        dtype: dtype of the parameters; float32 if None.

    Returns:
        The parameters.

    Raises:
        ValueError: if the features are below 1, the timescale is not above 2 steps, or options
            cannot be combined.
    """
    gates = 3 if coupled else 4
    rows = hidden_features if projection_features is None else projection_features
    kernel_key, projection_key, timescale_key = (
        key, jax.random.fold_in(key, 1), jax.random.fold_in(key, 2)
    )  # fmt: skip
    kernels = _kernels(kernel_key, in_features, hidden_features, gates, dtype, preset, rows)
    dtype = kernels[0].dtype
    norm = projection = None
    if layer_norm:
        ones = jnp.ones(gates * hidden_features, dtype)
        cell = jnp.ones(hidden_features, dtype)
        # Arrays of their own, because a shared one could not be donated.
        norm = LSTMNorm(ones, jnp.ones_like(ones), cell, jnp.zeros_like(cell))
    if projection_features is not None:
        shape = (hidden_features, projection_features)
        if preset == "torch":
            projection = _uniform(projection_key, shape, hidden_features, dtype)
        else:
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
    """Initialize a vanilla RNN: LeCun-normal input kernel, orthogonal recurrence, zero bias.

    Args:
        key: a `jax.random` key.
        in_features, hidden_features: D and H.
        bias: whether there is a bias.
        preset: draw kernels and biases as another framework does; see `preset_kernels`.
        dtype: dtype of the parameters; float32 if None.

    Returns:
        The parameters.

    Raises:
        ValueError: if the features are below 1, or the preset is unknown.
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
    """Initialize a GRU: LeCun-normal input kernel, orthogonal gates, zero biases.

    Args:
        key: a `jax.random` key.
        in_features, hidden_features: D and H.
        bias: whether there are biases.
        recurrent_bias: whether the candidate also has a bias inside the reset product.
        preset: draw kernels and biases as another framework does; see `preset_kernels`.
        dtype: dtype of the parameters; float32 if None.

    Returns:
        The parameters.

    Raises:
        ValueError: if the features are below 1, or the preset is unknown.
    """
    kernel, recurrent_kernel, gates = _simple(
        key, in_features, hidden_features, 3, bias, preset, dtype
    )
    if gates is None or not recurrent_bias:
        return GRUParams(kernel, recurrent_kernel, gates)
    shape, dtype = (hidden_features,), kernel.dtype
    if preset != "torch":
        return GRUParams(kernel, recurrent_kernel, gates, jnp.zeros(shape, dtype))
    # The candidate's two biases are apart, so neither is a sum of two draws.
    keys = (jax.random.fold_in(key, number) for number in (4, 5))
    inside, outside = (_uniform(each, shape, hidden_features, dtype) for each in keys)
    gates = gates.at[-hidden_features:].set(outside)
    return GRUParams(kernel, recurrent_kernel, gates, inside)


def init_mgu(
    key: Array,
    in_features: int,
    hidden_features: int,
    *,
    bias: bool = True,
    preset: Preset | None = None,
    dtype: DTypeLike | None = None,
) -> MGUParams:
    """Initialize a minimal gated unit, as `init_gru` initializes a GRU.

    Args:
        key: a `jax.random` key.
        in_features, hidden_features: D and H.
        bias: whether there is a bias.
        preset: draw kernels and biases as another framework does; see `preset_kernels`.
        dtype: dtype of the parameters; float32 if None.

    Returns:
        The parameters.

    Raises:
        ValueError: if the features are below 1, or the preset is unknown.
    """
    return MGUParams(*_simple(key, in_features, hidden_features, 2, bias, preset, dtype))


def chrono(key: Array, params: LSTMParams, max_timescale: float) -> LSTMParams:
    """Draw biases for dependencies up to `max_timescale` steps (Tallec & Ollivier 2018).

        b_f ~ ln U(1, max_timescale - 1)        b_i = -b_f

    A forget gate σ(b_f) then has a characteristic time 1/(1 - f) = 1 + e^{b_f}, in steps.

    Args:
        key: a `jax.random` key.
        params: parameters of an LSTM, with a bias.
        max_timescale: longest time of dependencies, in steps.

    Returns:
        The parameters with these biases.

    Raises:
        ValueError: if the timescale is not above 2 steps, or the parameters have no bias.
    """
    if not max_timescale > 2:
        raise ValueError(f"max_timescale must be above 2 steps, got {max_timescale}")
    if params.bias is None:
        raise ValueError("max_timescale and bias=False cannot be combined: chrono is a bias")
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
    """Return zeros, or for "torch" the sum of two draws of U(-1/√H, 1/√H), its two biases."""
    if preset != "torch":
        return jnp.zeros(size, dtype)
    return _uniform(key, (2, size), hidden_features, dtype).sum(0)


def preset_kernels(
    preset: Preset | None,
    key: Array,
    in_features: int,
    hidden_features: int,
    gates: int,
    rows: int,
    dtype: DTypeLike,
) -> tuple[Array, Array]:
    """Draw an input kernel (D, gates · H) and a recurrent kernel (rows, gates · H).

    None, "flax"    LeCun normal; orthogonal, gate by gate
    "keras"         Glorot uniform; orthogonal, of the whole matrix
    "torch"         U(-1/√H, 1/√H) for both
    """
    input_key, recurrent_key = jax.random.split(key)
    shapes = (in_features, gates * hidden_features), (rows, gates * hidden_features)
    if preset == "torch":
        keys = input_key, recurrent_key
        drawn = [_uniform(k, s, hidden_features, dtype) for k, s in zip(keys, shapes, strict=True)]
        return drawn[0], drawn[1]
    wide = float32_at_least(dtype)  # QR does not support bfloat16
    if preset == "keras":
        glorot, whole = jax.nn.initializers.glorot_uniform(), jax.nn.initializers.orthogonal()
        recurrent = whole(recurrent_key, shapes[1], wide).astype(dtype)
        return glorot(input_key, shapes[0], dtype), recurrent
    lecun = jax.nn.initializers.lecun_normal()
    recurrent = orthogonal_gates(recurrent_key, hidden_features, gates, rows=rows, dtype=dtype)
    return lecun(input_key, shapes[0], dtype), recurrent


def _uniform(key: Array, shape: tuple[int, ...], hidden_features: int, dtype: DTypeLike) -> Array:
    """Draw U(-1/√H, 1/√H), from which PyTorch draws every parameter."""
    bound = hidden_features**-0.5
    return jax.random.uniform(key, shape, dtype, -bound, bound)


def _gate_bias(key, gates, hidden_features, forget_bias, preset, dtype):
    size = gates * hidden_features
    if preset == "torch":
        return preset_bias(preset, jax.random.fold_in(key, 3), size, hidden_features, dtype)
    first = (gates - 3) * hidden_features  # f comes after i, if there is an i
    forget = {"flax": 0.0, "keras": 1.0}.get(preset, forget_bias)
    return jnp.zeros(size, dtype).at[first : first + hidden_features].set(forget)


def _simple(key, in_features, hidden_features, gates, bias, preset, dtype):
    kernels = _kernels(key, in_features, hidden_features, gates, dtype, preset, hidden_features)
    if not bias:
        return *kernels, None
    size, dtype = gates * hidden_features, kernels[0].dtype
    key = jax.random.fold_in(key, 3)
    return *kernels, preset_bias(preset, key, size, hidden_features, dtype)


def _kernels(key, in_features, hidden_features, gates, dtype, preset, rows):
    sizes = {"in_features": in_features, "hidden_features": hidden_features}
    for name, features in (sizes | {"projection_features": rows}).items():
        if features < 1:
            raise ValueError(f"{name} must be at least 1, got {features}")
    if preset not in (None, *PRESETS):
        raise ValueError(f"preset must be None or one of {', '.join(PRESETS)}, got {preset!r}")
    dtype = dtype or jnp.float32
    return preset_kernels(preset, key, in_features, hidden_features, gates, rows, dtype)
