"""`lstm`, `rnn`, `gru`, and the fused path against the plain scan, its reference."""

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import cells as oracle
from problems import CELLS, assert_close, make_params, make_state, make_xs

from lstm_jax import GRUState, LSTMParams, LSTMState, gru, lstm, rnn

T, D, H = 4, 2, 3
FUSED = ("lstm", "rnn", "gru")


def controls_for(batch, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "mask": rng.random((T, *batch)) < 0.7,
        "lengths": rng.integers(0, T + 1, batch),
        "resets": rng.random((T, *batch)) < 0.4,
    }


def arguments_for(cell, batch, dtype=np.float64, seed=0):
    return {
        "params": make_params(cell, D, H, seed=seed, dtype=dtype),
        "xs": make_xs((T, *batch, D), seed=seed + 1, dtype=dtype),
        "state": make_state(cell, batch, H, seed=seed + 2, dtype=dtype),
        "initial": make_state(cell, (), H, seed=seed + 3, dtype=dtype),
    }


def weighted(result):
    rng = np.random.default_rng(4)
    return sum((rng.normal(size=a.shape) * a * (1 + a)).sum() for a in jax.tree.leaves(result))


@functools.partial(jax.jit, static_argnames=("cell", "implementations", "reverse", "unroll"))
def differentiate(arguments, controls, cell, implementations, reverse=False, unroll=1):
    """Gradients and results per implementation, with every array traced, including controls."""

    def loss(arguments, implementation):
        result = CELLS[cell].run(
            **arguments, **controls, reverse=reverse, unroll=unroll, implementation=implementation
        )
        return weighted(result), result

    return [jax.grad(loss, has_aux=True)(arguments, name) for name in implementations]


def assert_tree_close(actual, desired, tolerance):
    assert jax.tree.structure(actual) == jax.tree.structure(desired)
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        assert a.dtype == d.dtype
        assert a.shape == d.shape
        assert_close(a, np.asarray(d), tolerance)


def assert_fused_is_scan(cell, arguments, controls, tolerance=1e-12, **options):
    scanned, fused = differentiate(arguments, controls, cell, ("scan", "fused"), **options)
    assert_tree_close(fused, scanned, tolerance)


ALL = {"mask", "lengths", "resets"}


@pytest.mark.parametrize(
    ("cell", "batch", "given", "options"),
    [
        ("lstm", (2,), set(), {}),
        ("lstm", (2,), set(), {"reverse": True}),
        ("lstm", (2,), {"mask"}, {"unroll": 2}),
        ("lstm", (2,), {"lengths"}, {"reverse": True}),
        ("lstm", (2,), {"resets"}, {"reverse": True, "unroll": True}),
        ("lstm", (), ALL, {}),
        ("lstm", (2,), ALL, {"reverse": True}),
        ("lstm", (2, 2), ALL, {"reverse": True}),
        ("rnn", (2,), ALL, {}),
    ],
)
def test_fused_is_scan(cell, batch, given, options, x64):
    controls = {k: v for k, v in controls_for(batch).items() if k in given}
    assert_fused_is_scan(cell, arguments_for(cell, batch), controls, **options)


@pytest.mark.parametrize("cell", FUSED)
def test_fused_is_scan_in_float32(cell):
    batch = (2,)
    arguments = arguments_for(cell, batch, np.float32)
    assert_fused_is_scan(cell, arguments, controls_for(batch), 1e-5)


@hypothesis.settings(max_examples=40, deadline=None, derandomize=True, database=None)
@hypothesis.given(
    mask=st.lists(st.booleans(), min_size=2 * T, max_size=2 * T),
    resets=st.lists(st.booleans(), min_size=2 * T, max_size=2 * T),
    lengths=st.lists(st.integers(0, T), min_size=2, max_size=2),
    reverse=st.booleans(),
    seed=st.integers(0, 5),
)
def test_fused_scan_and_loop_agree_on_any_controls(mask, resets, lengths, reverse, seed):
    with jax.enable_x64(True):
        controls = {
            "mask": np.array(mask).reshape(T, 2),
            "resets": np.array(resets).reshape(T, 2),
            "lengths": np.array(lengths),
        }
        arguments = arguments_for("lstm", (2,), seed=seed)
        both = ("scan", "fused")
        scanned, fused = differentiate(arguments, controls, "lstm", both, reverse=reverse)
        assert_tree_close(fused, scanned, 1e-12)
        params = oracle.as_params(arguments["params"])
        rest = {k: v for k, v in arguments.items() if k != "params"}
        loop = oracle.run("lstm", params, **rest, **controls, reverse=reverse)
        assert_tree_close(fused[1], (LSTMState(*loop[0]), loop[1]), 1e-12)


