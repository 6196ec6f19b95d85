"""The configuration of a run that trains a language model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train.config import Bound, TrainConfig, a_rate, at_least, left_alone


@dataclass(frozen=True)
class TextConfig(TrainConfig):
    """Configure a training run of a language model."""

    data: Literal["tang", "shakespeare", "verses", "own"] = "tang"
    """Texts to learn: Tang poems, tinyshakespeare, generated verses, or your own."""
    model: CharLMConfig = field(default_factory=CharLMConfig)
    rows: int = 64
    """Number of texts read side by side: the batch size B."""
    window: int = 64
    """Number of symbols between truncations of the gradient: T. The state is carried across."""
    min_count: int = 2
    """Minimum count of a symbol in the training texts; rarer symbols are unknown."""
    file: tuple[str, ...] = ()
    """Files with your own texts, or patterns in quotes such as 'novels/*.txt'."""
    unit: Literal["character", "word", "byte"] = "character"
    """Unit of text that the model reads and writes at a time."""
    texts: Literal["auto", "file", "line", "paragraph"] = "auto"
    """Extent of a text in your own files; blank lines separate paragraphs, and auto chooses."""
    encoding: str | None = None
    """Encoding of your own files, such as latin-1 or gb18030; UTF-8 if None."""
    valid: float | None = None
    """Share of your own texts for validation, by which the best model is chosen."""
    test: float | None = None
    """Share of your own texts for testing, which may be 0."""
    stream: bool | None = None
    """Read your own files from disk as needed; only files of 64 MB or more if None.
    They are copied to the cache once, and an epoch is a part of them."""

    @property
    def own(self) -> bool:
        """Return whether the texts are a user's own."""
        return self.data == "own"

    def bounds(self) -> Iterator[Bound]:
        """Yield the conditions on the fields; for texts of one's own, 0 is a size to be chosen."""
        least = 0 if self.own else 1
        yield from at_least(least, self, "epochs", "rows", "window", "min_count")
        sizes = ("embedding_features", "hidden_features", "num_layers")
        yield from at_least(least, self.model, *sizes, prefix="model.")
        rates = ("embedding_dropout", "layer_dropout", "output_dropout", "weight_dropout")
        yield from a_rate(self.model, *rates, prefix="model.")
        yield from self._bounds_of_own()
        yield from (bound for bound in super().bounds() if not (self.own and bound[0] == "epochs"))

    def _bounds_of_own(self) -> Iterator[Bound]:
        valid, test = self.valid, self.test
        if self.own:
            yield "valid", valid, valid is None or 0 < valid < 1, "above 0 and below 1"
            yield "test", test, test is None or 0 <= test < 1, "at least 0 and below 1"
            both = (0.05 if valid is None else valid) + (0.05 if test is None else test)
            yield "test", test, both < 1, "below 1 together with --valid"
            return
        names = ("file", "texts", "encoding", "stream", "valid", "test")
        yield from left_alone(self, *names, unless="--data is own", allowed=False)
