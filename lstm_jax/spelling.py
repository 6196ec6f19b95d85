"""Suggestions for misspelled names of options, commands, recipes and fields."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Iterable
from functools import wraps
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
R = TypeVar("R")


def did_you_mean(name: str, names: Collection[str]) -> str:
    """Return the end of an error about a name, which suggests a similar name or lists all of them.

    Args:
        name: the name that does not exist.
        names: those that exist.

    Returns:
        "did you mean 'dropout'?", or "there are bias, dropout" if no name is similar.
    """
    suggestion = nearest(name, names)
    if suggestion:
        return suggestion
    return f"there are {', '.join(sorted(names))}" if names else "there are none"


def nearest(name: str, names: Collection[str]) -> str:
    """Suggest a similar name, as "did you mean 'dropout'?", or return "" if there is none."""
    bare = {known.lstrip("-"): known for known in names}  # dashes do not make options similar
    matches = difflib.get_close_matches(name.lstrip("-"), bare, n=1, cutoff=0.7)
    return f"did you mean {bare[matches[0]]!r}?" if matches else ""


def check_options(owner: str, names: Iterable[str], known: Collection[str]) -> None:
    """Check that options exist.

    Args:
        owner: the function that the user called, such as "LSTM".
        names: of the options that were passed.
        known: names of the options that exist.

    Raises:
        TypeError: for the first option that does not exist.
    """
    for name in names:
        if name not in known:
            raise TypeError(f"{owner} got an unknown option {name!r}; {did_you_mean(name, known)}")


def named_options(
    *kinds: type,
) -> Callable[[Callable[Arguments, R]], Callable[Arguments, R]]:
    """Check the options of a function that passes them on, so that errors name this function.

    Otherwise the error would come from a function that the user has never heard of.

    Args:
        *kinds: the TypedDicts of options, in addition to those in the function's signature.

    Returns:
        A decorator.
    """

    def decorate(function: Callable[Arguments, R]) -> Callable[Arguments, R]:
        known = options_of(function).union(*(kind.__annotations__ for kind in kinds))

        @wraps(function)
        def checked(*args: Arguments.args, **options: Arguments.kwargs) -> R:
            check_options(function.__name__, options, known)
            return function(*args, **options)

        return checked

    return decorate


def options_of(function: Callable[..., object]) -> set[str]:
    """Return the named keyword parameters of a function, without its `**options`."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name for p in inspect.signature(function).parameters.values() if p.kind in kinds}


def hands_on(function: Callable[..., object]) -> bool:
    """Return whether a function takes `**options`."""
    parameters = inspect.signature(function).parameters.values()
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
