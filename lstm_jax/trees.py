"""A type for pytrees, and helpers for their records and dtypes.

Sums, means and counts are accumulated in float32 at least. A bfloat16 counts only to 256, and a
float16 cannot hold a square above 65504, so accumulating in the dtype of the terms soon goes wrong.
The outputs of steps and layers keep their dtype; statistics of them do not.
"""

from dataclasses import is_dataclass, replace
from typing import Any, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from lstm_jax.promotion import common, float32_at_least

T = TypeVar("T")

Tree: TypeAlias = Any
"""Any pytree of arrays: nested tuples, NamedTuples, lists, dictionaries, registered dataclasses.

Python's types cannot express more. A function whose result has the structure of its argument uses a
type variable instead.
"""


def replaced(record: T, **fields: Tree) -> T:
    """Return a copy of a NamedTuple or dataclass with some fields replaced.

    Raises:
        TypeError: if the record is neither, or has no such field.
    """
    if is_dataclass(record) and not isinstance(record, type):
        return replace(record, **fields)
    make: Any = getattr(record, "_replace", None)
    if make is None:
        raise TypeError(f"expected a NamedTuple or a dataclass, got a {type(record).__name__}")
    return make(**fields)


def wide(*arrays: ArrayLike) -> jnp.dtype:
    """Return the dtype to accumulate in: the promoted dtype, float32 at least.

    Args:
        arrays: terms of the sum.

    Returns:
        The dtype.
    """
    return float32_at_least(common(*arrays))


def widened(tree: T) -> T:
    """Cast every floating-point leaf of a pytree to float32 at least.

    Args:
        tree: any pytree; other leaves, and leaves that are wide enough, are not changed.

    Returns:
        The same structure.
    """

    def widen(leaf: ArrayLike) -> ArrayLike:
        dtype = jnp.result_type(leaf)
        narrow = jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits < 32
        return jnp.asarray(leaf, jnp.float32) if narrow else leaf

    return jax.tree.map(widen, tree)
