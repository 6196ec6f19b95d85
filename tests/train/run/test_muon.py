"""Muon orthogonalizes the updates of the layers' kernels, and AdamW updates the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.run.state import make_optimizer

RATE = 0.1


@pytest.fixture(scope="module")
def params():
    return nnx.state(CharLM(11, CharLMConfig(4, 5, 2), rngs=nnx.Rngs(0)), nnx.Param)


def updates_of(params, name, steps, **options):
    """Return the last of some updates, each from new random gradients."""
    config = OptimizerConfig(
        learning_rate=RATE, warmup_steps=0, final_fraction=1.0, clip_norm=1e9, name=name, **options
    )
    optimizer, _ = make_optimizer(config, 10)
    state, rng, updates = optimizer.init(params), np.random.default_rng(0), None
    for _ in range(steps):
        gradients = jax.tree.map(lambda p: jnp.float32(rng.normal(size=p.shape)), params)
        updates, state = optimizer.update(gradients, state, params)
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(updates)
    }


def is_kernel(name):
    return "layers" in name and "kernel" in name


def test_kernels_move_along_orthogonal_matrices_and_the_rest_as_by_adamw(params):
    muon, adamw = (updates_of(params, name, 3, weight_decay=0.0) for name in ("muon", "adamw"))
    assert sum(map(is_kernel, muon)) == 4
    for name, update in muon.items():
        if not is_kernel(name):
            np.testing.assert_array_equal(update, adamw[name])
            continue
        # Newton and Schulz come near to 1, from below and from above (Jordan 2024).
        scale = RATE * 0.2 * np.sqrt(max(update.shape))
        sizes = np.linalg.svd(update / scale, compute_uv=False)
        assert (sizes > 0.6).all(), name
        assert (sizes < 1.3).all(), name
        assert not (np.linalg.svd(adamw[name] / scale, compute_uv=False) < 1.3).all()


def test_kernels_decay_as_by_adamw(params):
    decayed, kept = (updates_of(params, "muon", 1, weight_decay=wd) for wd in (0.5, 0.0))
    before = jax.tree_util.tree_leaves_with_path(params)
    for path, leaf in before:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        expected = -RATE * 0.5 * np.asarray(leaf) if leaf.ndim > 1 else np.zeros(leaf.shape)
        np.testing.assert_allclose(decayed[name] - kept[name], expected, atol=1e-6)
