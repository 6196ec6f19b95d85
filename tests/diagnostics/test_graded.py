"""Q e^d R against plain products that fit a float, and against decimals otherwise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnostics.recurrences import prescribed, quick
from oracles.jacobians import log_singular_values, scaled_rows
from problems import assert_close

from lstm_jax.diagnostics import graded
from lstm_jax.diagnostics.graded import Graded

orthonormal = quick(graded.orthonormal)
absorb = quick(graded.absorb)
log_values = quick(graded.log_singular_values)


def dense(g):
    return np.exp(np.asarray(g.logs, np.float64))[:, None] * np.asarray(g.triangle, np.float64)


def make(logs, r):
    return Graded(logs, np.zeros_like(logs), r)


def hard_blocks():
    """Rows (6, 6) that are hard to make orthonormal, by name."""
    rng = np.random.default_rng(0)
    gaussian = rng.normal(size=(6, 6))
    zero_row = gaussian.copy()
    zero_row[2] = 0
    return {
        "gaussian": gaussian,
        "rank 2": prescribed(np.array([3.0, 1, 0, 0, 0, 0]), 1),
        "nearly rank 2": prescribed(np.array([1, 1, 1e-30, 1e-30, 1e-30, 1e-30]), 2),
        "steep": prescribed(np.exp(-8.0 * np.arange(6)), 3),
        "equal rows": np.repeat(gaussian[:1], 6, axis=0),
        "a row of zeros": zero_row,
        "rows of all sizes": gaussian * 10.0 ** np.array([[30], [-30], [0], [10], [-25], [30]]),
    }


@pytest.mark.parametrize("by", ["gram-schmidt", "householder"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_become_orthonormal_whatever_their_rank(by, dtype, monkeypatch):
    if by == "householder":
        monkeypatch.setattr(graded, "GRAM_SCHMIDT_UP_TO", 0)
    run = orthonormal if by == "gram-schmidt" else quick(lambda block: graded.orthonormal(block))
    eps = np.finfo(dtype).eps
    with jax.enable_x64(dtype == np.float64):
        for name, block in hard_blocks().items():
            block = block.astype(dtype)
            rows, r = (a.astype(np.float64) for a in run(block))
            sizes = np.linalg.norm(block.astype(np.float64), axis=1)
            product = rows.T @ r
            assert np.abs(product.T - block).max(1).tolist() <= (10 * eps * sizes).tolist(), name
            np.testing.assert_array_equal(r, np.triu(r))
            gram = rows @ rows.T
            if by == "gram-schmidt" and name == "a row of zeros":
                gram[2, 2] += 1  # no row to build
                assert (rows[2] == 0).all()
            assert np.abs(gram - np.eye(6)).max() < 20 * eps, name


def test_fewer_rows_than_columns_as_they_come(x64):
    block = np.random.default_rng(1).normal(size=(3, 5))
    rows, r = orthonormal(block)
    assert_close(r.T @ rows, block, 1e-15)
    assert_close(rows @ rows.T, np.eye(3), 1e-15)
    assert (np.diagonal(r) > 0).all()
    # The first rows span what the first rows of the block do.
    assert_close(rows[0], block[0] / np.linalg.norm(block[0]), 1e-15)


def test_absorbed_blocks_multiply_from_the_left(x64):
    first, second, third = np.random.default_rng(2).normal(size=(3, 3, 5))
    rows, scale = absorb(first, make(np.zeros(3), np.eye(3)))
    assert_close(dense(scale).T @ rows, first, 1e-14)
    expected = first
    for block in (second, third):
        # The rows go through a map that takes them to `block`.
        linear = np.linalg.pinv(rows) @ block
        expected = expected @ linear
        rows, scale = absorb(rows @ linear, scale)
    assert_close(dense(scale).T @ rows, expected, 1e-12)
    assert_close(np.abs(np.diagonal(scale.triangle)), np.ones(3), 1e-15)
    np.testing.assert_array_equal(scale.triangle, np.triu(scale.triangle))


def test_level_moves_the_size_of_each_row_into_its_logarithm(x64):
    block = np.array([[1e-200, -4e-200], [3e100, 1e99], [0, 0]])
    rows, logs = quick(graded.level)(block, np.array([1.0, 2.0, 3.0]))
    assert_close(rows, [[0.25, -1], [1, 1 / 30], [0, 0]], 1e-15)
    assert_close(logs[:2], [1 + np.log(4e-200), 2 + np.log(3e100)], 1e-15)
    assert np.isfinite(logs[2])
    assert logs[2] < -700


def triangle(size, seed):
    upper = np.triu(np.random.default_rng(seed).normal(size=(size, size)), 1)
    return upper + np.diag(np.resize([1.0, -1.0], size))


LOGS = {
    "apart": np.array([300.0, 120, 60, -20, -250, -1000]),
    "near": np.array([3.0, 2.5, 2, 1.5, 1, 0.5]),
    "clusters": np.array([5.0, 5, -100, -100, -100, -400]),
    "near the largest and far": np.array([700.0, 699, 698, 650, 400, 100]),
}
CLUSTERED = {"clusters": 1e-3}  # far from the largest, to within the spread of a cluster


@pytest.mark.parametrize("name", LOGS)
def test_singular_values_of_any_range_against_decimals(name, x64):
    logs, r = LOGS[name], triangle(6, seed=3)
    actual = log_values(make(logs, r))
    expected = exact(logs, r)
    error = np.abs(actual - expected) / np.maximum(1, np.abs(expected))
    assert (np.diff(actual) <= 0).all()
    near = expected > expected[0] + 0.4 * np.log(np.finfo(np.float64).eps)
    assert error[near].max() < 2e-15
    assert error.max() < CLUSTERED.get(name, 2e-15)
    assert_close(actual.sum(), logs.sum(), 2e-15)  # the determinant
    r[0] *= -1  # the sign of a direction does not matter
    np.testing.assert_allclose(log_values(make(logs, r)), actual)


def exact(logs, r):
    return log_singular_values([scaled_rows(logs, r)], digits=1300)


def test_float32_stores_values_beyond_its_range():
    logs = LOGS["apart"].astype(np.float32)
    r = triangle(6, seed=3).astype(np.float32)
    actual = log_values(make(logs, r))
    assert actual.dtype == jnp.float32
    np.testing.assert_allclose(actual, exact(logs, r), rtol=1e-6)


def test_a_thousand_additions_lose_nothing():
    growth = np.random.default_rng(6).normal(-0.2, 0.1, (1000, 4)).astype(np.float32)

    def add(scale, some):
        return graded.grow(scale, some), None

    scale = quick(lambda some: jax.lax.scan(add, graded.identity(4, np.float32), some)[0])(growth)
    exact_sum = growth.astype(np.float64).sum(0)
    total = scale.logs.astype(np.float64) + scale.lost
    assert np.abs(total - exact_sum).max() < 1e-7 < np.abs(scale.logs - exact_sum).max()
