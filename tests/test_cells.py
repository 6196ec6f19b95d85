from dataclasses import replace
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import cells as oracle
from problems import CELLS, assert_close, make_params, make_state, make_xs

from lstm_jax import LSTMState, lstm_gates, lstm_step
from lstm_jax.cells import LSTM_GATE_ORDER, lstm_pointwise
from lstm_jax.gated import GRU_GATE_ORDER

D, H = 2, 3


def problem(cell, batch=(), dtype=np.float64):
    params = make_params(cell, D, H, dtype=dtype)
    return params, make_state(cell, batch, H, dtype=dtype), make_xs((*batch, D), dtype=dtype)


def expected(cell, params, state, x):
    rounded = [np.asarray(a).astype(np.float64) for a in (*state, x)]
    return oracle.batched_step(cell, oracle.as_params(params), rounded[:-1], rounded[-1])


def assert_states_close(actual, desired, tolerance):
    assert len(actual) == len(desired)
    for name, a, d in zip(actual._fields, actual, desired, strict=True):
        assert a.shape == d.shape
        assert_close(a, d, tolerance, name)


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
@pytest.mark.parametrize("cell", CELLS)
def test_step_is_the_textbook_in_float64(cell, batch, x64):
    params, state, x = problem(cell, batch)
    actual = jax.jit(CELLS[cell].step)(params, state, x)
    assert type(actual) is CELLS[cell].State
    assert_states_close(actual, expected(cell, params, state, x), 1e-13)


# bfloat16 keeps 8 bits: 2^-8 = 0.004 per rounding, a few of them, on values below 1.
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("bfloat16", 2e-2)])
@pytest.mark.parametrize("cell", CELLS)
def test_step_is_the_textbook_in_low_precision(cell, dtype, tolerance):
    arrays = jax.tree.map(lambda a: jnp.asarray(a, dtype), problem(cell, (2,), np.float32))
    actual = jax.jit(CELLS[cell].step)(*arrays)
    assert all(a.dtype == dtype for a in actual)
    assert_states_close(actual, expected(cell, *arrays), tolerance)


