import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lstm_jax
from lstm_jax import initializers
from lstm_jax.cells import Cell, zero_h
from lstm_jax.engines.choose import best as best_implementation

B, T, D, H = 2, 5, 3, 4

STEPS = {
    lstm_jax.LSTM: (lstm_jax.lstm_step, lstm_jax.LSTMState, lstm_jax.LSTMParams),
    lstm_jax.GRU: (lstm_jax.gru_step, lstm_jax.GRUState, lstm_jax.GRUParams),
    lstm_jax.RNN: (lstm_jax.rnn_step, lstm_jax.RNNState, lstm_jax.RNNParams),
}
every_kind = pytest.mark.parametrize("kind", STEPS, ids=lambda kind: kind.__name__)
fused_kinds = pytest.mark.parametrize(
    "kind", [lstm_jax.LSTM, lstm_jax.RNN], ids=lambda kind: kind.__name__
)


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def quick_key(seed):
    """A key whose generator compiles faster than the default one."""
    return jax.random.key(seed, impl="rbg")


def make(kind, num_layers=2, seed=0, **options):
    """A layer whose arrays are all random, including biases."""
    layer = kind(D, H, num_layers=num_layers, rngs=nnx.Rngs(seed), **options)
    rng = np.random.default_rng(seed)
    state = nnx.state(layer)
    nnx.update(
        layer,
        jax.tree.map(lambda a: jnp.asarray(0.7 * rng.normal(size=a.shape), a.dtype), state),
    )
    return layer


def random_state(kind, num_layers=2, seed=5):
    state_type = STEPS[kind][1]
    keys = range(num_layers)
    return tuple(
        state_type(*(normal(seed + 10 * k + i, B, H) for i in range(len(state_type._fields))))
        for k in keys
    )


def reference(layer, xs, state=None, **controls):
    """`scan` of the step, one layer after another, time-major."""
    step, state_type, _ = STEPS[type(layer)]
    final_states = []
    for index, params in enumerate(layer.params):
        zeros = jnp.zeros((xs.shape[1], layer.hidden_features))
        start = state_type(*(zeros for _ in state_type._fields)) if state is None else state[index]
        final, xs = lstm_jax.scan(step, params, xs, start, **controls)
        final_states.append(final)
    return tuple(final_states), xs


def functional(layer, index=1):
    """`f(params, ...)` of a split layer, without nnx.jit."""
    graph, params = nnx.split(layer)
    return (lambda params, xs, **options: nnx.merge(graph, params)(xs, **options)[index]), params


def assert_trees_close(actual, expected, rtol=1e-5, atol=1e-6):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def swap(array):
    return jnp.swapaxes(array, 0, 1)


ECHO = Cell(lambda params, state, x: lstm_jax.RNNState(x), initializers.init_rnn, zero_h)


def echo(width=64, **options):
    """Layers that return their inputs, so that the outputs show the dropout between them."""
    return lstm_jax.Recurrent(ECHO, width, width, dropout=0.5, rngs=nnx.Rngs(0), **options)


# --- values --------------------------------------------------------------------------------------


@every_kind
def test_layers_are_stacked_scans_of_the_step(kind):
    layer, xs, state = make(kind), normal(1, B, T, D), random_state(kind)
    actual_state, actual = layer(xs, state)
    expected_state, expected = reference(layer, swap(xs), state)
    assert actual.shape == (B, T, H)
    assert type(actual_state) is tuple
    assert [type(one) for one in actual_state] == [STEPS[kind][1]] * 2
    np.testing.assert_array_equal(actual_state[-1].h, actual[:, -1])
    assert_trees_close(actual, swap(expected))
    assert_trees_close(actual_state, expected_state)


@every_kind
def test_controls_are_those_of_scan(kind):
    layer, xs, state = make(kind), normal(2, B, T, D), random_state(kind)
    lengths = jnp.array([5, 3])
    mask = jnp.array([[1, 1, 0, 1, 1], [0, 1, 1, 1, 1]], bool)
    resets = jnp.array([[0, 0, 0, 1, 0], [0, 0, 1, 0, 0]], bool)
    actual = layer(xs, state, lengths=lengths, mask=mask, resets=resets)
    final, hs = reference(
        layer, swap(xs), state, lengths=lengths, mask=swap(mask), resets=swap(resets)
    )
    assert_trees_close(actual, (final, swap(hs)))


