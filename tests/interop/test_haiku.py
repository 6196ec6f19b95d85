import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interop.cases import assert_identical, assert_runs_alike, load, make_cell
from interop.peers import haiku_case

from lstm_jax.cells import LSTMParams
from lstm_jax.gated import MGUParams
from lstm_jax.interop import from_haiku, to_haiku
from lstm_jax.interop.haiku import negate_z, shift_forget


def variant(case):
    return {"reset_after": case.options["reset_after"]}


def assert_same_function(back, case):
    """A round trip is exact except where it rounds: the forget bias, and sums of biases."""
    for path, own in case.weights.items():
        assert_identical(
            {k: a for k, a in back[path].items() if k != "b"},
            {k: a for k, a in own.items() if k != "b"},
        )
    biases = [sum(own["b"] for own in w.values() if "b" in own) for w in (back, case.weights)]
    np.testing.assert_allclose(*biases, rtol=0, atol=2**-23)


def check(case):
    params = from_haiku(case.weights, **variant(case))
    assert_runs_alike((params,), case)
    back = to_haiku(params, **variant(case))
    assert_same_function(back, case)
    assert_identical(from_haiku(back, **variant(case)), params)


@pytest.mark.parametrize("name", ["haiku_lstm", "haiku_gru", "haiku_rnn"])
def test_runs_as_haiku_does(name):
    check(load(name))


LIVE = [("LSTM", {}), ("GRU", {}), ("VanillaRNN", {}), ("VanillaRNN", {"double_bias": False})]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("cell", "options"), LIVE)
def test_live(cell, options, seed):
    pytest.importorskip("haiku")
    rng = np.random.default_rng(seed)
    D, H = (int(n) for n in rng.integers(1, 9, 2))
    check(haiku_case(cell, D, H, seed=seed, **options))


SIZES = {"D": st.integers(1, 4), "H": st.integers(1, 4)}
DTYPES = st.sampled_from(["float32", "float16", "bfloat16"])


@settings(max_examples=30, deadline=None)
@given(cell=st.sampled_from(["gru", "rnn"]), dtype=DTYPES, **SIZES)
def test_a_round_trip_is_exact(**options):
    params = make_cell(candidate=False, **options)
    arrays = to_haiku(params, reset_after=False)
    assert_identical(from_haiku(arrays, reset_after=False), params)


@settings(max_examples=30, deadline=None)
@given(dtype=DTYPES, **SIZES)
def test_a_round_trip_of_an_lstm_is_exact_except_for_small_forget_biases(**options):
    params = make_cell("lstm", **options)
    back = from_haiku(to_haiku(params))
    bias = np.asarray(params.bias)
    H = options["H"]
    others = np.r_[0:H, 2 * H : 4 * H]
    assert_identical(back.input_kernel, params.input_kernel)
    assert_identical(back.recurrent_kernel, params.recurrent_kernel)
    assert_identical(np.asarray(back.bias)[others], bias[others])
    assert_identical(from_haiku(to_haiku(back)), back)

    large = bias.copy()
    large[H : 2 * H] = abs(bias[H : 2 * H]) + bias.dtype.type(0.5)
    params = LSTMParams(params.input_kernel, params.recurrent_kernel, jnp.asarray(large))
    assert_identical(from_haiku(to_haiku(params)), params)


def round_trip(forget):
    bias = np.zeros(4, np.float32)
    bias[1] = forget
    return shift_forget(shift_forget(bias, -1), 1)[1]


@settings(max_examples=300)
@given(st.floats(-1e6, 1e6, width=32))
def test_the_error_of_the_forget_bias(b):
    back = round_trip(b)
    if b >= 0.5:
        assert back == b
    else:
        assert abs(float(back) - b) <= 2.0**-24 * (1 - b)
    assert round_trip(back) == back


def test_the_error_of_the_forget_bias_is_as_documented():
    # There is no float32 between -1 and -1 + 2^-24: below ½ the bound is reached.
    assert round_trip(np.float32(2.0**-26)) == 0
    assert round_trip(np.float32(1)) == 1


def test_the_layout_is_as_documented():
    H = 2
    letters = jnp.repeat(jnp.arange(4.0), H)  # i, f, g, o
    params = LSTMParams(jnp.tile(letters, (3, 1)), 10 + jnp.tile(letters, (H, 1)), letters)
    arrays = to_haiku(params, "net/~/lstm_1")
    assert list(arrays) == ["net/~/lstm_1/linear"]
    igfo = np.array([0, 0, 2, 2, 1, 1, 3, 3], np.float32)
    w = arrays["net/~/lstm_1/linear"]["w"]
    np.testing.assert_array_equal(w, igfo + np.array([[0], [0], [0], [10], [10]]))
    b = arrays["net/~/lstm_1/linear"]["b"]
    np.testing.assert_array_equal(b, [0, 0, 2, 2, 0, 0, 3, 3])
    np.testing.assert_array_equal(negate_z(np.arange(6.0)), [0, 1, -2, -3, 4, 5])


