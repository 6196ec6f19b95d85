"""The convolutional LSTM against loops over pixels, and the LSTM that a window of one makes it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.cells import sigmoid
from problems import assert_close, make_xs

import lstm_jax as lj
from lstm_jax.conv import ConvLSTMParams, conv_lstm_step, init_conv_lstm, zero_images

pytestmark = pytest.mark.usefixtures("compile_fast")
D, H, SIDE = 2, 3, (4, 5)


def loop(params, state, x):
    """One image (X, Y, D), pixel by pixel; the window is centred, what lies outside is zero."""
    h, c = state
    window = params.input_kernel.shape[:2]
    new_h, new_c = np.zeros_like(c), np.zeros_like(c)
    for p in range(x.shape[0]):
        for q in range(x.shape[1]):
            z = np.array(params.bias)
            for a in range(window[0]):
                for b in range(window[1]):
                    i, j = p + a - (window[0] - 1) // 2, q + b - (window[1] - 1) // 2
                    if 0 <= i < x.shape[0] and 0 <= j < x.shape[1]:
                        z = z + x[i, j] @ params.input_kernel[a, b]
                        z = z + h[i, j] @ params.recurrent_kernel[a, b]
            i, f, g, o = np.split(z, 4)
            peep = params.peephole
            f = sigmoid(f + peep[1] * c[p, q])
            new_c[p, q] = f * c[p, q] + sigmoid(i + peep[0] * c[p, q]) * np.tanh(g)
            new_h[p, q] = sigmoid(o + peep[2] * new_c[p, q]) * np.tanh(new_c[p, q])
    return new_h, new_c


def make(window=(3, 2)):
    rng = np.random.default_rng(0)
    shapes = (*window, D, 4 * H), (*window, H, 4 * H), (4 * H,), (3, H)
    return ConvLSTMParams(*(rng.normal(scale=0.5, size=shape) for shape in shapes))


def test_pixels(x64):
    params, x = make(), make_xs((2, *SIDE, D))
    state = lj.LSTMState(make_xs((2, *SIDE, H), seed=1), make_xs((2, *SIDE, H), seed=3))
    actual = jax.jit(conv_lstm_step)(params, state, x)
    for b in range(2):
        for a, expected in zip(actual, loop(params, (state.h[b], state.c[b]), x[b]), strict=True):
            assert_close(a[b], expected, 1e-13)


def test_a_window_of_one_is_an_lstm_of_every_pixel(x64):
    params = make((1, 1))
    plain = lj.LSTMParams(params.input_kernel[0, 0], params.recurrent_kernel[0, 0], params.bias,
                          params.peephole)  # fmt: skip
    xs = make_xs((6, 2, *SIDE, D))
    start = zero_images(params, xs.shape[1:])
    lengths = np.array([6, 3])

    def loss(step, params, xs):
        final, hs = lj.scan(step, params, xs, start, lengths=lengths, remat=2)
        return (hs**2).sum() + final.c.sum(), hs

    run = jax.jit(jax.value_and_grad(loss, (1, 2), has_aux=True), static_argnums=0)
    (_, hs), (gradient, dxs) = run(conv_lstm_step, params, xs)
    (_, expected), (wanted, dxs_wanted) = run(lj.lstm_step, plain, xs)
    assert_close(hs, np.asarray(expected), 1e-12)
    assert_close(dxs, np.asarray(dxs_wanted), 1e-12)
    assert_close(gradient.recurrent_kernel[0, 0], np.asarray(wanted.recurrent_kernel), 1e-11)


@pytest.mark.parametrize("window", [(3,), (2, 3), (1, 2, 2)])
def test_images_of_one_to_three_axes_keep_their_size(window):
    params = init_conv_lstm(jax.random.key(0), D, H, window=window)
    x = jnp.ones((2, *range(3, 3 + len(window)), D))
    new = conv_lstm_step(params, zero_images(params, x.shape), x)
    assert new.h.shape == (*x.shape[:-1], H)
    np.testing.assert_array_equal(params.bias[H : 2 * H], 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda p, x: conv_lstm_step(p, zero_images(p, x.shape), x[..., :1]),
            "x has shape",
        ),
        (lambda p, x: conv_lstm_step(p, zero_images(p, (1, 4, 4, D)), x), "x has images"),
        (lambda p, x: init_conv_lstm(jax.random.key(0), D, H, window=(0,)), "window must be one"),
        (lambda p, x: init_conv_lstm(jax.random.key(0), D, 0), "hidden_features must be at least"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(jax.tree.map(np.float32, make()), np.ones((2, *SIDE, D), np.float32))
