"""A trained language model with its vocabulary: load, save, generate, score."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.typing import DTypeLike

from lstm_jax.cells import LSTMState
from lstm_jax.models import storage
from lstm_jax.models.base import Json
from lstm_jax.models.char_lm import CharLM
from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.filters import filter_logits, is_int, validate
from lstm_jax.text.sampling import NextLogits, decode, prefill
from lstm_jax.text.units import UNITS, Unit

MAX_PROMPT = 1000  # characters; a longer one is a mistake, such as a file given as a prompt
CHUNK = 16  # symbols decoded between looks at whether every text has ended

State: TypeAlias = tuple[LSTMState, ...]


@dataclass(frozen=True)
class LanguageModel:
    """Hold a `CharLM` with what makes it a writer.

    Attributes:
        network: the model of ids.
        vocabulary: symbols <-> ids.
        card: figures and facts, for JSON.
        unit: what a symbol is: "character", "word" or "byte".
    """

    network: CharLM
    vocabulary: Vocabulary
    card: Json
    unit: str = "character"

    @classmethod
    def of(cls, stored: Stored) -> LanguageModel:
        """Take a model as it was read from its files.

        Args:
            stored: of the kind "CharLM".

        Raises:
            ModelError: a unit that this version does not know.
        """
        vocabulary = Vocabulary.restored(stored.description["vocabulary"])
        unit = stored.description.get("unit", "character")
        if unit not in list(UNITS):
            raise ModelError(f"the model reads {unit!r}; this version knows {', '.join(UNITS)}")
        return cls(stored.network, vocabulary, stored.card, unit)

    def encode(self, text: str | Sequence[str]) -> np.ndarray:
        """Turn a text into ids.

        Args:
            text: it is cut into the model's units; or symbols, already cut.

        Returns:
            int32 (N,); what is not in the vocabulary is UNKNOWN.
        """
        return self.vocabulary.encode(self._split(text))

    @property
    def _unit(self) -> Unit:
        return UNITS[self.unit]

    def _split(self, text: str | Sequence[str]) -> Sequence[str]:
        return self._unit.split(text) if isinstance(text, str) else text

    def generate(
        self,
        prompts: str | Sequence[str] = "",
        *,
        num: int = 1,
        seed: int = 0,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = None,
        max_length: int = 120,
    ) -> list[str]:
        """Continue each prompt `num` times, up to the end of the text or `max_length` symbols.

        Text i of a call depends on the seed, its prompt and i, not on how many are asked for.

        Args:
            prompts: one text or several; "" begins a new text.
            num: continuations of each prompt.
            seed: an integer in [0, 2**32); the same seed gives the same texts.
            temperature: divides the logits; 0 is greedy.
            top_k: draw from the k most probable symbols; from all if None.
            top_p: draw from the smallest set that holds this probability, in (0, 1]; None is 1.
            max_length: of the continuation, in symbols: characters, words or bytes.

        Returns:
            Texts with their prompts, `num` for each prompt, in order.

        Raises:
            ModelError: symbols that the model does not know, or a setting out of range.
        """
        prompts = [prompts] if isinstance(prompts, str) else list(prompts)
        if num < 1:
            raise ModelError(f"num must be at least 1, got {num}")
        repeated = [prompt for prompt in prompts for _ in range(num)]
        pieces = self.stream(
            repeated,
            seed=seed,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            max_length=max_length,
        )
        parts = list(pieces)
        return [p + "".join(row) for p, row in zip(repeated, zip(*parts, strict=True), strict=True)]

    def stream(
        self,
        prompts: str | Sequence[str],
        *,
        seed: int = 0,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = None,
        max_length: int = 120,
        chunk: int = CHUNK,
    ) -> Iterator[list[str]]:
        """Yield the continuations as they grow: `chunk` symbols of every prompt at a time.

        `generate` joins what this yields; the chunk does not change it.

        Args:
            prompts: one text or several; "" begins a new text.
            seed: an integer in [0, 2**32); the same seed gives the same texts.
            temperature: divides the logits; 0 is greedy.
            top_k: draw from the k most probable symbols; from all if None.
            top_p: draw from the smallest set that holds this probability, in (0, 1]; None is 1.
            max_length: of the continuation, in symbols: characters, words or bytes.
            chunk: symbols decoded between looks at whether every text has ended.

        Yields:
            For each prompt the next piece of its continuation, "" once it has ended.

        Raises:
            ModelError: at the first piece, symbols that the model does not know, or a setting out
                of range.
        """
        prompts = [prompts] if isinstance(prompts, str) else list(prompts)
        if not prompts:
            raise ModelError('there is no prompt; "" begins a new text')
        if not (is_int(seed) and 0 <= seed < 2**32):
            raise ModelError(f"seed must be an integer in [0, 2**32), got {seed!r}")
        ids, lengths = self._prompt_ids(prompts)
        try:
            validate(temperature=temperature, top_k=top_k, top_p=top_p, max_length=max_length)
        except ValueError as error:
            raise ModelError(str(error)) from None
        top_k = top_k and min(top_k, len(self.vocabulary))  # int32 holds it
        graph, params = nnx.split(self.network)
        next_logits = _next_logits(graph, self.vocabulary.unknown_id)
        state = self.network.initial_state(len(prompts))
        decoding = prefill(next_logits, params, state, ids, lengths)
        writers = [self._unit.writer() for _ in prompts]
        for start in range(0, max_length, chunk):
            decoding, new = decode(
                next_logits,
                params,
                decoding,
                key=jax.random.key(int(seed)),
                num_steps=chunk,
                eos_id=self.vocabulary.end_id,
                temperature=np.float32(temperature),
                top_k=top_k,
                top_p=None if top_p is None else np.float32(top_p),
            )
            # Decoding whole chunks keeps one compiled program; the surplus of the last is cut.
            keep = min(chunk, max_length - start)
            last = bool(decoding.done.all()) or start + keep == max_length
            yield [
                write(self.vocabulary.decode(row[:keep]), last)
                for write, row in zip(writers, np.asarray(new), strict=True)
            ]
            if last:
                return

    def score(self, text: str | Sequence[str]) -> np.ndarray:
        """Give ln p of each symbol given those before it, and of the end.

        Args:
            text: symbols that the model does not know count as UNKNOWN, as in its perplexity.

        Returns:
            Natural logarithms, float32, one for each symbol and the end: of a model of characters
            (len(text) + 1,).
        """
        ids = self.encode(text)
        size = _bucket(len(ids) + 1)
        inputs = np.full((1, size), self.vocabulary.end_id, np.int32)
        targets = np.full((1, size), self.vocabulary.end_id, np.int32)
        inputs[0, 1 : len(ids) + 1] = ids
        targets[0, : len(ids)] = ids
        graph, params = nnx.split(self.network)
        return np.asarray(_log_probabilities(graph, params, inputs, targets))[0, : len(ids) + 1]

    def next_characters(self, text: str, *, temperature: float = 1.0) -> dict[str, float]:
        """Give the distribution of what follows a text.

        Args:
            text: what was read so far; "" is the beginning.
            temperature: divides the logits.

        Returns:
            Symbol -> probability, most probable first; the end of the text is the key "", and of a
            model of bytes one that is not ASCII is written as "\\xe5".

        Raises:
            ModelError: symbols that the model does not know, or a temperature that is not positive.
        """
        if not 0 < temperature < float("inf"):
            raise ModelError(f"temperature must be positive and finite, got {temperature}")
        ids, lengths = self._prompt_ids([text])
        graph, params = nnx.split(self.network)
        next_logits = _next_logits(graph, self.vocabulary.unknown_id)
        state = self.network.initial_state(1)
        decoding = prefill(next_logits, params, state, ids, lengths)
        weights = filter_logits(decoding.logits[0], temperature=temperature)
        probabilities = np.asarray(jax.nn.softmax(weights))
        names = ["", "\ufffd", *map(self._unit.show, self.vocabulary.characters)]
        order = np.argsort(-probabilities, kind="stable")
        return {names[i]: float(probabilities[i]) for i in order if probabilities[i] > 0}

    def save(self, folder: Path, *, dtype: DTypeLike = np.float32) -> None:
        """Write `model.safetensors` and `model.json`, each whole or not at all.

        Args:
            folder: made if it does not exist.
            dtype: of the stored weights, float32 or float16; they are read back as float32.

        Raises:
            ValueError: for another dtype, which `load` could not read.
        """
        vocabulary = self.vocabulary.to_store()
        own = {"vocabulary": vocabulary, "unit": self.unit}
        storage.save(folder, self.network, self.card, own, dtype=dtype)

    def _prompt_ids(self, prompts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """END and the prompt's ids, right-padded to a bucket: int32 (B, P), and lengths (B,)."""
        rows = []
        for prompt in prompts:
            if len(prompt) > MAX_PROMPT:
                raise ModelError(
                    f"a prompt has {len(prompt):,} characters; at most {MAX_PROMPT:,} are read"
                )
            symbols = self._split(prompt)
            unknown = self.vocabulary.unknown(symbols)
            if unknown:
                raise ModelError(f"the model does not know {unknown!r}, in the prompt {prompt!r}")
            rows.append(self.vocabulary.encode(symbols))
        lengths = np.array([len(row) + 1 for row in rows], np.int32)
        ids = np.full((len(rows), _bucket(int(lengths.max()))), self.vocabulary.end_id, np.int32)
        for number, row in enumerate(rows):
            ids[number, 1 : len(row) + 1] = row
        return ids, lengths


