"""What a name that does not exist may have meant: for options, commands, recipes, fields."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Iterable
from functools import wraps
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
R = TypeVar("R")


def did_you_mean(name: str, names: Collection[str]) -> str:
    """Give the end of an error about a name: the nearest that exist, or all of them.

    Args:
        name: what does not exist.
        names: what does.

    Returns:
        "did you mean 'dropout'?", or "there are bias, dropout" where nothing is near.
    """
    found = nearest(name, names)
    if found:
        return found
    return f"there are {', '.join(sorted(names))}" if names else "there are none"


def nearest(name: str, names: Collection[str]) -> str:
    """Give the first half of `did_you_mean`, or nothing where nothing is near."""
    bare = {each.lstrip("-"): each for each in names}  # of options, the dashes are no likeness
    near = difflib.get_close_matches(name.lstrip("-"), bare, n=1, cutoff=0.7)
    return f"did you mean {bare[near[0]]!r}?" if near else ""


def check_options(owner: str, given: Iterable[str], known: Collection[str]) -> None:
    """Raise a TypeError for the first option that does not exist.

    Args:
        owner: what a user called, such as "LSTM".
        given: the names of the options.
        known: those that there are.
    """
    for name in given:
        if name not in known:
            raise TypeError(f"{owner} got an unknown option {name!r}; {did_you_mean(name, known)}")


def named_options(
    *kinds: type,
) -> Callable[[Callable[Arguments, R]], Callable[Arguments, R]]:
    """Let a function that hands its options on refuse a misspelt one by its own name.

    Without it, the function that the options end in would refuse, of which a user never heard.

    Args:
        *kinds: the TypedDicts of the options, beside those in the function's signature.

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
    """Name what may be given to a function by keyword, but for what it hands on."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name for p in inspect.signature(function).parameters.values() if p.kind in kinds}


def hands_on(function: Callable[..., object]) -> bool:
    """Whether a function takes any option at all, to hand it on."""
    parameters = inspect.signature(function).parameters.values()
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
