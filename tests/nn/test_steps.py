import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from problems import make_xs

import lstm_jax as lj

pytestmark = pytest.mark.usefixtures("compile_fast")
T, B, D, H = 4, 2, 3, 5
KINDS = {
    "lstm": (lj.LSTMCell, lj.LSTM, {"peepholes": True}),
    "gru": (lj.GRUCell, lj.GRU, {"reset_after": False}),
    "rnn": (lj.RNNCell, lj.RNN, {"activation": jax.nn.relu}),
    "mgu": (lj.MGUCell, lj.MGU, {}),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_handwritten_loop_is_the_layer(name):
    kind, layer, options = KINDS[name]
    cell, whole = (k(D, H, rngs=nnx.Rngs(0), **options) for k in (kind, layer))
    xs = make_xs((B, T, D), dtype=np.float32)
    state, hs = cell.initial_state(B), []
    for t in range(T):
        state, h = cell(state, xs[:, t])
        hs.append(h)
    finals, expected = whole(xs)
    np.testing.assert_allclose(np.stack(hs, 1), expected, rtol=1e-5, atol=1e-6)
    assert jax.tree.structure(state) == jax.tree.structure(finals[0])
    assert jax.tree.leaves(cell.initial_state())[0].shape == (H,)


def test_a_cell_works_under_plain_jax():
    cell = lj.LSTMCell(D, H, dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    graph, state = nnx.split(cell)

    def loss(state, x):
        cell = nnx.merge(graph, state)
        return cell(cell.initial_state(B), x)[1].astype(jnp.float32).sum()

    gradient = jax.jit(jax.grad(loss))(state, jnp.ones((B, D)))
    assert {leaf.dtype for leaf in jax.tree.leaves(gradient)} == {jnp.dtype("float32")}
    assert cell(cell.initial_state(B), jnp.ones((B, D)))[1].dtype == jnp.bfloat16


def test_options_of_whole_sequences_are_refused():
    with pytest.raises(ValueError, match="num_layers, zoneout: not for a single step; use LSTM"):
        lj.LSTMCell(D, H, num_layers=2, zoneout=0.1, rngs=nnx.Rngs(0))
    cell = lj.GRUCell(D, H, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="x has shape"):
        cell(cell.initial_state(B), jnp.ones((B, D + 1)))