@every_kind
def test_the_step_is_that_of_all_layers_together(kind):
    layer, xs = make(kind), normal(1, T, D)
    start = lstm_jax.StackState(layer.initial_state())
    final, hs = lstm_jax.scan(layer.step, layer.params, xs, start)
    expected_final, expected = layer(xs[None])
    assert_trees_close(hs, expected[0])
    assert_trees_close(tuple(final), jax.tree.map(lambda leaf: leaf[0], expected_final))


@pytest.mark.parametrize(
    "options",
    [{"bidirectional": True}, {"connections": "skip"}, {"zoneout": 0.1}, {"cell_zoneout": 0.1}],
    ids=str,
)
def test_layers_that_are_no_stack_of_steps_have_no_step(options):
    [(name, value)] = options.items()
    with pytest.raises(ValueError, match=f"step needs layers in one direction.*{name}={value!r}"):
        _ = make(lstm_jax.LSTM, **options).step


def test_the_default_state_is_the_initial_state_of_zeros():
    layer, xs = make(lstm_jax.LSTM), normal(1, B, T, D)
    zeros = layer.initial_state(B)
    assert all(leaf.shape == (B, H) and not leaf.any() for leaf in jax.tree.leaves(zeros))
    run = jax.jit(lambda state: layer(xs, state))
    assert_trees_close(run(None), run(zeros), rtol=1e-6)


def test_time_major_swaps_the_axes():
    xs, mask = normal(1, B, T, D), jnp.array([[1, 1, 0, 1, 1], [0, 1, 1, 1, 1]], bool)
    resets = jnp.array([[0, 0, 0, 1, 0], [0, 0, 1, 0, 0]], bool)
    lengths = jnp.array([4, 5])
    final, hs = make(lstm_jax.LSTM)(xs, lengths=lengths, mask=mask, resets=resets)
    time_major = make(lstm_jax.LSTM, time_major=True)
    other = time_major(swap(xs), lengths=lengths, mask=swap(mask), resets=swap(resets))
    assert_trees_close((final, swap(hs)), other, rtol=0, atol=0)


def test_two_parts_with_the_state_carried_are_the_whole():
    layer, xs = make(lstm_jax.LSTM), normal(3, B, 2 * T, D)
    run = jax.jit(layer.__call__)
    middle, first = run(xs[:, :T], layer.initial_state(B))
    last, second = run(xs[:, T:], middle)
    assert_trees_close((last, jnp.concatenate([first, second], axis=1)), run(xs))


def test_a_reset_reaches_every_layer():
    layer, xs = make(lstm_jax.LSTM), normal(4, B, T, D)
    resets = jnp.zeros((B, T), bool).at[:, 2].set(True)
    final, hs = layer(xs, random_state(lstm_jax.LSTM), resets=resets)
    assert_trees_close((final, hs[:, 2:]), layer(xs[:, 2:]))


@pytest.mark.parametrize("control", ["lengths", "mask"])
def test_padding_reaches_no_layer(control):
    layer, xs = make(lstm_jax.LSTM), normal(4, B, T, D)
    controls = {"lengths": jnp.full(B, 3), "mask": jnp.broadcast_to(jnp.arange(T) < 3, (B, T))}
    padded = xs.at[:, 3:].set(jnp.nan)
    final, hs = layer(padded, **{control: controls[control]})
    expected_final, expected = layer(xs[:, :3])
    assert_trees_close((final, hs[:, :3]), (expected_final, expected))
    assert not hs[:, 3:].any()


def test_a_hole_in_the_mask_is_skipped_by_every_layer():
    layer, xs = make(lstm_jax.LSTM), normal(4, B, T, D)
    mask = jnp.ones((B, T), bool).at[:, 2].set(False)
    kept = np.array([0, 1, 3, 4])
    final, hs = layer(xs, mask=mask)
    assert_trees_close((final, hs[:, kept]), layer(xs[:, kept]))


