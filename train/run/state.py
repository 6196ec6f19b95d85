"""The state that training carries from step to step, and its optimizer."""

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
    """Store everything that is needed to resume a run, as arrays.

    Attributes:
        step: the number of updates.
        params: the model's parameters.
        opt_state: the optimizer's state.
        carry: the recurrent state at the end of the last window, which is carried from batch to
            batch, or ().
    """

    step: Array
    params: nnx.State
    opt_state: optax.OptState
    carry: Tree

    @property
    def judged(self) -> nnx.State:
        """Return the parameters to validate and save: the average, if the optimizer keeps one."""
        return averaged(self.opt_state, self.params)


def make_optimizer(
    config: OptimizerConfig, total_steps: int
) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """Build AdamW or Muon with clipping by the global norm, warm-up and cosine decay.

    AdamW follows Loshchilov & Hutter (2019). Muon (Jordan 2024), which is meant for matrices,
    updates the kernels of the layers, and AdamW then updates everything else: embeddings, readouts
    and biases. The weights can also be averaged; see `averaging`.

    Args:
        config: the settings.
        total_steps: the number of steps of the run, over which the cosine decays.

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
        # Muon's updates are scaled like AdamW's, so that one learning rate serves both.
        muon = optax.contrib.muon(schedule, weight_decay=config.weight_decay, consistent_rms=0.2)
        method = optax.partition({"muon": muon, "adamw": method}, _hidden)
    optimizer = optax.chain(optax.clip_by_global_norm(config.clip_norm), method)
    if config.ema:
        optimizer = averaging(optimizer, config.ema)
    return _promoting(optimizer), schedule


def _hidden(params: optax.Params) -> Tree:
    """Label each parameter with its optimizer: Muon for the kernels of layers, AdamW otherwise."""

    def label(path: tuple[Tree, ...], leaf: Array) -> str:
        name = jax.tree_util.keystr(path)
        return "muon" if "layers" in name and "kernel" in name and leaf.ndim == 2 else "adamw"

    return jax.tree_util.tree_map_with_path(label, params)


def _promoting(optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    """Allow Optax, which counts in integers, to promote them to floats under any JAX setting."""

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        with jax.numpy_dtype_promotion("standard"):
            return optimizer.update(updates, state, params)

    return optax.GradientTransformation(optimizer.init, update)


def make_state(
    model: nnx.Module, optimizer: optax.GradientTransformation, carry: Tree
) -> TrainState:
    """Build the state before the first step.

    Args:
        model: the model to train, whose parameters are copied.
        optimizer: the transformation from `make_optimizer`.
        carry: the recurrent state before the first batch, or ().
    """
    params = nnx.state(model, nnx.Param)
    state = TrainState(jnp.int32(0), params, optimizer.init(params), carry)
    # Donated buffers must be distinct, but the leaves of a fresh zero state share one array.
    return jax.tree.map(jnp.copy, state)


@jax.jit
def all_finite(tree: Tree) -> Array:
    """Return whether every number in a tree is finite.

    Args:
        tree: a pytree of floating-point arrays.
    """
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()
