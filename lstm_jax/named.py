"""Functions that survive copying and pickling, so that cells can be compared.

Cells hold functions, and compiled programs, exporters and engines are looked up by comparing them.
A deep copy of `jnp.tanh` is a different object that none of them recognizes, and pickle cannot
write it at all. Records of functions are therefore never deep-copied; they pickle the names of
functions that have one, and compare arguments bound to a function by value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from operator import attrgetter
from typing import NamedTuple, Self, TypeVar, cast

F = TypeVar("F")
T = TypeVar("T")

# Modules in which JAX's functions are public; the modules that define them are private.
MODULES = ("jax.nn", "jax.numpy", "jax.lax")


class Name(NamedTuple):
    """Store the module and the path of a function, such as `jax.nn` and `relu`."""

    module: str
    path: str

    def find(self) -> object:
        """Return the object; raise ImportError or AttributeError if it does not exist."""
        return attrgetter(self.path)(import_module(self.module))


class Bound(partial):
    """Bind arguments as `functools.partial` does, but compare by function and arguments.

    All of them must be hashable.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bound) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self):
        return reduced(type(self), self.func, *self.args, **self.keywords)

    def _parts(self) -> tuple[object, ...]:
        return self.func, self.args, frozenset(self.keywords.items())


def bind(function: F, /, **keywords: object) -> F:
    """Bind keyword arguments to a function, compared by value.

    Args:
        function: the function to call.
        **keywords: hashable arguments to call it with.

    Returns:
        A `Bound`, or the function itself if there are no keywords.
    """
    if not keywords:
        return function
    return cast(F, Bound(cast("Callable[..., object]", function), **keywords))


def bound(function: object, name: str, default: T) -> T:
    """Look up an argument that is bound to a function.

    Args:
        function: any function, bound by `bind` or not.
        name: name of the keyword.
        default: value to return if the keyword is not bound.

    Returns:
        The bound value.
    """
    return function.keywords.get(name, default) if isinstance(function, Bound) else default


def unbound(function: F) -> F:
    """Return the function to which `bind` bound arguments, or else the argument.

    Args:
        function: any function, bound by `bind` or not.
    """
    return function.func if isinstance(function, Bound) else function


def known(function: F) -> F:
    """Return JAX's original function if this is a copy of it.

    Args:
        function: any function.

    Returns:
        The function of `jax.nn`, `jax.numpy` or `jax.lax`, or else the argument.
    """
    for name in _public_names(function):
        original = _find(name)
        if original is not None and (
            original is function or _layers(original) == _layers(function)
        ):
            return cast(F, original)
    return function


def itself(record: T, memo: object) -> T:
    """Return the record, as the `__deepcopy__` of an immutable record of functions."""
    del memo
    return record


def reduced(make: object, /, *parts: object, **keywords: object):
    """Return the result of a `__reduce__`, with names in place of functions that have one.

    Args:
        make: class that rebuilds the object from its parts.
        *parts, **keywords: arguments of the class.

    Returns:
        A callable and its arguments, for pickle.
    """
    written = tuple(map(_written, parts))
    return _remade, (make, written, {key: _written(part) for key, part in keywords.items()})


def _remade(make, parts, keywords):
    named = {key: _read(part) for key, part in keywords.items()}
    return make(*map(_read, parts), **named)


def _read(part: object) -> object:
    return part.find() if isinstance(part, Name) else part


def _written(part: object) -> object:
    """Return the `Name` of a function that can be imported, and any other object unchanged."""
    if type(part) is partial:
        return Bound(part.func, *part.args, **part.keywords)
    if not callable(part):
        return part
    part = known(part)
    definition = Name(getattr(part, "__module__", None) or "", getattr(part, "__qualname__", ""))
    names = [name for name in [*_public_names(part), definition] if _find(name) is part]
    return names[0] if names else part


def _public_names(function: object) -> list[Name]:
    name = getattr(_layers(function)[-1], "__name__", None)
    return [Name(module, name) for module in MODULES] if isinstance(name, str) else []


def _find(name: Name) -> object:
    try:
        return name.find()
    except (ImportError, AttributeError, ValueError):  # no module, no attribute, an empty name
        return None


def _layers(function: object) -> list[object]:
    """Return the type and the JVP rule of each JAX wrapper, then the function inside them.

    Copying makes new wrappers without names, but keeps the plain function. The contents of a
    wrapper are read the way copying reads them.
    """
    layers = []
    while type(function).__module__.split(".")[0] in ("jax", "jaxlib"):
        state = _state(function)
        if "fun" not in state:
            break
        layers.append((type(function), state.get("jvp")))
        function = state["fun"]
    return [*layers, function]


def _state(wrapper: object) -> dict[str, object]:
    try:
        _, _, state, *_ = wrapper.__reduce_ex__(2)
    except (TypeError, ValueError):  # it cannot be copied, or is copied in another way
        return {}
    return state if isinstance(state, dict) else {}
