"""Functions known by what they are: a copy of one is itself, and a file holds its name.

Cells hold functions, and what is compiled for a cell, exported of it or chosen for it is found by
comparing them. A deep copy of `jnp.tanh` is another object than `jnp.tanh`, which nothing knows
any more, and pickle cannot write it at all. So records of functions are never copied inside, write
names for the functions that have one, and compare what was bound to a function by value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from operator import attrgetter
from typing import NamedTuple, Self, TypeVar, cast

F = TypeVar("F")
T = TypeVar("T")

# Where JAX's functions are public; the modules that define them are nobody's business.
MODULES = ("jax.nn", "jax.numpy", "jax.lax")


class Name(NamedTuple):
    """Where a function stands: `jax.nn`, `relu`."""

    module: str
    path: str

    def find(self) -> object:
        """Give what stands there; raise ImportError or AttributeError where nothing does."""
        return attrgetter(self.path)(import_module(self.module))


class Bound(partial):
    """`functools.partial`, compared by the function and what is bound to it, both hashable."""

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


def bind(function: F, /, **others: object) -> F:
    """Bind keywords to a function, by value.

    Args:
        function: to be called.
        **others: what it is called with, hashable.

    Returns:
        A `Bound`; without others the function itself.
    """
    return cast(F, Bound(cast("Callable[..., object]", function), **others)) if others else function


def bound(function: object, name: str, default: T) -> T:
    """Look up what is bound to a function.

    Args:
        function: perhaps made by `bind`.
        name: of a keyword.
        default: where there is none of this name.

    Returns:
        What it is called with.
    """
    return function.keywords.get(name, default) if isinstance(function, Bound) else default


def known(function: F) -> F:
    """Give JAX's own function where this is a copy of it.

    Args:
        function: any.

    Returns:
        That of `jax.nn`, `jax.numpy` or `jax.lax`, or the function itself.
    """
    for name in _public_names(function):
        own = _found(name)
        if own is not None and (own is function or _layers(own) == _layers(function)):
            return cast(F, own)
    return function


def itself(record: T, memo: object) -> T:
    """Be the `__deepcopy__` of a record of functions: it has nothing that could change."""
    del memo
    return record


def reduced(make: object, /, *parts: object, **others: object):
    """Say what pickle is to write: names in place of functions that have one.

    Args:
        make: a class, called with the parts to make the object again.
        *parts, **others: what it is called with.

    Returns:
        What a `__reduce__` returns.
    """
    written = tuple(map(_written, parts))
    return _remade, (make, written, {key: _written(part) for key, part in others.items()})


def _remade(make, parts, others):
    named = {key: _read(part) for key, part in others.items()}
    return make(*map(_read, parts), **named)


def _read(part: object) -> object:
    return part.find() if isinstance(part, Name) else part


def _written(part: object) -> object:
    """The name of a function that stands somewhere; anything else as it is."""
    if type(part) is partial:
        return Bound(part.func, *part.args, **part.keywords)
    if not callable(part):
        return part
    part = known(part)
    own = Name(getattr(part, "__module__", None) or "", getattr(part, "__qualname__", ""))
    names = [name for name in [*_public_names(part), own] if _found(name) is part]
    return names[0] if names else part


def _public_names(function: object) -> list[Name]:
    name = getattr(_layers(function)[-1], "__name__", None)
    return [Name(module, name) for module in MODULES] if isinstance(name, str) else []


def _found(name: Name) -> object:
    try:
        return name.find()
    except (ImportError, AttributeError, ValueError):  # no such module, none in it, no name at all
        return None


def _layers(function: object) -> list[object]:
    """The function inside, last, and of each of JAX's wrappers its type and its derivative's rule.

    Copying makes new wrappers, which have lost even their names, and leaves a plain function as it
    is. What a wrapper holds is asked of it as copying does.
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
    except (TypeError, ValueError):  # what cannot be copied, or is copied in another way
        return {}
    return state if isinstance(state, dict) else {}
