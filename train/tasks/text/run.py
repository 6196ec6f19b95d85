"""The run of a language model, as returned by `fit.text` and `load`."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from lstm_jax.text.language import LanguageModel
from lstm_jax.train.runs import Run
from lstm_jax.train.tasks.text.config import TextConfig


class TextRun(Run[TextConfig]):
    """Run of a language model, with methods to generate and to score texts.

    `language` is the model that `lstm_jax.load` returns.
    """

    @cached_property
    def language(self) -> LanguageModel:
        """Return the model with its vocabulary."""
        return LanguageModel.of(self.stored)

    def generate(self, prompts: str | list[str] = "", **settings: Any) -> list[str]:
        """Continue texts.

        Args:
            prompts: one text or several; "" begins a new text.
            **settings: arguments of `LanguageModel.generate`, such as num, seed, temperature and
                max_length.

        Returns:
            The texts, including their prompts.

        Raises:
            ModelError: if a symbol is unknown to the model, or a setting is out of range.
        """
        return self.language.generate(prompts, **settings)

    def score(self, text: str) -> np.ndarray:
        """Compute ln p of each symbol of a text, and of its end.

        Args:
            text: the text to score.
        """
        return self.language.score(text)

    def next_characters(self, text: str, *, temperature: float = 1.0) -> dict[str, float]:
        """Compute the distribution of the next symbol after a text.

        Args:
            text: the text so far.
            temperature: divisor of the logits.

        Returns:
            Symbol -> probability, the most probable first.

        Raises:
            ModelError: if a symbol is unknown to the model.
        """
        return self.language.next_characters(text, temperature=temperature)