# --- transformations, with no nnx.jit ------------------------------------------------------------


def test_jit_and_vmap_over_inputs_and_keys():
    layer = make(lstm_jax.LSTM, dropout=0.4)
    run, params = functional(layer)
    many, keys = normal(1, 3, B, T, D), jax.random.split(jax.random.key(0), 3)
    jitted = jax.jit(lambda params, xs, key: run(params, xs, key=key))
    expected = [jitted(params, xs, key) for xs, key in zip(many, keys, strict=True)]
    mapped = jax.jit(jax.vmap(jitted, in_axes=(None, 0, 0)))
    assert_trees_close(mapped(params, many, keys), jnp.stack(expected))
    # The layer that was split is unchanged and still runs.
    assert_trees_close(layer(many[0], key=keys[0])[1], expected[0])


@pytest.mark.parametrize("kind", [lstm_jax.LSTM, lstm_jax.GRU], ids=["fused", "scan"])
def test_vmap_over_an_ensemble_of_parameters_and_its_gradients(kind):
    members = [make(kind, seed=seed) for seed in (0, 1)]
    run, _ = functional(members[0])
    states = [nnx.split(member)[1] for member in members]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
    xs = normal(1, B, T, D)
    one = jax.jit(jax.value_and_grad(lambda params: (run(params, xs) ** 2).sum()))
    losses, grads = jax.jit(jax.vmap(one))(stacked)
    for index, state in enumerate(states):
        loss, expected = one(state)
        np.testing.assert_allclose(losses[index], loss, rtol=1e-5)
        member = jax.tree.map(lambda leaf, index=index: leaf[index], grads)
        assert_trees_close(member, expected, rtol=1e-4, atol=1e-5)


def test_forward_mode_goes_through_scan():
    layer, xs = make(lstm_jax.LSTM, num_layers=1, implementation="scan"), normal(1, B, T, D)
    run, params = functional(layer)
    weights = normal(3, B, T, H)

    def loss(params):
        return (run(params, xs) * weights).sum()

    tangent = jax.tree.map(jnp.ones_like, params)
    _, slope = jax.jit(lambda: jax.jvp(loss, (params,), (tangent,)))()
    grads = jax.jit(jax.grad(loss))(params)
    np.testing.assert_allclose(slope, sum(g.sum() for g in jax.tree.leaves(grads)), rtol=1e-4)


@every_kind
@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_layers_and_their_gradients_lower_for(kind, platform):
    run, params = functional(make(kind, dropout=0.4))
    xs, lengths = normal(1, B, T, D), jnp.array([5, 3])

    def loss(params, xs, lengths, key):
        return (run(params, xs, lengths=lengths, key=key) ** 2).sum()

    program = jax.jit(jax.value_and_grad(loss))
    exported = jax.export.export(program, platforms=[platform])(
        params, xs, lengths, jax.random.key_data(jax.random.key(0))
    )
    assert exported.platforms == (platform,)


# --- implementations -----------------------------------------------------------------------------


@fused_kinds
def test_scan_and_fused_agree_in_values_and_gradients(kind):
    xs, state = normal(1, B, T, D), random_state(kind)
    resets = jnp.zeros((B, T), bool).at[0, 2].set(True)

    def results(implementation):
        run, params = functional(make(kind, implementation=implementation), slice(2))

        def loss(params, xs, state):
            final, hs = run(params, xs, state=state, lengths=jnp.array([5, 4]), resets=resets)
            return (hs**2).sum() + sum((leaf**3).sum() for leaf in jax.tree.leaves(final))

        value, grads = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))(params, xs, state)
        return value, jax.tree.leaves(grads)

    assert_trees_close(results("scan"), results("fused"), rtol=1e-4, atol=1e-5)


