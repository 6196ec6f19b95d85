"""`lstm-jax COMMAND`, and `python -m lstm_jax COMMAND`.

A user's mistake is one line on stderr and exit code 2. Heavy imports wait until a command needs
them, so that `--help` answers at once. A new command is a function with `@command`.
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
"""What `@command` has gathered, by name, in the order of this file."""


def command(run: Command) -> Command:
    """Make a function a command: its name, and its docstring for the help.

    Args:
        run: takes the words after its name and prints; a `UserError` ends it with one line.

    Returns:
        The function as it is.
    """
    COMMANDS[run.__name__] = run
    return run


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and exit.

    Args:
        argv: the words after the program's name; the process' own if None.

    Raises:
        SystemExit: always: with 0; with 2, or the error's own code, after one line about what was
            wrong; with 141 where the reader of a pipe went away.
    """
    if argv is None:  # the process is the program's own
        keep_memory()
    arguments = list(sys.argv[1:] if argv is None else argv)
    _write_whatever_it_is()
    try:
        try:
            with _warnings_in_a_line():
                _dispatch(arguments)
            code = 0
        except SystemExit as exit:  # after help, or as a signal wants it
            code = exit.code
        sys.stdout.flush()
    except UserError as error:
        print(printable(f"{PROGRAM}: {error}"), file=sys.stderr)
        code = error.code
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        _let_go_of(sys.stdout)
        code = 141  # as of a program that SIGPIPE ends
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EBADF):
            raise
        _let_go_of(sys.stdout)
        print(f"{PROGRAM}: the output cannot be written: {error.strerror}", file=sys.stderr)
        code = 2
    sys.exit(code)


@contextlib.contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Show a warning of the package as one line, without the place in its code."""
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


def _let_go_of(stream: IO[str]) -> None:
    """Point a stream that cannot be written nowhere: at exit, Python would try once more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _write_whatever_it_is() -> None:
    """Let what a terminal's encoding does not hold be written as \\uXXXX, and not raise.

    Poems are Chinese, and a path may be bytes that are no text: neither is to end a command, least
    of all when its work is done.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the shell's >&- closes it
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
  0     done
  1     doctor found a fault in this machine's arithmetic; or a fault of the package, with its trace
  2     a mistake, which one line on stderr explains
  3     the run diverged: its loss is no finite number any more
  4     another of the processes that train together is gone
  130   Ctrl-C; of a run that stopped at another signal and was saved, 128 and the signal's number
  141   the reader of the output went away"""


def _usage() -> str:
    lines = [f"usage: {PROGRAM} COMMAND [OPTIONS]", ""]
    lines += [
        f"  {name:10} {(run.__doc__ or '').splitlines()[0]}" for name, run in COMMANDS.items()
    ]
    last = [
        f"{PROGRAM} COMMAND --help tells a command's options, {PROGRAM} completion how a shell "
        "completes them.",
        f"python -m lstm_jax is {PROGRAM} too.",
    ]
    return "\n".join([*lines, "", *last, "", EXIT_CODES])


