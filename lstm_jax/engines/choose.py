"""The ways to run a cell over a sequence: what stands in the way of each, and which is best."""

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
    """What `functional.run` takes besides: `scan`'s options, and its `emit`."""

    emit: Emit | None


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


def choose(
    implementation: Implementation | None,
    cell: Cell[P, S, X],
    params: P,
    xs: Tree,
    state: S,
    options: RunOptions,
) -> Implementation:
    """Decide how a call runs: as it was named, or the best way that there is.

    Args:
        implementation: what was named, or None.
        cell, params, xs, state: of the call.
        options: of `recurrence.scan`, those that are given.

    Raises:
        ValueError: an unknown implementation, or one that cannot do what is asked.
    """
    check_known(implementation)
    if implementation is None:
        return best(cell, params, xs, state, options)
    found = obstacle(implementation, cell, params, xs, state, options)
    if found:
        raise ValueError(f'{found}; use implementation="scan"')
    return implementation


def check_known(implementation: object) -> None:
    """Raise a ValueError for what is neither None nor an implementation's name."""
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
    """Say in a clause why an implementation cannot run a call; None where it can.

    Args:
        implementation: which.
        cell, params, xs, state, options: as in `choose`.
    """
    found: dict[str, Iterator[str]] = {
        "scan": iter(()),
        "fused": _of_fused(cell, params, options),
        "native": _of_native(cell, params, xs, state, options),
        "cudnn": _of_cudnn(cell, params, xs, state, options),
    }
    return next(found[implementation], None)


def best(cell: Cell[P, S, X], params: P, xs: Tree, state: S, options: RunOptions) -> Implementation:
    """Name the fastest implementation that every transformation of JAX goes through."""
    if cell.affine is None or next(_of_fused(cell, params, options), None):
        return "scan"
    steps, *batch = jnp.shape(jax.tree.leaves(xs)[0])[:-1]
    if fused.are_known((steps,)) and steps == 1:  # as a sampler's: there is no loop to prepare
        return "scan"
    if not next(_of_native(cell, params, xs, state, options), None):
        return "native"
    # Kernels padded with zeros cost a quarter more products: of few rows, they are not the price.
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
    """Say what `functional.run` would do with these arguments; see `lstm_jax.explain`."""
    found = {name: obstacle(name, cell, params, xs, state, options) for name in IMPLEMENTATIONS}
    taken = implementation or best(cell, params, xs, state, options)
    plan = None
    if taken == "fused" and cell.affine is not None and found["fused"] is None:
        plan = fused.choose(xs, cell.affine.split(params)[0][1])
    return Explanation(taken, plan, {name: why for name, why in found.items() if why})


def _of_fused(cell: Cell[P, S, X], params: P, options: RunOptions) -> Iterator[str]:
    apart = '{} and implementation="fused" do not go together'.format
    if cell.affine is None:
        yield f"{cell.name} has no fused path"
        return
    if options.get("emit", hidden) is not hidden:
        yield apart("emit")
    if options.get("per_row") is not None:
        yield apart("per_row")
    for name in cell.affine.without:
        if getattr(params, name) is not None:
            yield apart(name)
            return
    if any(any(jax.typeof(leaf).sharding.spec[-1:]) for leaf in jax.tree.leaves(params)):
        yield apart("kernels with explicitly sharded columns (those of AxisType.Auto are not)")


def _of_native(
    cell: Cell[P, S, X], params: Tree, xs: Tree, state: S, options: RunOptions
) -> Iterator[str]:
    if cell.textbook != "lstm":
        yield "of these cells the native engine has the LSTM's alone, with σ and tanh"
        return
    yield from _beyond_a_kernel("the native engine's", params, xs, state)
    yield from _of_fused(cell, params, options)
    shape = jnp.shape(xs)
    if not fused.are_known(shape) or 0 in shape:
        yield f"the native engine wants sizes that are known and not 0, and xs is {shape}"
    if any(map(fused.is_explicit, jax.tree.leaves((params, xs, state)))):
        yield "the native engine does not know explicit shardings"
    if jax.default_backend() != "cpu":
        yield f"the native engine is for CPUs, and JAX's default is a {jax.default_backend()}"
    why = library.obstacle()
    if why:
        yield f"there is no native engine: {why}"


def _beyond_a_kernel(whose: str, params: Tree, xs: Tree, state: Tree) -> Iterator[str]:
    """What a kernel for the textbook's LSTM in float32 does not know of a call."""
    for name in ("peephole", "projection", "norm"):
        if getattr(params, name) is not None:
            yield f"{whose} LSTM has no {name}"
    if params.recurrent_kernel.shape[1] != 4 * params.hidden_features:
        yield f"{whose} LSTM has no coupled gates"
    dtypes = {jnp.result_type(leaf).name for leaf in jax.tree.leaves((params, xs, state))}
    if dtypes != {"float32"}:
        yield f"{whose} LSTM is float32, and these are {', '.join(sorted(dtypes))}"


def _of_cudnn(
    cell: Cell[P, S, X], params: Tree, xs: Tree, state: S, options: RunOptions
) -> Iterator[str]:
    if cell.textbook != "lstm":
        yield "of these cells cuDNN's kernel is the LSTM's alone, with σ and tanh"
        return
    yield from _beyond_a_kernel("cuDNN's", params, xs, state)
    if jnp.ndim(xs) != 3:
        yield f"cuDNN reads xs (T, B, D), and these are {jnp.shape(xs)}"
    if 0 in jnp.shape(xs):
        yield f"cuDNN reads one step of one row at least, and these are {jnp.shape(xs)}"
    if options.get("emit", hidden) is not hidden:
        yield "cuDNN gives h alone, and emit asks for more"
    for name in ("mask", "resets", "initial", "remat", "per_row"):
        if options.get(name) is not None:
            yield f"cuDNN knows lengths and no {name}"
    if options.get("reverse") and options.get("lengths") is not None:
        yield "cuDNN does not read right-padded sequences backwards alone"
    if jax.default_backend() != "gpu":
        yield f"cuDNN needs an NVIDIA GPU, and JAX's default device is a {jax.default_backend()}"
