"""A trained character model with its vocabulary: load, save, generate, score."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from lstm_jax import sampling
from lstm_jax.models import CharLM, CharLMConfig
from lstm_jax.vocabulary import Vocabulary

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"
FORMAT = 1
MAX_PROMPT = 1000  # characters; a longer one is a mistake, such as a file given as a prompt
CHUNK = 16  # characters decoded between looks at whether every text has ended


class ModelError(ValueError):
    """A model that cannot be found, read or used as asked; one line."""


@dataclass(frozen=True)
class LanguageModel:
    """A `CharLM`, its `Vocabulary`, and the `card`: figures and facts, a dictionary for JSON."""

    network: CharLM
    vocabulary: Vocabulary
    card: dict[str, Any]

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
            seed: the same seed gives the same texts.
            temperature: 0 is greedy.
            top_k: draw from the k most probable characters.
            top_p: draw from the smallest set that holds this probability.
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

        Arguments as in `generate`, which joins what this yields; the chunk does not change it.
        """
        prompts = [prompts] if isinstance(prompts, str) else list(prompts)
        if not prompts:
            raise ModelError('there is no prompt; "" begins a new text')
        if not (isinstance(seed, int) and 0 <= seed < 2**32):
            raise ModelError(f"seed must be an integer in [0, 2**32), got {seed!r}")
        ids, lengths = _prompt_ids(self.vocabulary, prompts)
        try:
            sampling.validate(
                temperature=temperature, top_k=top_k, top_p=top_p, max_length=max_length
            )
        except ValueError as error:
            raise ModelError(str(error)) from None
        top_k = top_k and min(top_k, len(self.vocabulary))  # int32 holds it
        graph, params = nnx.split(self.network)
        step = _stepper(graph, self.vocabulary.unknown_id)
        decoding = sampling.prefill(
            step, params, self.network.initial_state(len(prompts)), ids, lengths
        )
        for start in range(0, max_length, chunk):
            decoding, new = sampling.decode(
                step,
                params,
                decoding,
                key=jax.random.key(seed),
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
        """ln p of each character given those before it, and of the end: float32 (len(text) + 1,).

        Characters that the model does not know count as UNKNOWN, as in its perplexity.
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
        """The distribution of what follows `text`: character -> probability, most probable first.

        The end of the text is the key "".

        Raises:
            ModelError: characters the model does not know, or a temperature that is not positive.
        """
        if not 0 < temperature < float("inf"):
            raise ModelError(f"temperature must be positive and finite, got {temperature}")
        ids, lengths = _prompt_ids(self.vocabulary, [text])
        graph, params = nnx.split(self.network)
        step = _stepper(graph, self.vocabulary.unknown_id)
        decoding = sampling.prefill(step, params, self.network.initial_state(1), ids, lengths)
        weights = sampling.filter_logits(decoding.logits[0], temperature=temperature)
        probabilities = np.asarray(jax.nn.softmax(weights))
        names = ["", "\ufffd", *self.vocabulary.characters]
        order = np.argsort(-probabilities, kind="stable")
        return {names[i]: float(probabilities[i]) for i in order if probabilities[i] > 0}

    def save(self, folder: Path, *, dtype: Any = np.float32) -> None:
        """Write `model.safetensors` and `model.json`, each whole or not at all.

        Args:
            folder: made if it does not exist.
            dtype: of the stored weights, float32 or float16; they are read back as float32.

        Raises:
            ValueError: for another dtype, which `load` could not read.
        """
        if np.dtype(dtype) not in (np.float32, np.float16):
            raise ValueError(f"dtype must be float32 or float16, got {np.dtype(dtype)}")
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {
            name: np.asarray(value).astype(dtype)
            for name, value in _flatten(nnx.state(self.network, nnx.Param)).items()
        }
        weights = save_tensors(tensors)
        description = {
            "format": FORMAT,
            "kind": "CharLM",
            "sha256": hashlib.sha256(weights).hexdigest(),
            "config": asdict(self.network.config),
            "card": self.card,
            "vocabulary": "".join(self.vocabulary.characters),
        }
        text = json.dumps(description, ensure_ascii=False, indent=1) + "\n"
        for name, content in ((WEIGHTS, weights), (DESCRIPTION, text.encode())):
            partial = folder / f"{name}.partial"
            partial.write_bytes(content)
            partial.replace(folder / name)


def load(name_or_folder: str | Path = "tang") -> LanguageModel:
    """Load a released model by its name, or the model in a run's folder.

    Nothing in the files is executed: they are JSON and safetensors, verified by their hash.

    Raises:
        ModelError: no such model, or files that are missing, altered, or of another kind.
    """
    folder = _find(str(name_or_folder))
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        weights = (folder / WEIGHTS).read_bytes()
    except (OSError, ValueError) as error:
        raise ModelError(f"the model in {folder} cannot be read: {error}") from None
    if not isinstance(description, dict):
        raise ModelError(f"{folder / DESCRIPTION} is not the description of a model")
    if description.get("format") != FORMAT or description.get("kind") != "CharLM":
        raise ModelError(
            f"{folder / DESCRIPTION} describes {description.get('kind')!r} in format "
            f"{description.get('format')!r}; this version reads 'CharLM' in format {FORMAT}"
        )
    if hashlib.sha256(weights).hexdigest() != description.get("sha256"):
        raise ModelError(
            f"{folder / WEIGHTS} is not the file that {DESCRIPTION} describes (its sha256 "
            "differs): it is half-written or altered; restore both files"
        )
    try:
        vocabulary = Vocabulary(tuple(description["vocabulary"]))
        network = _network(len(vocabulary), description["config"], load_tensors(weights), folder)
        return LanguageModel(network, vocabulary, description["card"])
    except ModelError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{folder / DESCRIPTION} cannot be used: {error!r}") from None


def released() -> list[str]:
    """Names of the models that come with the package."""
    root = resources.files("lstm_jax.pretrained")
    return sorted(item.name for item in root.iterdir() if (item / DESCRIPTION).is_file())


def _find(name: str) -> Path:
    if name in released():
        return Path(str(resources.files("lstm_jax.pretrained") / name))
    folder = Path(name)
    names = ", ".join(released()) or "none"
    try:
        held, exists = (folder / DESCRIPTION).is_file(), folder.is_dir()
    except OSError as error:  # a name too long to be one
        raise ModelError(f"there is no such model: {error.strerror}") from None
    if held:
        return folder
    if exists:
        raise ModelError(
            f"{folder} holds no {DESCRIPTION}: it is not a run's folder, or the run has not yet "
            f"come to its first validation (released models: {names})"
        )
    raise ModelError(f"there is no model {name!r}: neither a folder nor a released one ({names})")


def _network(size: int, config: dict[str, Any], tensors: dict[str, np.ndarray], folder: Path):
    known = {f.name for f in fields(CharLMConfig)}
    if set(config) - known:
        names = ", ".join(sorted(set(config) - known))
        raise ModelError(f"{folder / DESCRIPTION} has configuration fields unknown here: {names}")
    abstract = nnx.eval_shape(lambda: CharLM(size, CharLMConfig(**config), rngs=nnx.Rngs(0)))
    graph, state = nnx.split(abstract)
    wanted = _flatten(state)
    for name, leaf in wanted.items():
        found = tensors[name].shape if name in tensors else "nothing"
        if found != leaf.shape:
            raise ModelError(f"{folder / WEIGHTS}: {name} should be {leaf.shape}, found {found}")
    values = [jnp.asarray(tensors[name], jnp.float32) for name in wanted]
    return nnx.merge(graph, jax.tree.unflatten(jax.tree.structure(state), values))


def _flatten(state: nnx.State) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(nnx.to_pure_dict(state))
    return {".".join(str(key.key) for key in path): leaf for path, leaf in leaves}


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
def _stepper(graph: Any, unknown_id: int) -> sampling.Step:
    """The network as the sampler's step. Cached: the sampler compiles once per function."""

    def step(params, state, ids):
        state, logits = nnx.merge(graph, params).step(state, ids)
        return state, logits.at[..., unknown_id].set(-jnp.inf)  # never written, only read

    return step


@jax.jit(static_argnames="graph")
def _log_probabilities(graph, params, inputs, targets):
    return nnx.merge(graph, params).log_probabilities(inputs, targets)[1]
