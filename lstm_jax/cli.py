"""`lstm-jax COMMAND`, and `python -m lstm_jax COMMAND`.

A user's mistake is reported in one line on stderr, with exit code 2. Heavy imports wait until a
command needs them, so that `--help` answers at once. Mark a new command with `@command`.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from lstm_jax.allocator import keep_memory
from lstm_jax.arguments import PROGRAM, choose, flags_in, help_of, parse, parse_both
from lstm_jax.errors import UselessWarning, UserError
from lstm_jax.recipes import recipes, table
from lstm_jax.text.lines import printable

Command = Callable[[list[str]], None]
COMMANDS: dict[str, Command] = {}
"""Name -> function of every command, in the order of this file."""


def command(run: Command) -> Command:
    """Register a function as a command, with its name and its docstring as help.

    Args:
        run: takes the words after its name and prints; a `UserError` ends it with one line.

    Returns:
        The same function.
    """
    COMMANDS[run.__name__] = run
    return run


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and exit.

    Args:
        argv: the words after the program's name; None for those of the process.

    Raises:
        SystemExit: always, with one of `EXIT_CODES`.
    """
    if argv is None:  # the process runs nothing but this program
        keep_memory()
    arguments = list(sys.argv[1:] if argv is None else argv)
    _escape_unencodable_output()
    try:
        try:
            with _warnings_in_a_line():
                _dispatch(arguments)
            code = 0
        except SystemExit as exit:  # after help, or from a signal handler
            code = exit.code
        sys.stdout.flush()
    except UserError as error:
        print(printable(f"{PROGRAM}: {error}"), file=sys.stderr)
        code = error.code
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        _detach(sys.stdout)
        code = 141  # like a program that SIGPIPE has ended
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EBADF):
            raise
        _detach(sys.stdout)
        print(f"{PROGRAM}: the output cannot be written: {error.strerror}", file=sys.stderr)
        code = 2
    sys.exit(code)


@contextlib.contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Show warnings of this package as one line, without their place in the code."""
    show = warnings.showwarning

    def show_line(message, category, filename, lineno, file=None, line=None):
        if issubclass(category, UselessWarning):
            print(printable(f"{PROGRAM}: {message}"), file=sys.stderr)
        else:
            show(message, category, filename, lineno, file, line)

    warnings.showwarning = show_line
    try:
        yield
    finally:
        warnings.showwarning = show


def _detach(stream: IO[str]) -> None:
    """Redirect a broken stream to the null device, because Python writes to it again at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _escape_unencodable_output() -> None:
    """Write characters outside of a terminal's encoding as \\uXXXX instead of raising an error.

    Poems are Chinese, and paths may be bytes that are not text. Neither must end a command, least
    of all when its work is done.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell with >&-
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _dispatch(arguments: list[str]) -> None:
    arguments = ["version"] if arguments[:1] == ["--version"] else arguments
    name, rest = choose(arguments, COMMANDS, usage=_usage(), kind="command")
    COMMANDS[name](rest)


EXIT_CODES = """\
exit codes:
  0     success
  1     an error in the package, with a traceback; or doctor found faulty arithmetic
  2     a user's mistake, explained in one line on stderr
  3     training diverged: the loss is no longer finite
  4     another process of a distributed training run was lost
  130   interrupted by Ctrl-C; a run saved after another signal exits with 128 + its number
  141   the reader of the output closed the pipe"""


def _usage() -> str:
    lines = [f"usage: {PROGRAM} COMMAND [OPTIONS]", ""]
    lines += [
        f"  {name:10} {(run.__doc__ or '').splitlines()[0]}" for name, run in COMMANDS.items()
    ]
    hints = [
        f"Run {PROGRAM} COMMAND --help for the options of a command, and {PROGRAM} completion for "
        "shell completion.",
        f"python -m lstm_jax is the same as {PROGRAM}.",
    ]
    return "\n".join([*lines, "", *hints, "", EXIT_CODES])


@command
def train(arguments: list[str]) -> None:
    """Train a model from a recipe."""
    known = recipes()
    usage = (
        f"usage: {PROGRAM} train RECIPE [OPTIONS]\n\n{table(known)}\n\n"
        f"Run {PROGRAM} train RECIPE --help for all options of a recipe. Install an extra with "
        'pip install "lstm_jax[EXTRA]".'
    )
    recipe, rest = choose(arguments, known, usage=usage, kind="recipe")
    module = importlib.import_module(f"lstm_jax.configs.{recipe}")
    from lstm_jax.train.command import RunOptions, run

    options, config = parse_both(
        RunOptions(),
        module.config,
        rest,
        f"{PROGRAM} train {recipe}",
        description=module.__doc__,
    )
    run(options, config, recipe, rest)


@command
def sample(arguments: list[str]) -> None:
    """Continue a text with a trained model."""
    from lstm_jax.text.command import SampleOptions, name_model, run

    named = name_model(arguments)
    options = parse(SampleOptions, named, f"{PROGRAM} sample", description=sample.__doc__)
    if options.report:
        from lstm_jax.train.release import report

        figures = report.measure(options.model)
        _print(figures, report.markdown(figures), as_json=options.json)
        return
    figures = run(options)
    if options.json:
        _print_json(figures)


@command
def evaluate(arguments: list[str]) -> None:
    """Measure a model on held-out data."""
    from lstm_jax.train.evaluate import EvaluateOptions, measure

    options = parse(EvaluateOptions, arguments, f"{PROGRAM} evaluate", description=evaluate.__doc__)
    figures, summary = measure(options)
    _print(figures, summary, as_json=options.json)


@command
def predict(arguments: list[str]) -> None:
    """Classify texts, sequences or sounds with a trained model."""
    _ask("predict", arguments)


@command
def forecast(arguments: list[str]) -> None:
    """Forecast a series with a trained model."""
    _ask("forecast", arguments)


def _ask(name: str, arguments: list[str]) -> None:
    """Run a model on a user's data, with options that depend on the kind of model."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: {PROGRAM} {name} MODEL [OPTIONS]\n")
        print(f"MODEL is the folder of a run. Run {PROGRAM} {name} MODEL --help for its options.")
        return
    from lstm_jax.train.predict import ask_of

    options_of, answer = ask_of(name, arguments[0])
    options = parse(options_of, arguments, f"{PROGRAM} {name}", description=answer.__doc__)
    figures, summary, notes = answer(options)
    for note in notes:
        print(printable(note), file=sys.stderr)
    _print(figures, summary, as_json=options.json)


