"""`lstm-jax train | sample | evaluate | predict | forecast | diagnose | export | data | doctor`.

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
import pkgutil
import secrets
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Literal

import tyro

from lstm_jax.arguments import UsageError, choose, parse, parse_both, to_go_on
from lstm_jax.errors import UserError
from lstm_jax.models import storage
from lstm_jax.models.storage import RUNS, ModelError
from lstm_jax.text import verse
from lstm_jax.text.forms.order import Order
from lstm_jax.text.lines import printable, text_of

if TYPE_CHECKING:
    from lstm_jax.text.language import LanguageModel

PROGRAM = "lstm-jax"
MOST_TEXTS = 10_000  # of a call: they are written side by side, and each takes memory

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
    arguments = list(sys.argv[1:] if argv is None else argv)
    _write_whatever_it_is()
    try:
        try:
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
    if arguments[:1] == ["--version"]:
        from importlib.metadata import version

        print(version("lstm_jax"))
        return
    refusal = "there is no command {name!r}; the commands are {names}"
    name, rest = choose(arguments, COMMANDS, usage=_usage(), refusal=refusal)
    COMMANDS[name](rest)


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
    resume_from: Literal["latest", "best"] = "latest"
    """Go on with it from this checkpoint; from the best one with other settings of the optimizer,
    if you like, as after a run that diverged."""
    overwrite: bool = False
    """Delete the run in the folder and start anew."""
    dry_run: bool = False
    """Look at the data, say what would be done, and stop."""
    mesh: tuple[str, ...] = ()
    """Devices to spread the run over: data=N splits each batch, model=M the matrices. A CPU becomes
    as many devices as that, which share its cores."""
    distributed: bool = False
    """Train together with other processes, to each of which the same command is given."""
    coordinator: str | None = None
    """HOST:PORT of process 0; found in the environment of Slurm, Kubernetes, Open MPI or a TPU pod
    if not given."""
    processes: int | None = None
    """How many processes train together; found likewise."""
    process: int | None = None
    """The number of this one, from 0; found likewise."""


@command
def train(arguments: list[str]) -> None:
    """Train a recipe of lstm_jax.configs."""
    recipes = importlib.import_module("lstm_jax.configs")
    names = sorted(module.name for module in pkgutil.iter_modules(recipes.__path__))
    recipe, rest = choose(
        arguments,
        names,
        usage=f"usage: {PROGRAM} train RECIPE [OPTIONS]\n\nrecipes: {', '.join(names)}\n\n"
        f"{PROGRAM} train RECIPE --help tells every field that can be set.",
        refusal="there is no recipe {name!r}; the recipes are {names}",
    )
    module = importlib.import_module(f"lstm_jax.configs.{recipe}")
    options, config = parse_both(
        RunOptions(),
        module.config,
        rest,
        f"{PROGRAM} train {recipe}",
        description=module.__doc__,
    )
    folder = options.out or RUNS / recipe

    from rich.console import Console

    from lstm_jax.train import fitting
    from lstm_jax.train.run import processes
    from lstm_jax.train.spread import spread

    with spread(
        options.mesh, distributed=options.distributed, coordinator=options.coordinator,
        count=options.processes, process=options.process,
    ) as devices:  # fmt: skip
        quiet = not processes.is_first()  # one speaks for all
        console = Console(highlight=False, markup=False, emoji=False, quiet=quiet)
        look = fitting.look_at(config, console=console)
        if options.dry_run:
            console.print(f"{look.task.description}: nothing was trained", soft_wrap=True)
            return
        facts = {"command": shlex.join([PROGRAM, "train", *arguments])}
        result = fitting.train(
            look, folder,
            resume=options.resume or options.resume_from == "best", overwrite=options.overwrite,
            source=options.resume_from, facts=facts, console=console, devices=devices,
        )  # fmt: skip
    if result.finished:
        said = f"done after {result.step:,} steps: {folder}"
    else:
        again = to_go_on(rest, reached=result.step == look.config.max_steps)
        go_on = shlex.join([PROGRAM, "train", recipe, *again])
        said = f"stopped after step {result.step:,}, saved; go on with {go_on}"
    console.print(said, soft_wrap=True)
    if result.signal is not None:
        sys.exit(128 + result.signal)  # so that `train && evaluate` does not go on


@dataclass(frozen=True)
class SampleOptions:
    """How to continue the prompt."""

    prompt: tyro.conf.Positional[str] = ""
    """The beginning of a text, simplified or traditional; none begins a new one. A run's folder may
    stand before it, in place of --model."""
    model: str = "tang"
    """A released model's name or a run's folder."""
    temperature: float = 0.8
    """Above 1 is bolder, below 1 is safer, 0 always takes the most probable symbol."""
    top_k: int | None = None
    """Draw from the k most probable symbols only."""
    top_p: float | None = None
    """Draw from the smallest set of symbols that holds this probability, in (0, 1]."""
    order: Annotated[Order, tyro.conf.arg(name="")] = field(default_factory=Order)
    """What the poem is to be like."""
    num: int = 1
    """How many texts."""
    best_of: int | None = None
    """Draw so many and print the best of them, --num, best first."""
    rank: Literal["probability", "rhyme"] = "probability"
    """What is best: the highest mean ln p of a symbol, or the most even lines in one rhyme."""
    seed: int | None = None
    """The same seed gives the same texts; drawn anew if not given."""
    max_length: int = 120
    """Longest continuation, in what the model writes one at a time: characters, words or bytes."""
    simplified: bool = False
    """Write simplified script."""
    json: bool = False
    """Print JSON, with what each poem's form cost in nats."""
    report: bool = False
    """Write no poem, and measure what a model of Tang poems has learned; it takes minutes."""


