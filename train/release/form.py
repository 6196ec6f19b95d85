"""Measure how often a model keeps the form of regulated verse, which it was never taught.

    lstm-jax release form MODEL

A poem keeps the form if its first four lines all have five, or all have seven, characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lstm_jax.text.language import LanguageModel, load
from lstm_jax.text.verse import lines
from lstm_jax.train.data import tang

SAMPLES = 200


def keeps_form(poem: str) -> bool:
    """Return whether the first four lines of a poem all have five, or all have seven, characters.

    Args:
        poem: the poem, whose lines are separated by punctuation.
    """
    first = lines(poem)[:4]
    return len(first) == 4 and {len(line) for line in first} in ({5}, {7})


def share(poems: Iterable[str]) -> float:
    """Compute the share of poems that keep the form.

    Args:
        poems: at least one poem.

    Raises:
        ValueError: if there are no poems.
    """
    kept = [keeps_form(poem) for poem in poems]
    if not kept:
        raise ValueError("poems must contain at least one poem, got none")
    return sum(kept) / len(kept)


def prompting(model: LanguageModel, poems: Sequence[str]) -> list[str]:
    """Choose `SAMPLES` poems whose first two characters serve as prompts.

    The poems are evenly spaced; a tenth more than needed are considered, because openings with
    characters that the model does not know are skipped.

    Args:
        model: a model of traditional characters.
        poems: the poems to choose from.
    """
    stride = max(1, len(poems) // (SAMPLES + SAMPLES // 10))
    return [poem for poem in poems[::stride] if not model.vocabulary.unknown(poem[:2])][:SAMPLES]


def samples(model: LanguageModel, poems: Sequence[str], temperature: float = 0.7) -> list[str]:
    """Sample `SAMPLES` texts, prompted by the first two characters of poems.

    Args:
        model: a model of traditional characters.
        poems: the poems to take openings from; see `prompting`.
        temperature: the sampling temperature.
    """
    prompts = [poem[:2] for poem in prompting(model, poems)]
    return model.generate(prompts, temperature=temperature, seed=0)


def run(name: str) -> str:
    """Compare 200 samples of a model, prompted by openings of test poems, with those poems.

    Args:
        name: the name of a released model, or a run's folder.

    Returns:
        A line about the poems, a line about the samples, and five samples.

    Raises:
        ModelError, DataError: if there is no such model, or the poems are missing or altered.
    """
    model = load(name)
    test = tang.load().test
    texts = samples(model, test)
    lines = [
        f"test poems that keep the form: {share(test):.1%} of {len(test):,}",
        f"samples that keep the form: {share(texts):.1%} of {len(texts)}, temperature 0.7",
    ]
    return "\n".join([*lines, *texts[:5]])
