"""Typed results as what a JSON file holds."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import TypeAlias

import jax
import numpy as np

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"


def plain(value: object) -> JsonValue:
    """Give the same in what JSON holds: numbers to six digits, None for those that do not exist.

    Args:
        value: nested dataclasses and NamedTuples, which become dictionaries by their fields,
            dictionaries, lists, tuples, arrays, numbers, strings and None.

    Returns:
        Dictionaries, lists, strings and numbers; None stands for NaN and the infinities.

    Raises:
        TypeError: for anything else.
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
    as_dictionary = getattr(value, "_asdict", None)  # of a NamedTuple
    if as_dictionary is not None:
        return plain(as_dictionary())
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    raise TypeError(f"a {type(value).__name__} has no place in a JSON file")