def test_nan_in_the_padding_reaches_nothing_of_fused():
    arguments = arguments_for("lstm", (2,), np.float32)
    controls = controls_for((2,))
    del controls["resets"]
    valid = controls["mask"] & (np.arange(T)[:, None] < controls["lengths"])
    assert not valid.all()
    dirty = arguments | {"xs": np.where(valid[..., None], arguments["xs"], np.nan)}
    stained = differentiate(dirty, controls, "lstm", ("fused",))
    clean = differentiate(arguments, controls, "lstm", ("fused",))
    assert all(np.isfinite(a).all() for a in jax.tree.leaves(stained))
    jax.tree.map(np.testing.assert_array_equal, stained, clean)


def test_a_reset_at_the_first_step_cuts_the_gradient_of_fused_exactly():
    arguments = arguments_for("lstm", (2,), np.float32)
    first = np.zeros((T, 2), bool)
    first[0] = True
    ((gradient, _),) = differentiate(arguments, {"resets": first}, "lstm", ("fused",))
    assert all((np.asarray(a) == 0).all() for a in gradient["state"])
    assert all((np.asarray(a) != 0).all() for a in gradient["initial"])


def test_the_gradient_of_a_gradient_goes_through_fused(x64):
    arguments = arguments_for("rnn", (2,))  # a third of the LSTM's graph, with the same rule
    controls = controls_for((2,))
    controls = {"mask": controls["mask"], "resets": controls["resets"]}

    def penalty(arguments, implementation):
        def loss(arguments):
            return weighted(rnn(**arguments, **controls, implementation=implementation))

        gradient = jax.tree.leaves(jax.grad(loss)(arguments))
        return sum((g * g).sum() for g in gradient)

    second = jax.jit(jax.grad(penalty), static_argnums=1)
    assert_tree_close(second(arguments, "fused"), second(arguments, "scan"), 1e-11)


def test_vmap_over_params_and_over_masks(x64):
    arguments = arguments_for("lstm", (2,))
    many = [make_params("lstm", D, H, seed=s) for s in (0, 1)]
    stacked = jax.tree.map(lambda *a: np.stack(a), *many)
    masks = np.random.default_rng(6).random((2, T, 2)) < 0.6

    def gradient(params, mask, implementation):
        def loss(params):
            changed = arguments | {"params": params}
            return weighted(lstm(**changed, mask=mask, implementation=implementation))

        return jax.grad(loss)(params)

    def mapped(params, masks, implementation):
        over_masks = jax.vmap(functools.partial(gradient, implementation=implementation), (None, 0))
        return jax.vmap(over_masks, (0, None))(params, masks)

    mapped = jax.jit(mapped, static_argnums=2)
    fused = mapped(stacked, masks, "fused")
    assert fused.bias.shape == (2, 2, 4 * H)
    assert_tree_close(fused, mapped(stacked, masks, "scan"), 1e-12)


def test_low_precision_params_and_states_keep_their_dtypes():
    low = jax.tree.map(
        lambda a: jnp.asarray(a, jnp.bfloat16), arguments_for("lstm", (2,), np.float32)
    )
    mixed = low | {"params": arguments_for("lstm", (2,), np.float32)["params"]}
    for arguments in (low, mixed):
        shapes = jax.eval_shape(
            functools.partial(differentiate, cell="lstm", implementations=("scan", "fused")),
            arguments,
            {},
        )
        for gradient, result in shapes:
            assert jax.tree.map(lambda a: a.dtype, gradient) == jax.tree.map(
                lambda a: a.dtype, arguments
            )
            assert all(a.dtype == jnp.bfloat16 for a in jax.tree.leaves(result))


@pytest.mark.parametrize("cell", CELLS)
def test_the_default_is_scan_from_a_zero_state(cell, x64):
    arguments = arguments_for(cell, (2,))
    params, xs = arguments["params"], arguments["xs"]
    zeros = jax.tree.map(np.zeros_like, arguments["state"])
    final, hs = jax.jit(CELLS[cell].run)(params, xs)
    desired = oracle.run(cell, oracle.as_params(params), xs, zeros)
    assert_tree_close((final, hs), (CELLS[cell].State(*desired[0]), desired[1]), 1e-13)


