"""The losses of a batch are added up with their weights."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lstm_jax.train.task import summed


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_losses_are_added_up_wide(dtype):
    losses = jnp.full(70_000, 3, dtype)
    for weights in (None, jnp.ones(70_000, dtype)):
        total, count = summed(losses, weights)
        assert total.dtype == count.dtype == jnp.float32
        assert (total, count) == (210_000, 70_000)


@pytest.mark.parametrize("ignored", [-100, 10**6])
def test_an_ignored_target_counts_for_nothing(ignored):
    """PyTorch and Keras mark ignored targets with a class that does not exist."""
    logits = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    weights = np.array([1, 1, 0, 1], np.float32)

    def loss(logits, targets):
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
        return summed(losses, weights)[0]

    of = jax.jit(jax.value_and_grad(loss))
    found = of(logits, np.array([0, 1, ignored, 2]))
    expected = of(logits, np.array([0, 1, 0, 2]))
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert np.isnan(of(logits, np.array([0, ignored, 1, 2]))[0])  # counted, it is no target
