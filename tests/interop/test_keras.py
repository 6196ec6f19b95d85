import os

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interop.cases import assert_identical, assert_runs_alike, load, make_cell, make_stack
from interop.peers import keras_case

from lstm_jax.cells import LSTMNorm, LSTMParams
from lstm_jax.gated import GRUParams, MGUParams
from lstm_jax.interop import Directions, from_keras, to_keras

FIXTURES = [
    "keras_lstm", "keras_lstm_unbiased", "keras_gru", "keras_gru_reset_before", "keras_rnn",
]  # fmt: skip


def variant(case):
    return {"reset_after": case.options.get("reset_after", True)}


@pytest.mark.parametrize("name", FIXTURES)
def test_runs_as_keras_does(name):
    case = load(name)
    layers = from_keras(case.weights, **variant(case))
    assert_runs_alike(layers, case)
    back = to_keras(layers, **variant(case))
    if name == "keras_gru":
        # Two biases became one; the kernels are Keras's own.
        assert_identical(from_keras(back), layers)
        kernels = (0, 1)
        assert_identical([back[0][k] for k in kernels], [case.weights[0][k] for k in kernels])
    else:
        assert_identical(back, case.weights)


@settings(max_examples=40, deadline=None)
@given(
    cell=st.sampled_from(["lstm", "gru", "rnn"]),
    D=st.integers(1, 4),
    H=st.integers(1, 4),
    num_layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    bias=st.booleans(),
    reset_after=st.booleans(),
    dtype=st.sampled_from(["float32", "float16", "bfloat16"]),
)
def test_a_round_trip_is_exact(cell, D, H, reset_after, **options):
    layers = make_stack(cell, D, H, candidate=reset_after, **options)
    arrays = to_keras(layers, reset_after=reset_after)
    assert_identical(from_keras(arrays, reset_after=reset_after), layers)
    assert all(a.flags.writeable and a.flags.c_contiguous for own in arrays for a in own)


def test_gates_and_biases_go_where_keras_has_them():
    H = 2
    letters = jnp.repeat(jnp.arange(3.0), H)  # r, z, n
    params = GRUParams(
        jnp.tile(letters, (4, 1)), jnp.tile(letters, (H, 1)), 10 + letters, jnp.full(H, 50.0)
    )
    ((kernel, recurrent, bias),) = to_keras((params,))
    zrn = np.array([1, 1, 0, 0, 2, 2], np.float32)
    np.testing.assert_array_equal(kernel, np.tile(zrn, (4, 1)))
    np.testing.assert_array_equal(recurrent, np.tile(zrn, (H, 1)))
    np.testing.assert_array_equal(bias, [10 + zrn, [0, 0, 0, 0, 50, 50]])

    bias[1] = [100, 100, 200, 200, 300, 300]
    (back,) = from_keras([[kernel, recurrent, bias]])
    np.testing.assert_array_equal(back.bias, [210, 210, 111, 111, 12, 12])
    np.testing.assert_array_equal(back.recurrent_bias, [300, 300])


def test_layers_of_one_stack_may_differ():
    layers = (
        Directions(make_cell("gru", 2, 3), make_cell("gru", 2, 3, seed=1)),
        make_cell("lstm", 6, 2, bias=False),
        make_cell("rnn", 2, 4),
    )
    arrays = to_keras(layers)
    assert [len(own) for own in arrays] == [6, 2, 3]
    assert_identical(from_keras(arrays), layers)


def test_a_missing_bias_next_to_another_is_zeros():
    one, other = make_cell("rnn", 2, 3), make_cell("rnn", 2, 3, bias=False)
    ((forward, backward),) = from_keras(to_keras((Directions(one, other),)))
    assert_identical(forward, one)
    np.testing.assert_array_equal(backward.bias, np.zeros(3))