def test_a_core_out_of_a_model():
    first, second = make_cell("rnn", 2, 3), make_cell("rnn", 3, 3, seed=1)
    model = {**to_haiku(first, "net/~/rnn"), **to_haiku(second, "net/~/rnn_1"), "net/~/out": {}}
    assert_identical(from_haiku(model, "net/~/rnn"), first)
    assert_identical(from_haiku(model, "net/~/rnn_1"), second)
    with pytest.raises(
        ValueError, match=r"one core, got net/~/out, net/~/rnn, net/~/rnn_1; .*name"
    ):
        from_haiku(model)
    with pytest.raises(ValueError, match="Haiku net/~/lstm: missing '/linear'"):
        from_haiku(model, "net/~/lstm")


def test_a_missing_bias_is_zeros():
    for cell in ("lstm", "gru", "rnn"):
        arrays = to_haiku(make_cell(cell, 2, 3, bias=False), reset_after=False)
        assert not from_haiku(arrays, reset_after=False).bias.any()


z = np.zeros
BAD_ARRAYS = [
    ({}, "modules of one core, got none"),
    ({"lstm": {"w": z((5, 12)), "b": z(12)}}, "Haiku lstm: missing 'w_i', 'w_h'.*unexpected 'w'"),
    ({"lstm/linear": {"w": z((5, 12))}}, "Haiku lstm/linear: missing 'b'"),
    ({"lstm/linear": z((5, 12))}, "lstm/linear: expected a dictionary of arrays, got ndarray"),
    ({"lstm/linear": {"w": z((5, 12)), "b": z(13)}}, r"b must be \(4H,\) = \(12,\), got .*13"),
    ({"lstm/linear": {"w": z((3, 12)), "b": z(12)}}, r"w must be \(D \+ H, 4H\).*\(3, 12\)"),
    ({"lstm/linear": {"w": z((5, 16)), "b": z(12)}}, r"w must be \(D \+ H, 4H\).*\(5, 16\)"),
    ({"gru": {"w_i": z((2, 9)), "w_h": z((3, 12)), "b": z(9)}}, r"w_h must be \(H, 3H\)"),
    ({"gru": {"w_i": z((2, 8)), "w_h": z((3, 9)), "b": z(9)}}, r"w_i must be \(D, 3H\) = \(2, 9\)"),
    ({"gru": {"w_i": z((2, 9)), "w_h": z((3, 9)), "b": z(3)}}, r"b must be \(3H,\) = \(9,\)"),
    ({"r/linear": {"w": z((2, 3)), "b": z(3)}, "r/linear_1": {"w": z((3, 4))}}, r"G is 4"),
    ({"r/linear": {"w": z((2, 3)), "b": z(3)}, "r/linear_1": {"w": z((3, 12))}},
     r"r/linear_1 w must be \(H, H\), got shape \(3, 12\)"),
    ({"r/linear": {"w": z((2, 4)), "b": z(3)}, "r/linear_1": {"w": z((3, 3))}},
     r"r/linear w must be \(D, H\) = \(2, 3\)"),
    ({"r/linear": {"w": z((2, 3)), "b": z(3)}, "r/linear_1": {"w": z((3, 3)), "b": z(4)}},
     r"r/linear_1 b must be \(H,\) = \(3,\)"),
    ({"lstm/linear": {"w": z((5, 12)), "b": z(12, int)}}, "linear b must be .*floating point"),
]  # fmt: skip


@pytest.mark.parametrize(("arrays", "message"), BAD_ARRAYS, ids=[m for _, m in BAD_ARRAYS])
def test_refuses_arrays(arrays, message):
    with pytest.raises(ValueError, match=message):
        from_haiku(arrays, reset_after=False)


def test_refuses_params():
    gru = make_cell("gru", 2, 3)
    with pytest.raises(ValueError, match="resets before the product: pass reset_after=False"):
        to_haiku(gru)
    with pytest.raises(ValueError, match="resets before the product: pass reset_after=False"):
        from_haiku(to_haiku(make_cell("gru", 2, 3, candidate=False), reset_after=False))
    with pytest.raises(ValueError, match=r"not support params.recurrent_bias"):
        to_haiku(gru, reset_after=False)
    with pytest.raises(ValueError, match="not support a projection"):
        to_haiku(make_cell("lstm", 2, 3, projection=2))
    with pytest.raises(ValueError, match="params is MGUParams"):
        to_haiku(MGUParams(jnp.ones((2, 6)), jnp.ones((3, 6))))
