"""How often a model keeps the form of regulated verse that nobody told it about.

    python -m lstm_jax.train.form MODEL

A poem keeps the form where its first four lines have one length, five or seven characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from lstm_jax.language_model import LanguageModel

MARKS = re.compile("[，。？！；：、]")


def keeps_form(poem: str) -> bool:
    """Whether the first four lines, runs between punctuation, all have five or all have seven."""
    lines = [line for line in MARKS.split(poem) if line][:4]
    lengths = {len(line) for line in lines}
    return len(lines) == 4 and lengths in ({5}, {7})


def share(poems: Iterable[str]) -> float:
    """The share of poems that keep the form.

    Raises:
        ValueError: for no poems.
    """
    kept = [keeps_form(poem) for poem in poems]
    if not kept:
        raise ValueError("there are no poems to look at")
    return sum(kept) / len(kept)


def sampled(
    model: LanguageModel, opening_of: Iterable[str], *, temperature: float = 0.7, seed: int = 0
) -> list[str]:
    """One sample for each poem's first two characters, those that the model knows."""
    prompts = [poem[:2] for poem in opening_of if not model.vocabulary.unknown(poem[:2])]
    return model.generate(prompts, temperature=temperature, seed=seed)


def main() -> None:
    """Print the corpus' share, and that of 200 samples prompted by openings of test poems."""
    import sys

    from lstm_jax.language_model import load
    from lstm_jax.train.data import tang

    test = tang.load().test
    model = load(*sys.argv[1:2])
    samples = sampled(model, test[:: len(test) // 220])[:200]
    print(f"test poems that keep the form: {share(test):.1%} of {len(test):,}")
    print(f"samples that keep the form: {share(samples):.1%} of {len(samples)}, temperature 0.7")
    for poem in samples[:5]:
        print(poem)


if __name__ == "__main__":
    main()
