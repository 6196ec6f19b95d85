"""`lstm-jax train | sample | evaluate | data`.

A user's mistake is one line on stderr and exit code 2. Heavy imports wait until a command needs
them, so that `--help` answers at once.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import pkgutil
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

PROGRAM = "lstm-jax"


class UsageError(Exception):
    """A mistake on the command line, one line."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0, or 2 after one line about what was wrong."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        sys.exit(_dispatch(arguments))
    except UsageError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(version("lstm_jax"))
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        raise UsageError(f"there is no command {name!r}; the commands are {', '.join(COMMANDS)}")
    return COMMANDS[name](rest)


def _usage() -> str:
    lines = [f"usage: {PROGRAM} COMMAND [OPTIONS]", ""]
    lines += [
        f"  {name:10} {(run.__doc__ or '').splitlines()[0]}" for name, run in COMMANDS.items()
    ]
    return "\n".join([*lines, "", f"{PROGRAM} COMMAND --help tells a command's options."])


@dataclass(frozen=True)
class RunOptions:
    """Where the run goes, and what to do with one that is there."""

    out: Path | None = None
    """The run's folder. (runs/RECIPE if not given)"""
    resume: bool = False
    """Go on with the run in the folder from its latest checkpoint."""
    overwrite: bool = False
    """Delete the run in the folder and start anew."""


def train(arguments: list[str]) -> int:
    """Train a recipe of lstm_jax.configs."""
    names = sorted(module.name for module in pkgutil.iter_modules(_recipes().__path__))
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: {PROGRAM} train RECIPE [OPTIONS]\n\nrecipes: {', '.join(names)}\n")
        print(f"{PROGRAM} train RECIPE --help tells every field that can be set.")
        return 0
    recipe, *rest = arguments
    if recipe not in names:
        raise UsageError(f"there is no recipe {recipe!r}; the recipes are {', '.join(names)}")
    module = importlib.import_module(f"lstm_jax.configs.{recipe}")

    flat = tyro.conf.arg(name="")
    kinds = {"run": RunOptions, "config": type(module.config)}
    Arguments = make_dataclass("Arguments", [(n, Annotated[k, flat]) for n, k in kinds.items()])
    parsed = _parse(
        Arguments,
        rest,
        f"{PROGRAM} train {recipe}",
        default=Arguments(RunOptions(), module.config),
        description=module.__doc__,
    )
    folder = parsed.run.out or Path("runs") / recipe
    command = shlex.join([PROGRAM, "train", recipe, *rest])

    from rich.console import Console

    from lstm_jax.train import loop

    console = Console(highlight=False)

    def run():
        config = loop.prepare(
            folder, parsed.config, resume=parsed.run.resume, overwrite=parsed.run.overwrite
        )
        return loop.train(config, folder, facts={"command": command}, console=console)

    result = _guard(run)
    if result.finished:
        console.print(f"done after {result.step:,} steps: {folder}")
    else:
        console.print(
            f"stopped after step {result.step:,}, saved; go on with "
            f"{PROGRAM} train {recipe} --out {folder} --resume"
        )
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {"train": train}


def _recipes() -> Any:
    return importlib.import_module("lstm_jax.configs")


def _guard(call: Callable[[], Any]) -> Any:
    """Turn the errors that a user can cause into a UsageError; let bugs show themselves."""
    from lstm_jax.language_model import ModelError
    from lstm_jax.train.checkpoints import CheckpointError
    from lstm_jax.train.config import ConfigError
    from lstm_jax.train.data.download import DataError

    try:
        return call()
    except (CheckpointError, ConfigError, DataError, ModelError) as error:
        raise UsageError(str(error)) from None


def _parse(kind: Any, arguments: list[str], program: str, **options: Any) -> Any:
    """tyro's parser, with its box of an error folded into one line."""
    stderr = io.StringIO()
    try:
        with contextlib.redirect_stderr(stderr):
            return tyro.cli(
                kind,
                prog=program,
                args=arguments,
                config=(tyro.conf.FlagCreatePairsOff,),
                **options,
            )
    except SystemExit as exit:
        if not exit.code:
            raise
    raise UsageError(_first_paragraph(stderr.getvalue()) + f" (see {program} --help)")


def _first_paragraph(box: str) -> str:
    words = []
    for line in box.splitlines()[1:]:
        text = re.sub(r"[│╭╮╰╯]", "", line).strip()
        if not text or set(text) <= {"─"}:
            break
        words.append(text)
    return " ".join(words)
