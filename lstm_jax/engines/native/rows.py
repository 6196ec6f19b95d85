"""Merge all batch axes, including those of `jax.vmap`, into the single axis of rows of a kernel."""

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
"""The axis of the rows of each array; None for an array without rows."""


def flat(kernel: Callable[..., Arrays], axes: Axes, out_axes: Axes) -> Callable[..., Arrays]:
    """Extend a kernel for one batch axis to any number of batch axes, and to `jax.vmap`.

    Mapped rows become rows of the kernel, unless arrays without rows, such as weights, are mapped
    or a result is a sum over rows; then the kernel is called once for each.

    Args:
        kernel: function of arrays with one axis of rows; arrays without elements stand for missing
            ones.
        axes: axes of its arguments; the first argument with rows has one axis after them.
        out_axes: axes of all possible results; None for a sum over rows.

    Returns:
        The function of arrays with any number of batch axes, including none.
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
    def run_once(values):
        values = iter(values)
        return run(*(next(values) if flag else a for flag, a in zip(mapped, args, strict=True)))

    outs = jax.lax.map(run_once, tuple(a for flag, a in zip(mapped, args, strict=True) if flag))
    return outs, tuple(True for _ in outs)
