"""Fixed and slow points of recurrences whose fixed points are known."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnostics.recurrences import quick
from oracles import jacobians as oracle
from oracles.cells import as_params
from oracles.cells import lstm_step as oracle_step
from problems import assert_close, make_params, make_state

import lstm_jax as lj
from lstm_jax.diagnostics import FixedPoints, distinct, fixed_points


def test_a_linear_cell(x64):
    """s = W s + K x has one fixed point, (I - W)⁻¹ K x, stable or not."""
    rng = np.random.default_rng(0)
    w, kernel, x = rng.normal(size=(3, 3)), rng.normal(size=(3, 2)), rng.normal(size=2)
    w[:] = w / np.abs(np.linalg.eigvals(w)).max()

    def step(params, state, x):
        return {"s": params["w"] @ state["s"] + params["k"] @ x}

    run = quick(partial(fixed_points, step))
    for scale in (0.9, 1.7):
        starts = {"s": rng.normal(size=(4, 3))}
        found = run({"w": scale * w, "k": kernel}, x, starts)
        expected = np.linalg.solve(np.eye(3) - scale * w, kernel @ x)
        assert_close(found.states["s"], np.tile(expected, (4, 1)), 1e-13)
        assert np.max(found.speeds) < 1e-14
        eigenvalues = np.asarray(found.eigenvalues)
        assert (np.diff(np.abs(eigenvalues)) < 1e-13).all()
        for row in eigenvalues:
            assert_close(np.poly(row), np.poly(scale * w), 1e-13)
        assert_close(np.abs(eigenvalues[:, 0]), np.full(4, scale), 1e-13)
        np.testing.assert_array_equal(found.stable, np.full(4, scale < 1))
        assert distinct(found) in ([0], [1], [2], [3])


def one_unit(weight):
    return lj.RNNParams(np.zeros((1, 1)), np.array([[weight]]), np.zeros(1))


def test_a_tanh_unit_has_three(x64):
    """h = tanh(2 h) at 0, unstable, and at ±0.957504, stable."""
    starts = lj.RNNState(np.array([[-2.0], [-0.6], [-0.05], [0.05], [0.5], [3.0]]))
    found = quick(partial(fixed_points, lj.rnn_step))(one_unit(2.0), np.zeros(1), starts)
    root = 0.9575040240772687
    assert isinstance(found, FixedPoints)
    assert_close(np.tanh(2 * root), root, 1e-15)
    assert_close(found.states.h[:, 0], [-root, -root, 0, 0, root, root], 1e-13)
    assert np.max(found.speeds) < 1e-14
    slope = 2 * (1 - root**2)
    assert (found.eigenvalues.imag == 0).all()
    assert_close(found.eigenvalues.real[:, 0], [slope, slope, 2, 2, slope, slope], 1e-12)
    np.testing.assert_array_equal(found.stable, [True, True, False, False, True, True])
    kept = distinct(found)
    assert sorted(round(float(h), 3) for h in found.states.h[kept, 0]) == [-0.958, 0, 0.958]
    # The slowest of each cluster comes first; the tolerance defines the clusters.
    assert found.speeds[kept[0]] == np.min(found.speeds)
    # Rounding decides which is the slowest: the point at 0 is near both others.
    middle = abs(float(found.states.h[kept[0], 0])) < 0.5
    assert len(distinct(found, tolerance=1.0)) == (1 if middle else 2)
    assert len(distinct(found, tolerance=10.0)) == 1


def test_the_cube_of_three_flip_flops(x64):
    """Three bits, s = z + (z - z³) / 4 each, rotated: every point of {-1, 0, 1}³ rests.

    A coordinate at ±1 decays, one at 0 grows: 8 stable corners, 12 saddles on the edges with one
    unstable direction, 6 on the faces with two, and 1 in the middle with three.
    """
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]

    def step(turn, state, x):
        z = turn @ state
        return turn.T @ (z + (z - z**3) / 4 + x)

    cube = np.stack(np.meshgrid(*[[-1.0, 0, 1]] * 3), -1).reshape(-1, 3)
    starts = (cube + 0.05 * np.random.default_rng(1).normal(size=cube.shape)) @ rotation
    found = quick(partial(fixed_points, step, tolerance=1e-13))(rotation, np.zeros(3), starts)
    assert_close(found.states, cube @ rotation, 1e-12)
    np.testing.assert_array_equal(found.unstable, (cube == 0).sum(1))
    np.testing.assert_array_equal(found.stable, (cube != 0).all(1))
    for row, corner in zip(np.asarray(found.eigenvalues), cube, strict=True):
        jacobian = rotation.T @ np.diag(1 + (1 - 3 * corner**2) / 4) @ rotation
        expected = np.linalg.eigvals(jacobian)
        assert_close(np.sort(row.real), np.sort(expected.real), 1e-12)
        assert np.abs(row.imag).max() < 1e-12
    assert len(distinct(found)) == 27


def test_a_search_ends_at_its_tolerance(x64):
    """A start whose speed is within the tolerance stays; the others stop as soon as theirs is."""
    starts = lj.RNNState(np.array([[0.9575], [0.8]]))
    speed = float(np.abs(np.tanh(2 * 0.9575) - 0.9575))
    loose = quick(partial(fixed_points, lj.rnn_step, tolerance=1.01 * speed))
    found = loose(one_unit(2.0), np.zeros(1), starts)
    assert float(found.states.h[0, 0]) == 0.9575
    assert 1e-14 < float(found.speeds[1]) <= 1.01 * speed


def test_without_a_fixed_point_a_slow_point_is_found(x64):
    """F(s) = s + μ + s² has no fixed point, and is slowest at 0, with speed μ."""

    def step(params, state, x):
        return state + x + state**2

    found = quick(partial(fixed_points, step))(None, np.array([0.01]), np.array([[-0.4], [0.3]]))
    assert_close(found.states, np.zeros((2, 1)), 1e-6)
    assert_close(found.speeds, [0.01, 0.01], 1e-12)
    assert_close(found.eigenvalues.real, np.ones((2, 1)), 1e-5)


def test_an_lstm_rests_where_a_step_changes_nothing(x64):
    params, x = make_params("lstm", 2, 3), np.array([0.3, -1.0])
    found = quick(partial(fixed_points, lj.lstm_step))(params, x, make_state("lstm", (4,), 3))
    step = partial(oracle_step, as_params(params))
    kept = distinct(found)
    assert found.speeds[kept[0]] < 1e-14
    for n in range(4):
        state = [np.asarray(found.states.h[n]), np.asarray(found.states.c[n])]
        speed = np.linalg.norm(oracle.ravel(step(state, x)) - oracle.ravel(state))
        assert_close(found.speeds[n], speed, 1e-14)
        around = oracle.jacobian(step, state, x)
        assert_close(np.poly(found.eigenvalues[n]), np.poly(around), 1e-12)


def test_few_iterations_and_float32():
    starts = lj.RNNState(np.array([[0.9], [0.3]], np.float32))
    params = jax.tree.map(lambda a: a.astype(np.float32), one_unit(2.0))

    def run(params, starts):
        x = jnp.zeros(1, jnp.float32)
        return [fixed_points(lj.rnn_step, params, x, starts, iterations=n) for n in (0, 100)]

    none, all_of_them = quick(run)(params, starts)
    np.testing.assert_array_equal(none.states.h, starts.h)
    assert_close(none.speeds, np.abs(np.tanh(2 * starts.h[:, 0]) - starts.h[:, 0]), 1e-6)
    assert all_of_them.states.h.dtype == jnp.float32
    assert_close(all_of_them.states.h[0], [0.9575040], 1e-6)


def test_errors_explain_the_mistake():
    starts = lj.RNNState(np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"params.recurrent_kernel must be finite"):
        fixed_points(lj.rnn_step, one_unit(np.nan), np.zeros(1), starts)
    with pytest.raises(ValueError, match="xs must be finite"):
        fixed_points(lj.rnn_step, one_unit(2.0), np.full(1, np.inf), starts)
    with pytest.raises(TypeError, match=r"state.h is int32; .* pytree of floats"):
        fixed_points(lj.rnn_step, one_unit(2.0), np.zeros(1), lj.RNNState(np.ones((2, 1), int)))
    with pytest.raises(TypeError, match="the state has no arrays"):
        fixed_points(lj.rnn_step, one_unit(2.0), np.zeros(1), ())
    with pytest.raises(TypeError, match="must keep the structure"):
        fixed_points(lambda p, s, x: s.h, one_unit(2.0), np.zeros(1), starts)
