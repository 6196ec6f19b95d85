"""From the words on a command line to what a command takes; a mistake is one line."""

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
    """A mistake on the command line."""


def choose(
    arguments: Sequence[str], names: Collection[str], *, usage: str, kind: str
) -> tuple[str, list[str]]:
    """Take the first argument as one of several names.

    Args:
        arguments: the words after the command.
        names: what may be chosen.
        usage: what to print where help is asked for, or nothing is given.
        kind: what the names are of, such as "recipe".

    Returns:
        The name, and the arguments after it.

    Raises:
        UsageError: for another name.
        SystemExit: with code 0, after the usage was printed.
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
    """Read options, the fields of a dataclass.

    Args:
        kind: the dataclass; its fields' docstrings are their help.
        arguments: the words after the command.
        program: the command, as help and errors call it.
        description: what help says first.
        default: the values of the fields that no argument names; the dataclass' own if None.

    Returns:
        The options.

    Raises:
        UsageError: what is wrong with the arguments, the box that tyro draws folded into one line.
        SystemExit: with code 0, after help was printed.
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
    said = _first_paragraph(box.getvalue())
    unknown = re.match(r"Unrecognized options: .*?(--[^\s,]+)", said)
    if unknown:
        flags = flags_in(help_of(lambda: cli(args=["--help"])))
        near = nearest(unknown[1], flags)
        said = f"there is no option {unknown[1]}" + (near and f"; {near}")
    raise UsageError(f"{said} (see {program} --help)")


def parse_both(
    run: First, config: Second, arguments: Sequence[str], program: str, *, description: str | None
) -> tuple[First, Second]:
    """Read the options of two dataclasses from one command line.

    Args:
        run, config: the two, with the values of the fields that no argument names.
        arguments, program, description: as in `parse`.

    Returns:
        Both, as the arguments ask.

    Raises:
        UsageError: as in `parse`.
        SystemExit: with code 0, after help was printed.
    """
    flat = tyro.conf.arg(name="")
    kinds = {"run": type(run), "config": type(config)}
    Both = make_dataclass("Both", [(name, Annotated[k, flat]) for name, k in kinds.items()])
    parsed = parse(Both, arguments, program, description=description, default=Both(run, config))
    return parsed.run, parsed.config


def help_of(call: Callable[[], object]) -> str:
    """Give what a call prints before it ends the program, such as the help of a command."""
    box = io.StringIO()
    with contextlib.redirect_stdout(box), contextlib.suppress(SystemExit):
        call()
    return box.getvalue()


def flags_in(text: str) -> dict[str, list[str]]:
    """Find the options in the help of a command.

    Args:
        text: as tyro prints it.

    Returns:
        Each option, and what may be chosen for it; nothing where it takes any value, or none.
    """
    found = re.findall(r"^\W*(?:-\w, )?(--[a-z][\w.-]*)(?: \{([^}]*)\})?", text, re.MULTILINE)
    return {flag: choices.split(",") if choices else [] for flag, choices in found}


def to_go_on(arguments: Sequence[str], *, reached: bool) -> list[str]:
    """Give the arguments that go on with a run that was started with others.

    Args:
        arguments: the words after `train RECIPE`.
        reached: whether the run came to its `--max-steps`, which would then stop it again.

    Returns:
        The arguments without those that started the run, and `--resume`.
    """
    dropped = "resume|overwrite" + (r"|max[-_]steps(=|\0)[^\0]*" if reached else "")
    text = re.sub(rf"\0--({dropped})(?=\0|$)", "", "\0".join(["", *arguments]))
    return [*text.split("\0")[1:], "--resume"]


def _first_paragraph(box: str) -> str:
    words = []
    for line in box.splitlines()[1:]:
        text = re.sub(r"[│╭╮╰╯]", "", line).strip()
        if not set(text) <= set("─-"):  # rules are of ASCII where the terminal's encoding is
            words.append(text)
        elif words:
            break
    return " ".join(words)
