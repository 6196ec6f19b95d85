"""A trained character model with its vocabulary: load, save, generate, score."""

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
from lstm_jax.models.storage import ModelError
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.filters import filter_logits, is_int, validate
from lstm_jax.text.sampling import NextLogits, decode, prefill

MAX_PROMPT = 1000  # characters; a longer one is a mistake, such as a file given as a prompt
CHUNK = 16  # characters decoded between looks at whether every text has ended

State: TypeAlias = tuple[LSTMState, ...]


@dataclass(frozen=True)
class LanguageModel:
    """Hold a `CharLM` with what makes it a writer.

    Attributes:
        network: the model of ids.
        vocabulary: characters <-> ids.
        card: figures and facts, for JSON.
    """

    network: CharLM
    vocabulary: Vocabulary
    card: Json

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
        """Continue each prompt `num` times, up to the end of the text or `max_length` characters.

        Text i of a call depends on the seed, its prompt and i, not on how many are asked for.

        Args:
            prompts: one text or several; "" begins a new text.
            num: continuations of each prompt.
            seed: an integer in [0, 2**32); the same seed gives the same texts.
            temperature: divides the logits; 0 is greedy.
            top_k: draw from the k most probable characters; from all if None.
            top_p: draw from the smallest set that holds this probability, in (0, 1]; None is 1.
            max_length: of the continuation, in characters.

        Returns:
            Texts with their prompts, `num` for each prompt, in order.

        Raises:
            ModelError: characters the model does not know, or a setting out of range.
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
        """Yield the continuations as they grow: `chunk` characters of every prompt at a time.

        `generate` joins what this yields; the chunk does not change it.

        Args:
            prompts: one text or several; "" begins a new text.
            seed: an integer in [0, 2**32); the same seed gives the same texts.
            temperature: divides the logits; 0 is greedy.
            top_k: draw from the k most probable characters; from all if None.
            top_p: draw from the smallest set that holds this probability, in (0, 1]; None is 1.
            max_length: of the continuation, in characters.
            chunk: characters decoded between looks at whether every text has ended.

        Yields:
            For each prompt the next piece of its continuation, "" once it has ended.

        Raises:
            ModelError: at the first piece, characters the model does not know, or a setting out
                of range.
        """
        prompts = [prompts] if isinstance(prompts, str) else list(prompts)
        if not prompts:
            raise ModelError('there is no prompt; "" begins a new text')
        if not (is_int(seed) and 0 <= seed < 2**32):
            raise ModelError(f"seed must be an integer in [0, 2**32), got {seed!r}")
        ids, lengths = _prompt_ids(self.vocabulary, prompts)
        try:
            validate(temperature=temperature, top_k=top_k, top_p=top_p, max_length=max_length)
        except ValueError as error:
            raise ModelError(str(error)) from None
        top_k = top_k and min(top_k, len(self.vocabulary))  # int32 holds it
        graph, params = nnx.split(self.network)
        next_logits = _next_logits(graph, self.vocabulary.unknown_id)
        state = self.network.initial_state(len(prompts))
        decoding = prefill(next_logits, params, state, ids, lengths)
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
            yield [self.vocabulary.decode(row[:keep]) for row in np.asarray(new)]
            if bool(decoding.done.all()):
                return

    def score(self, text: str) -> np.ndarray:
        """Give ln p of each character given those before it, and of the end.

        Args:
            text: characters that the model does not know count as UNKNOWN, as in its perplexity.

        Returns:
            Natural logarithms, float32 (len(text) + 1,).
        """
        ids = self.vocabulary.encode(text)
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
            Character -> probability, most probable first; the end of the text is the key "".

        Raises:
            ModelError: characters the model does not know, or a temperature that is not positive.
        """
        if not 0 < temperature < float("inf"):
            raise ModelError(f"temperature must be positive and finite, got {temperature}")
        ids, lengths = _prompt_ids(self.vocabulary, [text])
        graph, params = nnx.split(self.network)
        next_logits = _next_logits(graph, self.vocabulary.unknown_id)
        state = self.network.initial_state(1)
        decoding = prefill(next_logits, params, state, ids, lengths)
        weights = filter_logits(decoding.logits[0], temperature=temperature)
        probabilities = np.asarray(jax.nn.softmax(weights))
        names = ["", "\ufffd", *self.vocabulary.characters]
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
        storage.save(folder, self.network, self.card, {"vocabulary": vocabulary}, dtype=dtype)


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
    stored = storage.load(name_or_folder, "CharLM")
    vocabulary = Vocabulary.restored(stored.description["vocabulary"])
    return LanguageModel(stored.network, vocabulary, stored.card)


def _prompt_ids(vocabulary: Vocabulary, prompts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """END and the prompt's ids, right-padded to a bucket: int32 (B, P), and lengths (B,)."""
    for prompt in prompts:
        if len(prompt) > MAX_PROMPT:
            raise ModelError(
                f"a prompt has {len(prompt):,} characters; at most {MAX_PROMPT:,} are read"
            )
        unknown = vocabulary.unknown(prompt)
        if unknown:
            raise ModelError(f"the model does not know {unknown!r}, in the prompt {prompt!r}")
    lengths = np.array([len(prompt) + 1 for prompt in prompts], np.int32)
    ids = np.full((len(prompts), _bucket(int(lengths.max()))), vocabulary.end_id, np.int32)
    for row, prompt in enumerate(prompts):
        ids[row, 1 : len(prompt) + 1] = vocabulary.encode(prompt)
    return ids, lengths


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
