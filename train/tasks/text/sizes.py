"""How large a language model to train on how much text, so that it is done in minutes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.text.units import UNITS
from lstm_jax.train.data.download import DataError
from lstm_jax.train.look import Choice


class Size(NamedTuple):
    """What fits texts of at most so many symbols."""

    symbols: float
    embedding: int
    hidden: int
    rows: int
    window: int
    epochs: int


# The first two are measured (configs/text.py); the others keep the time to minutes.
SIZES = (
    Size(3e4, 64, 128, 4, 48, 30),
    Size(3e5, 128, 192, 8, 64, 20),
    Size(3e6, 128, 384, 16, 64, 6),
    Size(float("inf"), 256, 512, 32, 96, 2),
)
LEAST = 200  # symbols to learn from
HELD_OUT = 0.05  # of the text for validation, and as much for the test
ALPHABET = 500  # more kinds of characters than an alphabet, its marks and its capitals have


def size_for(symbols: int) -> Size:
    """Find the size for a text.

    Args:
        symbols: of the training texts.
    """
    return next(size for size in SIZES if symbols <= size.symbols)


def check_enough(symbols: int, unit: str) -> None:
    """Refuse too little text.

    Args:
        symbols: of the training texts.
        unit: that they are counted in.

    Raises:
        DataError: there are fewer than `LEAST`.
    """
    if symbols < LEAST:
        raise DataError(
            f"{symbols:,} {UNITS[unit].plural} are left to learn from, and {LEAST} are needed: "
            "give more text"
        )


def choose_min_count(unit: str, kinds: int) -> Choice:
    """Choose how often a symbol must be seen.

    Args:
        unit: "character", "word" or "byte".
        kinds: different symbols of the training texts.
    """
    if unit == "byte":
        return Choice("min_count", 1, "every byte is known")
    if unit == "character" and kinds <= ALPHABET:
        return Choice("min_count", 1, f"{kinds:,} different characters: each is known")
    why = f"of {kinds:,} different {unit}s those seen once stand for what is not known"
    return Choice("min_count", 2, why)


def choose_sizes(symbols: int, unit: str) -> Iterator[Choice]:
    """Choose what follows from the amount of text.

    Args:
        symbols: of the training texts.
        unit: that they are counted in.
    """
    size = size_for(symbols)
    why = f"for {symbols:,} {unit}s to learn from"
    yield Choice("model.embedding_features", size.embedding, why)
    yield Choice("model.hidden_features", size.hidden, why)
    yield Choice("model.num_layers", 2, "enough for any of these sizes")
    yield Choice("rows", size.rows, "few, so that an epoch has many steps")
    yield Choice("window", size.window, "the state is carried beyond it")
    yield Choice("epochs", size.epochs, "at most: the run ends where it gets no better")


def parameters(config: CharLMConfig, vocabulary: int) -> int:
    """Count a model's parameters.

    Args:
        config: the architecture.
        vocabulary: V.
    """
    width, hidden = config.embedding_features, config.hidden_features
    first = 4 * hidden * (width + hidden + 1)
    others = (config.num_layers - 1) * 4 * hidden * (2 * hidden + 1)
    return vocabulary * (width + 1) + first + others + hidden * width
