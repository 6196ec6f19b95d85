"""`lstm-jax sample`: continue a text, and show it on a terminal as it grows."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from lstm_jax.arguments import UsageError
from lstm_jax.models import storage
from lstm_jax.models.storage import ModelError
from lstm_jax.text import verse
from lstm_jax.text.forms.order import Order
from lstm_jax.text.lines import printable, text_of

if TYPE_CHECKING:
    from lstm_jax.text.language import LanguageModel

MOST_TEXTS = 10_000  # per call: all are written side by side, and each takes memory


@dataclass(frozen=True)
class SampleOptions:
    """Configure how a prompt is continued."""

    prompt: tyro.conf.Positional[str] = ""
    """Beginning of the text, in simplified or traditional script; without it, a new text begins.
    A run's folder may come before it, in place of --model."""
    model: str = "tang"
    """Name of a released model, or folder of a run."""
    temperature: float = 0.8
    """Above 1 is bolder, below 1 is safer, and 0 always takes the most probable symbol."""
    top_k: int | None = None
    """Number of most probable symbols to draw from."""
    top_p: float | None = None
    """Probability, in (0, 1], of the smallest set of symbols to draw from."""
    order: Annotated[Order, tyro.conf.arg(name="")] = field(default_factory=Order)
    """Rules that the poem must keep to."""
    num: int = 1
    """Number of texts to print."""
    best_of: int | None = None
    """Number of texts to draw, of which the best --num are printed, best first."""
    rank: Literal["probability", "rhyme"] = "probability"
    """Measure for --best-of: the mean ln p of a symbol, or the share of even lines that rhyme."""
    seed: int | None = None
    """Random seed; the same seed gives the same texts. Without it, a random one is chosen."""
    max_length: int = 120
    """Maximum length of the continuation, in the model's unit: characters, words or bytes."""
    simplified: bool = False
    """Write simplified script."""
    json: bool = False
    """Print JSON, with the cost of each poem's form in nats."""
    report: bool = False
    """Instead of writing a poem, measure what a model of Tang poems has learned; takes minutes."""


def run(options: SampleOptions) -> dict[str, object]:
    """Continue a text and print the result, unless JSON is asked for.

    Args:
        options: as on the command line.

    Returns:
        The texts and their figures if JSON is asked for, otherwise an empty dict.

    Raises:
        UsageError: if a number of texts is out of range.
        ModelError: if there is no such model, or if it cannot continue the text as asked.
    """
    for name, number in (("--num", options.num), ("--best-of", options.best_of)):
        if number is not None and not 1 <= number <= MOST_TEXTS:
            raise UsageError(f"{name} must be from 1 to {MOST_TEXTS:,}, got {number}")
    if options.best_of is None and options.rank != SampleOptions.rank:
        raise UsageError(f"--rank {options.rank} needs --best-of, the number of texts to rank")
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    live = sys.stdout.isatty() and not options.json and options.best_of is None

    from lstm_jax.text.language import CHUNK, load
    from lstm_jax.text.script import to_simplified, to_traditional

    model = load(options.model)
    writes_poems = model.card.get("data") == "tang"
    in_script = to_traditional if writes_poems else model.in_script
    prompt = in_script(text_of(options.prompt, "the prompt"))
    order = replace(
        options.order,
        acrostic=in_script(text_of(options.order.acrostic, "the acrostic")),
        mood=in_script(text_of(options.order.mood, "the mood")),
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
    breaks = verse.break_lines if writes_poems else str
    if options.best_of is not None:
        num, best_of, rank = options.num, options.best_of, options.rank
        written = model.generate(prompt, num=num, best_of=best_of, rank=rank, **settings)
    else:
        prompts = [prompt] * options.num
        pieces = model.stream(prompts, chunk=1 if live else CHUNK, **settings)
        grown = _grow(prompts, pieces)
        if live:
            _write_growing(grown, show, breaks, by_line=options.simplified)
            return {}
        *_, written = grown
    texts = [show(text) for text in written]
    if not options.json:
        _write("\n".join(_closed(breaks(text)) for text in texts))
        return {}
    return {"seed": seed, "texts": texts, **_costs(model, order, prompt, written)}


def _costs(
    model: LanguageModel, order: Order, prompt: str, texts: Sequence[str]
) -> dict[str, list[float]]:
    """Compute what the rules cost each poem in nats; empty for texts without rules."""
    if order == Order():
        return {}
    start, wishes = len(prompt), asdict(order)
    scores = [model.score(text, mood=order.mood)[start:].sum() for text in texts]
    costs = [model.cost(text, prompt=prompt, **wishes).sum() for text in texts]
    return {
        "log_probabilities": [round(float(score), 3) for score in scores],
        "form_costs": [round(float(cost), 3) for cost in costs],
    }


def name_model(arguments: list[str]) -> list[str]:
    """Turn a model that comes before the prompt into the option `--model`.

    A single word is a prompt unless it is a run's folder, because "tang" may begin a text.

    Args:
        arguments: the words after the command's name.

    Returns:
        The arguments, with `--model` where a model came first.
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


def _grow(texts: list[str], pieces: Iterable[list[str]]) -> Iterator[list[str]]:
    """Yield the texts each time the next pieces have been appended to them."""
    for parts in pieces:
        texts = [text + part for text, part in zip(texts, parts, strict=True)]
        yield texts


def _closed(text: str) -> str:
    """Return a text that ends in exactly one line break, so that another text can follow it."""
    return text.rstrip("\n") + "\n"


def _write_growing(
    grown: Iterable[list[str]],
    show: Callable[[str], str],
    breaks: Callable[[str], str],
    *,
    by_line: bool,
) -> None:
    """Write the first text as it grows, and the rest of the batch when all of them are complete.

    `show` converts a text, or a part of one, for the reader. If it works phrase by phrase, as
    OpenCC does, every part must consist of whole lines: `by_line`.
    """
    shown, texts = 0, [""]
    for texts in grown:
        ready = verse.end_of_lines(texts[0]) if by_line else len(texts[0])
        _write(breaks(show(texts[0][shown:ready])))
        shown = ready
    first, *rest = texts
    _write(breaks(show(first[shown:])))
    _write("" if breaks(first).endswith("\n") else "\n")
    for text in rest:
        _write("\n" + _closed(breaks(show(text))))


def _write(text: str) -> None:
    sys.stdout.write(printable(text))
    sys.stdout.flush()
