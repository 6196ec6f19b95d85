"""Measures of how well poems keep to forms, rhymes and tones, whether ordered or not."""

from __future__ import annotations

from lstm_jax.text.forms.order import Form
from lstm_jax.text.forms.readings import table
from lstm_jax.text.forms.tones import EITHER, LEVEL, REGULATED, patterns
from lstm_jax.text.verse import lines


def form_of(poem: str) -> Form | None:
    """Find the form of a poem.

    Args:
        poem: its lines are the runs between punctuation marks.

    Returns:
        The form; None if the lines differ in length, or there are no lines.
    """
    lengths = [len(line) for line in lines(poem)]
    return Form(lengths[0], len(lengths)) if len(set(lengths)) == 1 else None


def rhyme_share(poem: str) -> float | None:
    """Compute the share of neighboring even lines that rhyme: the second and fourth, and so on.

    Two lines rhyme if their last characters differ and share a rhyme of the Pingshui table, in any
    of their readings.

    Args:
        poem: in traditional script.

    Returns:
        The share; None for a poem of fewer than four lines.

    Raises:
        ModelError: if the table is not installed.
    """
    ends = [line[-1] for line in lines(poem)[1::2]]
    rhymes = table().readings(ends).rhymes
    rhymed = [
        a != b and bool((rhymes_a & rhymes_b).any())
        for a, b, rhymes_a, rhymes_b in zip(ends, ends[1:], rhymes, rhymes[1:], strict=False)
    ]
    return sum(rhymed) / len(rhymed) if rhymed else None


def tone_share(poem: str) -> float | None:
    """Compute the share of a regulated poem's tones that its form allows.

    Only places with a prescribed tone count, in the pattern that the poem keeps to best. A
    character with readings in both tones is always right, and one that is missing from the
    Pingshui table is always wrong.

    Args:
        poem: in traditional script.

    Returns:
        The share; None for a poem in another form.

    Raises:
        ModelError: if the table is not installed.
    """
    form = form_of(poem)
    if form is None or form not in REGULATED:
        return None
    readings = table().readings("".join(lines(poem)))
    may_be = {True: readings.may_be_level, False: readings.may_be_oblique}
    shares = []
    for pattern in patterns(form):
        tones = "".join(pattern)
        right = [may_be[tone == LEVEL][i] for i, tone in enumerate(tones) if tone != EITHER]
        shares.append(sum(right) / len(right))
    return float(max(shares))
