"""Generated text with simple rules, for tests and demonstrations; it belongs to nobody."""

from __future__ import annotations

import numpy as np

ONSETS = "bdfgklmnprstvz"
VOWELS = "aeiou"


def verses(count: int, *, seed: int) -> tuple[str, ...]:
    """Generate four-line verses in an invented language, with rules that a model can learn.

    A line has five syllables. Within a verse every line ends in the same vowel (the rhyme), and
    the vowels inside a line agree. Many characters are predictable, so that a model that learns
    shows it within seconds.

    Args:
        count: number of verses.
        seed: seed of the random generator.
    """
    rng = np.random.default_rng(seed)
    return tuple(_verse(rng) for _ in range(count))


def _verse(rng: np.random.Generator) -> str:
    rhyme = rng.choice(list(VOWELS))
    lines = []
    for _ in range(4):
        inner = rng.choice(list(VOWELS))
        onsets = rng.choice(list(ONSETS), 5)
        lines.append("".join(onset + inner for onset in onsets[:4]) + onsets[4] + rhyme)
    return ", ".join(lines) + "."
