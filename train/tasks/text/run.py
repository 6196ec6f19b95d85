"""A language model that was trained, as `fit` and `load` give it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from lstm_jax.text.language import LanguageModel
from lstm_jax.train.runs import Run
from lstm_jax.train.tasks.text.config import TextConfig


class TextRun(Run[TextConfig]):
    """Hold a trained language model with the run that made it.

    `language` is what `lstm_jax.load` gives.
    """

    @cached_property
    def language(self) -> LanguageModel:
        """Give the model with its vocabulary."""
        return LanguageModel.of(self.stored)

    def generate(self, prompts: str | list[str] = "", **settings: Any) -> list[str]:
        """Continue texts.

        Args:
            prompts: one text or several; "" begins a new one.
            **settings: of `LanguageModel.generate`: num, seed, temperature, max_length ...

        Returns:
            Texts with their prompts.

        Raises:
            ModelError: symbols that the model does not know, or a setting out of range.
        """
        return self.language.generate(prompts, **settings)

    def score(self, text: str) -> np.ndarray:
        """Give ln p of each symbol of a text, and of its end.

        Args:
            text: any.
        """
        return self.language.score(text)

    def next_characters(self, text: str, *, temperature: float = 1.0) -> dict[str, float]:
        """Give the distribution of what follows a text.

        Args:
            text: what was read so far.
            temperature: divides the logits.

        Returns:
            Symbol -> probability, most probable first.

        Raises:
            ModelError: symbols that the model does not know.
        """
        return self.language.next_characters(text, temperature=temperature)