def test_step_runs_eagerly():
    params, state, x = problem("lstm", (2,), np.float32)
    assert_states_close(lstm_step(params, state, x), expected("lstm", params, state, x), 1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_vmap_over_rows_and_over_params(cell, x64):
    params, state, x = problem(cell, (2,))
    step = CELLS[cell].step
    over_rows = jax.jit(jax.vmap(step, in_axes=(None, 0, 0)))(params, state, x)
    assert_states_close(over_rows, expected(cell, params, state, x), 1e-13)

    many = [make_params(cell, D, H, seed=s) for s in range(2)]
    stacked = jax.tree.map(lambda *a: np.stack(a), *many)
    over_params = jax.jit(jax.vmap(step, in_axes=(0, None, None)))(stacked, state, x)
    for k, one in enumerate(many):
        row = jax.tree.map(lambda a, k=k: a[k], over_params)
        assert_states_close(row, expected(cell, one, state, x), 1e-13)


def scalar_functions(cell, batch=()):
    """The same weighted sum of the new state, ours and the oracle's, over one flat argument list.

    Squared, so that the gradient depends on the value too.
    """
    params, state, x = problem(cell, batch)
    leaves, tree = jax.tree.flatten((params, state, x))
    rng = np.random.default_rng(5)
    weights = [rng.normal(size=s.shape) for s in state]
    names = [name for name, array in vars(params).items() if array is not None]

    def ours(*leaves):
        new = CELLS[cell].step(*jax.tree.unflatten(tree, leaves))
        return sum((w * s * s).sum() for w, s in zip(weights, new, strict=True))

    def textbook(*leaves):
        params = dict(zip(names, leaves, strict=False))
        new = oracle.batched_step(cell, params, leaves[len(names) : -1], leaves[-1])
        return sum((w * s * s).sum() for w, s in zip(weights, new, strict=True))

    return ours, textbook, leaves


@pytest.mark.parametrize("cell", CELLS)
def test_derivatives_are_the_textbooks(cell, x64):
    ours, textbook, leaves = scalar_functions(cell, (2,))
    arguments = tuple(range(len(leaves)))
    reverse = jax.jit(jax.jacrev(ours, arguments))(*leaves)
    forward = jax.jit(jax.jacfwd(ours, arguments))(*leaves)
    numerical = oracle.finite_differences(textbook, leaves)
    for r, f, n in zip(reverse, forward, numerical, strict=True):
        assert_close(r, n, 1e-8)
        assert_close(r, np.asarray(f), 1e-13)


@pytest.mark.parametrize("cell", CELLS)
def test_hessian_is_symmetric_and_the_gradients_derivative(cell, x64):
    ours, _, leaves = scalar_functions(cell)
    sizes = np.cumsum([0] + [a.size for a in leaves])

    def flat(vector):
        parts = [vector[a:b] for a, b in pairwise(sizes)]
        parts = [p.reshape(a.shape) for p, a in zip(parts, leaves, strict=True)]
        return ours(*parts)

    at = np.concatenate([a.ravel() for a in leaves])
    hessian = np.asarray(jax.jit(jax.hessian(flat))(at))
    assert_close(hessian, hessian.T, 1e-13)
    gradient = jax.jit(jax.grad(flat))
    (numerical,) = oracle.finite_differences(lambda v: np.asarray(gradient(v)), [at])
    assert_close(hessian, numerical, 1e-8)


def test_gate_order_is_fixed():
    assert LSTM_GATE_ORDER == ("i", "f", "g", "o")
    assert GRU_GATE_ORDER == ("r", "z", "n")
    params = jax.tree.map(jnp.zeros_like, make_params("lstm", D, H, dtype=np.float32))
    state, x = LSTMState(jnp.zeros(H), jnp.zeros(H)), jnp.zeros(D)
    closed = {"i": 0.5, "f": 0.5, "g": 0.0, "o": 0.5}
    for block, name in enumerate(LSTM_GATE_ORDER):
        bias = params.bias.at[block * H : (block + 1) * H].set(50.0)
        gates = lstm_gates(replace(params, bias=bias), state, x)
        for gate, activation in gates._asdict().items():
            assert_close(activation, 1.0 if gate == name else closed[gate], 1e-6, gate)


def test_gru_gate_order_is_fixed():
    zeros = jax.tree.map(jnp.zeros_like, make_params("gru", D, H, dtype=np.float32))
    h, x = jnp.full(H, 0.5), jnp.zeros(D)

    def new_h(block, value=50.0, recurrent_bias=0.0, **blocks):
        bias = zeros.bias.at[block * H : (block + 1) * H].set(value)
        if "n" in blocks:
            bias = bias.at[2 * H :].set(blocks["n"])
        params = CELLS["gru"].Params(
            zeros.input_kernel, zeros.recurrent_kernel, bias, jnp.full(H, recurrent_bias)
        )
        return CELLS["gru"].step(params, CELLS["gru"].State(h), x).h

    assert_close(new_h(1, n=3.0), 0.5, 1e-6)  # z = 1 keeps h
    assert_close(new_h(2), 0.5 * (1 + 0.5), 1e-6)  # n = 1, z = 1/2
    # r = 1 passes the whole recurrent bias, r = 1/2 half of it.
    assert_close(new_h(0, recurrent_bias=1.0), 0.5 * (np.tanh(1.0) + 0.5), 1e-6)
    assert_close(new_h(0, 0.0, recurrent_bias=1.0), 0.5 * (np.tanh(0.5) + 0.5), 1e-6)


def test_gates_are_those_of_the_step_and_read_h_alone(x64):
    params, state, x = problem("lstm", (2,))
    gates = jax.jit(lstm_gates)(params, state, x)
    for row in range(2):
        desired = oracle.lstm_gates(oracle.as_params(params), state.h[row], x[row])
        for actual, d in zip(gates, desired, strict=True):
            assert_close(actual[row], d, 1e-13)
    blind = lstm_gates(params, LSTMState(state.h, jnp.full((2, H), jnp.nan)), x)
    for actual, desired in zip(gates, blind, strict=True):
        assert_close(actual, np.asarray(desired), 1e-13)


def test_pointwise_half_is_elementwise():
    z = jnp.asarray(make_xs((2, 4 * H), dtype=np.float32))
    state = make_state("lstm", (2,), H, dtype=np.float32)
    params = make_params("lstm", D, H)
    whole = lstm_pointwise(params, z, state)
    one = lstm_pointwise(params, z[1:, jnp.array([1, 1 + H, 1 + 2 * H, 1 + 3 * H])],
                         LSTMState(state.h[1:, 1:2], state.c[1:, 1:2]))  # fmt: skip
    assert_close(one.h, np.asarray(whole.h[1:, 1:2]), 1e-6)
    assert_close(one.c, np.asarray(whole.c[1:, 1:2]), 1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_the_state_keeps_its_dtype(cell):
    params, state, x = problem(cell, (2,), np.float32)
    low = jax.tree.map(lambda a: jnp.asarray(a, jnp.bfloat16), state)
    new = jax.eval_shape(CELLS[cell].step, params, low, x)
    assert [a.dtype for a in new] == [jnp.bfloat16] * len(new)
    new = jax.eval_shape(CELLS[cell].step, params, state, x.astype(jnp.bfloat16))
    assert [a.dtype for a in new] == [jnp.float32] * len(new)


@pytest.mark.parametrize("cell", CELLS)
def test_errors_name_the_array_and_the_expected_size(cell):
    params, state, x = problem(cell, (2,), np.float32)
    step = CELLS[cell].step
    with pytest.raises(ValueError, match=r"x has shape \(2, 5\); its last axis must be 2.*input_k"):
        step(params, state, np.zeros((2, 5), np.float32))
    wide = make_state(cell, (2,), H + 1, dtype=np.float32)
    with pytest.raises(ValueError, match=r"h has shape \(2, 4\); its last axis must be 3.*recurr"):
        step(params, wide, x)
    with pytest.raises(ValueError, match=r"x has shape \(\)"):
        step(params, state, np.float32(1))


@pytest.mark.parametrize("cell", CELLS)
def test_params_are_pytrees_with_named_leaves(cell):
    params = make_params(cell, D, H)
    paths = [jax.tree_util.keystr(p) for p, _ in jax.tree_util.tree_leaves_with_path(params)]
    assert paths[:3] == [".input_kernel", ".recurrent_kernel", ".bias"]
    assert type(jax.tree.map(lambda a: a, params)) is CELLS[cell].Params
