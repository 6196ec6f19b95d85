"""What JAX calls a pytree, as a type, and the two kinds of records that are one here."""

from dataclasses import is_dataclass, replace
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

Tree: TypeAlias = Any
"""Any pytree of arrays: nested tuples, NamedTuples, lists, dictionaries, registered dataclasses.

Python's types cannot say more of it. Where what goes in and what comes out are of one structure, a
type variable says that; `Tree` is for the rest.
"""


def replaced(record: T, **fields: Tree) -> T:
    """Give a NamedTuple or a dataclass with some of its fields replaced.

    Raises:
        TypeError: where it is neither, or has no such field.
    """
    if is_dataclass(record) and not isinstance(record, type):
        return replace(record, **fields)
    make: Any = getattr(record, "_replace", None)
    if make is None:
        raise TypeError(f"expected a NamedTuple or a dataclass, got a {type(record).__name__}")
    return make(**fields)
