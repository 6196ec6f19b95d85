"""Parse command lines into dataclasses of options, and report a mistake in one line."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import make_dataclass
from functools import partial
from typing import Annotated, TypeVar

import tyro

from lstm_jax.errors import UserError
from lstm_jax.spelling import did_you_mean, nearest

PROGRAM = "lstm-jax"

First = TypeVar("First")
Second = TypeVar("Second")
Options = TypeVar("Options")


class UsageError(UserError):
    """Report a mistake on the command line."""


def choose(
    arguments: Sequence[str], names: Collection[str], *, usage: str, kind: str
) -> tuple[str, list[str]]:
    """Read the first argument as one of several names.

    Args:
        arguments: words after the command.
        names: allowed names.
        usage: text to print if the user asks for help or passes no arguments.
        kind: noun for the names, such as "recipe".

    Returns:
        The name, and the arguments after it.

    Raises:
        UsageError: if the first argument is not one of the names.
        SystemExit: with code 0, after the usage has been printed.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage)
        raise SystemExit(0)
    name, *rest = arguments
    if name not in names:
        raise UsageError(f"there is no {kind} {name!r}; {did_you_mean(name, names)}")
    return name, rest


def parse(
    kind: type[Options],
    arguments: Sequence[str],
    program: str,
    *,
    description: str | None,
    default: Options | None = None,
) -> Options:
    """Read the fields of a dataclass from a command line.

    Args:
        kind: the dataclass; the docstrings of its fields are their help texts.
        arguments: words after the command.
        program: name of the command in help and errors.
        description: first paragraph of the help.
        default: values of the fields that no argument sets; the dataclass's own defaults if None.

    Returns:
        The options.

    Raises:
        UsageError: if the arguments do not parse; tyro's boxed message is folded into one line.
        SystemExit: with code 0, after help has been printed.
    """
    cli = partial(
        tyro.cli,
        kind,
        prog=program,
        description=description,
        default=tyro.MISSING_NONPROP if default is None else default,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    box = io.StringIO()
    try:
        with contextlib.redirect_stderr(box):
            return cli(args=arguments)
    except SystemExit as exit:
        if not exit.code:
            raise
    message = _first_paragraph(box.getvalue())
    unknown = re.match(r"Unrecognized options: .*?(--[^\s,]+)", message)
    if unknown:
        flags = flags_in(help_of(lambda: cli(args=["--help"])))
        near = nearest(unknown[1], flags)
        message = f"there is no option {unknown[1]}" + (near and f"; {near}")
    raise UsageError(f"{message} (see {program} --help)")


def parse_both(
    run: First, config: Second, arguments: Sequence[str], program: str, *, description: str | None
) -> tuple[First, Second]:
    """Read the fields of two dataclasses from one command line.

    Args:
        run, config: instances that hold the values of fields that no argument sets.
        arguments, program, description: as in `parse`.

    Returns:
        Both dataclasses, updated by the arguments.

    Raises:
        UsageError: as in `parse`.
        SystemExit: with code 0, after help has been printed.
    """
    flat = tyro.conf.arg(name="")
    kinds = {"run": type(run), "config": type(config)}
    Both = make_dataclass("Both", [(name, Annotated[k, flat]) for name, k in kinds.items()])
    parsed = parse(Both, arguments, program, description=description, default=Both(run, config))
    return parsed.run, parsed.config


def help_of(call: Callable[[], object]) -> str:
    """Return the text that a call prints before it exits, such as the help of a command."""
    box = io.StringIO()
    with contextlib.redirect_stdout(box), contextlib.suppress(SystemExit):
        call()
    return box.getvalue()


def flags_in(text: str) -> dict[str, list[str]]:
    """Find the options in the help of a command.

    Args:
        text: help as tyro prints it.

    Returns:
        The choices of each option; an empty list for an option that takes any value, or no value.
    """
    options = re.findall(r"^\W*(?:-\w, )?(--[a-z][\w.-]*)(?: \{([^}]*)\})?", text, re.MULTILINE)
    return {flag: choices.split(",") if choices else [] for flag, choices in options}


def to_go_on(arguments: Sequence[str], *, reached: bool) -> list[str]:
    """Return the arguments that resume a run, from those that started it.

    Args:
        arguments: words after `train RECIPE`.
        reached: whether the run reached its `--max-steps`, which would stop it again at once.

    Returns:
        The arguments without `--overwrite`, `--resume-from`, which would go back to the same
        checkpoint again, and, if it was reached, `--max-steps`; then `--resume`.
    """
    dropped = r"resume|overwrite|resume[-_]from(=|\0)[^\0]*"
    dropped += r"|max[-_]steps(=|\0)[^\0]*" if reached else ""
    text = re.sub(rf"\0--({dropped})(?=\0|$)", "", "\0".join(["", *arguments]))
    return [*text.split("\0")[1:], "--resume"]


def _first_paragraph(box: str) -> str:
    words = []
    for line in box.splitlines()[1:]:
        text = re.sub(r"[│╭╮╰╯]", "", line).strip()
        if not set(text) <= set("─-"):  # a terminal with an ASCII encoding has rules of hyphens
            words.append(text)
        elif words:
            break
    return " ".join(words)
