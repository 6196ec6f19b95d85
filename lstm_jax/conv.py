"""The convolutional LSTM (Shi et al. 2015): states are images, products are convolutions."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lstm_jax.cells import LSTMParams, LSTMState, add_bias, lstm_pointwise

LETTERS = "XYZ"  # of the spatial axes, as XLA wants them named


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ConvLSTMParams:
    """`input_kernel` (*window, D, 4H), `recurrent_kernel` (*window, H, 4H), `bias` (4H,) or None.

    D and H are channels; the window has one to three axes. Channels i, f, g, o. `peephole` (3, H),
    rows i, f, o, or None: one weight for a channel.
    """

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None
    peephole: Array | None = None

    @property
    def hidden_features(self) -> int:
        """H, the channels of h and c."""
        return self.recurrent_kernel.shape[-2]


def conv_lstm_step(params: ConvLSTMParams, state: LSTMState, x: Array) -> LSTMState:
    """Take one step of the LSTM whose pre-activation is z = W_x * x + W_h * h + b, * a convolution.

    Borders are padded with zeros so that images keep their size.

    Args:
        params: kernels over a window of one to three axes.
        state: h and c, each (..., *image, H).
        x: (..., *image, D).

    Returns:
        The new state, in the shapes and dtypes of the old one.

    Raises:
        ValueError: images or channels that do not fit.
    """
    _check(params, state, x)
    z = _convolve(x, params.input_kernel) + _convolve(state.h, params.recurrent_kernel)
    inside = LSTMParams(params.input_kernel, params.recurrent_kernel, None, params.peephole)
    return lstm_pointwise(inside, add_bias(z, params.bias), state)


def init_conv_lstm(
    key: Array,
    in_features: int,
    hidden_features: int,
    *,
    window: tuple[int, ...] = (3, 3),
    forget_bias: float = 1.0,
    bias: bool = True,
    peepholes: bool = False,
    dtype: DTypeLike | None = None,
) -> ConvLSTMParams:
    """Make parameters of `conv_lstm_step`: LeCun-normal kernels, the forget gate's bias 1.

    Args:
        key: a key of `jax.random`.
        in_features, hidden_features: channels D and H.
        window: the kernels' size, one to three axes.
        forget_bias: the forget gate's bias; the others are 0.
        bias: whether there is one.
        peepholes: the gates see c, at first with weights 0.
        dtype: of the parameters; float32 if None.

    Returns:
        The parameters.

    Raises:
        ValueError: channels or a window below 1, or a window of more than three axes.
    """
    if not 1 <= len(window) <= 3 or min(window) < 1:
        raise ValueError(f"window must be one to three sizes of at least 1, got {window}")
    for name, features in (("in_features", in_features), ("hidden_features", hidden_features)):
        if features < 1:
            raise ValueError(f"{name} must be at least 1, got {features}")
    dtype, width = dtype or jnp.float32, 4 * hidden_features
    lecun = jax.nn.initializers.lecun_normal()
    input_key, recurrent_key = jax.random.split(key)
    at_forget = slice(hidden_features, 2 * hidden_features)
    return ConvLSTMParams(
        lecun(input_key, (*window, in_features, width), dtype),
        lecun(recurrent_key, (*window, hidden_features, width), dtype),
        jnp.zeros(width, dtype).at[at_forget].set(forget_bias) if bias else None,
        jnp.zeros((3, hidden_features), dtype) if peepholes else None,
    )


def _convolve(images: Array, kernel: Array) -> Array:
    axes = kernel.ndim - 2
    space = LETTERS[:axes]
    batch, image = images.shape[: -axes - 1], images.shape[-axes - 1 :]
    out = jax.lax.conv_general_dilated(
        images.reshape(-1, *image),
        kernel.astype(images.dtype),
        window_strides=(1,) * axes,
        padding="SAME",
        dimension_numbers=(f"N{space}C", f"{space}IO", f"N{space}C"),
    )
    return out.reshape(*batch, *out.shape[1:])


def _check(params: ConvLSTMParams, state: LSTMState, x: Array) -> None:
    axes = params.input_kernel.ndim - 2
    arrays = (("x", x, params.input_kernel), ("h", state.h, params.recurrent_kernel))
    for name, array, kernel in arrays:
        if array.ndim < axes + 1 or array.shape[-1] != kernel.shape[-2]:
            raise ValueError(
                f"{name} has shape {array.shape}; a kernel of shape {kernel.shape} takes images of "
                f"{axes} axes with {kernel.shape[-2]} channels last"
            )
    if x.shape[:-1] != state.h.shape[:-1]:
        raise ValueError(f"x has images {x.shape[:-1]}, and the state {state.h.shape[:-1]}")
