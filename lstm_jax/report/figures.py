"""Conversion of typed results to JSON values."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import TypeAlias

import jax
import numpy as np

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"


def plain(value: object) -> JsonValue:
    """Convert a result to JSON values, with numbers of six digits.

    Args:
        value: nested dataclasses and NamedTuples, which become dictionaries of their fields,
            dictionaries, lists, tuples, arrays, numbers, strings and None.

    Returns:
        Dictionaries, lists, strings and numbers; NaN and the infinities become None.

    Raises:
        TypeError: if the value contains anything else.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return plain(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    as_dictionary = getattr(value, "_asdict", None)  # a NamedTuple has it
    if as_dictionary is not None:
        return plain(as_dictionary())
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    raise TypeError(f"a {type(value).__name__} cannot be stored in a JSON file")