def test_the_implementation_reaches_the_function():
    xs = jnp.zeros((T, B, D))
    best = {k: best_implementation(make(k).cell, make(k).params[0], xs, None, {}) for k in STEPS}
    assert set(best.values()) <= {"fused", "native"}
    with pytest.raises(ValueError, match="no fused path"):
        make(lstm_jax.MGU, implementation="fused")(normal(1, B, T, D))
    with pytest.raises(ValueError, match="'quick'"):
        make(lstm_jax.LSTM, implementation="quick")(normal(1, B, T, D))
    run, params = functional(make(lstm_jax.LSTM))
    primals, tangents = (normal(1, B, T, D),), (normal(2, B, T, D),)
    (_, hs), (_, dhs) = jax.jvp(lambda xs: run(params, xs), primals, tangents)
    steps = [run(params, primals[0] + sign * 1e-2 * tangents[0])[1] for sign in (1, -1)]
    np.testing.assert_allclose(dhs, (steps[0] - steps[1]) / 2e-2, atol=2e-3)  # forward mode
    assert hs.shape == dhs.shape


# --- dropout -------------------------------------------------------------------------------------


def test_dropout_only_with_a_key_and_the_same_for_the_same_key():
    layer, xs = make(lstm_jax.LSTM, dropout=0.5), normal(1, B, T, D)
    run = jax.jit(lambda key: layer(xs, key=key)[1])
    without = layer(xs)[1]
    np.testing.assert_array_equal(without, make(lstm_jax.LSTM)(xs)[1])
    one, again, other = (run(quick_key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, without)
    assert not np.allclose(one, other)


def test_a_key_changes_nothing_without_a_rate_or_with_a_single_layer():
    xs, key = normal(1, B, T, D), quick_key(0)
    with pytest.warns(UserWarning, match=r"dropout=0.5 acts between layers, so with num_layers=1"):
        single = make(lstm_jax.LSTM, num_layers=1, dropout=0.5)
    for layer in (make(lstm_jax.LSTM), single):
        np.testing.assert_array_equal(layer(xs, key=key)[1], layer(xs)[1])


def test_dropout_between_layers_has_a_mask_for_each():
    states, top = echo(num_layers=3)(jnp.ones((20, 1, 64)), key=quick_key(0))
    bottom, middle, last = (np.asarray(one.h) for one in states)
    np.testing.assert_array_equal(bottom, 1)  # the input is not dropped
    assert set(np.unique(middle)) == {0, 2}
    # Of what the first mask kept, the second keeps half; the same mask would keep it all.
    assert 0.4 < (last[middle > 0] > 0).mean() < 0.6
    np.testing.assert_array_equal(last[middle > 0][last[middle > 0] > 0], 4)
    np.testing.assert_array_equal(top[:, 0], last)  # nor the output


@pytest.mark.parametrize("time_major", [False, True])
def test_only_a_variational_mask_is_constant_in_time(time_major):
    ones = jnp.ones((T, B, 64) if time_major else (B, T, 64))
    time = 0 if time_major else 1
    outputs = {}
    for variational in (False, True):
        layer = echo(num_layers=2, variational=variational, time_major=time_major)
        outputs[variational] = np.asarray(layer(ones, key=quick_key(0))[1])
    assert np.ptp(outputs[True], axis=time).max() == 0
    assert np.ptp(outputs[True], axis=1 - time).max() == 2  # each row has its own mask
    assert np.ptp(outputs[True], axis=2).min() == 2
    assert np.ptp(outputs[False], axis=time).mean() > 1


# --- parameters ----------------------------------------------------------------------------------


@every_kind
def test_one_param_for_each_array_and_nothing_else(kind):
    layer = kind(D, H, num_layers=2, dropout=0.3, rngs=nnx.Rngs(0))
    params_type = STEPS[kind][2]
    names = [n for n, array in vars(layer.params[0]).items() if array is not None]
    assert len(names) == {lstm_jax.LSTM: 3, lstm_jax.GRU: 4, lstm_jax.RNN: 3}[kind]
    assert len(jax.tree.leaves(nnx.state(layer, nnx.Param))) == 2 * len(names)
    assert len(jax.tree.leaves(nnx.state(layer))) == 2 * len(names)
    for one, params in zip(layer.layers, layer.params, strict=True):
        assert isinstance(params, params_type)
        for name in names:
            assert isinstance(getattr(one, name), nnx.Param)
            np.testing.assert_array_equal(getattr(params, name), getattr(one, name)[...])
            assert isinstance(getattr(params, name), jax.Array)


@every_kind
def test_the_gradient_after_split_and_merge_is_that_of_the_params_of_the_step(kind):
    layer, xs, weights = make(kind), normal(1, B, T, D), normal(2, B, T, H)
    step = lstm_jax.stack(*[STEPS[kind][0]] * 2)
    start = lstm_jax.StackState(layer.initial_state(B))
    graph, state = nnx.split(layer)

    def of_dataclasses(params, xs):
        hs = lstm_jax.scan(step, params, swap(xs), start)[1]
        return (swap(hs) * weights).sum()

    def of_module(state, xs):
        return (nnx.merge(graph, state)(xs)[1] * weights).sum()

    params = layer.params
    expected, dxs = jax.jit(jax.grad(of_dataclasses, argnums=(0, 1)))(params, xs)
    gradient, actual_dxs = jax.jit(jax.grad(of_module, argnums=(0, 1)))(state, xs)
    actual = nnx.merge(graph, gradient).params
    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(actual))
    assert_trees_close((actual, actual_dxs), (expected, dxs), rtol=1e-4, atol=1e-5)