@command
def diagnose(arguments: list[str]) -> None:
    """Examine a model's gradients, gates and memory, and write a report."""
    from rich.console import Console
    from rich.table import Table

    from lstm_jax.report.command import DiagnoseOptions, run
    from lstm_jax.report.folder import PAGE
    from lstm_jax.train.diagnose import find

    options = parse(DiagnoseOptions, arguments, f"{PROGRAM} diagnose", description=diagnose.__doc__)
    diagnosis = run(options, Console(stderr=True, highlight=False, markup=False), find)
    if options.json:
        _print_json(diagnosis.figures())
        return
    table = Table.grid(padding=(0, 2))
    for label, figure in diagnosis.summary():
        table.add_row(label, figure)
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(table)
    console.print(f"wrote the report to {options.folder / PAGE}", soft_wrap=True)


@command
def export(arguments: list[str]) -> None:
    """Export a trained model to an ONNX or safetensors file."""
    from lstm_jax.export.command import ExportOptions, run

    options = parse(ExportOptions, arguments, f"{PROGRAM} export", description=export.__doc__)
    print(printable(run(options)))


@command
def page(arguments: list[str]) -> None:
    """Show or write a web page on which the poet writes in your browser."""
    from lstm_jax.page.command import PageOptions, run

    run(parse(PageOptions, arguments, f"{PROGRAM} page", description=page.__doc__))


@command
def native(arguments: list[str]) -> None:
    """Compile the native engine, which runs LSTMs faster on this machine's CPU."""
    from lstm_jax.engines.native.command import NativeOptions, run

    options = parse(NativeOptions, arguments, f"{PROGRAM} native", description=native.__doc__)
    figures, summary = run(options)
    _print(figures, summary, as_json=options.json)


@command
def data(arguments: list[str]) -> None:
    """Download a data set and show the sizes of its splits."""
    from lstm_jax.train import sets

    options = parse(sets.DataOptions, arguments, f"{PROGRAM} data", description=data.__doc__)
    figures, summary = sets.describe(options.name)
    _print(figures, summary, as_json=options.json)


@command
def doctor(arguments: list[str]) -> None:
    """Check that this machine computes the equations correctly."""
    from lstm_jax.train.doctor import DoctorOptions, examine

    options = parse(DoctorOptions, arguments, f"{PROGRAM} doctor", description=doctor.__doc__)
    figures, summary, healthy = examine()
    _print(figures, summary, as_json=options.json)
    if not healthy:
        sys.exit(1)


@command
def release(arguments: list[str]) -> None:
    """Measure a model of Tang poems, or release a run."""
    from lstm_jax.train.release.command import run

    print(printable(run(arguments)))


@command
def completion(arguments: list[str]) -> None:
    """Print a shell script that completes commands, recipes and options."""
    from lstm_jax.completion import SHELLS, USAGE

    shell, _ = choose(arguments, SHELLS, usage=USAGE, kind="shell")
    print(completion_script(shell))


def completion_script(shell: str) -> str:
    """Build the completion script of a shell from the help of every command and recipe.

    Args:
        shell: one of `lstm_jax.completion.SHELLS`.
    """
    from lstm_jax.completion import script

    nested = {"train": list(recipes()), "release": ["form", "report", "export"]}
    commands = {}
    for name in COMMANDS:
        for words in [[name, inner] for inner in nested.get(name, ())] or [[name]]:
            text = help_of(partial(_dispatch, [*words, "--help"]))
            commands[" ".join(words)] = flags_in(text)
    return script(shell, commands, nested)


@command
def version(arguments: list[str]) -> None:
    """Print the version."""
    from importlib.metadata import version

    del arguments
    print(version("lstm_jax"))


def _print(figures: Mapping[str, object], summary: str, *, as_json: bool) -> None:
    _print_json(figures) if as_json else print(printable(summary))


def _print_json(figures: object) -> None:
    """Print JSON, in ASCII if the terminal's encoding lacks a character."""
    text = json.dumps(figures, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(figures)
    print(text)
