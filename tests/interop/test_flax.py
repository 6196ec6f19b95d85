import functools

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from interop.cases import assert_identical, assert_runs_alike, make_cell
from interop.peers import linen_case, nnx_case

from lstm_jax.cells import LSTMParams
from lstm_jax.gated import MGUParams
from lstm_jax.interop import Directions, from_linen, from_nnx, to_linen, to_nnx

CELLS = ["LSTMCell", "OptimizedLSTMCell", "GRUCell", "SimpleCell"]


SHAPES = [(2, 3), (5, 2), (1, 4), (3, 1)]  # of D and H, one for each cell


@pytest.mark.parametrize(("cell", "D", "H"), [(c, *s) for c, s in zip(CELLS, SHAPES, strict=True)])
def test_runs_as_linen_does(cell, D, H):
    case = linen_case(cell, D, H)
    params = from_linen(case.weights)
    assert_runs_alike((params,), case)
    assert_identical(to_linen(params), case.weights)


@pytest.mark.parametrize(("cell", "D", "H"), [(c, *s) for c, s in zip(CELLS, SHAPES, strict=True)])
def test_runs_as_nnx_does(cell, D, H):
    case = nnx_case(cell, D, H)
    params = from_nnx(case.weights)
    assert_runs_alike((params,), case)
    assert_identical(to_nnx(params, optimized=cell == "OptimizedLSTMCell"), case.weights)


def test_an_nnx_module_takes_the_arrays():
    def new(Cell):
        return Cell(2, 3, rngs=nnx.Rngs(0))

    params = make_cell("lstm", 2, 3)
    for optimized, Cell in ((False, nnx.LSTMCell), (True, nnx.OptimizedLSTMCell)):
        module = nnx.eval_shape(functools.partial(new, Cell))
        arrays = to_nnx(params, optimized=optimized)
        nnx.update(module, arrays)
        state = nnx.to_pure_dict(nnx.state(module, nnx.Param))
        assert_identical(state, arrays)
        assert_identical(from_nnx(state), params)


SIZES = {"D": st.integers(1, 4), "H": st.integers(1, 4)}
DTYPES = st.sampled_from(["float32", "float16", "bfloat16"])


@settings(max_examples=30, deadline=None)
@given(cell=st.sampled_from(["lstm", "gru", "rnn"]), dtype=DTYPES, **SIZES)
def test_a_round_trip_is_exact_in_linen(**options):
    params = make_cell(**options)
    assert_identical(from_linen(to_linen(params)), params)


@settings(max_examples=30, deadline=None)
@given(cell=st.sampled_from(["lstm", "gru", "rnn"]), optimized=st.booleans(), dtype=DTYPES, **SIZES)
def test_a_round_trip_is_exact_in_nnx(optimized, **options):
    params = make_cell(candidate=False, **options)
    assert_identical(from_nnx(to_nnx(params, optimized=optimized)), params)


def test_a_missing_bias_is_zeros():
    for cell, columns in (("lstm", 12), ("gru", 9), ("rnn", 3)):
        params = make_cell(cell, 2, 3, bias=False)
        for back in (from_linen(to_linen(params)), from_nnx(to_nnx(params))):
            np.testing.assert_array_equal(back.bias, np.zeros(columns))
            assert_identical(back.recurrent_kernel, params.recurrent_kernel)


# --- errors --------------------------------------------------------------------------------------


def linen(cell, **changes):
    """The arrays of a cell, with some dense layers replaced or (None) removed."""
    arrays = to_linen(make_cell(cell, 2, 3)) | changes
    return {name: own for name, own in arrays.items() if own is not None}


