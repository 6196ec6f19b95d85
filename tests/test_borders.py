"""Inputs are checked once, at the public functions, with errors that name them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from problems import make_params, make_xs

import lstm_jax as lj

pytestmark = pytest.mark.usefixtures("compile_fast")
T, B, D, H = 4, 2, 3, 5
KINDS = {"lstm": lj.lstm, "gru": lj.gru, "rnn": lj.rnn}
STATES = {"lstm": lj.LSTMState, "gru": lj.GRUState, "rnn": lj.RNNState}
every_kind = pytest.mark.parametrize("kind", KINDS)
both_ways = pytest.mark.parametrize("implementation", ["scan", "fused"])


def problem(kind="lstm"):
    return make_params(kind, D, H, dtype=np.float32), make_xs((T, B, D), dtype=np.float32)


# --- dtypes --------------------------------------------------------------------------------------


@both_ways
@every_kind
@pytest.mark.parametrize("dtype", [np.int32, np.int8, np.uint32, np.bool_])
def test_a_state_of_integers_is_refused_by_name(kind, implementation, dtype):
    params, xs = problem(kind)
    state = STATES[kind](*(np.zeros((B, H), dtype) for _ in STATES[kind]._fields))
    message = f"h of the state must be floating point, got {np.dtype(dtype)}"
    with pytest.raises(TypeError, match=message):
        KINDS[kind](params, xs, state, implementation=implementation)


def test_a_cell_state_of_integers_is_refused_everywhere():
    params, xs = problem()
    state = lj.LSTMState(np.zeros((B, H), np.float32), np.zeros((B, H), np.int32))
    cell, layer = (kind(D, H, rngs=nnx.Rngs(0)) for kind in (lj.LSTMCell, lj.LSTM))
    batch = np.swapaxes(xs, 0, 1)
    for call in (
        lambda: lj.lstm_step(params, state, xs[0]),
        lambda: lj.lstm_gates(params, state, xs[0]),
        lambda: lj.scan(lj.lstm_step, params, xs, state),
        lambda: lj.lstm(params, xs, state, implementation="fused"),
        lambda: cell(state, xs[0]),
        lambda: layer(batch, (state,)),
    ):
        with pytest.raises(TypeError, match="c of the state must be floating point, got int32"):
            call()


def test_a_counter_in_a_users_state_stays_one():
    def step(params, state, x):
        return {"count": state["count"] + 1, "total": state["total"] + params * x}

    start = {"count": jnp.int32(0), "total": jnp.float32(0)}
    final, _ = lj.scan(step, 2.0, jnp.ones(5), start, emit=None)
    assert (int(final["count"]), float(final["total"])) == (5, 10.0)


@both_ways
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [*((kind, np.int32) for kind in KINDS), ("lstm", np.uint8), ("lstm", np.bool_)],
)
def test_integer_inputs_have_the_gradients_of_their_values(kind, implementation, dtype):
    params, _ = problem(kind)
    xs = np.random.default_rng(0).integers(0, 2, (T, B, D)).astype(dtype)
    lengths = np.array([4, 2])

    def loss(params, xs):
        options = {"lengths": lengths, "implementation": implementation}
        return (KINDS[kind](params, xs, **options)[1] ** 2).sum()

    found = jax.jit(jax.value_and_grad(loss))(params, xs)
    expected = jax.jit(jax.value_and_grad(loss))(params, xs.astype(np.float32))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
    _, tangent = jax.jvp(lambda p: loss(p, xs), (params,), (params,))
    assert np.isfinite(tangent)


# --- states of the wrong form --------------------------------------------------------------------


H0 = np.zeros((1, B, H), np.float32)
GOOD = lj.LSTMState(H0[0], H0[0])
WRONG = [
    ((H0, H0), r"state.*shape \(1, 2, 5\); its batch axes must be \(2,\)"),
    ((H0[0], H0[0]), r"state must be LSTMState\(h \(2, 5\), c \(2, 5\)\), got a tuple.*PyTorch"),
    (H0[0], r"state must be LSTMState\(h \(2, 5\), c \(2, 5\)\), got an array of shape"),
    (lj.RNNState(H0[0]), r"state must be LSTMState.* got a RNNState"),
    (GOOD._replace(c=H0[0, :, :4]), r"state\.c must have shape \(2, 5\), got \(2, 4\)"),
    (GOOD._replace(h=H0[0, :, :4]), r"state\.h must have shape \(2, 5\), got \(2, 4\)"),
]


@pytest.mark.parametrize(("state", "message"), WRONG)
def test_a_state_of_the_wrong_form_is_refused(state, message):
    params, xs = problem()
    for implementation in (None, "scan", "fused"):
        with pytest.raises(ValueError, match=message):
            lj.lstm(params, xs, state, implementation=implementation)
    layer = lj.LSTM(D, H, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=message):
        layer(np.swapaxes(xs, 0, 1), (state,))


def test_layers_need_a_tuple_of_states():
    layer = lj.LSTM(D, H, num_layers=2, rngs=nnx.Rngs(0))
    batch = make_xs((B, T, D), dtype=np.float32)
    with pytest.raises(ValueError, match="state must be a tuple of 2, one for each layer, got one"):
        layer(batch, GOOD)
    with pytest.raises(ValueError, match="one for each layer, got 1"):
        layer(batch, (GOOD,))


def test_lists_are_accepted_as_lengths_and_refused_as_inputs():
    params, xs = problem()
    given = lj.lstm(params, xs, lengths=[4, 2], mask=np.ones((T, B), bool).tolist())
    wanted = lj.lstm(params, xs, lengths=np.array([4, 2]))
    np.testing.assert_array_equal(given[1], wanted[1])
    layer = lj.LSTM(D, H, rngs=nnx.Rngs(0))
    assert layer(np.swapaxes(xs, 0, 1), lengths=[4, 2])[1].shape == (B, T, H)
    for call in (lambda: lj.lstm(params, xs.tolist()), lambda: layer(xs.tolist())):
        with pytest.raises(TypeError, match=r"xs must be an array.*got a list.*lstm_jax\.pad"):
            call()


# --- which leaves have rows ----------------------------------------------------------------------


def noisy_step(params, state, inputs):
    """Add one random number for all rows, drawn from a key."""
    x, key = inputs
    return lj.rnn_step(params, state, x + jax.random.normal(key, (D,)))


@pytest.mark.parametrize("raw", [False, True])
def test_a_key_is_shared_by_the_rows_whatever_its_shape(raw):
    params, xs = problem("rnn")
    keys = jax.random.split(jax.random.key(0), T)
    keys = jax.random.key_data(keys) if raw else keys  # (T, 2), as long as the batch
    start = lj.RNNState(jnp.zeros((B, H)))

    def last_of_row_0(lengths):
        return lj.scan(noisy_step, params, (xs, keys), start, lengths=lengths)[1][:, 0]

    whole, beside = (last_of_row_0(np.array([T, other])) for other in (T, 1))
    np.testing.assert_array_equal(whole, beside)


def test_leaves_with_rows_can_be_marked():
    params, xs = problem("rnn")
    offsets = make_xs((T, B), seed=3, dtype=np.float32)  # for features 0 and 1, not for rows
    lengths = np.array([T, 1])

    def step(params, state, inputs):
        x, offset = inputs
        return lj.rnn_step(params, state, x.at[..., :2].add(offset))

    start = lj.RNNState(jnp.zeros((B, H)))
    options = {"lengths": lengths, "per_row": (True, False)}
    _, hs = lj.scan(step, params, (jnp.asarray(xs), offsets), start, **options)
    shifted = xs + np.pad(offsets, ((0, 0), (0, D - 2)))[:, None]
    _, expected = lj.scan(lj.rnn_step, params, shifted, start, lengths=lengths)
    np.testing.assert_allclose(hs, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="per_row must have the structure of xs"):
        lj.scan(step, params, (xs, offsets), start, lengths=lengths, per_row=True)


@every_kind
def test_an_array_has_rows_and_may_be_marked(kind):
    params, xs = problem(kind)
    run, lengths = KINDS[kind], np.array([T, 1])
    _, expected = run(params, xs, lengths=lengths)
    _, marked = run(params, xs, lengths=lengths, per_row=True)
    np.testing.assert_allclose(marked, expected, rtol=1e-5, atol=1e-6)
    for implementation in ("scan", "fused"):
        options = {"lengths": lengths, "implementation": implementation}
        _, unmarked = run(params, xs, per_row=None, **options)
        np.testing.assert_allclose(unmarked, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match='per_row and implementation="fused" cannot be combined'):
        run(params, xs, per_row=True, implementation="fused")


def test_a_module_of_a_cell_without_init_is_refused():
    cell = lj.Cell(lj.rnn_step, zero=lj.zero_h)
    for kind in (lj.Recurrent, lj.StepCell):
        with pytest.raises(ValueError, match="rnn_step has no init; set Cell"):
            kind(cell, D, H, rngs=nnx.Rngs(0))
