"""The mogrifier LSTM against its equations in NumPy, and as a cell of layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from problems import assert_close, make_state, make_xs

import lstm_jax as lj

pytestmark = pytest.mark.usefixtures("compile_fast")
T, B, D, H = 5, 3, 2, 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def literal(params, h, c, x):
    """Equations 1 and 2 of Melis et al. (2020), and the LSTM's."""
    inputs, states = list(params.input_gates), list(params.state_gates)
    for number in range(1, len(inputs) + len(states) + 1):
        if number % 2:
            x = 2 * sigmoid(h @ inputs.pop(0)) * x
        else:
            h = 2 * sigmoid(x @ states.pop(0)) * h
    z = x @ params.input_kernel + h @ params.recurrent_kernel + params.bias
    i, f, g, o = np.split(z, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


@pytest.mark.parametrize("rounds", [2, 3, 5])
def test_a_step_is_its_equations(rounds, x64):
    params = lj.init_mogrifier(jax.random.key(0), D, H, rounds=rounds, dtype=jnp.float64)
    assert params.input_gates.shape == ((rounds + 1) // 2, H, D)
    assert params.state_gates.shape == (rounds // 2, D, H)
    state, x = make_state("lstm", (B,), H), make_xs((B, D))
    new = lj.mogrifier_step(params, state, x)
    h, c = literal(jax.tree.map(np.asarray, params), state.h, state.c, x)
    assert_close(new.h, h, 1e-12)
    assert_close(new.c, c, 1e-12)


def test_gates_of_zeros_leave_the_lstm():
    params = lj.init_mogrifier(jax.random.key(0), D, H, rounds=2)
    none = lj.MogrifierParams(
        params.input_kernel, params.recurrent_kernel, params.bias,
        0 * params.input_gates, 0 * params.state_gates,
    )  # fmt: skip
    xs = make_xs((T, B, D), dtype=np.float32)
    plain = lj.LSTMParams(params.input_kernel, params.recurrent_kernel, params.bias)
    _, hs = lj.run(lj.mogrifier_cell(), none, xs)
    assert_close(hs, lj.lstm(plain, xs, implementation="scan")[1], 1e-6)
    assert not np.allclose(lj.run(lj.mogrifier_cell(), params, xs)[1], hs, atol=1e-3)


def test_its_layers_are_the_step_and_learn_with_lengths_and_dropped_weights():
    layer = lj.Recurrent(
        lj.mogrifier_cell(), D, H, num_layers=2, weight_dropout=0.5, rounds=3, rngs=nnx.Rngs(0)
    )
    xs, lengths = make_xs((B, T, D), dtype=np.float32), np.array([5, 2, 0])
    final, hs = layer(xs, lengths=lengths)
    below = xs[0]
    for params, last in zip(layer.params, final, strict=True):
        state, outputs = lj.LSTMState(np.zeros(H), np.zeros(H)), []
        for x in below:
            state = lj.LSTMState(*literal(jax.tree.map(np.asarray, params), *state, x))
            outputs.append(state.h)
        below = np.stack(outputs)
        assert_close(last.c[0], state.c, 1e-5)
    assert_close(hs[0], below, 1e-5)
    graph, weights = nnx.split(layer, nnx.Param)

    def loss(weights, key):
        return (nnx.merge(graph, weights)(xs, lengths=lengths, key=key)[1] ** 2).sum()

    gradient = jax.jit(jax.grad(loss))(weights, jax.random.key(1))
    assert all(np.isfinite(leaf).all() and np.any(leaf) for leaf in jax.tree.leaves(gradient))
    assert loss(weights, None) != loss(weights, jax.random.key(1))


def test_wrong_shapes_are_refused():
    params = lj.init_mogrifier(jax.random.key(0), D, H)
    state = make_state("lstm", (B,), H, dtype=np.float32)
    with pytest.raises(ValueError, match="x has shape"):
        lj.mogrifier_step(params, state, np.zeros((B, D + 1), np.float32))
    with pytest.raises(ValueError, match="rounds must be at least 2, got 1"):
        lj.init_mogrifier(jax.random.key(0), D, H, rounds=1)
