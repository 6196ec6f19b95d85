"""A user's cell works everywhere, with any state: h alone, h and c, or four fields."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from problems import make_xs

import lstm_jax as lj
from lstm_jax import diagnostics
from lstm_jax.diagnostics.adjoints import perturbed
from lstm_jax.diagnostics.health import adjoint_by_lag

pytestmark = pytest.mark.usefixtures("compile_fast")
T, B, D, H = 6, 3, 2, 4
LENGTHS = np.array([6, 2, 0])


def leaky_step(params, state, x):
    """The README's cell: h alone, which is also its memory."""
    z = x @ params.input_kernel + state.h @ params.recurrent_kernel + params.bias
    return lj.RNNState(0.9 * state.h + 0.1 * jnp.tanh(z))


def bare_step(params, state, x):
    """h and c, without an output gate; the zero state is the default one."""
    z = x @ params.input_kernel + state.h @ params.recurrent_kernel + params.bias
    i, f, g, _ = jnp.split(z, 4, -1)
    c = jax.nn.sigmoid(f) * state.c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return lj.LSTMState(jnp.tanh(c), c)


class SLSTMState(NamedTuple):
    """Hidden and cell state, normalizer and stabilizer of an sLSTM (Beck et al. 2024)."""

    h: jax.Array
    c: jax.Array
    n: jax.Array
    m: jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SLSTMParams:
    """One kernel (D + H, 4H) and a bias (4H,): names that the package does not know."""

    kernel: jax.Array
    bias: jax.Array


def slstm_step(params, state, x):
    z = jnp.concatenate([x, state.h], -1) @ params.kernel + params.bias
    i, f, g, o = jnp.split(z, 4, -1)
    kept = jax.nn.log_sigmoid(f) + state.m
    m = jnp.maximum(kept, i)
    f, i = jnp.exp(kept - m), jnp.exp(i - m)
    c, n = f * state.c + i * jnp.tanh(g), f * state.n + i
    return SLSTMState(jax.nn.sigmoid(o) * c / n, c, n, m)


def init_slstm(key, in_features, hidden_features, *, dtype=None, scale=0.5):
    shape = (in_features + hidden_features, 4 * hidden_features)
    kernel = scale * jax.random.normal(key, shape, dtype or jnp.float32)
    return SLSTMParams(kernel, jnp.zeros(4 * hidden_features, kernel.dtype))


