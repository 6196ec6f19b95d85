"""Choose how to run a cell over a sequence, and explain why the other ways do not apply."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from lstm_jax.cells import Cell, P, S, X
from lstm_jax.engines import fused
from lstm_jax.engines.fused import Plan
from lstm_jax.engines.native import library
from lstm_jax.recurrence import Emit, ScanOptions, hidden
from lstm_jax.trees import Tree

Implementation: TypeAlias = Literal["scan", "fused", "native", "cudnn"]
IMPLEMENTATIONS: tuple[Implementation, ...] = ("scan", "fused", "native", "cudnn")


class RunOptions(ScanOptions, total=False):
    """Describe the options of `functional.run`: those of `scan`, including `emit`."""

    emit: Emit | None


@dataclass(frozen=True)
class Explanation:
    """Describe how a call would run, in a few lines when printed.

    Attributes:
        implementation: the implementation that would run.
        plan: how the loop of "fused" computes its products, or None.
        obstacles: for each implementation that cannot run the call, the reason.
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
            lines.append("  cudnn is available on request; it supports reverse mode only")
        return "\n".join(lines)


def choose(
    implementation: Implementation | None,
    cell: Cell[P, S, X],
    params: P,
    xs: Tree,
    state: S,
    options: RunOptions,
) -> Implementation:
    """Choose the implementation of a call: the requested one, or the best available.

    Args:
        implementation: the requested implementation, or None.
        cell, params, xs, state: as in `functional.run`.
        options: the options of `recurrence.scan` that are set.

    Raises:
        ValueError: if the implementation is unknown, or cannot run this call.
    """
    check_known(implementation)
    if implementation is None:
        return best(cell, params, xs, state, options)
    reason = obstacle(implementation, cell, params, xs, state, options)
    if reason:
        raise ValueError(f'{reason}; use implementation="scan"')
    return implementation


def check_known(implementation: object) -> None:
    """Raise a ValueError if the argument is neither None nor the name of an implementation."""
    if implementation not in (None, *IMPLEMENTATIONS):
        raise ValueError(
            f"implementation must be None or one of {', '.join(IMPLEMENTATIONS)}, "
            f"got {implementation!r}"
        )


def obstacle(
    implementation: Implementation,
    cell: Cell[P, S, X],
    params: P,
    xs: Tree,
    state: S,
    options: RunOptions,
) -> str | None:
    """Return a clause that explains why an implementation cannot run a call, or None if it can.

    Args:
        implementation: its name.
        cell, params, xs, state, options: as in `choose`.
    """
    reasons: dict[str, Iterator[str]] = {
        "scan": iter(()),
        "fused": _of_fused(cell, params, options),
        "native": _of_native(cell, params, xs, state, options),
        "cudnn": _of_cudnn(cell, params, xs, state, options),
    }
    return next(reasons[implementation], None)


def best(cell: Cell[P, S, X], params: P, xs: Tree, state: S, options: RunOptions) -> Implementation:
    """Return the fastest implementation that supports every transformation of JAX."""
    if cell.affine is None or next(_of_fused(cell, params, options), None):
        return "scan"
    steps, *batch = jnp.shape(jax.tree.leaves(xs)[0])[:-1]
    if fused.are_known((steps,)) and steps == 1:  # a sampler's step has no loop to optimize
        return "scan"
    if not next(_of_native(cell, params, xs, state, options), None):
        return "native"
    # Padding the kernels with zeros makes products a quarter larger, which matters for many rows.
    few = fused.are_known(tuple(batch)) and math.prod(batch) <= 32
    few = few and jax.default_backend() == "cpu"
    return "scan" if cell.affine.padded and not few else "fused"