def test_the_zero_state_has_the_batch_and_the_promoted_dtype():
    params = jax.tree.map(lambda a: jnp.asarray(a, jnp.bfloat16), make_params("gru", D, H))
    for batch in ((), (2,), (2, 3)):
        for dtype in (jnp.bfloat16, jnp.float32):
            final, hs = jax.eval_shape(gru, params, jnp.zeros((T, *batch, D), dtype))
            assert isinstance(final, GRUState)
            assert final.h.shape == (*batch, H)
            assert final.h.dtype == hs.dtype == dtype


def test_no_steps():
    params = make_params("lstm", D, H, dtype=np.float32)
    arguments = {"params": params, "xs": np.zeros((0, 2, D), np.float32)}
    controls = {"resets": np.zeros((0, 2), bool), "lengths": np.zeros(2, int)}
    for gradient, (final, hs) in differentiate(arguments, controls, "lstm", ("scan", "fused")):
        assert hs.shape == (0, 2, H)
        assert all((np.asarray(a) == 0).all() for a in jax.tree.leaves((gradient, final)))


@pytest.mark.parametrize("implementation", ["scan", "fused"])
def test_without_recurrent_weights_the_cell_path_is_the_product_of_forget_gates(
    implementation, x64
):
    """∂c_T/∂c_0 = diag(Π f_t) if W_h = 0: only the gates make the gradient vanish."""
    steps = 50
    params = make_params("lstm", D, H)
    bias = params.bias + np.repeat([0.0, 3.0, 0.0, 0.0], H)
    params = LSTMParams(params.input_kernel, np.zeros((H, 4 * H)), bias)
    xs, state = make_xs((steps, D)), make_state("lstm", (), H)

    def last_cell(c):
        return lstm(params, xs, LSTMState(state.h, c), implementation=implementation)[0].c

    jacobian = jax.jit(jax.jacrev(last_cell))(state.c)
    forget = np.ones(H)
    for x in xs:
        forget *= oracle.lstm_gates(oracle.as_params(params), np.zeros(H), x)[1]
    assert_close(jacobian, np.diag(forget), 1e-13)
    np.testing.assert_allclose(np.diag(jacobian), forget, rtol=1e-12)


@pytest.mark.parametrize("run", [lstm, rnn, gru])
def test_unknown_implementations_are_refused(run):
    with pytest.raises(ValueError, match=r"implementation must be None or one of scan.*'quick'"):
        run(None, None, implementation="quick")


def test_unsupported_options_of_fused_are_refused():
    params = make_params("lstm", D, H, dtype=np.float32)
    xs = make_xs((T, 2, D), dtype=np.float32)
    for emit in (None, lambda p, s, x, new: new.c):
        with pytest.raises(ValueError, match=r'emit.*"fused"'):
            lstm(params, xs, implementation="fused", emit=emit)
    with pytest.raises(ValueError, match='gru_step has no fused path; use implementation="scan"'):
        gru(
            make_params("gru", D, H, dtype=np.float32), xs,
            reset_after=False, implementation="fused",
        )  # fmt: skip


@pytest.mark.parametrize("implementation", ["scan", "fused"])
def test_errors_name_the_array(implementation):
    params = make_params("lstm", D, H, dtype=np.float32)
    xs = make_xs((T, 2, D), dtype=np.float32)

    def run(xs=xs, **options):
        lstm(params, xs, implementation=implementation, **options)

    with pytest.raises(ValueError, match=r"x has shape .*last axis must be 2"):
        run(xs=xs[..., :1])
    with pytest.raises(ValueError, match=r"xs must be \(T, ..., D\), got shape \(4,\)"):
        run(xs=xs[:, 0, 0])
    for batch in ((), (3,), (1,)):
        with pytest.raises(ValueError, match=r"state.h has shape .*batch axes must be \(2,\)"):
            run(state=make_state("lstm", batch, H, dtype=np.float32))
    with pytest.raises(ValueError, match=r"mask must be \(T, 2\)"):
        run(mask=np.ones((T, 3), bool))
    with pytest.raises(ValueError, match="lengths must lie in"):
        run(lengths=np.array([0, T + 1]))
    with pytest.raises(ValueError, match="initial must have the structure of state"):
        run(initial=np.zeros(H), resets=np.ones((T, 2), bool))
    with pytest.raises(TypeError, match="mask must be boolean"):
        run(mask=np.ones((T, 2)))
