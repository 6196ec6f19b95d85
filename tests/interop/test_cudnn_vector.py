import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interop.cases import assert_identical, assert_runs_alike, make_cell, make_stack
from interop.peers import cudnn_case
from jax.experimental import rnn

from lstm_jax.interop import Directions, from_cudnn, to_cudnn


def test_runs_as_jaxs_reference_does():
    D, H = 2, 3
    case = cudnn_case(D, H, num_layers=2, bidirectional=True, lengths=[4, 1, 3])
    layers = from_cudnn(case.weights, **case.options["sizes"])
    assert_runs_alike(layers, case)
    # A round trip differs only in the biases, which come last.
    back = to_cudnn(layers)
    biases = 2 * 4 * H * len(case.initial[0])
    assert_identical(back[:-biases], case.weights[:-biases])
    assert_identical(from_cudnn(back, **case.options["sizes"]), layers)


@settings(max_examples=30, deadline=None)
@given(D=st.integers(1, 4), H=st.integers(1, 4), num_layers=st.integers(1, 3), both=st.booleans())
def test_a_round_trip_is_exact(D, H, num_layers, both):
    layers = make_stack("lstm", D, H, num_layers=num_layers, bidirectional=both)
    vector = to_cudnn(layers)
    assert vector.shape == (rnn.get_num_params_in_lstm(D, H, num_layers, both),)
    unpacked = rnn.unpack_lstm_weights(vector, D, H, num_layers, both)
    sides = [side for layer in layers for side in (layer if both else (layer,))]
    for kernels, transposed in zip(("input_kernel", "recurrent_kernel"), unpacked[:2], strict=True):
        for n, params in enumerate(sides):
            assert_identical(transposed[n].T, np.asarray(getattr(params, kernels)))
    sizes = {"input_size": D, "hidden_size": H, "num_layers": num_layers}
    assert_identical(from_cudnn(vector, **sizes, bidirectional=both), layers)


def test_a_missing_bias_is_zeros():
    vector = to_cudnn((make_cell("lstm", 2, 3, bias=False),))
    (layer,) = from_cudnn(vector, input_size=2, hidden_size=3)
    np.testing.assert_array_equal(layer.bias, np.zeros(12))


def test_refuses_vectors():
    vector = to_cudnn((make_cell("lstm", 2, 3),))
    with pytest.raises(ValueError, match=r"weights must be \(84,\) for input_size=2.*\(83,\)"):
        from_cudnn(vector[1:], input_size=2, hidden_size=3)
    with pytest.raises(ValueError, match=r"bidirectional=True, got shape \(84,\)"):
        from_cudnn(vector, input_size=2, hidden_size=3, bidirectional=True)
    with pytest.raises(ValueError, match="num_layers must be at least 1, got 0"):
        from_cudnn(vector, input_size=2, hidden_size=3, num_layers=0)
    with pytest.raises(ValueError, match=r"weights must be float32.*got float64"):
        from_cudnn(vector.astype(float), input_size=2, hidden_size=3)


lstm = make_cell("lstm", 2, 3)
BAD_LAYERS = [
    (lstm, "got one LSTMParams"),
    (
        (make_cell("gru", 2, 3),),
        r"rnn supports LSTMParams; layers\[0\] is GRUParams",
    ),
    ((make_cell("lstm", 2, 3, projection=2),), "not support a projection"),
    ((make_cell("lstm", 2, 3, dtype="float16"),), "weight_ih_l0 must be float32.*float16"),
    ((lstm, make_cell("lstm", 3, 4)), "the same width"),
    ((Directions(lstm, lstm), make_cell("lstm", 6, 3)), "either all layers are Directions"),
]


@pytest.mark.parametrize(("layers", "message"), BAD_LAYERS, ids=[m for _, m in BAD_LAYERS])
def test_refuses_layers(layers, message):
    with pytest.raises(ValueError, match=message):
        to_cudnn(layers)