def load(name_or_folder: str | Path = "tang") -> LanguageModel:
    """Load a released model by its name, or the model in a run's folder.

    Nothing in the files is executed: they are JSON and safetensors, verified by their hash.

    Args:
        name_or_folder: "tang", or a folder with the two files.

    Returns:
        The model with its vocabulary and its card.

    Raises:
        ModelError: no such model, or files that are missing, altered, or of another kind.
    """
    return LanguageModel.of(storage.load(name_or_folder, "CharLM"))


def _bucket(length: int) -> int:
    """The next power of two from 8 on: few shapes, few compilations."""
    return max(8, 1 << (length - 1).bit_length())


@functools.lru_cache(maxsize=32)
def _next_logits(graph: nnx.GraphDef[CharLM], unknown_id: int) -> NextLogits[nnx.State, State]:
    """Give the network as the sampler reads it. Cached: it is compiled once per function."""

    def next_logits(params: nnx.State, state: State, ids: Array) -> tuple[State, Array]:
        state, logits = nnx.merge(graph, params).step(state, ids)
        return state, logits.at[..., unknown_id].set(-jnp.inf)  # never written, only read

    return next_logits


@jax.jit(static_argnames="graph")
def _log_probabilities(graph, params, inputs, targets):
    return nnx.merge(graph, params).log_probabilities(inputs, targets)[1]
