"""Foreign code that no transformation of JAX is lost on: `call` and `linear_call`.

Foreign code is a black box: JAX can neither differentiate nor map it, nor run it on another
platform. So each piece comes as a `Twin`, beside a function in JAX that computes the same. The
foreign one runs where it can, and everything that JAX has to know of it is asked of the other.

`jax.custom_derivatives.linear_call` has the idea of a linear map that brings its own transpose,
but no rule for `jax.vmap` and none for derivatives of a gradient. The primitive here has both.
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
    """Two functions of the same arrays, which give the same tuple of arrays.

    Functions are compared when JAX looks for what it has compiled: see `lstm_jax.named.bind`.

    Attributes:
        portable: in JAX, differentiable.
        native: of foreign code for one CPU; None where there is none.
    """

    portable: Function
    native: Function | None = None


@dataclass(frozen=True)
class Mapped:
    """A function under `jax.vmap`, compared by value.

    Attributes:
        function: what is mapped.
        axes: of its arguments, as `in_axes`.
    """

    function: Function
    axes: tuple[int | None, ...]

    def __call__(self, *args: Array) -> tuple[Array, ...]:
        return jax.vmap(self.function, in_axes=self.axes)(*args)


def call(twin: Twin, *args: Array) -> list[Array]:
    """Call a twin.

    Args:
        twin: whichever of the two can run will.
        *args: its arrays. Derivatives by them are those of `twin.portable`.

    Returns:
        Its arrays.
    """
    return _bind(args, twin=twin, transposed=None, residuals=len(args))


def linear_call(
    twin: Twin, transposed: Twin, residuals: Sequence[Array], linear: Sequence[Array]
) -> list[Array]:
    """Call a map that is linear in some of its arguments, and knows its transpose.

    Args:
        twin: called with `(*residuals, *linear)`.
        transposed: called with `(*residuals, *cotangents)`, cotangents of what the twin gives;
            gives those of `linear`.
        residuals: arrays that the map depends on in any way.
        linear: arrays that it is linear in.

    Returns:
        The twin's arrays.
    """
    args = (*residuals, *linear)
    return _bind(args, twin=twin, transposed=transposed, residuals=len(residuals))


def _bind(args: Sequence[Array], *, twin: Twin, **others) -> list[Array]:
    args = _alike(args)
    avals = tuple(jax.make_jaxpr(twin.portable)(*args).out_avals)
    return twin_p.bind(*args, twin=twin, avals=avals, **others)


def _alike(args: Sequence[Array]) -> list[Array]:
    """Let all arrays vary over the axes of a mesh that any of them does, inside `jax.shard_map`.

    What JAX's own operations do with their operands: the cotangent of one that did not vary is
    then the sum of those of the devices.
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
    return getattr(aval, "vma", frozenset())  # its name in other versions of JAX


twin_p = Primitive("twin")
twin_p.multiple_results = True
twin_p.def_abstract_eval(lambda *args, avals, **_: avals)


@partial(jax.jit, static_argnames=("twin", "transposed", "residuals", "avals"))
def _compiled(*args, **params):
    return twin_p.bind(*args, **params)


@twin_p.def_impl
def _run(*args, **params):
    with jax.disable_jit(False):  # without it there is nothing that could run foreign code
        return _compiled(*args, **params)


def _lower(ctx, *args, twin, anywhere=False, **_):
    chosen = twin.native if twin.native and not anywhere and _on_one_device(ctx) else twin.portable
    return mlir.lower_fun(chosen, multiple_results=True)(ctx, *args)


def _on_one_device(ctx) -> bool:
    """Whether a program is for the device at hand, and each device of its mesh has its own part.

    A program that is exported may run elsewhere. One that XLA spreads over devices by itself would
    have to gather the arrays of a call that it cannot look into.
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

        def portable(*some):
            args = list(primals)
            for i, arg in zip(moving, some, strict=True):
                args[i] = arg
            return tuple(twin.portable(*args))

        along = [tangents[i] for i in moving]
        parts.append(jax.jvp(portable, [primals[i] for i in moving], along)[1])
    linear = tangents[residuals:]
    if any(type(tangent) is not ad.Zero for tangent in linear):
        linear = map(ad.instantiate_zeros, linear)
        parts.append(linear_call(twin, transposed, primals[:residuals], tuple(linear)))
    return outs, [sum(some[1:], some[0]) for some in zip(*parts, strict=True)]


def _transpose(cotangents, *args, twin, transposed, residuals, avals):
    del avals
    cotangents = tuple(map(ad.instantiate_zeros, cotangents))
    found = linear_call(transposed, twin, args[:residuals], cotangents)
    wanted = zip(args[residuals:], found, strict=True)
    given = [out if ad.is_undefined_primal(arg) else None for arg, out in wanted]
    return [None] * residuals + given


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
