"""How often a model keeps the form of regulated verse that nobody told it about.

    lstm-jax release form MODEL

A poem keeps the form where its first four lines have one length, five or seven characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lstm_jax.text.language import LanguageModel, load
from lstm_jax.text.verse import lines
from lstm_jax.train.data import tang

SAMPLES = 200


def keeps_form(poem: str) -> bool:
    """Say whether the first four lines of a poem all have five characters or all have seven.

    Args:
        poem: lines are what is between punctuation.
    """
    first = lines(poem)[:4]
    return len(first) == 4 and {len(line) for line in first} in ({5}, {7})


def share(poems: Iterable[str]) -> float:
    """Give the share of poems that keep the form.

    Args:
        poems: one at least.

    Raises:
        ValueError: for no poems.
    """
    kept = [keeps_form(poem) for poem in poems]
    if not kept:
        raise ValueError("there are no poems to look at")
    return sum(kept) / len(kept)


def prompting(model: LanguageModel, poems: Sequence[str]) -> list[str]:
    """Choose the `SAMPLES` poems whose first two characters prompt a model.

    They are taken evenly from all, a tenth more than are needed: openings that the model does not
    know are passed over.

    Args:
        model: of traditional characters.
        poems: to choose from.
    """
    stride = max(1, len(poems) // (SAMPLES + SAMPLES // 10))
    return [poem for poem in poems[::stride] if not model.vocabulary.unknown(poem[:2])][:SAMPLES]


def samples(model: LanguageModel, poems: Sequence[str], temperature: float = 0.7) -> list[str]:
    """Sample `SAMPLES` texts, prompted by the first two characters of poems.

    Args:
        model: of traditional characters.
        poems: whose openings are taken; see `prompting`.
        temperature: of the draws.
    """
    prompts = [poem[:2] for poem in prompting(model, poems)]
    return model.generate(prompts, temperature=temperature, seed=0)


def told(name: str) -> str:
    """Compare 200 samples of a model, prompted by openings of test poems, with those poems.

    Args:
        name: of a released model, or a run's folder.

    Returns:
        A line for the poems, one for the samples, and five of these.

    Raises:
        ModelError, DataError: no such model; poems that are missing or altered.
    """
    model = load(name)
    test = tang.load().test
    texts = samples(model, test)
    lines = [
        f"test poems that keep the form: {share(test):.1%} of {len(test):,}",
        f"samples that keep the form: {share(texts):.1%} of {len(texts)}, temperature 0.7",
    ]
    return "\n".join([*lines, *texts[:5]])