def explain(
    implementation: Implementation | None,
    cell: Cell[P, S, X],
    params: P,
    xs: Tree,
    state: S,
    options: RunOptions,
) -> Explanation:
    """Explain how `functional.run` would run these arguments; see `lstm_jax.explain`."""
    check_known(implementation)
    reasons = {name: obstacle(name, cell, params, xs, state, options) for name in IMPLEMENTATIONS}
    chosen = implementation or best(cell, params, xs, state, options)
    plan = None
    if chosen == "fused" and cell.affine is not None and reasons["fused"] is None:
        plan = fused.choose(xs, cell.affine.split(params)[0][1])
    return Explanation(chosen, plan, {name: why for name, why in reasons.items() if why})


def _of_fused(cell: Cell[P, S, X], params: P, options: RunOptions) -> Iterator[str]:
    conflict = '{} and implementation="fused" cannot be combined'.format
    if cell.affine is None:
        yield f"{cell.name} has no fused path"
        return
    if options.get("emit", hidden) is not hidden:
        yield conflict("emit")
    if options.get("per_row") is not None:
        yield conflict("per_row")
    for name in cell.affine.without:
        if getattr(params, name) is not None:
            yield conflict(name)
            return
    if any(any(jax.typeof(leaf).sharding.spec[-1:]) for leaf in jax.tree.leaves(params)):
        yield conflict("kernels with explicitly sharded columns (AxisType.Auto is allowed)")


def _of_native(
    cell: Cell[P, S, X], params: Tree, xs: Tree, state: S, options: RunOptions
) -> Iterator[str]:
    if cell.textbook != "lstm":
        yield "the native engine supports only the LSTM with σ and tanh"
        return
    yield from _beyond_a_kernel("the native engine's", params, xs, state)
    yield from _of_fused(cell, params, options)
    shape = jnp.shape(xs)
    if not fused.are_known(shape) or 0 in shape:
        yield f"the native engine needs fixed sizes of at least 1, and xs is {shape}"
    if any(map(fused.is_explicit, jax.tree.leaves((params, xs, state)))):
        yield "the native engine does not support explicit shardings"
    if jax.default_backend() != "cpu":
        yield f"the native engine needs a CPU, and JAX's default is a {jax.default_backend()}"
    why = library.obstacle()
    if why:
        yield f"the native engine is not available: {why}"


def _beyond_a_kernel(whose: str, params: Tree, xs: Tree, state: Tree) -> Iterator[str]:
    """Yield what a call asks beyond a kernel for the textbook LSTM in float32."""
    for name in ("peephole", "projection", "norm"):
        if getattr(params, name) is not None:
            yield f"{whose} LSTM has no {name}"
    if params.recurrent_kernel.shape[1] != 4 * params.hidden_features:
        yield f"{whose} LSTM has no coupled gates"
    dtypes = {jnp.result_type(leaf).name for leaf in jax.tree.leaves((params, xs, state))}
    if dtypes != {"float32"}:
        yield f"{whose} LSTM needs float32, got {', '.join(sorted(dtypes))}"


def _of_cudnn(
    cell: Cell[P, S, X], params: Tree, xs: Tree, state: S, options: RunOptions
) -> Iterator[str]:
    if cell.textbook != "lstm":
        yield "cuDNN's kernel supports only the LSTM with σ and tanh"
        return
    yield from _beyond_a_kernel("cuDNN's", params, xs, state)
    if jnp.ndim(xs) != 3:
        yield f"cuDNN needs xs (T, B, D), got {jnp.shape(xs)}"
    if 0 in jnp.shape(xs):
        yield f"cuDNN needs at least one step of one row, got {jnp.shape(xs)}"
    if options.get("emit", hidden) is not hidden:
        yield "cuDNN returns only h, so it does not support emit"
    for name in ("mask", "resets", "initial", "remat", "per_row"):
        if options.get(name) is not None:
            yield f"cuDNN supports lengths, but not {name}"
    if options.get("reverse") and options.get("lengths") is not None:
        yield "cuDNN cannot run right-padded sequences in reverse only"
    if jax.default_backend() != "gpu":
        yield f"cuDNN needs an NVIDIA GPU, and JAX's default device is a {jax.default_backend()}"
