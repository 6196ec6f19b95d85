"""How far poems keep to forms, rhymes and tones, whether or not anybody asked them to."""

from __future__ import annotations

from lstm_jax.text.forms.order import Form
from lstm_jax.text.forms.readings import table
from lstm_jax.text.forms.tones import EITHER, LEVEL, REGULATED, patterns
from lstm_jax.text.verse import lines


def form_of(poem: str) -> Form | None:
    """Find the form of a poem.

    Args:
        poem: lines are what is between punctuation.

    Returns:
        Its form; None if its lines differ in length, or there are none.
    """
    lengths = [len(line) for line in lines(poem)]
    return Form(lengths[0], len(lengths)) if len(set(lengths)) == 1 else None


def rhyme_share(poem: str) -> float | None:
    """Give the share of neighbouring even lines that rhyme: the second and fourth, and so on.

    Two lines rhyme where their last characters differ and have a rhyme of the Pingshui table in
    common, whatever their other readings.

    Args:
        poem: in traditional script.

    Returns:
        The share; None for a poem of fewer than four lines.

    Raises:
        ModelError: the table is not installed.
    """
    ends = [line[-1] for line in lines(poem)[1::2]]
    held = table().readings(ends).rhymes
    rhymed = [
        one != other and bool((first & second).any())
        for one, other, first, second in zip(ends, ends[1:], held, held[1:], strict=False)
    ]
    return sum(rhymed) / len(rhymed) if rhymed else None


def tone_share(poem: str) -> float | None:
    """Give the share of a regulated poem's tones that are as its form wants them.

    Of the places where a tone is wanted, by the pattern that the poem keeps to best. A character of
    both tones is as wanted everywhere, one that the Pingshui table lacks nowhere.

    Args:
        poem: in traditional script.

    Returns:
        The share; None for a poem that is not of a regulated form.

    Raises:
        ModelError: the table is not installed.
    """
    form = form_of(poem)
    if form is None or form not in REGULATED:
        return None
    readings = table().readings("".join(lines(poem)))
    may_be = {True: readings.may_be_level, False: readings.may_be_oblique}
    shares = []
    for pattern in patterns(form):
        wanted = "".join(pattern)
        right = [may_be[tone == LEVEL][i] for i, tone in enumerate(wanted) if tone != EITHER]
        shares.append(sum(right) / len(right))
    return float(max(shares))
