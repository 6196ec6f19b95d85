"""Text that the code generates: small, structured, and nobody's."""

from __future__ import annotations

import numpy as np

ONSETS = "bdfgklmnprstvz"
VOWELS = "aeiou"


def verses(count: int, *, seed: int) -> tuple[str, ...]:
    """Make four-line verses in a made-up tongue, with a rule that a model can learn.

    A line is five syllables; within a verse every line ends in one vowel (the rhyme), and the
    vowels inside a word agree. The share of predictable characters is high, so that a model
    which learns shows it within seconds.

    Args:
        count: of verses.
        seed: decides everything.
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
