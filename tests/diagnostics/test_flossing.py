"""Gradient flossing: exponents as lyapunov_spectrum has them, gradients as finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnostics.recurrences import CELLS, XS, apply_matrix, prescribed, quick
from problems import assert_close

import lstm_jax as lj
from lstm_jax.diagnostics import flossing, lyapunov_spectrum


@pytest.mark.parametrize("name", CELLS)
def test_it_is_the_sum_of_the_squared_exponents(name, x64):
    cell = CELLS[name]
    for k in (1, 3):
        loss = quick(partial(flossing, cell.step, k=k))(cell.params, XS, cell.state)
        spectrum = quick(partial(lyapunov_spectrum, cell.step, k=k))
        exponents = spectrum(cell.params, XS, cell.state).exponents
        assert_close(loss, (exponents**2).sum(), 1e-12)


def test_options_are_those_of_the_spectrum(x64):
    values = [2.0, 1.0, 0.5, 0.2]
    matrices = np.stack([prescribed(values, 10 * t) for t in range(80)])
    options = {"k": 3, "qr_every": 4, "burn_in": 40}
    key = jax.random.key(7)
    exponents = lyapunov_spectrum(
        apply_matrix, None, matrices, jnp.zeros(4), key=key, **options
    ).exponents
    loss = flossing(apply_matrix, None, matrices, jnp.zeros(4), key=key, **options)
    assert_close(loss, (exponents**2).sum(), 1e-12)
    with pytest.raises(ValueError, match="k must lie in"):
        flossing(apply_matrix, None, matrices, jnp.zeros(4), k=5)


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "stack"])
def test_its_gradient_is_that_of_finite_differences(name, x64):
    """In the parameters, the inputs and the first state: through states and directions alike."""
    cell = CELLS[name]

    def loss(values):
        return flossing(cell.step, *values, k=3, qr_every=1)

    values = jax.tree.map(jnp.asarray, (cell.params, XS, cell.state))
    evaluate = quick(loss)
    gradient = quick(jax.grad(loss))(values)
    leaves, structure = jax.tree.flatten(values)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        directions = [rng.normal(size=leaf.shape) for leaf in leaves]

        def moved(size, directions=directions):
            shifted = [leaf + size * way for leaf, way in zip(leaves, directions, strict=True)]
            return float(evaluate(jax.tree.unflatten(structure, shifted)))

        slope = (8 * (moved(1e-4) - moved(-1e-4)) - (moved(2e-4) - moved(-2e-4))) / 12e-4
        pairs = zip(jax.tree.leaves(gradient), directions, strict=True)
        assert_close(sum(float((g * way).sum()) for g, way in pairs), slope, 1e-7)


def test_descending_it_moves_exponents_to_zero(x64):
    """A tanh RNN that forgets within a few steps learns to carry two directions."""
    params = lj.init_rnn(jax.random.key(0), 1, 4)
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64) / 2, params)
    xs, state = np.random.default_rng(0).normal(size=(30, 1)), lj.RNNState(jnp.zeros(4))

    def loss(params):
        return flossing(lj.rnn_step, params, xs, state, k=2)

    def descend(params):
        def once(params, _):
            gradient = jax.grad(loss)(params)
            return jax.tree.map(lambda leaf, way: leaf - 0.1 * way, params, gradient), None

        return jax.lax.scan(once, params, None, length=300)[0]

    before = lyapunov_spectrum(lj.rnn_step, params, xs, state, k=2).exponents
    after = lyapunov_spectrum(lj.rnn_step, quick(descend)(params), xs, state, k=2).exponents
    assert before.max() < -0.4
    assert np.abs(after).max() < 0.05


def test_float32_keeps_its_dtype():
    matrices = np.stack([prescribed([1.1, 0.9], t) for t in range(12)]).astype(np.float32)
    loss = flossing(apply_matrix, None, matrices, jnp.zeros(2, jnp.float32), k=2)
    assert loss.dtype == jnp.float32
    assert_close(loss, 2 * np.log(1.1) ** 2, 0.05)
