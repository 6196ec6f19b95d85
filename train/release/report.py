"""Measure what a model of Tang poems has learned on its own, and what it merely remembers.

    lstm-jax sample --report
    lstm-jax release report --out tests/benchmarks/results

Samples at three temperatures, prompted by the first two characters of test poems, are compared with
the test poems, and with the same poems after shuffling the characters of each, which is chance.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.models.storage import ModelError
from lstm_jax.text.forms import form_of, rhyme_share, tone_share
from lstm_jax.text.forms.tones import REGULATED
from lstm_jax.text.language import LanguageModel, load
from lstm_jax.text.verse import MARKS, end_of_lines, lines
from lstm_jax.train.data import tang
from lstm_jax.train.release import form
from lstm_jax.train.release.nearest import Lines

TEMPERATURES = (0.5, 0.8, 1.0)
MEASURED = 100  # lines of each kind that are compared with their nearest training line
SHOWN = 4  # lines of each kind that are shown with their nearest training line
LONG = 5  # characters; shorter lines are set phrases that occur in many poems

ROWS = {
    "keep_the_form": ("keep the form", "{:.1%}"),
    "lines_in_training": ("lines that occur in a training poem", "{:.2%}"),
    "nearest": ("edits between a line and the nearest training line", "{:.2f}"),
    "distinct_lines": ("distinct lines", "{:.1%}"),
    "distinct_bigrams": ("distinct pairs of neighboring characters", "{:.1%}"),
    "rhyme": ("neighboring even lines that rhyme", "{:.1%}"),
    "regulated": ("have a regulated form", "{:.1%}"),
    "tones": ("tones of these that follow the form", "{:.1%}"),
}
"""The label of each figure in the table, and its format, by name."""


@dataclass(frozen=True)
class Options:
    """Configure `lstm-jax release report`."""

    model: str = "tang"
    """Name of a released model, or folder of a run."""
    out: Path | None = None
    """Folder to write poems.json and poems.md to; by default the tables are printed."""


def check_poet(poet: LanguageModel, name: str | Path) -> None:
    """Check that a model was trained on Tang poems.

    Args:
        poet: the model.
        name: what the user calls it.

    Raises:
        ModelError: if it was not.
    """
    data = poet.card.get("data")
    if data != "tang":
        raise ModelError(
            f"the report is for models trained on Tang poems, but {name} was trained on {data}"
        )


def measure(model: str = "tang") -> dict[str, Any]:
    """Measure samples, test poems and shuffled poems.

    Args:
        model: the name of a released model, or a run's folder.

    Returns:
        The figures for JSON: for each kind of poem those named in `ROWS`, and some lines with the
        nearest training lines.

    Raises:
        ModelError: if the model is not one of Tang poems, or the Pingshui table is not installed.
        DataError: if the poems are not available.
    """
    poet = load(model)
    check_poet(poet, model)
    corpus = tang.load()
    known = Lines(line for poem in corpus.train for line in lines(poem))
    poems = form.prompting(poet, corpus.test)
    kinds = {
        f"temperature {temperature}": form.samples(poet, corpus.test, temperature)
        for temperature in TEMPERATURES
    }
    kinds |= {"test poems": poems, "shuffled": shuffled(poems)}
    figures = {name: of_poems(texts, known) for name, texts in kinds.items()}
    return {
        "poems": len(poems),
        "training_lines": len(known),
        "test_lines_in_training": _known_share(corpus.test, known),
        "kinds": figures,
    }


def of_poems(poems: Sequence[str], known: Lines) -> dict[str, Any]:
    """Measure poems of one kind.

    Args:
        poems: at least one poem in traditional characters; a last line without its punctuation mark
            is ignored.
        known: the lines of the training poems.

    Returns:
        The figures named in `ROWS`, None if no poem has any, and some lines with the nearest
        training lines.
    """
    whole = [poem[: end_of_lines(poem)] for poem in poems]
    every = [line for poem in whole for line in lines(poem)]
    pairs = [line[i : i + 2] for line in every for i in range(len(line) - 1)]
    sample = [every[i] for i in np.linspace(0, len(every) - 1, MEASURED).astype(int)]
    nearest = [(line, *known.nearest(line)) for line in sample]
    return {
        "keep_the_form": form.share(whole),
        "lines_in_training": _known_share(whole, known),
        "nearest": float(np.mean([distance for _, _, distance in nearest])),
        "distinct_lines": len(set(every)) / len(every),
        "distinct_bigrams": len(set(pairs)) / len(pairs),
        "rhyme": _mean(map(rhyme_share, whole)),
        "regulated": sum(form_of(poem) in REGULATED for poem in whole) / len(whole),
        "tones": _mean(map(tone_share, whole)),
        "beside": nearest[:: MEASURED // SHOWN],
    }


def shuffled(poems: Sequence[str]) -> list[str]:
    """Shuffle the characters of each poem; punctuation marks keep their places.

    Args:
        poems: the poems.
    """
    rng = np.random.default_rng(0)

    def shuffle(poem: str) -> str:
        order = iter(rng.permutation([c for c in poem if c not in MARKS]).tolist())
        return "".join(c if c in MARKS else next(order) for c in poem)

    return [shuffle(poem) for poem in poems]


def markdown(figures: Mapping[str, Any]) -> str:
    """Format the figures as Markdown tables.

    Args:
        figures: the result of `measure`.
    """
    kinds = figures["kinds"]
    rows = [["", *kinds], ["---"] * (len(kinds) + 1)]
    for name, (label, shape) in ROWS.items():
        values = [kind[name] for kind in kinds.values()]
        rows.append([label, *("" if v is None else shape.format(v) for v in values)])
    beside = [["", "a line", "the nearest training line", "edits"], ["---"] * 4]
    for name, kind in kinds.items():
        beside += [[name, *map(str, triple)] for triple in kind["beside"]]
    return (
        f"There are {figures['poems']} poems of each kind. Lines of {LONG} or more characters are "
        f"searched for among the {figures['training_lines']:,} distinct lines of the training "
        f"poems, which contain {figures['test_lines_in_training']:.2%} of the lines of all test "
        f"poems. Edits are the mean over {MEASURED} lines.\n\n"
        f"{_table(rows)}\n\n{_table(beside)}"
    )


def summary(figures: Mapping[str, Any], temperature: float = 0.8) -> str:
    """Summarize the main figures in two sentences, for a card.

    Args:
        figures: the result of `measure`.
        temperature: one of `TEMPERATURES`.
    """
    kinds = figures["kinds"]
    samples, poems, chance = (
        kinds[name] for name in (f"temperature {temperature}", "test poems", "shuffled")
    )
    rhyme, tones = (
        [_percent(kind[name]) for kind in (samples, poems, chance)] for name in ("rhyme", "tones")
    )
    return (
        f"Of {figures['poems']} samples at temperature {temperature}, "
        f"{samples['lines_in_training']:.1%} of the lines with five or more characters also occur "
        f"in a training poem, compared with {figures['test_lines_in_training']:.1%} for the test "
        f"poems. Of the tones in its regulated poems, {tones[0]} follow the form (test poems "
        f"{tones[1]}, shuffled {tones[2]}); of neighboring even lines, {rhyme[0]} rhyme (test "
        f"poems {rhyme[1]}, shuffled {rhyme[2]})."
    )


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"


def _known_share(poems: Iterable[str], known: Lines) -> float:
    """Compute the share of long lines that are known."""
    hits = [line in known for poem in poems for line in lines(poem) if len(line) >= LONG]
    return sum(hits) / len(hits) if hits else 0.0


def _mean(shares: Iterable[float | None]) -> float | None:
    defined = [share for share in shares if share is not None]
    return float(np.mean(defined)) if defined else None


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def run(options: Options) -> str:
    """Measure a model, and return the tables or write them to files.

    Args:
        options: the options of the command line.

    Returns:
        The tables, or where they were written.
    """
    if options.out is not None:
        try:
            options.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ModelError(f"{options.out} cannot be created: {error.strerror}") from None
    figures = measure(options.model)
    if options.out is None:
        return markdown(figures)
    content = json.dumps(figures, ensure_ascii=False, indent=1)
    (options.out / "poems.json").write_text(content + "\n", encoding="utf-8")
    text = f"""# What the model of Tang poems has learned

    lstm-jax sample --report                                  # prints the tables
    lstm-jax release report --out tests/benchmarks/results    # writes these files

{markdown(figures)}
"""
    path = options.out / "poems.md"
    path.write_text(text, encoding="utf-8")
    return f"wrote {path}"