def slstm_zero(params, xs):
    leaf = lj.zeros(xs, params.kernel, params.bias.size // 4)
    return SLSTMState(leaf, leaf, leaf, leaf)


def input_gates(params, state, x):
    z = jnp.concatenate([x, state.h], -1) @ params.kernel + params.bias
    return jnp.split(z, 4, -1)[0]


CELLS = {
    "h": lj.Cell(leaky_step, lj.init_rnn, lj.zero_h),
    "h, c": lj.Cell(bare_step, lj.init_lstm),
    "h, c, n, m": lj.Cell(slstm_step, init_slstm, slstm_zero, gates=input_gates),
}
every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
fewest_and_most = pytest.mark.parametrize("cell", [CELLS["h"], CELLS["h, c, n, m"]], ids=[1, 4])


def leaves(tree):
    return jax.tree.leaves(tree)


def assert_same(actual, expected, tolerance=2e-5):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(leaves(actual), leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def by_hand(cell, params, xs, lengths, *, reverse=False):
    """Run the valid steps row by row and step by step; return final state and outputs (T, B, H)."""
    step = jax.jit(cell.step)
    finals, outputs = [], np.zeros((*xs.shape[:2], H), np.float32)
    for row, length in enumerate(lengths):
        state = jax.tree.map(lambda leaf, row=row: leaf[row], cell.zero(params, jnp.asarray(xs)))
        for t in reversed(range(length)) if reverse else range(length):
            state = step(params, state, xs[t, row])
            outputs[t, row] = state.h
        finals.append(state)
    return jax.tree.map(lambda *rows: np.stack(rows), *finals), outputs


@every_cell
def test_run_scan_and_chunks_are_the_step_row_by_row(cell):
    params, xs = cell.init(jax.random.key(0), D, H), make_xs((T, B, D), dtype=np.float32)
    expected = by_hand(cell, params, xs, LENGTHS)
    assert_same(lj.run(cell, params, xs, lengths=LENGTHS), expected)
    start = cell.zero(params, jnp.asarray(xs))
    padded = np.where(np.arange(T)[:, None, None] < LENGTHS[:, None], xs, np.nan)
    mask = np.arange(T)[:, None] < LENGTHS
    scanned = lj.scan(cell.step, params, padded, start, mask=mask, remat="sqrt")
    assert_same(scanned, expected)
    told = lj.explain(cell, params, xs)
    assert told.implementation == "scan"
    assert f"{cell.name} has no fused path" in str(told)


@every_cell
def test_layers_in_both_directions_are_the_step_row_by_row(cell):
    layer = lj.Recurrent(cell, D, H, num_layers=2, bidirectional=True, rngs=nnx.Rngs(0))
    xs = make_xs((B, T, D), dtype=np.float32)
    finals, hs = jax.jit(lambda xs: layer(xs, lengths=LENGTHS))(xs)
    below = np.swapaxes(xs, 0, 1)
    for params, final in zip(layer.params, finals, strict=True):
        forward = by_hand(cell, params.forward, below, LENGTHS)
        backward = by_hand(cell, params.backward, below, LENGTHS, reverse=True)
        assert_same(final, lj.Directions(forward[0], backward[0]))
        below = np.concatenate([forward[1], backward[1]], -1)
    assert_same(hs, np.swapaxes(below, 0, 1))
    assert layer.out_features == 2 * H
    _, traces = layer.trace(xs)
    assert traces[0].forward.states.h.shape == (B, T, H)
    assert (traces[0].forward.gates is None) == (cell.gates is None)


@every_cell
def test_gradients_go_through_residuals_chunks_and_resets(cell):
    xs = make_xs((B, T, D), dtype=np.float32)
    resets = np.zeros((B, T), bool)
    resets[1, 3] = True

    def gradient(remat):
        layer = lj.Recurrent(
            cell, D, H, num_layers=2, connections="residual", learned_initial=True, remat=remat,
            rngs=nnx.Rngs(0),
        )  # fmt: skip
        graph, state = nnx.split(layer)

        def loss(state):
            return (nnx.merge(graph, state)(xs, resets=resets)[1] ** 2).sum()

        return jax.jit(jax.grad(loss))(state)

    whole = gradient(None)
    assert_same(gradient(2), whole, 1e-4)
    assert all(np.isfinite(leaf).all() and np.any(leaf) for leaf in leaves(whole["layers"]))


@every_cell
def test_zoneout_keeps_h_and_c_and_leaves_other_fields_alone(cell):
    has_c = cell is not CELLS["h"]
    noise = lj.Noise(zoneout=0.4, cell_zoneout=0.3 if has_c else 0.0)
    params, xs = cell.init(jax.random.key(0), D, H), make_xs((1, B, D), dtype=np.float32)
    start = jax.tree.map(lambda leaf: leaf + 0.5, cell.zero(params, jnp.asarray(xs)))
    [found], _ = lj.run_layers(cell, (params,), xs, (start,), noise=noise)
    new = cell.step(params, start, xs[0])
    rates = {"h": 0.4, "c": 0.3}
    for name in new._fields:
        rate = rates.get(name, 0.0)
        mixed = rate * getattr(start, name) + (1 - rate) * getattr(new, name)
        np.testing.assert_allclose(getattr(found, name), mixed, rtol=1e-5)
    [drawn], _ = lj.run_layers(cell, (params,), xs, (start,), noise=noise, key=jax.random.key(1))
    kept = np.isclose(drawn.h, start.h)
    assert 0 < kept.sum() < kept.size
    np.testing.assert_allclose(np.where(kept, new.h, drawn.h), new.h, rtol=1e-6)
    if not has_c:
        with pytest.raises(ValueError, match="cell_zoneout needs a cell with a state c"):
            lj.Recurrent(cell, D, H, cell_zoneout=0.1, rngs=nnx.Rngs(0))


@every_cell
def test_memory_in_h_is_not_masked_unless_the_cell_allows_it(cell):
    with pytest.raises(ValueError, match=f"state_dropout and {cell.name} cannot be combined"):
        lj.Recurrent(cell, D, H, state_dropout=0.5, rngs=nnx.Rngs(0))
    masked = lj.Recurrent(cell._replace(masks_h=True), D, H, state_dropout=0.5, rngs=nnx.Rngs(0))
    xs = make_xs((B, T, D), dtype=np.float32)
    plain, noisy = masked(xs)[1], masked(xs, key=jax.random.key(0))[1]
    assert not np.allclose(plain, noisy)


@every_cell
def test_c_has_the_requested_dtype_and_weights_are_dropped_by_name(cell):
    layer = lj.Recurrent(cell, D, H, dtype=jnp.bfloat16, cell_dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    state = layer.initial_state(B)[0]
    assert {leaf.dtype for leaf in leaves(state)} == {jnp.dtype("bfloat16")}
    xs = make_xs((B, T, D), dtype=np.float32)
    dropped = lj.Recurrent(cell, D, H, weight_dropout=0.5, rngs=nnx.Rngs(0))
    if cell is CELLS["h, c, n, m"]:
        with pytest.raises(ValueError, match="recurrent_kernel, but SLSTMParams has no such field"):
            dropped(xs, key=jax.random.key(0))
    else:
        assert not np.allclose(dropped(xs)[1], dropped(xs, key=jax.random.key(0))[1])


@every_cell
def test_one_step_and_a_stack_are_the_layers(cell):
    options = {"scale": 0.3} if cell is CELLS["h, c, n, m"] else {}
    one = lj.StepCell(cell, D, H, rngs=nnx.Rngs(0), **options)
    layer = lj.Recurrent(cell, D, H, rngs=nnx.Rngs(0), **options)
    x = make_xs((B, 1, D), dtype=np.float32)
    state, h = one(one.initial_state(B), x[:, 0])
    assert_same((state,), layer(x)[0])
    np.testing.assert_allclose(h, layer(x)[1][:, 0], rtol=1e-5, atol=1e-6)
    two = lj.stack(cell.step, lj.lstm_step)
    params = one.params, lj.init_lstm(jax.random.key(1), H, H)
    start = lj.StackState([one.initial_state(), lj.LSTMState(jnp.zeros(H), jnp.zeros(H))])
    assert lj.scan(two, params, x[0], start)[1].shape == (1, H)


@fewest_and_most
def test_diagnostics_see_the_whole_state(cell, x64):
    params = cell.init(jax.random.key(0), D, H, dtype=jnp.float64)
    xs = jnp.asarray(make_xs((T, D)))
    start = jax.tree.map(lambda leaf: leaf + 0.3, cell.zero(params, xs))
    flat, unflatten = jax.flatten_util.ravel_pytree(start)

    @jax.jit
    def step_and_jacobian(s, x):
        def step(s):
            return jax.flatten_util.ravel_pytree(cell.step(params, unflatten(s), x))[0]

        return step(s), jax.jacfwd(step)(s)

    product = np.eye(len(flat))
    for x in xs:
        flat, jacobian = step_and_jacobian(flat, x)
        product = jacobian @ product
    expected = np.log(np.linalg.svd(product, compute_uv=False)[:2])
    found = jax.jit(
        partial(diagnostics.product_spectrum, cell.step, k=2, lags=(T,), method="dense")
    )(params, xs, start)
    np.testing.assert_allclose(found.log_singular_values[-1], expected, rtol=1e-8)
    _, felt = jax.jit(
        partial(diagnostics.adjoints, cell.step, loss=lambda states: states.h[-1].sum())
    )(params, xs, start)
    ones = jax.flatten_util.ravel_pytree(start._replace(**{
        name: jnp.full(H, float(name == "h")) for name in start._fields
    }))[0]  # fmt: skip
    first = jax.flatten_util.ravel_pytree(jax.tree.map(lambda leaf: leaf[0], felt))[0]
    np.testing.assert_allclose(first, ones @ product, rtol=1e-8, atol=1e-12)
    spectrum = diagnostics.lyapunov_spectrum(cell.step, params, xs, start, k=2)
    assert np.isfinite(spectrum.exponents).all()


@fewest_and_most
def test_a_model_of_it_learns_and_its_health_is_measured(cell):
    """The sum of the inputs so far, by plain Optax; the adjoint goes through every layer."""
    layer = lj.Recurrent(cell, D, 8, num_layers=2, rngs=nnx.Rngs(0))
    graph, state = nnx.split(layer)
    readout = 0.3 * jax.random.normal(jax.random.key(1), (8, 1))
    xs = make_xs((16, T, D), dtype=np.float32)
    wanted = 0.1 * xs.sum(-1, keepdims=True).cumsum(1)
    optimizer = optax.adam(3e-2)

    def loss(everything, around=None):
        state, readout = everything
        _, hs = nnx.merge(graph, state)(xs, around=around)
        return ((hs @ readout - wanted) ** 2).mean()

    @jax.jit
    def update(everything, moments):
        value, gradient = jax.value_and_grad(loss)(everything)
        updates, moments = optimizer.update(gradient, moments)
        return optax.apply_updates(everything, updates), moments, value

    everything, values = (state, readout), []
    moments = optimizer.init(everything)
    for _ in range(60):
        everything, moments, value = update(everything, moments)
        values.append(float(value))
    assert values[-1] < 0.5 * values[0]

    def perturbed_loss(epsilons):
        start = jax.tree.map(lambda leaf: leaf[0], epsilons)
        after = jax.tree.map(lambda leaf: leaf[1:], epsilons)
        return loss(everything, lj.Around(perturbed, after, start))

    norms = jax.jit(lambda: adjoint_by_lag(perturbed_loss, layer.initial_state(16), T))()
    assert [type(one) for one in norms] == [type(one) for one in layer.initial_state(1)]
    for one in norms:
        assert one.h.shape == (T + 1,)
        assert all(np.isfinite(leaf).all() and np.any(leaf) for leaf in one)
