"""`lstm-jax sample`: continue a text, on a terminal as it grows."""

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

MOST_TEXTS = 10_000  # of a call: they are written side by side, and each takes memory


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


def run(options: SampleOptions) -> dict[str, object]:
    """Continue a text, and write what comes out unless JSON is asked for.

    Args:
        options: as on the command line.

    Returns:
        The texts and their figures, where JSON is asked for.

    Raises:
        UsageError: a number of texts that is out of range.
        ModelError: no such model, or one that cannot continue the text as asked.
    """
    for name, number in (("--num", options.num), ("--best-of", options.best_of)):
        if number is not None and not 1 <= number <= MOST_TEXTS:
            raise UsageError(f"{name} must be from 1 to {MOST_TEXTS:,}, got {number}")
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    live = sys.stdout.isatty() and not options.json and options.best_of is None

    from lstm_jax.text.language import CHUNK, load
    from lstm_jax.text.script import to_simplified, to_traditional

    model = load(options.model)
    of_poems = model.card.get("data") == "tang"
    write = to_traditional if of_poems else model.in_script
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


def name_model(arguments: list[str]) -> list[str]:
    """Write a model that stands before the prompt as the option that it is.

    A lone word is a prompt unless it is a run's folder: "tang" may be the beginning of a text.

    Args:
        arguments: the words after the command's name.
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
    """Give the texts after each of the pieces that are put to their ends."""
    for parts in pieces:
        texts = [text + part for text, part in zip(texts, parts, strict=True)]
        yield texts


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
