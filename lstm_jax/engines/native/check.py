"""Compare values and gradients of the compiled kernels with the plain loop before using them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from lstm_jax import initializers
from lstm_jax.cells import LSTMState, lstm_step
from lstm_jax.engines.native import engine
from lstm_jax.engines.native.library import NativeError
from lstm_jax.engines.native.product import multiply, pack
from lstm_jax.recurrence import controls, initial_like, scan

LIMIT = 1e-5
# T, B, D, H: threads share rows, then units; the last vector is partly filled, then full.
SHAPES = ((5, 19, 3, 21), (4, 1, 7, 64))


def check() -> float:
    """Compare the kernels with the plain loop, and their product with NumPy's.

    Returns:
        The largest difference of values and gradients, relative to the largest value of each.

    Raises:
        NativeError: if it is larger than 1e-5, or not a number.
    """
    error = max(_difference(*shape, reverse) for shape in SHAPES for reverse in (False, True))
    error = max(error, *(_product_difference(dtype) for dtype in (jnp.float32, jnp.float16)))
    if not error <= LIMIT:
        raise NativeError(
            f"the compiled kernels differ from the plain loop by {error:.1e}, more than "
            f"{LIMIT:.0e}, so they are not used; please report your processor and compiler"
        )
    return error


def _difference(steps: int, rows: int, features: int, width: int, reverse: bool) -> float:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=size) for size in ((steps, rows, features), *[(rows, width)] * 4)]
    xs, h, c, initial_h, initial_c = (jnp.asarray(a, jnp.float32) for a in arrays)
    params = initializers.init_lstm(jax.random.key(0), features, width)
    mask, resets = rng.random((steps, rows)) < 0.8, rng.random((steps, rows)) < 0.2
    initial = LSTMState(initial_h, initial_c)
    flags = controls(xs, lengths=None, mask=mask, resets=resets, reverse=reverse)

    def native(params, xs, state):
        kernels = params.input_kernel, params.recurrent_kernel, params.bias
        hidden = jnp.where(mask[..., None], xs, 0)
        at_reset = initial_like(initial, state)
        return engine.scan(None, kernels, None, hidden, state, at_reset, *flags, reverse=reverse)

    def plain(params, xs, state):
        return scan(
            lstm_step, params, xs, state, initial=initial, mask=mask, resets=resets, reverse=reverse
        )

    def loss(run):
        def total(*args):
            (h, c), hs = run(*args)
            return (hs * jnp.sin(hs)).sum() + (h * c).sum(), hs

        return jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2), has_aux=True))

    actual, expected = (loss(run)(params, xs, LSTMState(h, c)) for run in (native, plain))
    pairs = zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True)
    return max(float(jnp.abs(a - b).max() / jnp.abs(b).max()) for a, b in pairs)


def _product_difference(dtype: DTypeLike) -> float:
    rng = np.random.default_rng(0)
    xs, bias = rng.normal(size=(19, 21)), rng.normal(size=70)
    weights = rng.normal(size=(21, 70)).astype(dtype).astype(np.float64)  # exact in both dtypes
    packed = pack(jnp.asarray(weights, jnp.float32), jnp.asarray(bias, jnp.float32), dtype)
    actual = np.asarray(multiply(jnp.asarray(xs, jnp.float32), packed))
    expected = xs @ weights + bias
    return float(np.abs(actual - expected).max() / np.abs(expected).max())
