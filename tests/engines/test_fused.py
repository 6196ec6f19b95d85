"""Every plan of the fused path against the plain scan, in values and derivatives of both modes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import CELLS, assert_close, make_params, make_state, make_xs

import lstm_jax as lj
from lstm_jax import functional
from lstm_jax.engines import fused
from lstm_jax.engines.fused import Plan, plan

pytestmark = pytest.mark.usefixtures("compile_fast")

T, B, D, H = 4, 3, 2, 3
PLANS = [Plan(*flags) for flags in itertools.product([False, True], repeat=2)]
NAMES = [f"{'hoisted' if a else 'joined'}-{'columns' if b else 'rows'}" for a, b in PLANS]


@pytest.fixture
def planned(monkeypatch):
    """Makes the fused path take one plan, whatever the shapes."""
    return lambda how: monkeypatch.setattr(fused, "choose", lambda xs, kernel: how)


def controls_for(batch):
    rng = np.random.default_rng(5)
    return {"mask": rng.random((T, *batch)) < 0.7, "resets": rng.random((T, *batch)) < 0.4}


def problem(cell, batch, dtype=np.float64):
    return {
        "params": make_params(cell, D, H, dtype=dtype),
        "xs": make_xs((T, *batch, D), dtype=dtype),
        "state": make_state(cell, batch, H, dtype=dtype),
        "initial": make_state(cell, (), H, seed=7, dtype=dtype),
    }


def loss_of(cell, implementation, controls, reverse=False):
    def loss(arguments):
        final, hs = CELLS[cell].run(
            **arguments, **controls, reverse=reverse, implementation=implementation
        )
        weights = np.random.default_rng(6).normal(size=hs.shape)
        return (weights * hs * (1 + hs)).sum() + sum((a**2).sum() for a in final)

    return loss


def assert_same(a, b, tolerance=1e-12):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert_close(x, np.asarray(y), tolerance)


@pytest.mark.parametrize("how", PLANS, ids=NAMES)
@pytest.mark.parametrize("cell", CELLS)
def test_a_plan_changes_no_value_and_no_gradient(cell, how, planned, x64):
    planned(how)
    for batch, controls, reverse in [
        ((), {}, False),
        ((B,), controls_for((B,)), False),
        ((B,), {}, True),
        ((2, 2), controls_for((2, 2)), True),
    ]:
        arguments = problem(cell, batch)
        run = [
            jax.jit(jax.value_and_grad(loss_of(cell, name, controls, reverse)))
            for name in ("fused", "scan")
        ]
        assert_same(run[0](arguments), run[1](arguments))


@pytest.mark.parametrize("how", PLANS[:3], ids=NAMES[:3])
def test_both_modes_of_differentiation_to_any_order(how, planned, x64):
    planned(how)
    controls = controls_for((B,))
    arguments = problem("lstm", (B,))
    xs, rest = arguments.pop("xs"), arguments
    rng = np.random.default_rng(8)
    directions = rng.normal(size=(2, *xs.shape))
    found = {}
    for name in ("fused", "scan"):
        of_all = loss_of("lstm", name, controls)

        def loss(xs, of_all=of_all):
            return of_all({"xs": xs, **rest})

        def every(xs, directions, loss=loss):
            def pushed(v, f=loss):
                return jax.jvp(f, (xs,), (v,))[1]

            def along(x):
                return jax.jvp(loss, (x,), (directions[0],))[1]

            return (
                jax.vmap(pushed)(directions),  # vmap of forward mode
                jax.jvp(jax.grad(loss), (xs,), (directions[0],))[1],  # forward over reverse
                jax.grad(along)(xs),  # reverse over forward
                jax.grad(lambda x: (jax.grad(loss)(x) * directions[1]).sum())(xs),
                jax.vmap(jax.grad(loss))(xs + directions),
                jax.linearize(loss, xs)[1](directions[1]),
            )

        found[name] = jax.jit(every)(xs, directions)
    assert_same(found["fused"], found["scan"], 1e-11)
    assert_close(found["fused"][1], np.asarray(found["fused"][2]), 1e-11)


def test_jacobian_and_hessian_by_forward_mode(x64):
    params, xs = make_params("lstm", D, H), make_xs((T, D))

    def last(xs, name):
        return lj.lstm(params, xs, implementation=name)[0].h

    for of in (jax.jacfwd, jax.jacrev, lambda f: jax.jacfwd(jax.jacrev(f))):
        made = [jax.jit(of(lambda xs, n=name: last(xs, n)))(xs) for name in ("fused", "scan")]
        assert_same(made[0], made[1])


@pytest.mark.parametrize("how", PLANS, ids=NAMES)
def test_what_pointwise_owns_is_differentiated_in_every_plan(how, planned, x64):
    planned(how)
    params = lj.init_lstm(
        jax.random.key(0), D, H, peepholes=True, coupled=True, projection_features=2, bias=False,
        dtype=jnp.float64,
    )  # fmt: skip
    xs, mask = make_xs((T, B, D)), controls_for((B,))["mask"]

    def loss(params, name):
        final, hs = lj.lstm(params, xs, mask=mask, implementation=name)
        return (hs**3).sum() + (final.c**2).sum()

    fused_, scanned = (
        jax.jit(jax.value_and_grad(lambda p, n=name: loss(p, n)))(params)
        for name in ("fused", "scan")
    )
    assert_same(fused_, scanned)


@pytest.mark.parametrize("how", PLANS, ids=NAMES)
def test_float32_agrees_to_a_hundred_thousandth_and_bfloat16_keeps_its_dtypes(how, planned):
    planned(how)
    arguments = problem("lstm", (8,), np.float32)
    run = [jax.jit(jax.value_and_grad(loss_of("lstm", n, {}))) for n in ("fused", "scan")]
    assert_same(run[0](arguments), run[1](arguments), 1e-5)
    half = jax.tree.map(lambda a: jnp.asarray(a, jnp.bfloat16), arguments["params"])
    xs = jnp.asarray(arguments["xs"], jnp.bfloat16)

    def total(params, xs):
        final, hs = lj.lstm(params, xs, implementation="fused")
        assert (hs.dtype, final.c.dtype) == (jnp.bfloat16, jnp.float32)
        return hs.astype(jnp.float32).sum()

    gradients = jax.grad(total, (0, 1))(half, xs)
    assert {leaf.dtype for leaf in jax.tree.leaves(gradients)} == {jnp.dtype(jnp.bfloat16)}
    exact = jax.tree.map(lambda a: a.astype(jnp.float32), (half, xs))
    expected = jax.grad(lambda p, x: lj.lstm(p, x, implementation="scan")[1].sum(), (0, 1))(*exact)
    for a, b in zip(jax.tree.leaves(gradients), jax.tree.leaves(expected), strict=True):
        assert np.abs(np.asarray(a, np.float32) - b).max() <= 0.03 * np.abs(b).max()


def test_plans_go_by_platform_and_shape():
    assert plan("gpu", (16,), 512) == plan("tpu", (), 8) == Plan(hoisted=True, columns=False)
    assert plan("cpu", (), 128) == plan("cpu", (1,), 128) == Plan(hoisted=True, columns=False)
    assert plan("cpu", (1,), 512) == Plan(hoisted=True, columns=True)
    assert plan("cpu", (16,), 512) == plan("cpu", (64,), 1024) == Plan(False, True)
    rows = [((16,), 128), ((12,), 512), ((64,), 512), ((4, 4), 512)]
    assert {plan("cpu", *shape) for shape in rows} == {Plan(False, False)}


def test_columns_are_what_a_wide_layer_of_few_rows_takes():
    """The true shapes, once: what `choose` says is what runs, and it is right."""
    params = lj.init_lstm(jax.random.key(0), 5, 256)
    xs = jax.random.normal(jax.random.key(1), (3, 8, 5))
    told = functional.explain(functional.lstm_cell(), params, xs)
    assert told.plan == Plan(hoisted=False, columns=True)
    for name in (None, "fused"):
        hs = lj.lstm(params, xs, implementation=name)[1]
        assert_close(hs, np.asarray(lj.lstm(params, xs, implementation="scan")[1]), 1e-5)
