"""Foreign code that supports every transformation of JAX: `call` and `linear_call`.

Foreign code is a black box: JAX can neither differentiate nor map it, nor run it on another
platform. Each piece of it therefore comes as a `Twin`, together with a JAX function that computes
the same result. The foreign function runs where it can, and JAX's transformations use the other.

`jax.custom_derivatives.linear_call` also pairs a linear map with its transpose, but supports
neither `jax.vmap` nor derivatives of a gradient. The primitive defined here supports both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import jax
from jax import Array
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

Function: TypeAlias = Callable[..., tuple[Array, ...]]


@dataclass(frozen=True)
class Twin:
    """Pair two functions of the same arrays that return the same tuple of arrays.

    JAX compares the functions to look up compiled programs; see `lstm_jax.named.bind`.

    Attributes:
        portable: differentiable function written in JAX.
        native: function that calls foreign code on one CPU, or None.
    """

    portable: Function
    native: Function | None = None


@dataclass(frozen=True)
class Mapped:
    """Map a function with `jax.vmap`, and compare by value.

    Attributes:
        function: the function to map.
        axes: the mapped axes of its arguments, as `in_axes`.
    """

    function: Function
    axes: tuple[int | None, ...]

    def __call__(self, *args: Array) -> tuple[Array, ...]:
        return jax.vmap(self.function, in_axes=self.axes)(*args)


def call(twin: Twin, *args: Array) -> list[Array]:
    """Call a twin.

    Args:
        twin: the two functions; the native one runs if it can.
        *args: its arrays. Their derivatives are those of `twin.portable`.

    Returns:
        The twin's arrays.
    """
    return _bind(args, twin=twin, transposed=None, residuals=len(args))


def linear_call(
    twin: Twin, transposed: Twin, residuals: Sequence[Array], linear: Sequence[Array]
) -> list[Array]:
    """Call a map that is linear in some of its arguments and has a known transpose.

    Args:
        twin: the map, called with `(*residuals, *linear)`.
        transposed: its transpose, called with `(*residuals, *cotangents)` of the twin's results; it
            returns the cotangents of `linear`.
        residuals: arrays on which the map depends in any way.
        linear: arrays in which it is linear.

    Returns:
        The twin's arrays.
    """
    args = (*residuals, *linear)
    return _bind(args, twin=twin, transposed=transposed, residuals=len(residuals))


def _bind(args: Sequence[Array], *, twin: Twin, **params) -> list[Array]:
    args = _alike(args)
    avals = tuple(jax.make_jaxpr(twin.portable)(*args).out_avals)
    return twin_p.bind(*args, twin=twin, avals=avals, **params)


def _alike(args: Sequence[Array]) -> list[Array]:
    """Make all arrays vary over the same axes of the mesh inside `jax.shard_map`.

    JAX's own operations do this with their operands, so that the cotangent of an operand that did
    not vary is the sum over the devices.
    """
    over = [_varies_over(arg) for arg in args]
    every = frozenset().union(*over)
    return [
        jax.lax.pcast(arg, tuple(every - axes), to="varying") if every - axes else arg
        for arg, axes in zip(args, over, strict=True)
    ]


def _varies_over(arg: Array) -> frozenset[str]:
    aval = jax.typeof(arg)
    if hasattr(aval, "mat"):
        return frozenset(aval.mat.varying)
    return getattr(aval, "vma", frozenset())  # the name in other versions of JAX


twin_p = Primitive("twin")
twin_p.multiple_results = True
twin_p.def_abstract_eval(lambda *args, avals, **_: avals)


@partial(jax.jit, static_argnames=("twin", "transposed", "residuals", "avals"))
def _compiled(*args, **params):
    return twin_p.bind(*args, **params)


@twin_p.def_impl
def _run(*args, **params):
    with jax.disable_jit(False):  # only a compiled program can run foreign code
        return _compiled(*args, **params)


def _lower(ctx, *args, twin, anywhere=False, **_):
    chosen = twin.native if twin.native and not anywhere and _on_one_device(ctx) else twin.portable
    return mlir.lower_fun(chosen, multiple_results=True)(ctx, *args)


def _on_one_device(ctx) -> bool:
    """Return whether each device of this machine runs its own part of a program.

    An exported program may run elsewhere. A program that XLA partitions automatically would have to
    gather the arrays of a call that XLA cannot look into.
    """
    module = ctx.module_context
    if module.lowering_parameters.for_export:
        return False
    context = module.axis_context
    if hasattr(context, "manual_axes"):  # inside shard_map
        return context.manual_axes >= frozenset(context.mesh.axis_names)
    return getattr(context, "num_devices", 1) == 1


mlir.register_lowering(twin_p, partial(_lower, anywhere=True))
mlir.register_lowering(twin_p, _lower, platform="cpu")


def _jvp(primals, tangents, *, twin, transposed, residuals, avals):
    outs = twin_p.bind(*primals, twin=twin, transposed=transposed, residuals=residuals, avals=avals)
    parts = []
    moving = [i for i in range(residuals) if type(tangents[i]) is not ad.Zero]
    if moving:

        def portable(*varied):
            args = list(primals)
            for i, arg in zip(moving, varied, strict=True):
                args[i] = arg
            return tuple(twin.portable(*args))

        along = [tangents[i] for i in moving]
        parts.append(jax.jvp(portable, [primals[i] for i in moving], along)[1])
    linear = tangents[residuals:]
    if any(type(tangent) is not ad.Zero for tangent in linear):
        linear = map(ad.instantiate_zeros, linear)
        parts.append(linear_call(twin, transposed, primals[:residuals], tuple(linear)))
    return outs, [sum(terms[1:], terms[0]) for terms in zip(*parts, strict=True)]


def _transpose(cotangents, *args, twin, transposed, residuals, avals):
    del avals
    cotangents = tuple(map(ad.instantiate_zeros, cotangents))
    results = linear_call(transposed, twin, args[:residuals], cotangents)
    pairs = zip(args[residuals:], results, strict=True)
    linear = [result if ad.is_undefined_primal(arg) else None for arg, result in pairs]
    return [None] * residuals + linear


def _batch(args, axes, *, twin, transposed, residuals, avals):
    (size,) = {arg.shape[axis] for arg, axis in zip(args, axes, strict=True) if axis is not None}
    fixed = tuple(axes[:residuals])
    if transposed is not None:
        linear = [
            batching.bdim_at_front(arg, axis, size)
            for arg, axis in zip(args[residuals:], axes[residuals:], strict=True)
        ]
        args = (*args[:residuals], *linear)
        axes = (*fixed, *[0] * len(linear))
        transposed = _mapped(transposed, (*fixed, *[0] * len(avals)))
    mapped = _mapped(twin, tuple(axes))
    outs = _bind(args, twin=mapped, transposed=transposed, residuals=residuals)
    return outs, [0] * len(outs)


def _mapped(twin: Twin, axes: tuple[int | None, ...]) -> Twin:
    return Twin(Mapped(twin.portable, axes), twin.native and Mapped(twin.native, axes))


ad.primitive_jvps[twin_p] = _jvp
ad.primitive_transposes[twin_p] = _transpose
batching.primitive_batchers[twin_p] = _batch
