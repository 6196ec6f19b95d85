"""The task of language modeling: a loss over windows, and perplexity over whole texts."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from flax import nnx
from jax import Array

from lstm_jax.models.char_lm import CharLM
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.language import LanguageModel
from lstm_jax.text.units import ALL_BYTES, UNITS
from lstm_jax.train.batch import Batch, Epoch
from lstm_jax.train.data import shakespeare, synthetic, tang
from lstm_jax.train.data.tables import count
from lstm_jax.train.data.text import Packed, epoch_offset, epoch_order, pack, stripes
from lstm_jax.train.task import Validate, Validation
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.ngram import mean_nats
from lstm_jax.train.tasks.text.score import evaluate, make_scorer
from lstm_jax.trees import Tree


@dataclass(frozen=True)
class Texts:
    """Store the texts of a task: `splits` by name, and `facts` for the model's card.

    If `running`, a text continues where a row of the batch ends; otherwise each text is whole in
    its row.
    """

    splits: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, object]
    running: bool = False


def window_loss(
    model: CharLM, carry: Tree, batch: Batch[Array], key: Array | None
) -> tuple[Array, Array, Tree]:
    """Sum the nats over a window's symbols.

    The carried state is treated as data: the gradient stops where the window begins (truncated
    backpropagation through time, Williams & Peng 1990).

    Args:
        model: a model of V symbols.
        carry: the state before the window, a tuple over layers, with leaves (B, H).
        batch: a window of `Packed`, arrays (B, T).
        key: turns dropout on.

    Returns:
        `(nats, symbols, carry)`: the sum, the number of symbols, and the state at the end.

    Raises:
        ValueError: if the batch has no weights.
    """
    if batch.weights is None:
        raise ValueError("a window of texts must have weights, which are 0 for padding")
    carry, nats = model.loss(
        batch.inputs, batch.targets, batch.weights, carry, resets=batch.resets, key=key
    )
    return nats, batch.weights.sum(), carry


@dataclass(frozen=True)
class TextTask:
    """Train a language model on encoded texts, packed into windows; a `Task`."""

    config: TextConfig
    facts: Mapping[str, object]
    vocabulary: Vocabulary
    train: list[np.ndarray]
    valid: list[np.ndarray]
    running: bool = False
    characters: int = 0
    """Number of characters in the texts of `valid`."""

    unit = "tokens"
    loss = staticmethod(window_loss)

    @property
    def description(self) -> str:
        texts, symbols = len(self.train), len(self.vocabulary)
        return f"{self.config.data}: {count(texts, 'text')}, vocabulary {symbols:,}"

    @property
    def identity(self) -> Mapping[str, str]:
        digest = {"data": self.config.data_sha256} if self.config.data_sha256 else {}
        return {"vocabulary": self.vocabulary.digest, **digest}

    def model(self, rngs: nnx.Rngs) -> CharLM:
        return CharLM(len(self.vocabulary), self.config.model, rngs=rngs)

    def initial_state(self, model: CharLM, rows: int) -> Tree:
        return model.initial_state(rows)

    def carry(self, model: CharLM) -> Tree:
        return self.initial_state(model, self.config.rows)

    def epoch(self, number: int) -> Epoch:
        return self._packed(self.train, number).windows()

    def figures(self, loss: float) -> Mapping[str, float]:
        return {"perplexity": math.exp(min(loss, 50))}

    def validator(self, model: CharLM) -> Validate:
        scorer, empty = make_scorer(model), self.carry(model)
        packed = self._packed(self.valid, None)
        baseline = self._five_grams() if self.config.own else None

        def validate(params: nnx.State, step: int) -> Validation:
            del step
            score = evaluate(scorer, params, empty, packed)
            figures = {"valid_perplexity": score.perplexity}
            more = ""
            if baseline is not None:
                bits = score.bits_per(self.characters)
                figures |= {
                    "valid_bits_per_character": bits,
                    "valid_5gram_perplexity": math.exp(baseline),
                }
                more = f", {bits:.3f} bits per character; a 5-gram has {math.exp(baseline):.2f}"
            return Validation(
                score.nats_per_symbol,
                figures,
                f"validation perplexity {score.perplexity:.2f} "
                f"({score.nats_per_symbol:.4f} nats per symbol){more}",
            )

        return validate

    def save(self, model: CharLM, folder: Path, card: dict[str, object]) -> None:
        LanguageModel(model, self.vocabulary, card, self.config.unit).save(folder)

    def _five_grams(self) -> float | None:
        size, end_id = len(self.vocabulary), self.vocabulary.end_id
        return mean_nats(self.train, self.valid, size=size, end_id=end_id, ends=not self.running)

    def _packed(self, texts: Sequence[np.ndarray], epoch: int | None) -> Packed:
        """Pack the texts in the order of an epoch, or in their own order if it is None."""
        config, end_id = self.config, self.vocabulary.end_id
        shape = {"rows": config.rows, "length": config.window, "end_id": end_id}
        if self.running:
            symbols = sum(map(len, texts))
            offset = 0 if epoch is None else epoch_offset(config.seed, epoch, symbols)
            return stripes(texts, offset=offset, **shape)
        order = None if epoch is None else epoch_order(config.seed, epoch, len(texts))
        return pack(texts, order=order, **shape)


def make_text_task(config: TextConfig, texts: Texts | None = None) -> TextTask:
    """Build a vocabulary from the training texts alone, and encode all texts.

    Args:
        config: configuration of the run.
        texts: the texts; if None, load those that the configuration names.

    Raises:
        DataError: if data are missing or altered.
    """
    texts = texts or load_texts(config.data)
    split = UNITS[config.unit].split
    cut = {name: list(map(split, texts.splits[name])) for name in ("train", "valid")}
    vocabulary = make_vocabulary(Counter(chain.from_iterable(cut["train"])), config)
    train, valid = ([vocabulary.encode(text) for text in cut[name]] for name in cut)
    characters = sum(map(len, texts.splits["valid"]))
    return TextTask(config, texts.facts, vocabulary, train, valid, texts.running, characters)


def make_vocabulary(counts: Mapping[str, int], config: TextConfig) -> Vocabulary:
    """Build the vocabulary of the training texts, which for bytes holds all bytes.

    Args:
        counts: count of each symbol in the training texts.
        config: configuration with the unit and the minimum count of a symbol.
    """
    if config.unit == "byte":
        seen = Vocabulary.from_counts(counts, min_count=1).characters
        return Vocabulary(tuple(dict.fromkeys((*seen, *ALL_BYTES))))
    return Vocabulary.from_counts(counts, min_count=config.min_count)


def load_texts(name: str) -> Texts:
    """Load the texts of a data set, split into parts.

    Args:
        name: one of `LOADERS`.

    Raises:
        KeyError: if the name is unknown.
        DataError: if data are missing or altered.
    """
    return replace(LOADERS[name](), running=name in RUNNING)


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


def _shakespeare() -> Texts:
    facts = {"data": "shakespeare", "data_sha256": shakespeare.SOURCE.sha256}
    return Texts(shakespeare.load(), facts)


LOADERS: Mapping[str, Callable[[], Texts]] = {
    "tang": _tang,
    "shakespeare": _shakespeare,
    "verses": _verses,
}
"""`TextConfig.data` -> function that loads the texts."""
RUNNING = frozenset({"shakespeare"})
"""Values of `TextConfig.data` whose texts are continuous."""
