"""What a model of Tang poems has learned that nobody told it, and what it only remembers.

    lstm-jax sample --report
    lstm-jax release report --out tests/benchmarks/results

Samples at three temperatures, prompted by the first two characters of test poems, beside those test
poems themselves and beside the same with the characters of each poem shuffled, which is chance.
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
from lstm_jax.text.language import load
from lstm_jax.text.verse import MARKS, end_of_lines, lines
from lstm_jax.train.data import tang
from lstm_jax.train.release import form
from lstm_jax.train.release.nearest import Lines

TEMPERATURES = (0.5, 0.8, 1.0)
MEASURED = 100  # lines of each kind whose nearest training line is looked for
SHOWN = 4  # of which so many are shown
LONG = 5  # characters; shorter lines are set phrases, which stand in many poems

ROWS = {
    "keep_the_form": ("keep the form", "{:.1%}"),
    "lines_in_training": ("lines that stand in a training poem", "{:.2%}"),
    "nearest": ("edits between a line and the nearest training line", "{:.2f}"),
    "distinct_lines": ("distinct lines", "{:.1%}"),
    "distinct_bigrams": ("distinct pairs of neighbouring characters", "{:.1%}"),
    "rhyme": ("neighbouring even lines that rhyme", "{:.1%}"),
    "regulated": ("are of a regulated form", "{:.1%}"),
    "tones": ("tones of these as the form wants them", "{:.1%}"),
}
"""Name of a figure -> what the table calls it, and how it is written there."""


@dataclass(frozen=True)
class Options:
    """What to report on, and where."""

    model: str = "tang"
    """A released model's name or a run's folder."""
    out: Path | None = None
    """Write poems.json and poems.md in this folder; else print the table."""


def measure(model: str = "tang") -> dict[str, Any]:
    """Measure samples, test poems and shuffled ones.

    Args:
        model: a released model's name or a run's folder.

    Returns:
        Figures for JSON: of each kind of poem those named in `ROWS`, and some of the lines that
        were measured, beside the nearest ones.

    Raises:
        ModelError: a model of something else, or a Pingshui table that is not installed.
        DataError: the poems are out of reach.
    """
    poet = load(model)
    learned = poet.card.get("data")
    if learned != "tang":
        raise ModelError(f"the report is on models of Tang poems, and {model} is of {learned}")
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
    """Measure some poems.

    Args:
        poems: one at least, of traditional characters; a line without its mark is passed over.
        known: the lines of the training poems.

    Returns:
        The figures named in `ROWS`, None where no poem has any, and lines beside their nearest.
    """
    whole = [poem[: end_of_lines(poem)] for poem in poems]
    every = [line for poem in whole for line in lines(poem)]
    pairs = [line[i : i + 2] for line in every for i in range(len(line) - 1)]
    looked_at = [every[i] for i in np.linspace(0, len(every) - 1, MEASURED).astype(int)]
    nearest = [(line, *known.nearest(line)) for line in looked_at]
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
    """Shuffle the characters of each poem; marks stay where they are.

    Args:
        poems: any texts.
    """
    rng = np.random.default_rng(0)

    def shuffle(poem: str) -> str:
        order = iter(rng.permutation([c for c in poem if c not in MARKS]).tolist())
        return "".join(c if c in MARKS else next(order) for c in poem)

    return [shuffle(poem) for poem in poems]


def markdown(figures: Mapping[str, Any]) -> str:
    """Write the figures as tables.

    Args:
        figures: as `measure` gives them.
    """
    kinds = figures["kinds"]
    rows = [["", *kinds], ["---"] * (len(kinds) + 1)]
    for name, (label, shape) in ROWS.items():
        values = [kind[name] for kind in kinds.values()]
        rows.append([label, *("" if v is None else shape.format(v) for v in values)])
    beside = [["", "a line", "the nearest training line", "edits"], ["---"] * 4]
    for name, kind in kinds.items():
        beside += [[name, *map(str, found)] for found in kind["beside"]]
    return (
        f"{figures['poems']} poems of each kind. Lines of {LONG} characters or more are looked for "
        f"among the {figures['training_lines']:,} distinct ones of the training poems, where "
        f"{figures['test_lines_in_training']:.2%} of those of all test poems stand; edits are the "
        f"mean of {MEASURED} lines.\n\n"
        f"{_table(rows)}\n\n{_table(beside)}"
    )


def summary(figures: Mapping[str, Any], temperature: float = 0.8) -> str:
    """Say the most important of it in two sentences, for a card.

    Args:
        figures: as `measure` gives them.
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
    """The share of long lines that are known."""
    found = [line in known for poem in poems for line in lines(poem) if len(line) >= LONG]
    return sum(found) / len(found) if found else 0.0


def _mean(shares: Iterable[float | None]) -> float | None:
    found = [share for share in shares if share is not None]
    return float(np.mean(found)) if found else None


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def told(options: Options) -> str:
    """Measure, and give the tables or write them.

    Args:
        options: as on the command line.

    Returns:
        The tables; where they were written, if they were.
    """
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