kernel, bias = np.zeros((3, 3)), np.zeros(3)
BAD_LINEN = [
    ({}, "Flax linen: expected the names ii, if, ig, io"),
    ({"params": linen("lstm")}, r"got params; pass variables\['params'\]"),
    (linen("lstm", hf=None), "missing 'hf'"),
    (linen("lstm", iz={"kernel": kernel}), "unexpected 'iz'"),
    (linen("lstm", ho={"kernel": kernel}), "Flax linen ho: missing 'bias'"),
    (linen("lstm", ii={"kernel": kernel, "bias": bias}), "Flax linen ii: unexpected 'bias'"),
    (linen("lstm", io=kernel), "Flax linen io: expected a dictionary of arrays, got ndarray"),
    (linen("lstm", hi={"kernel": np.zeros((2, 3)), "bias": bias}),
     r"hi.kernel must be \(H, H\) = \(3, 3\), got shape \(2, 3\)"),
    (linen("gru", iz={"kernel": kernel, "bias": bias}), r"iz.kernel must be \(D, H\) = \(2, 3\)"),
    (linen("rnn", i={"kernel": kernel, "bias": np.zeros(2)}), r"i.bias must be \(H,\) = \(3,\)"),
    (linen("rnn", h={"kernel": kernel.astype(int)}), "h.kernel must be .*floating point"),
    # The minimal gated unit has some of the GRU's names.
    ({n: {"kernel": kernel} for n in ("if", "in", "hf", "hn")}, "missing .*unexpected"),
    ([], "expected a dictionary of arrays, got list"),
]  # fmt: skip


@pytest.mark.parametrize(("arrays", "message"), BAD_LINEN, ids=[m for _, m in BAD_LINEN])
def test_linen_refuses_arrays(arrays, message):
    with pytest.raises(ValueError, match=message):
        from_linen(arrays)


dense_i, dense_h = {"kernel": np.zeros((2, 12))}, {"kernel": np.zeros((3, 12))}
biased = {"kernel": np.zeros((3, 12)), "bias": np.zeros(12)}
BAD_NNX = [
    ({"dense_i": dense_i}, "missing 'dense_h'"),
    ({"dense_i": dense_i, "dense_h": {}}, "dense_h: missing 'kernel'"),
    ({"dense_i": dense_i, "dense_h": dense_h}, "dense_h of LSTMParams: missing 'bias'"),
    ({"dense_i": biased, "dense_h": biased}, "dense_i of LSTMParams: unexpected 'bias'"),
    ({"dense_i": dense_i, "dense_h": {"kernel": np.zeros((3, 7))}}, r"G is 4.*\(3, 7\)"),
    ({"dense_i": dense_h["kernel"], "dense_h": biased}, "dense_i: expected a dictionary"),
    ({"dense_i": {"kernel": np.zeros((2, 9))}, "dense_h": biased}, r"dense_i.kernel must be"),
    ({"dense_i": dense_i, "dense_h": {**dense_h, "bias": bias}}, r"dense_h.bias must be \(G·H,\)"),
    ({"if": {}, **{n: {} for n in ("ii", "ig")}}, "Flax NNX: missing 'io'"),
    ({"cell": {}}, r"Flax NNX: expected the names .*nnx.to_pure_dict"),
    (3, "expected a dictionary of arrays, got int"),
]


@pytest.mark.parametrize(("arrays", "message"), BAD_NNX, ids=[m for _, m in BAD_NNX])
def test_nnx_refuses_arrays(arrays, message):
    with pytest.raises(ValueError, match=message):
        from_nnx(arrays)


kernels = jnp.ones((2, 12)), jnp.ones((3, 12))
BAD_PARAMS = [
    (LSTMParams(*kernels, peephole=jnp.ones((3, 3))), "not support peepholes: params.peephole"),
    (make_cell("lstm", 2, 3, projection=2), "not support a projection"),
    (LSTMParams(jnp.ones((2, 9)), jnp.ones((3, 9))), "not support coupled gates"),
    (MGUParams(jnp.ones((2, 6)), jnp.ones((3, 6))), "params is MGUParams"),
    (Directions(make_cell("rnn", 2, 3), make_cell("rnn", 2, 3)), "params is Directions"),
]


@pytest.mark.parametrize("export", [to_linen, to_nnx, lambda p: to_nnx(p, optimized=True)])
@pytest.mark.parametrize(("params", "message"), BAD_PARAMS, ids=[m for _, m in BAD_PARAMS])
def test_flax_refuses_params(params, message, export):
    with pytest.raises(ValueError, match=message):
        export(params)


def test_nnx_does_not_support_the_candidates_recurrent_bias():
    with pytest.raises(ValueError, match=r"not support params.recurrent_bias"):
        to_nnx(make_cell("gru", 2, 3))
