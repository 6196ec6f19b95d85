"""What a run of a language model is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train.config import Bound, TrainConfig, a_rate, at_least


@dataclass(frozen=True)
class TextConfig(TrainConfig):
    """A training run of a language model."""

    data: Literal["tang", "shakespeare", "verses", "own"] = "tang"
    """Texts to learn: Tang poems, tinyshakespeare, verses that the code generates, or your own."""
    model: CharLMConfig = field(default_factory=CharLMConfig)
    rows: int = 64
    """Texts read side by side: the batch size B."""
    window: int = 64
    """Symbols between truncations of the gradient: T. The state is carried across."""
    min_count: int = 2
    """A symbol seen less often in the training texts is unknown."""
    file: tuple[str, ...] = ()
    """Your own texts: files, or patterns in quotes such as 'novels/*.txt'."""
    unit: Literal["character", "word", "byte"] = "character"
    """What the model reads and writes one at a time."""
    texts: Literal["auto", "file", "line", "paragraph"] = "auto"
    """What a text of your own is: a file, a line, or a paragraph between blank lines. auto looks at
    the files."""
    encoding: str | None = None
    """Of your own files, such as latin-1 or gb18030; UTF-8 if None."""
    valid: float | None = None
    """Share of your own texts that is held out to choose the best model by."""
    test: float | None = None
    """Share of your own texts that is held out to judge it by in the end; 0 holds out none."""
    stream: bool | None = None
    """Read your own files from the disk as they are needed, not into memory; only files of 64 MB
    and more if None. They are copied to the cache once, and an epoch is a part of them."""

    @property
    def own(self) -> bool:
        """Say whether the texts are a user's own."""
        return self.data == "own"

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep; sizes may be left open, as 0, for texts of one's own."""
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
        expected = "left out where --data is not own"
        yield "file", " ".join(self.file), not self.file, expected
        yield "texts", self.texts, self.texts == "auto", expected
        for name in ("encoding", "stream", "valid", "test"):
            value = getattr(self, name)
            yield name, value, value is None, expected
