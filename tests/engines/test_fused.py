"""Every plan of the fused path against the plain scan, in values and derivatives of both modes."""

import functools
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
    """Make the fused path use one plan for all shapes."""
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


CASES = [  # batch, whether there are a mask and resets, reverse
    ((), False, False),
    ((B,), True, False),
    ((B,), False, True),
    ((2, 2), True, True),
]


def value_and_gradient(name, cell, case):
    batch, controlled, reverse = CASES[case]
    controls = controls_for(batch) if controlled else {}
    loss = loss_of(cell, name, controls, reverse)
    return jax.jit(jax.value_and_grad(loss))(problem(cell, batch))


scanned = functools.cache(functools.partial(value_and_gradient, "scan"))  # alike for every plan


def assert_same(a, b, tolerance=1e-12):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert_close(x, np.asarray(y), tolerance)


@pytest.mark.parametrize(
    ("cell", "how"),
    [
        pytest.param(cell, how, id=f"{cell}-{name}")
        for cell in CELLS
        for how, name in zip(PLANS, NAMES, strict=True)
        if cell == "lstm" or how.hoisted != how.columns  # each flag on and off for every cell
    ],
)
def test_a_plan_changes_no_value_and_no_gradient(cell, how, planned, x64):
    planned(how)
    for case in range(len(CASES)):
        assert_same(value_and_gradient("fused", cell, case), scanned(cell, case))


def derivatives(name):
    """Derivatives of one loss in both modes, nested and under vmap."""
    of_all = loss_of("lstm", name, controls_for((B,)))
    arguments = problem("lstm", (B,))
    xs, rest = arguments.pop("xs"), arguments
    directions = np.random.default_rng(8).normal(size=(2, *xs.shape))

    def loss(xs):
        return of_all({"xs": xs, **rest})

    def every(xs, directions):
        def along(x):
            return jax.jvp(loss, (x,), (directions[0],))[1]

        return (
            jax.vmap(lambda v: jax.jvp(loss, (xs,), (v,))[1])(directions),  # vmap of forward mode
            jax.jvp(jax.grad(loss), (xs,), (directions[0],))[1],  # forward over reverse
            jax.grad(along)(xs),  # reverse over forward
            jax.grad(lambda x: (jax.grad(loss)(x) * directions[1]).sum())(xs),
            jax.vmap(jax.grad(loss))(xs + directions),
            jax.linearize(loss, xs)[1](directions[1]),
        )

    return jax.jit(every)(xs, directions)


scanned_derivatives = functools.cache(functools.partial(derivatives, "scan"))


@pytest.mark.parametrize("how", PLANS[:3], ids=NAMES[:3])
def test_both_modes_of_differentiation_to_any_order(how, planned, x64):
    planned(how)
    found = derivatives("fused")
    assert_same(found, scanned_derivatives(), 1e-11)
    assert_close(found[1], np.asarray(found[2]), 1e-11)


def test_jacobian_and_hessian_by_forward_mode(x64):
    params, xs = make_params("lstm", D, H), make_xs((T, D))

    def last(xs, name):
        return lj.lstm(params, xs, implementation=name)[0].h

    for of in (jax.jacfwd, jax.jacrev, lambda f: jax.jacfwd(jax.jacrev(f))):
        made = [jax.jit(of(lambda xs, n=name: last(xs, n)))(xs) for name in ("fused", "scan")]
        assert_same(made[0], made[1])


def with_options(name):
    params = lj.init_lstm(
        jax.random.key(0), D, H, peepholes=True, coupled=True, projection_features=2, bias=False,
        dtype=jnp.float64,
    )  # fmt: skip
    xs, mask = make_xs((T, B, D)), controls_for((B,))["mask"]

    def loss(params):
        final, hs = lj.lstm(params, xs, mask=mask, implementation=name)
        return (hs**3).sum() + (final.c**2).sum()

    return jax.jit(jax.value_and_grad(loss))(params)


scanned_with_options = functools.cache(functools.partial(with_options, "scan"))


@pytest.mark.parametrize("how", PLANS, ids=NAMES)
def test_parameters_of_pointwise_are_differentiated_in_every_plan(how, planned, x64):
    planned(how)
    assert_same(with_options("fused"), scanned_with_options())


def narrow(name):
    arguments = problem("lstm", (8,), np.float32)
    return jax.jit(jax.value_and_grad(loss_of("lstm", name, {})))(arguments)


def halves():
    """Parameters and inputs in bfloat16."""
    arguments = problem("lstm", (8,), np.float32)
    return jax.tree.map(
        lambda a: jnp.asarray(a, jnp.bfloat16), (arguments["params"], arguments["xs"])
    )


@functools.cache
def scanned_narrow():
    """In float32, and the gradient at the numbers rounded to bfloat16."""
    exact = jax.tree.map(lambda a: a.astype(jnp.float32), halves())

    def total(params, xs):
        return lj.lstm(params, xs, implementation="scan")[1].sum()

    return narrow("scan"), jax.jit(jax.grad(total, (0, 1)))(*exact)


@pytest.mark.parametrize("how", PLANS, ids=NAMES)
def test_float32_agrees_to_a_hundred_thousandth_and_bfloat16_keeps_its_dtypes(how, planned):
    planned(how)
    scanned, expected = scanned_narrow()
    assert_same(narrow("fused"), scanned, 1e-5)

    def total(params, xs):
        final, hs = lj.lstm(params, xs, implementation="fused")
        assert (hs.dtype, final.c.dtype) == (jnp.bfloat16, jnp.float32)
        return hs.astype(jnp.float32).sum()

    gradients = jax.jit(jax.grad(total, (0, 1)))(*halves())
    assert {leaf.dtype for leaf in jax.tree.leaves(gradients)} == {jnp.dtype(jnp.bfloat16)}
    for a, b in zip(jax.tree.leaves(gradients), jax.tree.leaves(expected), strict=True):
        assert np.abs(np.asarray(a, np.float32) - b).max() <= 0.03 * np.abs(b).max()


def test_plans_go_by_platform_and_shape():
    assert plan("gpu", (16,), 512) == plan("tpu", (), 8) == Plan(hoisted=True, columns=False)
    assert plan("cpu", (), 128) == plan("cpu", (1,), 128) == Plan(hoisted=True, columns=False)
    assert plan("cpu", (1,), 512) == Plan(hoisted=True, columns=True)
    assert plan("cpu", (16,), 512) == plan("cpu", (64,), 1024) == Plan(False, True)
    rows = [((16,), 128), ((12,), 512), ((64,), 512), ((4, 4), 512)]
    assert {plan("cpu", *shape) for shape in rows} == {Plan(False, False)}


def test_a_wide_layer_of_few_rows_uses_columns():
    """The real shapes, once: the plan of `choose` is the one that runs, and it is right."""
    params = lj.init_lstm(jax.random.key(0), 5, 256)
    xs = jax.random.normal(jax.random.key(1), (3, 8, 5))
    explanation = functional.explain(functional.lstm_cell(), params, xs, implementation="fused")
    assert explanation.plan == Plan(hoisted=False, columns=True)
    default, named, scanned = (
        jax.jit(functools.partial(lj.lstm, implementation=name))(params, xs)[1]
        for name in (None, "fused", "scan")
    )
    assert_close(default, np.asarray(scanned), 1e-5)
    assert_close(named, np.asarray(scanned), 1e-5)
