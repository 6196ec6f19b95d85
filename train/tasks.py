"""Task name -> texts and vocabulary."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_jax.train.config import TrainConfig
from lstm_jax.train.data import synthetic, tang
from lstm_jax.train.data.text import Windows, epoch_order, pack
from lstm_jax.vocabulary import Vocabulary


@dataclass(frozen=True)
class Texts:
    """A task's texts: `splits` by name, and `facts` for the model's card."""

    splits: dict[str, tuple[str, ...]]
    facts: dict[str, Any]


@dataclass(frozen=True)
class TextTask:
    """Encoded texts, ready to be packed into windows."""

    texts: Texts
    vocabulary: Vocabulary
    train: list[np.ndarray]
    valid: list[np.ndarray]
    rows: int
    length: int
    seed: int

    def epoch(self, epoch: int) -> Windows:
        """The training windows of an epoch: a pure function of seed and epoch."""
        order = epoch_order(self.seed, epoch, len(self.train))
        return self._pack(self.train, order)

    def validation(self) -> Windows:
        return self._pack(self.valid, None)

    def _pack(self, texts, order):
        return pack(
            texts,
            rows=self.rows,
            length=self.length,
            end_id=self.vocabulary.end_id,
            order=order,
        )


def load_texts(name: str) -> Texts:
    """The texts of a task, split; the names are those of `TrainConfig.data`."""
    return {"tang": _tang, "verses": _verses}[name]()


def make_task(config: TrainConfig) -> TextTask:
    """Load, count characters in the training texts alone, and encode."""
    texts = load_texts(config.data)
    vocabulary = Vocabulary.from_texts(texts.splits["train"], min_count=config.min_count)
    encoded = {
        name: [vocabulary.encode(text) for text in texts.splits[name]]
        for name in ("train", "valid")
    }
    return TextTask(
        texts, vocabulary, encoded["train"], encoded["valid"],
        config.rows, config.window, config.seed,
    )  # fmt: skip


def _tang() -> Texts:
    corpus = tang.load()
    return Texts(corpus.splits, {"data": corpus.name, "data_sha256": corpus.sha256})


def _verses() -> Texts:
    splits = {
        "train": synthetic.verses(1500, seed=0),
        "valid": synthetic.verses(100, seed=1),
        "test": synthetic.verses(100, seed=2),
    }
    digest = hashlib.sha256("\n".join(splits["train"]).encode()).hexdigest()
    return Texts(splits, {"data": "verses", "data_sha256": digest})
