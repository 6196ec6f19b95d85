"""Products with packed weights, against NumPy and under every transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.engines.native.product import multiply, pack

pytestmark = pytest.mark.usefixtures("compile_fast", "built")

# Rows, inputs, columns: one panel and several, with the last one full or not.
SIZES = [(1, 1, 1), (3, 17, 70), (64, 33, 128), (7, 20, 259), (1, 40, 64)]
DTYPES = [jnp.float32, jnp.float16]


def problem(rows, features, columns):
    """Inputs, weights that float16 holds exactly, and a bias, all float32."""
    rng = np.random.default_rng(rows + columns)
    weights = rng.normal(size=(features, columns)).astype(np.float16).astype(np.float32)
    xs, bias = rng.normal(size=(rows, features)), rng.normal(size=columns)
    return jnp.asarray(xs, jnp.float32), jnp.asarray(weights), jnp.asarray(bias, jnp.float32)


def wide(*arrays):
    return [np.asarray(array, np.float64) for array in arrays]


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_is_the_product(path, dtype):
    for size in SIZES:
        xs, weights, bias = problem(*size)
        for given in (bias, None):
            found = multiply(xs, pack(weights, given, dtype))
            x, w, b = wide(xs, weights, jnp.zeros_like(bias) if given is None else bias)
            np.testing.assert_allclose(found, x @ w + b, rtol=0, atol=1e-5)


def test_float16_gives_the_same_bits_as_float32(path):
    xs, weights, bias = problem(7, 20, 259)
    found = [np.asarray(multiply(xs, pack(weights, bias, dtype))) for dtype in DTYPES]
    np.testing.assert_array_equal(*found)


def test_every_finite_float16_is_read_exactly(path):
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    weights = np.where(np.isfinite(every), every, 0).astype(np.float32)[None]
    found = multiply(jnp.ones((1, 1)), pack(jnp.asarray(weights), None, jnp.float16))
    np.testing.assert_array_equal(found, weights)


def test_every_transformation_works():
    xs, weights, bias = problem(3, 17, 70)
    packed = pack(weights, bias)

    def run(xs):
        return multiply(xs, packed)

    def plain(xs):
        return xs @ weights + bias

    many = jnp.stack([xs, 2 * xs])
    of_one = jax.tree.map(lambda a: a[None], packed)
    for found, wanted in [
        (jax.vmap(run)(many), plain(many)),
        (run(many), plain(many)),
        (run(xs[0]), plain(xs[0])),
        (
            jax.vmap(lambda p: multiply(xs, p))(of_one)[0],
            plain(xs),
        ),
        (jax.jvp(run, (xs,), (many[1],))[1], many[1] @ weights),
        (jax.grad(lambda x: (run(x) ** 2).sum())(xs), 2 * plain(xs) @ weights.T),
    ]:
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    with jax.disable_jit():
        np.testing.assert_allclose(run(xs), plain(xs), rtol=1e-5, atol=1e-5)


def test_an_exported_product_runs_without_kernels():
    xs, weights, bias = problem(3, 17, 70)
    packed = pack(weights, bias, jnp.float16)
    run = jax.jit(lambda x: multiply(x, packed))
    exported = jax.export.export(run)(xs)
    assert "lstm_jax_multiply" in run.lower(xs).as_text()
    assert "lstm_jax_multiply" not in exported.mlir_module()
    np.testing.assert_allclose(exported.call(xs), run(xs), rtol=1e-5, atol=1e-5)