@command
def sample(arguments: list[str]) -> None:
    """Continue a text with a trained model."""
    named = _name_model(arguments)
    options = parse(SampleOptions, named, f"{PROGRAM} sample", description=sample.__doc__)
    if options.report:
        from lstm_jax.train.release import report

        figures = report.measure(options.model)
        _print(figures, report.markdown(figures), as_json=options.json)
        return
    for name, number in (("--num", options.num), ("--best-of", options.best_of)):
        if number is not None and not 1 <= number <= MOST_TEXTS:
            raise UsageError(f"{name} must be from 1 to {MOST_TEXTS:,}, got {number}")
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    live = sys.stdout.isatty() and not options.json and options.best_of is None

    from lstm_jax.text.language import CHUNK, load
    from lstm_jax.text.script import to_simplified, to_traditional

    model = load(options.model)
    of_poems = model.card.get("data") == "tang"
    write = to_traditional if of_poems else str
    prompt = write(text_of(options.prompt, "the prompt"))
    order = replace(
        options.order,
        acrostic=write(text_of(options.order.acrostic, "the acrostic")),
        mood=write(text_of(options.order.mood, "the mood")),
    )
    settings = {
        "seed": seed,
        "temperature": options.temperature,
        "top_k": options.top_k,
        "top_p": options.top_p,
        "max_length": options.max_length,
        **asdict(order),
    }
    show = to_simplified if options.simplified else str
    breaks = verse.break_lines if of_poems else str
    if options.best_of is not None:
        num, best_of, rank = options.num, options.best_of, options.rank
        written = model.generate(prompt, num=num, best_of=best_of, rank=rank, **settings)
    else:
        prompts = [prompt] * options.num
        pieces = model.stream(prompts, chunk=1 if live else CHUNK, **settings)
        grown = _grow(prompts, pieces)
        if live:
            _write_growing(grown, show, breaks, by_line=options.simplified)
            return
        *_, written = grown
    texts = [show(text) for text in written]
    if options.json:
        _print_json({"seed": seed, "texts": texts, **_costs(model, order, prompt, written)})
    else:
        _write("\n".join(_closed(breaks(text)) for text in texts))


def _costs(
    model: LanguageModel, order: Order, prompt: str, texts: Sequence[str]
) -> dict[str, list[float]]:
    """Give what was ordered of poems in nats; of texts that are free, nothing."""
    if order == Order():
        return {}
    start, wishes = len(prompt), asdict(order)
    scores = [model.score(text, mood=order.mood)[start:].sum() for text in texts]
    costs = [model.cost(text, prompt=prompt, **wishes).sum() for text in texts]
    return {
        "log_probabilities": [round(float(score), 3) for score in scores],
        "form_costs": [round(float(cost), 3) for cost in costs],
    }


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


def _grow(texts: list[str], pieces: Iterable[list[str]]) -> Iterator[list[str]]:
    """Give the texts after each of the pieces that are put to their ends."""
    for parts in pieces:
        texts = [text + part for text, part in zip(texts, parts, strict=True)]
        yield texts


def _name_model(arguments: list[str]) -> list[str]:
    """Write a model that stands before the prompt as the option that it is.

    A lone word is a prompt unless it is a run's folder: "tang" may be the beginning of a text.
    """
    if not arguments or arguments[0].startswith("-") or "--model" in arguments:
        return arguments
    first, *rest = arguments
    try:
        folder = storage.find(first)
    except ModelError:
        return arguments
    prompted = bool(rest) and not rest[0].startswith("-")
    return ["--model", first, *rest] if prompted or folder == Path(first) else arguments


def _closed(text: str) -> str:
    """End a text in one line break, so that another may follow it."""
    return text.rstrip("\n") + "\n"


def _write_growing(
    grown: Iterable[list[str]],
    show: Callable[[str], str],
    breaks: Callable[[str], str],
    *,
    by_line: bool,
) -> None:
    """Write the first text as it grows, and the others, of the same batch, when all are whole.

    `show` gives a text, or a part of one, as it is to be read. Where it goes by phrases, as
    OpenCC does, a part must be made of whole lines: `by_line`.
    """
    shown, texts = 0, [""]
    for texts in grown:
        ready = verse.end_of_lines(texts[0]) if by_line else len(texts[0])
        _write(breaks(show(texts[0][shown:ready])))
        shown = ready
    first, *others = texts
    _write(breaks(show(first[shown:])))
    _write("" if breaks(first).endswith("\n") else "\n")
    for text in others:
        _write("\n" + _closed(breaks(show(text))))


def _write(text: str) -> None:
    sys.stdout.write(printable(text))
    sys.stdout.flush()
