"""Bring any batch axes, and those of `jax.vmap`, into the one axis of rows that a kernel knows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_batching import custom_vmap

Arrays: TypeAlias = tuple[Array, ...]
Axes: TypeAlias = Sequence[int | None]
"""Of each array the axis that its rows lie on; None where it has none."""


def flat(kernel: Callable[..., Arrays], axes: Axes, out_axes: Axes) -> Callable[..., Arrays]:
    """Let a kernel for one batch axis take any number of them, and be mapped.

    Mapped rows are rows like others, as long as what has no rows, such as weights, is not
    mapped and nothing is summed over them; else one call follows another.

    Args:
        kernel: of arrays with one axis of rows. Arrays of no elements stand for what is not there.
        axes: of its arguments; the first with rows has one axis behind them.
        out_axes: of its results, as many as there can be; None: it is a sum over rows.

    Returns:
        The same function of arrays with any number of axes, none included, in the place of one.
    """

    @custom_vmap
    def run(*args: Array) -> Arrays:
        first = next(i for i, axis in enumerate(axes) if axis is not None)
        before = axes[first] or 0
        batch = args[first].shape[before:-1]
        merged = [
            arg if axis is None or not arg.size else _merge(arg, axis, len(batch))
            for arg, axis in zip(args, axes, strict=True)
        ]
        outs = zip(kernel(*merged), out_axes, strict=False)
        return tuple(out if axis is None else _split(out, axis, batch) for out, axis in outs)

    @run.def_vmap
    def run_mapped(size: int, mapped: list[bool], *args: Array):
        fixed = [flag for flag, axis in zip(mapped, axes, strict=True) if axis is None]
        if any(fixed) or None in out_axes:
            return _one_by_one(run, mapped, args)
        moved = [
            _as_rows(arg, axis, size, flag)
            for arg, axis, flag in zip(args, axes, mapped, strict=True)
        ]
        outs = zip(run(*moved), out_axes, strict=False)
        outs = tuple(jnp.moveaxis(out, axis or 0, 0) for out, axis in outs)
        return outs, tuple(True for _ in outs)

    return run


def _merge(array: Array, axis: int, count: int) -> Array:
    sizes = array.shape[axis : axis + count]
    return array.reshape(*array.shape[:axis], math.prod(sizes), *array.shape[axis + count :])


def _split(array: Array, axis: int, batch: tuple[int, ...]) -> Array:
    return array.reshape(*array.shape[:axis], *batch, *array.shape[axis + 1 :])


def _as_rows(array: Array, axis: int | None, size: int, mapped: bool) -> Array:
    if axis is None or not array.size:
        return array
    if mapped:
        return jnp.moveaxis(array, 0, axis)
    shape = (*array.shape[:axis], size, *array.shape[axis:])
    return jnp.broadcast_to(jnp.expand_dims(array, axis), shape)


def _one_by_one(run: Callable[..., Arrays], mapped: list[bool], args: Arrays):
    def one(some):
        some = iter(some)
        return run(*(next(some) if flag else a for flag, a in zip(mapped, args, strict=True)))

    outs = jax.lax.map(one, tuple(a for flag, a in zip(mapped, args, strict=True) if flag))
    return outs, tuple(True for _ in outs)
