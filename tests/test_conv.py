"""The convolutional LSTM against loops over pixels, and against the LSTM for a window of one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from oracles.cells import sigmoid
from problems import assert_close, make_xs

import lstm_jax as lj
from lstm_jax.conv import ConvLSTMParams, conv_lstm_step, init_conv_lstm

pytestmark = pytest.mark.usefixtures("compile_fast")
D, H, SIDE = 2, 3, (4, 5)
ZERO = lj.conv_lstm_cell().zero


def loop(params, state, x):
    """One image (X, Y, D), pixel by pixel, with a centered window and zeros outside."""
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


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_integer_images_leave_the_kernel_as_it_is(dtype):
    params = init_conv_lstm(jax.random.key(0), D, H)
    images = np.random.default_rng(0).integers(0, 200, (3, *SIDE, D)).astype(dtype)
    state = ZERO(params, jnp.zeros((1, 3, *SIDE, D)))
    found, wanted = (conv_lstm_step(params, state, x) for x in (images, images.astype("f4")))
    np.testing.assert_array_equal(found.h, wanted.h)


@pytest.mark.parametrize("window", [3, (), (3, 0), (1, 2, 3, 4), "33", (2.0,)])
def test_a_window_that_is_none_is_refused(window):
    with pytest.raises(ValueError, match="window must be one to three sizes of at least 1, got"):
        lj.ConvLSTM(D, H, window=window, rngs=nnx.Rngs(0))


def test_a_window_may_be_a_list():
    assert lj.conv_lstm_cell([3, 2]) is lj.conv_lstm_cell((3, 2))


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
    start = ZERO(params, xs)
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
    new = conv_lstm_step(params, ZERO(params, x[None]), x)
    assert new.h.shape == (*x.shape[:-1], H)
    np.testing.assert_array_equal(params.bias[H : 2 * H], 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda p, x: conv_lstm_step(p, ZERO(p, x[None]), x[..., :1]),
            "x has shape",
        ),
        (
            lambda p, x: conv_lstm_step(p, ZERO(p, x[None, :, :2]), x),
            "x has images",
        ),
        (lambda p, x: init_conv_lstm(jax.random.key(0), D, H, window=(0,)), "window must be one"),
        (lambda p, x: init_conv_lstm(jax.random.key(0), D, 0), "hidden_features must be at least"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(jax.tree.map(np.float32, make()), np.ones((2, *SIDE, D), np.float32))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_layer_is_the_step_scanned_over_images(bidirectional):
    rngs = nnx.Rngs(0)
    layer = lj.ConvLSTM(D, H, window=(1, 2), num_layers=2, bidirectional=bidirectional, rngs=rngs)
    images = make_xs((2, 6, *SIDE, D), dtype=np.float32)
    lengths = np.array([6, 3])
    finals, hs = layer(images, lengths=lengths)
    below = np.swapaxes(images, 0, 1)
    for index, params in enumerate(layer.params):
        sides = params if bidirectional else (params,)
        outputs = []
        for side, one in enumerate(sides):
            final, ys = lj.scan(
                conv_lstm_step, one, below, ZERO(one, below), lengths=lengths, reverse=bool(side)
            )
            outputs.append(ys)
            found = finals[index][side] if bidirectional else finals[index]
            assert_close(found.c, np.asarray(final.c), 1e-5)
        below = np.concatenate(outputs, -1)
    assert hs.shape == (2, 6, *SIDE, layer.out_features)
    assert_close(hs, np.swapaxes(below, 0, 1), 1e-5)


def test_a_layer_of_images_has_the_options_of_every_layer():
    layer = lj.ConvLSTM(
        D, H, window=(3,), num_layers=2, connections="skip", dropout=0.2, state_dropout=0.1,
        zoneout=0.1, cell_zoneout=0.2, learned_initial=True, peepholes=True, remat="sqrt",
        rngs=nnx.Rngs(0),
    )  # fmt: skip
    images = make_xs((2, 5, 4, D), dtype=np.float32)
    state, last = layer(images, key=jax.random.key(1), outputs="last")
    assert last.shape == (2, 4, 2 * H)
    assert jax.tree.map(jnp.shape, layer.initial_state(2, 4)) == jax.tree.map(jnp.shape, state)
    with pytest.raises(ValueError, match=r"xs must be \(B, T, X, D\), got shape \(2, 5, 2\)"):
        layer(images[:, :, 0])


def test_a_single_step_cell_is_the_first_step_of_the_layer():
    cell = lj.ConvLSTMCell(D, H, rngs=nnx.Rngs(0))
    layer = lj.ConvLSTM(D, H, rngs=nnx.Rngs(0))
    images = make_xs((2, 1, *SIDE, D), dtype=np.float32)
    _, h = cell(cell.initial_state(2, *SIDE), images[:, 0])
    assert_close(h, np.asarray(layer(images)[1][:, 0]), 1e-6)