@every_kind
def test_layers_differ_and_a_seed_reproduces_them(kind):
    one, same, other = (kind(H, H, num_layers=2, rngs=nnx.Rngs(seed)) for seed in (0, 0, 1))
    assert_trees_close(nnx.state(one), nnx.state(same), rtol=0, atol=0)
    kernels = [np.asarray(m.params[i].input_kernel) for m in (one, other) for i in (0, 1)]
    assert all(not np.allclose(kernels[i], kernels[j]) for i in range(4) for j in range(i))


def test_initializer_options_reach_every_layer():
    options = {"forget_bias": 3.0, "dtype": jnp.float16, "param_dtype": jnp.float16}
    layer = lstm_jax.LSTM(D, H, num_layers=2, rngs=nnx.Rngs(0), **options)
    for one in layer.layers:
        assert one.bias.dtype == jnp.float16
        np.testing.assert_array_equal(one.bias[H : 2 * H], 3)
        np.testing.assert_array_equal(one.bias[:H], 0)
    assert [one.input_kernel.shape for one in layer.layers] == [(D, 4 * H), (H, 4 * H)]
    start = layer.initial_state(B)[0]
    assert (start.h.dtype, start.c.dtype) == (jnp.float16, jnp.float32)


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"dropout": -0.1}, r"dropout must lie in \[0, 1\)"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        lstm_jax.LSTM(D, H, rngs=nnx.Rngs(0), **options)


def test_bad_features_are_refused():
    with pytest.raises(ValueError, match="hidden_features must be at least 1"):
        lstm_jax.LSTM(D, 0, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
    ("shape", "options", "error", "message"),
    [
        ((T, D), {}, ValueError, r"xs must be \(B, T, D\), got shape \(5, 3\)"),
        ((B, T, D + 1), {}, ValueError, r"xs must be \(B, T, D\) with D=3, got shape \(2, 5, 4\)"),
        (
            (B, T, D),
            {"state": random_state(lstm_jax.LSTM, 1)},
            ValueError,
            "one for each layer, got 1",
        ),
        (
            (B, T, D),
            {"mask": jnp.ones((T, B), bool)},
            ValueError,
            r"mask must be \(B, T\) = \(2, 5\), got shape \(5, 2\)",
        ),
        ((B, T, D), {"resets": jnp.ones((B, T))}, TypeError, "resets must be boolean"),
        ((B, T, D), {"lengths": jnp.array([1, 6])}, ValueError, r"lengths must lie in \[0, T=5\]"),
    ],
)
def test_bad_inputs_are_refused(shape, options, error, message):
    with pytest.raises(error, match=message):
        make(lstm_jax.LSTM)(jnp.ones(shape), **options)


def test_the_rank_error_names_the_axes_in_time_major_order():
    with pytest.raises(ValueError, match=r"xs must be \(T, B, D\)"):
        make(lstm_jax.LSTM, time_major=True)(jnp.ones((T, D)))
