"""Default sizes of a language model for an amount of text, so that training takes minutes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.text.units import UNITS
from lstm_jax.train.data.download import DataError
from lstm_jax.train.look import Choice


class Size(NamedTuple):
    """Store the settings for texts of at most `symbols` symbols."""

    symbols: float
    embedding: int
    hidden: int
    rows: int
    window: int
    epochs: int


# The first two were measured (configs/text.py); the others limit the time to minutes.
SIZES = (
    Size(3e4, 64, 128, 4, 48, 30),
    Size(3e5, 128, 192, 8, 64, 20),
    Size(3e6, 128, 384, 16, 64, 6),
    Size(float("inf"), 256, 512, 32, 96, 2),
)
LEAST = 200  # training symbols
HELD_OUT = 0.05  # share of the text for validation, and the same for testing
ALPHABET = 500  # more different characters than an alphabet with marks and capitals has


def size_for(symbols: int) -> Size:
    """Return the settings for a text.

    Args:
        symbols: number of symbols in the training texts.
    """
    return next(size for size in SIZES if symbols <= size.symbols)


def check_enough(symbols: int, unit: str) -> None:
    """Raise an error if there is too little text.

    Args:
        symbols: number of symbols in the training texts.
        unit: unit of the symbols.

    Raises:
        DataError: if there are fewer than `LEAST` symbols.
    """
    if symbols < LEAST:
        raise DataError(
            f"the training part has {symbols:,} {UNITS[unit].plural}, but at least {LEAST} are "
            "needed: provide more text"
        )


def choose_min_count(unit: str, kinds: int) -> Choice:
    """Choose the minimum count of a symbol.

    Args:
        unit: "character", "word" or "byte".
        kinds: number of different symbols in the training texts.
    """
    if unit == "byte":
        return Choice("min_count", 1, "every byte is known")
    if unit == "character" and kinds <= ALPHABET:
        return Choice("min_count", 1, f"{kinds:,} different characters: each is known")
    why = f"{kinds:,} different {unit}s: those that occur once become the unknown symbol"
    return Choice("min_count", 2, why)


def choose_sizes(symbols: int, unit: str) -> Iterator[Choice]:
    """Choose the settings that depend on the amount of text.

    Args:
        symbols: number of symbols in the training texts.
        unit: unit of the symbols.
    """
    size = size_for(symbols)
    why = f"for {symbols:,} training {unit}s"
    yield Choice("model.embedding_features", size.embedding, why)
    yield Choice("model.hidden_features", size.hidden, why)
    yield Choice("model.num_layers", 2, "enough for any of these sizes")
    yield Choice("rows", size.rows, "few, so that an epoch has many steps")
    yield Choice("window", size.window, "the state is carried to the next window")
    yield Choice("epochs", size.epochs, "at most; the run ends when it stops improving")


def parameters(config: CharLMConfig, vocabulary: int) -> int:
    """Count the parameters of a model.

    Args:
        config: the architecture.
        vocabulary: V, the size of the vocabulary.
    """
    width, hidden = config.embedding_features, config.hidden_features
    first = 4 * hidden * (width + hidden + 1)
    later = (config.num_layers - 1) * 4 * hidden * (2 * hidden + 1)
    return vocabulary * (width + 1) + first + later + hidden * width
