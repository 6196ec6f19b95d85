"""What JAX calls a pytree, as a type; the two kinds of records that are one here; wide leaves.

Sums, means and counts are kept in float32 at least, whatever they are sums of: a bfloat16 counts
to 256 and a float16 holds no square above 65504, so what is added up in the dtype of what is added
is soon wrong. What steps and layers give keeps its dtype; figures about it do not.
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


def wide(*arrays: ArrayLike) -> jnp.dtype:
    """Choose the dtype to accumulate in: the promoted one, float32 at least.

    Args:
        arrays: what is added up.

    Returns:
        The dtype.
    """
    return float32_at_least(common(*arrays))


def widened(tree: T) -> T:
    """Give a pytree with every floating leaf in float32 at least.

    Args:
        tree: any; leaves that are no floats, or wide enough, stay what they are.

    Returns:
        The same structure.
    """

    def widen(leaf: ArrayLike) -> ArrayLike:
        dtype = jnp.result_type(leaf)
        narrow = jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits < 32
        return jnp.asarray(leaf, jnp.float32) if narrow else leaf

    return jax.tree.map(widen, tree)
