"""What JAX calls a pytree, as a type."""

from typing import Any, TypeAlias

Tree: TypeAlias = Any
"""Any pytree of arrays: nested tuples, NamedTuples, lists, dictionaries, registered dataclasses.

Python's types cannot say more of it. Where what goes in and what comes out are of one structure, a
type variable says that; `Tree` is for the rest.
"""
