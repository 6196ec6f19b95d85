"""`lstm-jax train | sample | evaluate | predict | diagnose | data`.

A user's mistake is one line on stderr and exit code 2. Heavy imports wait until a command needs
them, so that `--help` answers at once.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import pkgutil
import re
import secrets
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from lstm_jax.errors import UserError

PROGRAM = "lstm-jax"


class UsageError(UserError):
    """A mistake on the command line."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0, or 2 after one line about what was wrong."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        sys.exit(_dispatch(arguments))
    except UserError as error:
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
    from lstm_jax.train.config import check
    from lstm_jax.train.problems import make_task

    console = Console(highlight=False, markup=False, emoji=False)

    def run():
        check(parsed.config)
        task = make_task(parsed.config)  # before the folder is touched: the data may be missing
        config = loop.prepare(
            folder, parsed.config, resume=parsed.run.resume, overwrite=parsed.run.overwrite
        )
        return loop.train(config, folder, task=task, facts={"command": command}, console=console)

    result = run()
    if result.finished:
        said = f"done after {result.step:,} steps: {folder}"
    else:
        again = _to_go_on(rest, reached=result.step == parsed.config.max_steps)
        go_on = shlex.join([PROGRAM, "train", recipe, *again, "--resume"])
        said = f"stopped after step {result.step:,}, saved; go on with {go_on}"
    console.print(said, soft_wrap=True)
    return 0


def _to_go_on(arguments: list[str], *, reached: bool) -> list[str]:
    """The arguments of a run without those that started it, and without a limit it reached."""
    dropped = "resume|overwrite" + (r"|max[-_]steps(=|\0)[^\0]*" if reached else "")
    text = re.sub(rf"\0--({dropped})(?=\0|$)", "", "\0".join(["", *arguments]))
    return text.split("\0")[1:]


@dataclass(frozen=True)
class SampleOptions:
    """How to continue the prompt."""

    prompt: tyro.conf.Positional[str] = ""
    """The beginning of a text, simplified or traditional; none begins a new one."""
    model: str = "tang"
    """A released model's name or a run's folder."""
    temperature: float = 0.8
    """Above 1 is bolder, below 1 is safer, 0 always takes the most probable character."""
    top_k: int | None = None
    """Draw from the k most probable characters only."""
    top_p: float | None = None
    """Draw from the smallest set of characters that holds this probability, in (0, 1]."""
    num: int = 1
    """How many texts."""
    seed: int | None = None
    """The same seed gives the same texts; drawn anew if not given."""
    max_length: int = 120
    """Longest continuation, in characters."""
    simplified: bool = False
    """Write simplified script."""
    json: bool = False
    """Print JSON."""


def sample(arguments: list[str]) -> int:
    """Continue a text with a trained model."""
    options = _parse(SampleOptions, arguments, f"{PROGRAM} sample", description=sample.__doc__)
    if options.num < 1:
        raise UsageError(f"--num must be at least 1, got {options.num}")
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed

    from lstm_jax.text.language import load
    from lstm_jax.text.script import to_simplified, to_traditional

    model = load(options.model)
    prompt = to_traditional(options.prompt) if model.card.get("data") == "tang" else options.prompt
    show = to_simplified if options.simplified else str
    live = sys.stdout.isatty() and not options.json
    pieces = model.stream(
        [prompt] * options.num,
        seed=seed,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        max_length=options.max_length,
        **({"chunk": 1} if live else {}),
    )
    texts = [prompt] * options.num
    shown = 0
    while (parts := next(pieces, None)) is not None:
        texts = [text + part for text, part in zip(texts, parts, strict=True)]
        if live:
            # The first text is shown as it grows, the others, of the same batch, when it is whole.
            # OpenCC goes by phrases, so what is to be converted waits for the end of its line.
            ready = _lines_end(texts[0]) if options.simplified else len(texts[0])
            _write(_verses(show(texts[0][shown:ready])))
            shown = ready
    if live:
        _write(_verses(show(texts[0][shown:])))
    texts = [show(text) for text in texts]
    if options.json:
        print(json.dumps({"seed": seed, "texts": texts}, ensure_ascii=False))
        return 0
    if live:
        _write("" if texts[0].endswith(tuple(FULL_STOPS)) else "\n")
    rest = texts[1:] if live else texts
    if live and rest:
        _write("\n")
    _write("\n".join(_verses(text).rstrip("\n") + "\n" for text in rest))
    return 0


def evaluate(arguments: list[str]) -> int:
    """Measure a model on data that it did not learn from."""
    from lstm_jax.train import evaluate as judges

    options = _parse(
        judges.EvaluateOptions, arguments, f"{PROGRAM} evaluate", description=evaluate.__doc__
    )
    figures, said = judges.evaluate(options)
    print(json.dumps(figures, ensure_ascii=False) if options.json else said)
    return 0


def predict(arguments: list[str]) -> int:
    """Ask a trained model about a sentence or a recording."""
    from lstm_jax.train.predict import PREDICTORS

    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: {PROGRAM} predict WHAT [OPTIONS]\n\nwhat: {', '.join(PREDICTORS)}\n")
        print(f"{PROGRAM} predict WHAT --help tells what it takes.")
        return 0
    what, *rest = arguments
    if what not in PREDICTORS:
        raise UsageError(f"there is no {what!r} to predict; there are {', '.join(PREDICTORS)}")
    kind, answer = PREDICTORS[what]
    options = _parse(kind, rest, f"{PROGRAM} predict {what}", description=answer.__doc__)
    figures, said, notes = answer(options)
    for note in notes:
        print(note, file=sys.stderr)
    print(json.dumps(figures, ensure_ascii=False) if options.json else said)
    return 0


def data(arguments: list[str]) -> int:
    """Fetch a data set and count its splits."""
    from lstm_jax.train import sets

    options = _parse(sets.DataOptions, arguments, f"{PROGRAM} data", description=data.__doc__)
    figures, said = sets.describe(options.name)
    print(json.dumps(figures, ensure_ascii=False) if options.json else said)
    return 0


def diagnose(arguments: list[str]) -> int:
    """Ask a model about its gradients, gates and memory, and write a report."""
    from rich.console import Console
    from rich.table import Table

    from lstm_jax.report.command import DiagnoseOptions, run
    from lstm_jax.report.folder import PAGE

    options = _parse(
        DiagnoseOptions, arguments, f"{PROGRAM} diagnose", description=diagnose.__doc__
    )
    progress = Console(stderr=True, highlight=False, markup=False)
    found = run(options, progress)
    if options.json:
        print(json.dumps(found.figures(), ensure_ascii=False))
        return 0
    table = Table.grid(padding=(0, 2))
    for label, figure in found.summary():
        table.add_row(label, figure)
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(table)
    console.print(f"the report: {options.folder / PAGE}", soft_wrap=True)
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "train": train,
    "sample": sample,
    "evaluate": evaluate,
    "predict": predict,
    "diagnose": diagnose,
    "data": data,
}

FULL_STOPS = "。！？"


def _lines_end(text: str) -> int:
    """Where the last line ends that is whole, just after its punctuation; 0 if none is."""
    return max(map(text.rfind, f"{FULL_STOPS}，；：、")) + 1


def _verses(text: str) -> str:
    """A line break after each full stop of Chinese punctuation."""
    return re.sub(f"([{FULL_STOPS}])", r"\1\n", text)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _recipes() -> Any:
    return importlib.import_module("lstm_jax.configs")


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
        if not set(text) <= set("─-"):  # rules are of ASCII where the terminal's encoding is
            words.append(text)
        elif words:
            break
    return " ".join(words)
