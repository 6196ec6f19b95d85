"""A trained language model with its vocabulary, to load, save, generate and score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, Unpack, overload

import jax
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from lstm_jax.cells import LSTMState
from lstm_jax.models import storage
from lstm_jax.models.base import Json
from lstm_jax.models.char_lm import CharLM
from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.spelling import named_options
from lstm_jax.text.filters import filter_logits, is_int, validate
from lstm_jax.text.forms import Order, Place, Plan, Wishes, begin, masses_left, rhyme_share, ruled
from lstm_jax.text.sampling import decode, prefill
from lstm_jax.text.script import in_known_script
from lstm_jax.text.steps import writer
from lstm_jax.text.units import UNITS, Unit
from lstm_jax.text.verse import MARKS

if TYPE_CHECKING:
    from lstm_jax.text.play import Play

MAX_PROMPT = 1000  # characters; a longer prompt is a mistake, such as the contents of a file
CHUNK = 16  # symbols decoded between two checks whether every text has ended

State: TypeAlias = tuple[LSTMState, ...]


@dataclass(frozen=True)
class LanguageModel:
    """Store a `CharLM` with its vocabulary, so that it reads and writes text.

    Attributes:
        network: the model of ids.
        vocabulary: symbols <-> ids.
        card: figures and facts about the model, for JSON.
        unit: the kind of its symbols: "character", "word" or "byte".
    """

    network: CharLM
    vocabulary: Vocabulary
    card: Json
    unit: str = "character"

    @classmethod
    def of(cls, stored: Stored) -> LanguageModel:
        """Create the language model from the contents of its files.

        Args:
            stored: of the kind "CharLM".

        Raises:
            ModelError: if the unit is not known to this version.
        """
        vocabulary = Vocabulary.restored(stored.description["vocabulary"])
        unit = stored.description.get("unit", "character")
        if unit not in list(UNITS):
            raise ModelError(f"the model reads {unit!r}; this version knows {', '.join(UNITS)}")
        return cls(stored.network, vocabulary, stored.card, unit)

    def encode(self, text: str | Sequence[str]) -> np.ndarray:
        """Encode a text as ids.

        Args:
            text: a text, which is split into the model's units, or a sequence of symbols.

        Returns:
            int32 (N,); symbols outside of the vocabulary are UNKNOWN.
        """
        return self.vocabulary.encode(self._split(text))

    def in_script(self, text: str) -> str:
        """Write a text in the Chinese script that the model knows.

        Args:
            text: in either script, or in any other language.

        Returns:
            The text, unchanged if the model knows all of it or does not write characters.
        """
        if self.unit != "character":
            return text
        return in_known_script(text, self.vocabulary.unknown)

    @property
    def _unit(self) -> Unit:
        return UNITS[self.unit]

    def _split(self, text: str | Sequence[str]) -> Sequence[str]:
        return self._unit.split(text) if isinstance(text, str) else text

    @overload
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
        best_of: int | None = None,
        rank: Literal["probability", "rhyme"] = "probability",
        return_log_probabilities: Literal[False] = False,
        **wishes: Unpack[Wishes],
    ) -> list[str]: ...

    @overload
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
        best_of: int | None = None,
        rank: Literal["probability", "rhyme"] = "probability",
        return_log_probabilities: Literal[True],
        **wishes: Unpack[Wishes],
    ) -> tuple[list[str], list[np.ndarray]]: ...

    @named_options(Wishes)
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
        best_of: int | None = None,
        rank: Literal["probability", "rhyme"] = "probability",
        return_log_probabilities: bool = False,
        **wishes: Unpack[Wishes],
    ) -> list[str] | tuple[list[str], list[np.ndarray]]:
        """Continue each prompt `num` times, up to the end of the text or `max_length` symbols.

        Text i of a call depends on the seed, its prompt and i, but not on the number of texts.
        The model writes freely unless `wishes` set rules.

        Args:
            prompts: one text or several, in either Chinese script; "" begins a new text.
            num: continuations of each prompt.
            seed: an integer in [0, 2**32); the same seed gives the same texts.
            temperature: divides the logits; 0 is greedy.
            top_k: number of most probable symbols to draw from; None for all.
            top_p: probability, in (0, 1], of the smallest set of symbols to draw from; None is 1.
            max_length: of the continuation, in symbols: characters, words or bytes.
            best_of: number of texts to draw for each prompt; the `num` best are returned, best
                first.
            rank: measure for `best_of`: "probability" is the mean ln p of the continuation,
                "rhyme" the share of even lines that rhyme, and then the mean ln p.
            return_log_probabilities: also return ln p of the continuations at temperature 1, as
                `score` does: of each symbol after the prompt, and of the end if it was drawn.
            wishes: rules for verse: the fields of `forms.Order`.

        Returns:
            The texts, prompts included, in the model's script: `num` for each prompt, in order. Or
            `(texts, log_probabilities)`, with an array for each text.

        Raises:
            ModelError: if the model does not know a symbol, a setting is out of range, or a wish
                cannot be met.
        """
        prompts = [*map(self.in_script, [prompts] if isinstance(prompts, str) else prompts)]
        if num < 1:
            raise ModelError(f"num must be at least 1, got {num}")
        if best_of is not None and not (is_int(best_of) and best_of >= num):
            raise ModelError(f"best_of must be an integer, num = {num} or more, got {best_of!r}")
        if rank not in ("probability", "rhyme"):
            raise ModelError(f"rank must be probability or rhyme, got {rank!r}")
        repeated = [prompt for prompt in prompts for _ in range(best_of or num)]
        pieces = self.stream(
            repeated,
            seed=seed,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            max_length=max_length,
            **wishes,
        )
        parts = list(pieces)
        written = ["".join(row) for row in zip(*parts, strict=True)]
        texts = [prompt + text for prompt, text in zip(repeated, written, strict=True)]
        mood = wishes.get("mood", "")
        if best_of is not None:
            drawn = partial(self._drawn, mood=mood, max_length=max_length)
            repeated, texts = _best(repeated, texts, num, best_of, rank, drawn)
        if not return_log_probabilities:
            return texts
        pairs = zip(texts, repeated, strict=True)
        return texts, [self._drawn(text, prompt, mood, max_length) for text, prompt in pairs]

    def _drawn(self, text: str, prompt: str, mood: str, max_length: int) -> np.ndarray:
        """Compute ln p of the drawn symbols, without the end if the text was cut off before it."""
        scores = self.score(text, mood=mood)[len(self._split(prompt)) :]
        return scores[:max_length]

    @named_options(Wishes)
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
        **wishes: Unpack[Wishes],
    ) -> Iterator[list[str]]:
        """Yield the continuations as they grow, `chunk` symbols of every prompt at a time.

        Joined, the pieces are what `generate` returns; the chunk does not change the text.

        Args:
            prompts: one text or several; "" begins a new text.
            seed: an integer in [0, 2**32); the same seed gives the same texts.
            temperature: divides the logits; 0 is greedy.
            top_k: number of most probable symbols to draw from; None for all.
            top_p: probability, in (0, 1], of the smallest set of symbols to draw from; None is 1.
            max_length: of the continuation, in symbols: characters, words or bytes.
            chunk: symbols decoded between two checks whether every text has ended.
            wishes: rules for verse; see `generate`.

        Yields:
            The next piece of each prompt's continuation, "" once it has ended.

        Raises:
            ModelError: with the first piece, if the model does not know a symbol, a setting is out
                of range, or a wish cannot be met.
        """
        order = self._order(wishes)
        prompts = [*map(self.in_script, [prompts] if isinstance(prompts, str) else prompts)]
        if not prompts:
            raise ModelError('there is no prompt; "" begins a new text')
        if not (is_int(seed) and 0 <= seed < 2**32):
            raise ModelError(f"seed must be an integer in [0, 2**32), got {seed!r}")
        mood = self._mood(order)
        ids, lengths = self._prompt_ids(prompts, mood)
        try:
            validate(temperature=temperature, top_k=top_k, top_p=top_p, max_length=max_length)
        except ValueError as error:
            raise ModelError(str(error)) from None
        order.check(max_length)
        top_k = top_k and min(top_k, len(self.vocabulary))  # int32 holds it
        state = self.network.initial_state(len(prompts))
        next_logits, params = writer(self.network, self.vocabulary.unknown_id, state)
        if order.rules:
            plan, place = self._begin(order, prompts, mood)
            next_logits, params, state = ruled(next_logits), (params, plan), (state, place)
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
            # Decoding whole chunks needs one compiled program; the last chunk is cut to length.
            keep = min(chunk, max_length - start)
            last = bool(decoding.done.all()) or start + keep == max_length
            yield [
                write(self.vocabulary.decode(row[:keep]), last)
                for write, row in zip(writers, np.asarray(new), strict=True)
            ]
            if last:
                return

    def score(self, text: str | Sequence[str], *, mood: str = "") -> np.ndarray:
        """Compute ln p of each symbol given those before it, and of the end.

        Args:
            text: in either Chinese script; symbols that the model does not know count as UNKNOWN,
                as they do in its perplexity.
            mood: a line that is read before the text, as in `generate`.

        Returns:
            Natural logarithms, float32, one for each symbol and one for the end: (len(text) + 1,)
            for a model of characters.
        """
        before = self.encode(self._mood(self._order({"mood": mood})))
        text = self.in_script(text) if isinstance(text, str) else text
        ids = np.concatenate([before, self.encode(text)])
        size = _bucket(len(ids) + 1)
        inputs = np.full((1, size), self.vocabulary.end_id, np.int32)
        targets = np.full((1, size), self.vocabulary.end_id, np.int32)
        inputs[0, 1 : len(ids) + 1] = ids
        targets[0, : len(ids)] = ids
        graph, params = nnx.split(self.network)
        scores = np.asarray(_log_probabilities(graph, params, inputs, targets))[0]
        return scores[len(before) : len(ids) + 1]

    @named_options(Wishes)
    def cost(self, text: str, *, prompt: str = "", **wishes: Unpack[Wishes]) -> np.ndarray:
        """Compute what the rules cost a text that keeps to them, in nats, symbol by symbol.

            -ln Σ_v [v was allowed] p_v      if one symbol was forced, its own -ln p

        p is the model's distribution at temperature 1, over the symbols that it can write.

        Args:
            text: as `generate` returns it, its prompt included.
            prompt: the beginning of the text that the model did not write; it costs nothing.
            wishes: the rules that the text was written by.

        Returns:
            float32 (len(text) + 1,), one cost for each symbol and one for the end, 0 or more.

        Raises:
            ModelError: if the model does not know a character, or the text does not keep to the
                lines or the acrostic of the wishes.
        """
        order = self._order(wishes)
        mood = self._mood(order)
        text, prompt = self.in_script(text), self.in_script(prompt)
        ids, lengths = self._prompt_ids([text], mood)
        costs = np.zeros(len(text) + 1, np.float32)
        if not order.rules:
            return costs
        order.check(MAX_PROMPT)
        order.check_prompt(text)
        plan, place = self._begin(order, [prompt], mood)
        state = self.network.initial_state(1)
        next_logits, params = writer(self.network, self.vocabulary.unknown_id, state)
        masses = np.asarray(masses_left(next_logits, params, state, plan, place, ids))[0]
        start = len(prompt)
        costs[start:] = -masses[len(mood) + start : lengths[0]]
        return np.maximum(costs, 0)

    def next_characters(self, text: str, *, temperature: float = 1.0) -> dict[str, float]:
        """Compute the distribution of the symbol that follows a text.

        Args:
            text: the text so far, in either Chinese script; "" is the beginning.
            temperature: divides the logits.

        Returns:
            Symbol -> probability, most probable first. The key "" is the end of the text, and a
            byte outside of ASCII is written as "\\xe5".

        Raises:
            ModelError: if the model does not know a symbol, or the temperature is not positive.
        """
        if not 0 < temperature < float("inf"):
            raise ModelError(f"temperature must be positive and finite, got {temperature}")
        ids, lengths = self._prompt_ids([self.in_script(text)])
        state = self.network.initial_state(1)
        next_logits, params = writer(self.network, self.vocabulary.unknown_id, state)
        decoding = prefill(next_logits, params, state, ids, lengths)
        weights = filter_logits(decoding.logits[0], temperature=temperature)
        probabilities = np.asarray(jax.nn.softmax(weights))
        names = ["", "\ufffd", *map(self._unit.show, self.vocabulary.characters)]
        order = np.argsort(-probabilities, kind="stable")
        return {names[i]: float(probabilities[i]) for i in order if probabilities[i] > 0}

    def play(self) -> Play:
        """Show a prompt, settings and the text as a notebook widget.

        Returns:
            The widget, with a first text. Each symbol appears as it is drawn, and errors are shown
            in the widget.

        Raises:
            ModelError: if ipywidgets is not installed.
        """
        if find_spec("ipywidgets") is None:
            raise ModelError('the widget needs ipywidgets: pip install "lstm_jax[notebooks]"')
        from lstm_jax.text.play import Play

        return Play(self.stream, verse=self.card.get("data") == "tang")

    def save(self, folder: Path, *, dtype: DTypeLike = np.float32) -> None:
        """Write `model.safetensors` and `model.json`, each whole or not at all.

        Args:
            folder: created if it does not exist.
            dtype: of the stored weights, float32, float16 or int8; they are read back as float32.

        Raises:
            ValueError: if the dtype is another one, which `load` could not read.
        """
        description = {"vocabulary": self.vocabulary.to_store(), "unit": self.unit}
        storage.save(folder, self.network, self.card, description, dtype=dtype)

    def _order(self, wishes: Wishes) -> Order:
        """Build the order of some wishes, with its characters in the model's script."""
        order = Order(**wishes)
        acrostic, mood = self.in_script(order.acrostic), self.in_script(order.mood)
        return replace(order, acrostic=acrostic, mood=mood)

    def _mood(self, order: Order) -> str:
        """Return the mood as a whole line, which ends in a mark if the model writes any."""
        if not order.mood:
            return ""
        unknown = self.vocabulary.unknown(self._split(order.mood))
        if unknown:
            raise ModelError(f"the model does not know {unknown!r}, in the mood {order.mood!r}")
        closed = order.mood[-1] in MARKS or self.vocabulary.unknown("。")
        return order.mood if closed else f"{order.mood}。"

    def _begin(self, order: Order, prompts: Sequence[str], mood: str) -> tuple[Plan, Place]:
        if self.unit != "character":
            raise ModelError(
                "rules for verse need a model that writes characters, but this one writes "
                f"{self._unit.plural}"
            )
        return begin(order, self.vocabulary, prompts, skip=1 + len(mood))  # END is read first

    def _prompt_ids(self, prompts: Sequence[str], mood: str = "") -> tuple[np.ndarray, np.ndarray]:
        """Encode END, mood and prompt, right-padded to a bucket: int32 (B, P), and lengths (B,)."""
        rows = []
        for prompt in prompts:
            if len(mood) + len(prompt) > MAX_PROMPT:
                raise ModelError(
                    f"a prompt must have at most {MAX_PROMPT:,} characters, got "
                    f"{len(mood) + len(prompt):,}"
                )
            symbols = self._split(prompt)
            unknown = self.vocabulary.unknown(symbols)
            if unknown:
                raise ModelError(f"the model does not know {unknown!r}, in the prompt {prompt!r}")
            rows.append(self.vocabulary.encode([*self._split(mood), *symbols]))
        lengths = np.array([len(row) + 1 for row in rows], np.int32)
        ids = np.full((len(rows), _bucket(int(lengths.max()))), self.vocabulary.end_id, np.int32)
        for number, row in enumerate(rows):
            ids[number, 1 : len(row) + 1] = row
        return ids, lengths


