"""The ways to run a cell over a sequence: what stands in the way of each, and which is best."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp

from lstm_jax import cells
from lstm_jax.engines.fused import Plan, choose
from lstm_jax.recurrence import hidden

Implementation = Literal["scan", "fused", "cudnn"]
IMPLEMENTATIONS = ("scan", "fused", "cudnn")


@dataclass(frozen=True)
class Explanation:
    """How a call would run; printed, a few lines.

    Attributes:
        implementation: what it would take.
        plan: of "fused", how the loop computes its products.
        obstacles: implementation -> why it cannot be taken, for those that cannot.
    """

    implementation: Implementation
    plan: Plan | None
    obstacles: dict[str, str]

    def __str__(self) -> str:
        lines = [f'implementation="{self.implementation}"']
        if self.plan is not None:
            product = "x W_x of all steps before the loop" if self.plan.hoisted else "[x, h] W"
            state = "columns, W_hᵀ h" if self.plan.columns else "rows, h W_h"
            lines.append(f"  products: {product}; the state in {state}")
        lines += [f"  not {name}: {why}" for name, why in self.obstacles.items()]
        if "cudnn" not in self.obstacles and self.implementation != "cudnn":
            lines.append("  cudnn can be named; it is reverse mode only, so nothing chooses it")
        return "\n".join(lines)


def obstacle(
    implementation: Implementation, cell: Any, params: Any, xs: Any, state: Any, options: dict
) -> str | None:
    """Why an implementation cannot run a call, in a clause; None where it can.

    Args:
        implementation: which.
        cell: a `functional.Cell`.
        params, xs, state: of the call.
        options: of `recurrence.scan`, those that are given.
    """
    found = {"scan": iter(()), "fused": _of_fused(cell, params, options)}
    if implementation == "cudnn":
        found["cudnn"] = _of_cudnn(cell, params, xs, state, options)
    return next(found[implementation], None)


def best(cell: Any, params: Any, xs: Any, **options: Any) -> Implementation:
    """The fastest implementation that every transformation of JAX goes through."""
    if obstacle("fused", cell, params, xs, None, options):
        return "scan"
    if len(jax.tree.leaves(xs)[0]) == 1:  # a single step, as a sampler's, has no loop to prepare
        return "scan"
    # Kernels padded with zeros cost a quarter more products: of few rows, they are not the price.
    padded = cell.affine is not None
    few = math.prod(jnp.shape(xs)[1:-1]) <= 32 and jax.default_backend() == "cpu"
    return "scan" if padded and not few else "fused"


def explain(
    cell: Any,
    params: Any,
    xs: Any,
    state: Any,
    implementation: Implementation | None,
    options: dict,
) -> Explanation:
    """What `functional.run` would do with these arguments; see `lstm_jax.explain`."""
    found = {name: obstacle(name, cell, params, xs, state, options) for name in IMPLEMENTATIONS}
    taken = implementation or best(cell, params, xs, **options)
    kernel = params.recurrent_kernel
    plan = choose(xs, kernel) if taken == "fused" and found["fused"] is None else None
    return Explanation(taken, plan, {name: why for name, why in found.items() if why})


def _of_fused(cell: Any, params: Any, options: dict) -> Iterator[str]:
    apart = '{} and implementation="fused" do not go together'.format
    if cell.pointwise is None:
        yield f"{getattr(cell.step, 'func', cell.step).__name__} has no fused path"
    if options.get("emit", hidden) is not hidden:
        yield apart("emit")
    if getattr(params, "norm", None) is not None:
        yield apart("norm")
    if any(jax.typeof(params.recurrent_kernel).sharding.spec[-1:]):
        yield apart("kernels with explicitly sharded columns (those of AxisType.Auto are not)")


def _of_cudnn(cell: Any, params: Any, xs: Any, state: Any, options: dict) -> Iterator[str]:
    if cell.pointwise is not cells.lstm_pointwise:
        yield "of these cells cuDNN's kernel is the LSTM's alone, with σ and tanh"
        return
    for name in ("peephole", "projection", "norm"):
        if getattr(params, name) is not None:
            yield f"cuDNN's LSTM has no {name}"
    if params.recurrent_kernel.shape[1] != 4 * params.hidden_features:
        yield "cuDNN's LSTM has no coupled gates"
    dtypes = {jnp.result_type(leaf).name for leaf in jax.tree.leaves((params, xs, state))}
    if dtypes != {"float32"}:
        yield f"cuDNN's LSTM is float32, and these are {', '.join(sorted(dtypes))}"
    if jnp.ndim(xs) != 3:
        yield f"cuDNN reads xs (T, B, D), and these are {jnp.shape(xs)}"
    if options.get("emit", hidden) is not hidden:
        yield "cuDNN gives h alone, and emit asks for more"
    for name in ("mask", "resets", "initial", "remat"):
        if options.get(name) is not None:
            yield f"cuDNN knows lengths and no {name}"
    if options.get("reverse") and options.get("lengths") is not None:
        yield "cuDNN does not read right-padded sequences backwards alone"
    if jax.default_backend() != "gpu":
        yield f"cuDNN needs an NVIDIA GPU, and JAX's default device is a {jax.default_backend()}"
