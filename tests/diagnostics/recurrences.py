"""Recurrences of several kinds, each with its NumPy oracle, for the tests of diagnostics."""

from functools import cache, partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from oracles import cells as oracle
from problems import CELLS as TEXTBOOK
from problems import make_params, make_state, make_xs

import lstm_jax as lj
from lstm_jax.diagnostics import product_spectrum

D, H, T = 2, 3, 7


def quick(function):
    """Wrap `jax.jit` for tests that compile much and compute little; return NumPy arrays."""
    compiled = jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})
    return lambda *arguments: jax.tree.map(np.asarray, compiled(*arguments))


def apply_matrix(params, state, matrix):
    """Take a step whose Jacobian is the input: a chain of arbitrary matrices."""
    del params
    return matrix @ state


def own_step(params, state, x):
    """A custom cell: params and state are dicts, and one of the leaves is a matrix."""
    memory = state["slow"]["memory"]
    fast = jnp.tanh(params["mix"] @ state["fast"] + memory @ (x @ params["drive"]))
    kept = params["leak"] * memory + (1 - params["leak"]) * jnp.outer(fast, state["fast"])
    return {"fast": fast, "slow": {"memory": kept}}


def _own_oracle(params, leaves, x):
    fast, memory = leaves
    new = np.tanh(params["mix"] @ fast + memory @ (x @ params["drive"]))
    return new, params["leak"] * memory + (1 - params["leak"]) * np.outer(new, fast)


def _own():
    rng = np.random.default_rng(5)
    params = {"mix": rng.normal(size=(2, 2)), "drive": rng.normal(size=(D, 2)), "leak": 0.7}
    state = {"fast": rng.normal(size=2), "slow": {"memory": rng.normal(size=(2, 2))}}
    return SimpleNamespace(
        step=own_step, params=params, state=state, oracle=partial(_own_oracle, params)
    )


def textbook(name, D=D, H=H):
    params = make_params(name, D, H)
    return SimpleNamespace(
        step=TEXTBOOK[name].step,
        params=params,
        state=make_state(name, (), H),
        oracle=partial(oracle.STEPS[name], oracle.as_params(params)),
    )


def stacked(*layers):
    def step(leaves, x):
        new, start = [], 0
        for layer in layers:
            width = len(layer.state)
            new += layer.oracle(leaves[start : start + width], x)
            start, x = start + width, new[start]
        return new

    return SimpleNamespace(
        step=lj.stack(*(layer.step for layer in layers)),
        params=tuple(layer.params for layer in layers),
        state=lj.StackState(layer.state for layer in layers),
        oracle=step,
    )


CELLS = {
    "rnn": textbook("rnn"),
    "gru": textbook("gru"),
    "lstm": textbook("lstm"),
    "stack": stacked(textbook("gru", H=2), textbook("lstm", D=2, H=2)),
    "own": _own(),
}
XS = make_xs((T, D))


def leaves_of(state):
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(state)]


def equations_and_shapes(function, *arguments):
    """Count the equations of the traced function, loop bodies once, and collect their shapes."""
    shapes = set()

    def look(jaxpr):
        jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
        count = 0
        for equation in jaxpr.eqns:
            count += 1
            shapes.update(v.aval.shape for v in equation.outvars)
            for value in equation.params.values():
                for inner in value if isinstance(value, tuple | list) else [value]:
                    if hasattr(getattr(inner, "jaxpr", inner), "eqns"):
                        count += look(inner)
        return count

    return look(jax.make_jaxpr(function)(*arguments)), shapes


def largest(shapes):
    return max(int(np.prod(shape)) for shape in shapes)


@cache
def _product_spectrum(method, k, lags):
    def run(matrices, seed):
        state, key = jnp.zeros(matrices.shape[-1], matrices.dtype), jax.random.key(seed)
        return product_spectrum(
            apply_matrix, None, matrices, state, k=k, lags=lags, method=method, key=key
        )

    return quick(run)


def spectrum(matrices, *, k=4, lags=(7, 100, 1), method="dense", seed=0):
    """`product_spectrum` of a chain of matrices, compiled once for every k, lags and method."""
    found = _product_spectrum(method, k, lags)(matrices, seed)
    np.testing.assert_array_equal(found.lags, lags)
    return found


def every_step(matrix, steps=100):
    return np.broadcast_to(matrix, (steps, *matrix.shape))


def padded(matrix, size=4, fill=0.1):
    """The matrix, with further directions in which everything shrinks."""
    whole = np.eye(size) * fill
    whole[: len(matrix), : len(matrix)] = matrix
    return whole


def rotation(size, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


def prescribed(values, seed):
    """A random matrix with these singular values."""
    return (rotation(len(values), seed) * values) @ rotation(len(values), seed + 1000).T


N = 26  # three Krylov blocks of 8, and 2 more
SPECTRA = {
    "steep": np.exp(-2.0 * np.arange(N)),
    "flat": np.ones(N),
    "linear": np.linspace(1, 0.1, N),
    "clustered": np.repeat([1, 1e-2, 1e-4, 1e-6], [7, 7, 6, 6]),
    "rank 5": np.r_[np.linspace(3, 1, 5), np.zeros(N - 5)],
    "rank 2": np.r_[2.0, 1, np.zeros(N - 2)],
    "flat, then steep": np.r_[np.ones(6), np.exp(-1.0 * np.arange(N - 6))],
    "one far above": np.r_[1e4, np.ones(N - 1)],
    "a gap of 1e-9": np.r_[np.ones(5), np.full(N - 5, 1e-9)],
    "tiny": 1e-250 * np.linspace(1, 0.5, N),
    "huge": 1e250 * np.linspace(1, 0.5, N),
}

# Evenly spaced values need more than three blocks: the result is slightly below the truth.
SLOW = ("linear", "tiny", "huge")
OUTSIDE = {"flat": 0.03, "clustered": 1e-5, "one far above": 1e-8}  # ln ‖·‖_F is an estimate


def assert_spectrum(name, matrix, log_values, log_frobenius):
    """The largest of SPECTRA[name], in the precision of the matrix."""
    eps = np.finfo(matrix.dtype).eps
    expected = np.linalg.svd(matrix.astype(np.float64), compute_uv=False)
    norm = np.log(np.linalg.norm(expected / expected[0])) + np.log(expected[0])
    error = np.exp(np.asarray(log_values, np.float64) - np.log(expected[0]))
    error -= expected[: len(error)] / expected[0]  # relative to the largest
    if name in SLOW:
        assert error.min() > -3e-3, name
        assert error.max() < 10 * eps, name
        assert abs(log_frobenius - norm) < 0.02, name
    else:
        assert np.abs(error).max() < 10 * eps, name
        outside = max(OUTSIDE.get(name, 0), 10 * eps)
        assert abs(log_frobenius - norm) < outside * max(1, abs(norm)), name
