"""The convolutional LSTM (Shi et al. 2015): states are images, products are convolutions."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lstm_jax.cells import LSTMParams, LSTMState, add_bias, lstm_pointwise
from lstm_jax.promotion import common

LETTERS = "XYZ"  # names of the spatial axes in XLA's layout strings


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ConvLSTMParams:
    """Store the parameters of a convolutional LSTM.

    D and H count channels, and the window has one to three axes. The 4H output channels are
    ordered i, f, g, o.

    Attributes:
        input_kernel: (*window, D, 4H).
        recurrent_kernel: (*window, H, 4H).
        bias: (4H,), or None.
        peephole: (3, H), rows i, f, o, one weight for each channel; or None.
    """

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None
    peephole: Array | None = None

    @property
    def hidden_features(self) -> int:
        """Return H, the number of channels of h and c."""
        return self.recurrent_kernel.shape[-2]


def conv_lstm_step(params: ConvLSTMParams, state: LSTMState, x: Array) -> LSTMState:
    """Take one step of a convolutional LSTM (Shi et al. 2015).

    It is the LSTM with pre-activation z = W_x * x + W_h * h + b, where * is a convolution. Borders
    are padded with zeros, so that images keep their size.

    Args:
        params: kernels over a window of one to three axes.
        state: h and c, each (..., *image, H).
        x: input, (..., *image, D).

    Returns:
        The new state, with the shapes and dtypes of the old one.

    Raises:
        ValueError: if the images or channels do not fit the parameters.
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
    """Initialize the parameters of `conv_lstm_step`: LeCun-normal kernels, forget bias 1.

    Args:
        key: a `jax.random` key.
        in_features, hidden_features: channels D and H.
        window: size of the kernels, along one to three axes.
        forget_bias: bias of the forget gate; the other biases are 0.
        bias: whether the gates have biases.
        peepholes: whether the gates also read c, initially with weights 0.
        dtype: dtype of the parameters; float32 if None.

    Returns:
        The parameters.

    Raises:
        ValueError: if the channels or the window are below 1, or the window has more than three
            axes.
    """
    check_window(window)
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


def check_window(window: tuple[int, ...]) -> None:
    """Raise a ValueError unless a window has one to three sizes of at least 1."""
    sizes = window if isinstance(window, tuple | list) else ()
    if not 1 <= len(sizes) <= 3 or not all(isinstance(s, int) and s >= 1 for s in sizes):
        raise ValueError(f"window must be one to three sizes of at least 1, got {window}")


def _convolve(images: Array, kernel: Array) -> Array:
    axes = kernel.ndim - 2
    space = LETTERS[:axes]
    batch, image = images.shape[: -axes - 1], images.shape[-axes - 1 :]
    dtype = common(images, kernel)  # integer images must not turn the kernel to integers
    out = jax.lax.conv_general_dilated(
        images.reshape(-1, *image).astype(dtype),
        kernel.astype(dtype),
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
