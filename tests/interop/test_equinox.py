import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interop.cases import assert_identical, assert_runs_alike, load, make_cell
from interop.peers import equinox_case, with_equinox_weights

from lstm_jax.cells import LSTMParams
from lstm_jax.interop import from_equinox, to_equinox


def check(case):
    params = from_equinox(case.weights)
    assert_runs_alike((params,), case)
    assert_identical(to_equinox(params), case.weights)


@pytest.mark.parametrize("name", ["equinox_lstm", "equinox_gru"])
def test_runs_as_equinox_does(name):
    check(load(name))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", ["LSTMCell", "GRUCell"])
def test_live(cell, bias, seed):
    eqx = pytest.importorskip("equinox")
    rng = np.random.default_rng(seed)
    D, H = (int(n) for n in rng.integers(1, 9, 2))
    case = equinox_case(cell, D, H, seed=seed, bias=bias)
    check(case)
    module = getattr(eqx.nn, cell)(D, H, use_bias=bias, key=jax.random.key(0))
    module = with_equinox_weights(module, to_equinox(from_equinox(case.weights)))
    for name, array in case.weights.items():
        assert_identical(getattr(module, name), array)


@settings(max_examples=30, deadline=None)
@given(
    cell=st.sampled_from(["lstm", "gru"]),
    D=st.integers(1, 4),
    H=st.integers(1, 4),
    bias=st.booleans(),
    dtype=st.sampled_from(["float32", "float16", "bfloat16"]),
)
def test_a_round_trip_is_exact(**options):
    params = make_cell(**options)
    arrays = to_equinox(params)
    assert_identical(from_equinox(arrays), params)
    # As in the module, including None.
    absent = dict.fromkeys(["bias", "bias_n"]) if not options["bias"] else {}
    assert_identical(from_equinox({**arrays, **absent}), params)


def test_the_candidates_bias_alone():
    gru = make_cell("gru", 2, 3, candidate=False)
    np.testing.assert_array_equal(from_equinox(to_equinox(gru)).recurrent_bias, np.zeros(3))


z = np.zeros
BAD_ARRAYS = [
    ({}, "missing 'weight_ih', 'weight_hh'"),
    ({"weight_ih": z((12, 2)), "weight_hh": z((12, 3)), "hidden_size": 3}, "unexpected 'hidden"),
    ({"weight_ih": z((12, 2)), "weight_hh": z((12, 3)), "bias_n": z(3)}, "unexpected 'bias_n'"),
    ({"weight_ih": z((12, 2)), "weight_hh": z((10, 3))}, r"weight_hh must be \(G·H, H\).*\(10, 3"),
    ({"weight_ih": z((3, 2)), "weight_hh": z((3, 3))}, r"\(4H, H\) of Equinox.s LSTMCell"),
    ({"weight_ih": z((9, 2)), "weight_hh": z((12, 3))}, r"weight_ih must be .* = \(12, 2\)"),
    ({"weight_ih": z((12, 2)), "weight_hh": z((12, 3)), "bias": z(3)}, r"bias must be .*\(12,\)"),
    ({"weight_ih": z((9, 2)), "weight_hh": z((9, 3)), "bias_n": z(9)}, r"bias_n must be .*\(3,\)"),
    ({"weight_ih": z((9, 2)), "weight_hh": z((9, 3), int)}, "weight_hh must be .*floating point"),
    ((), "expected a dictionary of arrays, got tuple"),
]


@pytest.mark.parametrize(("arrays", "message"), BAD_ARRAYS, ids=[m for _, m in BAD_ARRAYS])
def test_refuses_arrays(arrays, message):
    with pytest.raises(ValueError, match=message):
        from_equinox(arrays)


def test_refuses_params():
    with pytest.raises(
        ValueError, match="Equinox supports LSTMParams, GRUParams; params is RNNPar"
    ):
        to_equinox(make_cell("rnn", 2, 3))
    peephole = LSTMParams(jnp.ones((2, 12)), jnp.ones((3, 12)), peephole=jnp.ones((3, 3)))
    with pytest.raises(ValueError, match="Equinox does not support peepholes"):
        to_equinox(peephole)