def _best(
    prompts: Sequence[str],
    texts: Sequence[str],
    num: int,
    best_of: int,
    rank: str,
    drawn: Callable[[str, str], np.ndarray],
) -> tuple[list[str], list[str]]:
    """Select the best `num` of `best_of` texts for each prompt, best first.

    The key is the share of rhymes, if asked for, and then the mean ln p of what was drawn.

    Returns:
        The prompts of the texts that were selected, and the texts.
    """

    def merit(index: int) -> tuple[float, float]:
        rhymed = rhyme_share(texts[index]) if rank == "rhyme" else None
        return rhymed or 0.0, float(drawn(texts[index], prompts[index]).mean())

    kept: list[int] = []
    for start in range(0, len(texts), best_of):
        kept += sorted(range(start, start + best_of), key=merit, reverse=True)[:num]
    return [prompts[index] for index in kept], [texts[index] for index in kept]


def load(name_or_folder: str | Path = "tang") -> LanguageModel:
    """Load a released model by its name, or the model in a run's folder.

    Nothing in the files is executed: they are JSON and safetensors, verified by their hash.

    Args:
        name_or_folder: "tang", or a folder with the two files.

    Returns:
        The model with its vocabulary and its card.

    Raises:
        ModelError: if there is no such model, or its files are missing, altered or of another kind.
    """
    return LanguageModel.of(storage.load(name_or_folder, "CharLM"))


def _bucket(length: int) -> int:
    """Round up to a power of two, at least 8, so that few shapes are compiled."""
    return max(8, 1 << (length - 1).bit_length())


@jax.jit(static_argnames="graph")
def _log_probabilities(graph, params, inputs, targets):
    return nnx.merge(graph, params).log_probabilities(inputs, targets)[1]