zeros = np.zeros
BAD_ARRAYS = [
    ([[zeros((2, 12))]], r"layers\[0\] must have 2 or 3 arrays.*4 or 6 for Bidirectional, got 1"),
    ([[zeros((2, 12))] * 5], "got 5"),
    ([zeros((2, 12)), zeros((3, 12))], r"layers\[0\] must be a list, as get_weights\(\) returns"),
    ([[zeros((2, 12)), zeros((3, 8))]], r"layers\[0\] recurrent_kernel must be \(H, G·H\).*3, 8"),
    ([[zeros((2, 9)), zeros((3, 12))]], r"layers\[0\] kernel must be \(D, G·H\) = \(2, 12\)"),
    ([[zeros(12), zeros((3, 12))]], r"kernel must be \(D, G·H\) = \(12, 12\), got shape \(12,\)"),
    ([[zeros((2, 12)), zeros((3, 12)), zeros(9)]], r"bias must be \(G·H,\) = \(12,\), got .*9"),
    ([[zeros((2, 9)), zeros((3, 9)), zeros(8)]], r"bias must be \(2, 3H\) = \(2, 9\), got .*8"),
    ([[zeros((2, 9)), zeros((3, 9)), zeros(9)]], "that of a GRU with reset_after=False"),
    ([[zeros((2, 3)), zeros((3, 3)), zeros((2, 4)), zeros((3, 3))]],
     r"layers\[0\] backward kernel must be"),
    ([[zeros((2, 3), int), zeros((3, 3))]], r"layers\[0\] kernel must be .*floating point"),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "message"), BAD_ARRAYS, ids=[m for _, m in BAD_ARRAYS])
def test_refuses_arrays(layers, message):
    with pytest.raises(ValueError, match=message):
        from_keras(layers)


def test_refuses_the_other_gru():
    weights = to_keras((make_cell("gru", 2, 3),))
    with pytest.raises(ValueError, match=r"\(2, 9\), that of a GRU with reset_after=True"):
        from_keras(weights, reset_after=False)
    with pytest.raises(ValueError, match=r"layers\[0\]\.recurrent_bias; it must be None"):
        to_keras((make_cell("gru", 2, 3),), reset_after=False)


kernels = jnp.ones((2, 12)), jnp.ones((3, 12))
norm = LSTMNorm(jnp.ones(12), jnp.ones(12), jnp.ones(3), jnp.ones(3))
BAD_LAYERS = [
    (make_cell("lstm", 2, 3), "got one LSTMParams"),
    ((LSTMParams(*kernels, norm=norm),), "not support layer normalization"),
    ((LSTMParams(*kernels, peephole=jnp.ones((3, 3))),), "not support peepholes"),
    ((make_cell("lstm", 2, 3, projection=2),), "not support a projection"),
    ((LSTMParams(jnp.ones((2, 9)), jnp.ones((3, 9))),), "not support coupled gates"),
    ((MGUParams(jnp.ones((2, 6)), jnp.ones((3, 6))),), r"layers\[0\] is MGUParams"),
]


@pytest.mark.parametrize(("layers", "message"), BAD_LAYERS, ids=[m for _, m in BAD_LAYERS])
def test_refuses_layers(layers, message):
    with pytest.raises(ValueError, match=message):
        to_keras(layers)


LIVE = [
    ("LSTM", {"bidirectional": (True, False, True)}),
    ("LSTM", {"bias": False}),
    ("GRU", {"bidirectional": (False, True), "reset_after": True}),
    ("GRU", {"bidirectional": (True,), "reset_after": False}),
    ("GRU", {"bias": False, "reset_after": True}),
    ("SimpleRNN", {"bidirectional": (True, False)}),
]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("cell", "options"), LIVE)
def test_live(cell, options, seed, monkeypatch):
    if "KERAS_BACKEND" not in os.environ:
        monkeypatch.setenv("KERAS_BACKEND", "jax")
    pytest.importorskip("keras")
    rng = np.random.default_rng(seed)
    D, H = (int(n) for n in rng.integers(1, 9, 2))
    case = keras_case(cell, D, H, seed=seed, **options)
    layers = from_keras(case.weights, **variant(case))
    assert_runs_alike(layers, case)
    # Keras runs our weights as we do, except for sums of biases.
    back = keras_case(cell, D, H, seed=seed, given=to_keras(layers, **variant(case)), **options)
    assert_runs_alike(layers, back)
