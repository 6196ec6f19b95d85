"""What training carries from step to step."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from flax import nnx
from jax import Array

from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.run.averaging import averaged, averaging
from lstm_jax.trees import Tree


class TrainState(NamedTuple):
    """Everything a run needs to go on, as arrays.

    `step` counts updates, `params` is the model's state, `carry` what goes from batch to batch:
    the recurrent state at the end of the last window, or ().
    """

    step: Array
    params: nnx.State
    opt_state: optax.OptState
    carry: Tree

    @property
    def judged(self) -> nnx.State:
        """The parameters to validate and to keep: their average, where the optimizer takes one."""
        return averaged(self.opt_state, self.params)


def make_optimizer(
    config: OptimizerConfig, total_steps: int
) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """Clip by global norm, then AdamW or Muon under warm-up and cosine.

    AdamW is that of Loshchilov & Hutter (2019). Muon (Jordan 2024), which is for matrices, has the
    kernels of the layers, and AdamW then the rest: embeddings, readouts and biases. Of the weights
    that come of it an average may be taken; see `averaging`.

    Args:
        config: the settings.
        total_steps: of the run, at whose end the cosine ends.

    Returns:
        The transformation, and its schedule: step -> learning rate.
    """
    warmup = min(config.warmup_steps, max(total_steps - 1, 0))
    schedule = optax.warmup_cosine_decay_schedule(
        0.0 if warmup else config.learning_rate,
        config.learning_rate,
        warmup,
        max(total_steps, 1),
        config.learning_rate * config.final_fraction,
    )
    method = optax.adamw(
        schedule,
        b1=config.b1,
        b2=config.b2,
        weight_decay=config.weight_decay,
        mask=lambda params: jax.tree.map(lambda p: p.ndim > 1, params),
    )
    if config.name == "muon":
        # Scaled as AdamW's updates are, so that one learning rate serves both.
        muon = optax.contrib.muon(schedule, weight_decay=config.weight_decay, consistent_rms=0.2)
        method = optax.partition({"muon": muon, "adamw": method}, _hidden)
    optimizer = optax.chain(optax.clip_by_global_norm(config.clip_norm), method)
    if config.ema:
        optimizer = averaging(optimizer, config.ema)
    return _promoting(optimizer), schedule


def _hidden(params: optax.Params) -> Tree:
    """Name the optimizer of every parameter: Muon for the kernels of the layers, else AdamW."""

    def label(path: tuple[Tree, ...], leaf: Array) -> str:
        name = jax.tree_util.keystr(path)
        return "muon" if "layers" in name and "kernel" in name and leaf.ndim == 2 else "adamw"

    return jax.tree_util.tree_map_with_path(label, params)


def _promoting(optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    """Let Optax, which counts in integers, promote them to floats under any of JAX's settings."""

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        with jax.numpy_dtype_promotion("standard"):
            return optimizer.update(updates, state, params)

    return optax.GradientTransformation(optimizer.init, update)


def make_state(
    model: nnx.Module, optimizer: optax.GradientTransformation, carry: Tree
) -> TrainState:
    """Make the state before the first step.

    Args:
        model: whose parameters are trained; they are copied.
        optimizer: what `make_optimizer` gives.
        carry: what goes into the first batch.
    """
    params = nnx.state(model, nnx.Param)
    state = TrainState(jnp.int32(0), params, optimizer.init(params), carry)
    # Donated buffers must be distinct, and a fresh zero state shares one array among its leaves.
    return jax.tree.map(jnp.copy, state)


@jax.jit
def all_finite(tree: Tree) -> Array:
    """Say whether every number in a tree is finite.

    Args:
        tree: of arrays of floats.
    """
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()