@command
def train(arguments: list[str]) -> None:
    """Train a recipe of lstm_jax.configs."""
    known = recipes()
    usage = (
        f"usage: {PROGRAM} train RECIPE [OPTIONS]\n\n{table(known)}\n\n"
        f"{PROGRAM} train RECIPE --help tells every field that can be set. An extra is installed "
        'with pip install "lstm_jax[EXTRA]".'
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
    """Measure a model on data that it did not learn from."""
    from lstm_jax.train.evaluate import EvaluateOptions, measure

    options = parse(EvaluateOptions, arguments, f"{PROGRAM} evaluate", description=evaluate.__doc__)
    figures, said = measure(options)
    _print(figures, said, as_json=options.json)


@command
def predict(arguments: list[str]) -> None:
    """Ask a trained classifier what something is."""
    _ask("predict", arguments)


@command
def forecast(arguments: list[str]) -> None:
    """Ask a trained forecaster what comes next."""
    _ask("forecast", arguments)


def _ask(name: str, arguments: list[str]) -> None:
    """Ask a model, whose kind says what can be asked of it."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: {PROGRAM} {name} MODEL [OPTIONS]\n")
        print(f"{PROGRAM} {name} MODEL --help tells what a run's model takes.")
        return
    from lstm_jax.train.predict import ask_of

    options_of, answer = ask_of(name, arguments[0])
    options = parse(options_of, arguments, f"{PROGRAM} {name}", description=answer.__doc__)
    figures, said, notes = answer(options)
    for note in notes:
        print(printable(note), file=sys.stderr)
    _print(figures, said, as_json=options.json)


@command
def diagnose(arguments: list[str]) -> None:
    """Ask a model about its gradients, gates and memory, and write a report."""
    from rich.console import Console
    from rich.table import Table

    from lstm_jax.report.command import DiagnoseOptions, run
    from lstm_jax.report.folder import PAGE
    from lstm_jax.train.diagnose import find

    options = parse(DiagnoseOptions, arguments, f"{PROGRAM} diagnose", description=diagnose.__doc__)
    found = run(options, Console(stderr=True, highlight=False, markup=False), find)
    if options.json:
        _print_json(found.figures())
        return
    table = Table.grid(padding=(0, 2))
    for label, figure in found.summary():
        table.add_row(label, figure)
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(table)
    console.print(f"the report: {options.folder / PAGE}", soft_wrap=True)


@command
def export(arguments: list[str]) -> None:
    """Write a trained model to a file for other programs: ONNX or safetensors."""
    from lstm_jax.export.command import ExportOptions, run

    options = parse(ExportOptions, arguments, f"{PROGRAM} export", description=export.__doc__)
    print(printable(run(options)))


@command
def page(arguments: list[str]) -> None:
    """Let the poet write in a web page, in the browser itself."""
    from lstm_jax.page.command import PageOptions, run

    run(parse(PageOptions, arguments, f"{PROGRAM} page", description=page.__doc__))


@command
def native(arguments: list[str]) -> None:
    """Compile the native engine, which runs LSTMs faster on this machine's CPU."""
    from lstm_jax.engines.native.command import NativeOptions, run

    options = parse(NativeOptions, arguments, f"{PROGRAM} native", description=native.__doc__)
    figures, said = run(options)
    _print(figures, said, as_json=options.json)


@command
def data(arguments: list[str]) -> None:
    """Fetch a data set and count its splits."""
    from lstm_jax.train import sets

    options = parse(sets.DataOptions, arguments, f"{PROGRAM} data", description=data.__doc__)
    figures, said = sets.describe(options.name)
    _print(figures, said, as_json=options.json)


@command
def doctor(arguments: list[str]) -> None:
    """Check that this machine computes what the equations say."""
    from lstm_jax.train.doctor import DoctorOptions, examine

    options = parse(DoctorOptions, arguments, f"{PROGRAM} doctor", description=doctor.__doc__)
    figures, said, well = examine()
    _print(figures, said, as_json=options.json)
    if not well:
        sys.exit(1)


@command
def release(arguments: list[str]) -> None:
    """Measure a model of Tang poems, and make a release of a run."""
    from lstm_jax.train.release.command import run

    print(printable(run(arguments)))


@command
def completion(arguments: list[str]) -> None:
    """Print a script by which a shell completes commands, recipes and options."""
    from lstm_jax.completion import SHELLS, USAGE

    shell, _ = choose(arguments, SHELLS, usage=USAGE, kind="shell")
    print(completion_script(shell))


def completion_script(shell: str) -> str:
    """Write what a shell completes, of the help of every command and recipe.

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


def _print(figures: Mapping[str, object], said: str, *, as_json: bool) -> None:
    _print_json(figures) if as_json else print(printable(said))


def _print_json(figures: object) -> None:
    """Print JSON, in ASCII where the terminal's encoding does not hold it as it is."""
    text = json.dumps(figures, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(figures)
    print(text)
