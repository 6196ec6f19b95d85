"""The core under JAX's debugging settings: no jit, and no implicit promotion."""

import jax
import numpy as np
import pytest
from core import CORE

import lstm_jax as lj
from lstm_jax.promotion import add, aligned, common

pytestmark = pytest.mark.usefixtures("compile_fast")

# What would take long step by step, and has no loop of its own beside the others'.
SKIPPED = (
    "bfloat",
    "of many",
    "puzzle",
    "projected",
    "normalized",
    "coupled",
    "paper",
    "peephole",
    "narrow",
    "skip",
    "mixed",
    "images",
    "drawing 2 0.7",
    "max",
    "mean",
    "starts",
    "update 1",
)
# Op by op, each compiles a hundred programs, and a lighter one of its kind stands beside it.
HEAVY = ("spectrum by steepness", "dense spectrum", "drawing 0.7", "a_language_model", "attention")
STEP_BY_STEP = [
    pytest.param(name, marks=pytest.mark.slow if any(n in name for n in HEAVY) else ())
    for name in CORE
    if not any(n in name for n in SKIPPED)
]
OF_FUNCTIONS = (
    "recurrence",
    "planned",
    "lengths",
    "images",
    "layers",
    "one_symbol",
    "drawing_from",
    "verse",
    "losses_of_forecasts",
    "diagnostics: matrix",
    "diagnostics: norms of",
)
LOOKS_AT_VALUES = ("diagnostics: fixed points",)


def finite(results):
    for leaf in jax.tree.leaves(results):
        assert not np.isnan(np.asarray(leaf, np.float64)).any()


@pytest.mark.parametrize("name", STEP_BY_STEP)
def test_without_jit(name):
    with jax.disable_jit():
        finite(CORE[name]())


@pytest.mark.parametrize("name", CORE)
def test_ranks_and_dtypes_that_differ_are_said_to(name):
    run = CORE[name] if name in LOOKS_AT_VALUES else lambda: jax.eval_shape(CORE[name])
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        run()


@pytest.mark.parametrize("name", [n for n in CORE if n.startswith(OF_FUNCTIONS)])
def test_so_they_are_in_float64(name, x64):
    # Models make their parameters in float32 and in JAX's default beside it.
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        jax.eval_shape(CORE[name])


def test_dtypes_that_a_caller_mixes_are_still_refused():
    params, xs = lj.init_lstm(jax.random.key(0), 2, 3), np.ones((4, 2), jax.numpy.bfloat16)
    with (
        jax.numpy_dtype_promotion("strict"),
        pytest.raises(Exception, match="no available implicit dtype promotion"),
    ):
        lj.lstm(params, xs)
    assert lj.lstm(params, xs)[1].dtype == np.float32


def test_promotion_is_numpys():
    matrix, vector = np.ones((2, 3), np.float32), np.arange(3, dtype=np.int8)
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        np.testing.assert_array_equal(add(matrix, vector), matrix + vector)
        assert [one.shape for one in aligned(vector, matrix)] == [(1, 3), (2, 3)]
        assert [one.shape for one in aligned(np.float32(1), matrix)] == [(), (2, 3)]
        assert common(np.int32, vector, jax.numpy.bfloat16) == jax.numpy.bfloat16
    said = str(jax.make_jaxpr(add)(matrix, vector))
    assert said == str(jax.make_jaxpr(lambda a, b: jax.numpy.asarray(a) + b)(matrix, vector))
