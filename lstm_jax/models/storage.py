"""Save and load a trained model as two files, without executing anything in them.

    model.safetensors    the weights, float32, float16 or packed into int8
    model.json           format, kind, sha256 of the weights, config, card, fields of the kind, and
                         a digest of all of them

Files that are incomplete or altered are refused. Sizes in the description are compared with the
weights before anything is allocated for them. The folder of a run and a released model both have
this form, and `load` reads every kind.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.typing import DTypeLike
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from lstm_jax.errors import UserError
from lstm_jax.files import encoded, safetensors_bytes, safetensors_names, write_whole
from lstm_jax.models.base import Json, Model
from lstm_jax.models.char_lm import CharLM
from lstm_jax.models.classifier import SequenceClassifier
from lstm_jax.models.forecaster import Forecaster
from lstm_jax.models.quantization import SCALE, packed, unpacked
from lstm_jax.models.sequence_model import SequenceModel
from lstm_jax.spelling import nearest

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"
RUNS = Path("runs")
"""Folder in which `lstm-jax train` puts a run by default."""
FORMAT = 2
BEFORE = 1  # the format without the digest, which is still read


class ModelError(UserError, ValueError):
    """Report in one line that a model cannot be found, read or used."""


@dataclass(frozen=True)
class Stored:
    """Store a model with its description.

    Attributes:
        network: the model, of the class in `KINDS` that the description names.
        description: content of `model.json`.
    """

    network: Any
    description: Json

    @property
    def card(self) -> Json:
        """Return the card, with figures and facts about the model."""
        return self.description["card"]


UNFIT = (
    ArithmeticError, AttributeError, IndexError, KeyError, MemoryError, RecursionError, TypeError,
    ValueError, SafetensorError,
)  # fmt: skip
"""Exceptions that a description may raise if it does not describe a model."""

KINDS: dict[str, type[Model[Any]]] = {
    model.__name__: model for model in (CharLM, SequenceModel, SequenceClassifier, Forecaster)
}
"""Classes of models by name, which is the "kind" of a description."""


def save(
    folder: Path,
    network: Model[Any],
    card: Json,
    own: Mapping[str, object],
    *,
    dtype: DTypeLike = np.float32,
) -> None:
    """Write a model's two files, each whole or not at all.

    Args:
        folder: folder to write to; created if it does not exist.
        network: a model of a class in `KINDS`.
        card: figures and facts, for JSON.
        own: further fields of the description: those that the class's `build` reads, and those
            that users of the model need, such as how its inputs are scaled.
        dtype: dtype of the stored weights: float32, float16 or int8 (see `quantization`). They
            are read back as float32.

    Raises:
        ValueError: if the dtype is another, which `load` could not read.
    """
    if np.dtype(dtype) not in (np.float32, np.float16, np.int8):
        raise ValueError(f"dtype must be float32, float16 or int8, got {np.dtype(dtype)}")
    folder.mkdir(parents=True, exist_ok=True)
    arrays = arrays_of(network)
    small = np.dtype(dtype) == np.int8
    weights = safetensors_bytes(packed(arrays)) if small else safetensors_bytes(arrays, dtype)
    description = {
        "format": FORMAT,
        "kind": type(network).__name__,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "config": asdict(network.config),
        "card": card,
        **own,
    }
    description["digest"] = _digest(description)
    text = json.dumps(description, ensure_ascii=False, indent=1) + "\n"
    write_whole(folder / WEIGHTS, weights)
    write_whole(folder / DESCRIPTION, text)


def arrays_of(network: Model[Any]) -> dict[str, Array]:
    """Return the parameters of a model by their names in its file.

    Args:
        network: a model of any kind.

    Returns:
        Arrays by name, such as "output_bias".
    """
    return _flatten(nnx.state(network, nnx.Param))


def load(name_or_folder: str | Path, kind: str | None = None) -> Stored:
    """Load a released model by its name, or the model in the folder of a run.

    Args:
        name_or_folder: "tang", or a folder with the two files.
        kind: name of the expected class; any class in `KINDS` if None.

    Returns:
        The model, with float32 weights, and its description.

    Raises:
        ModelError: if there is no such model, its files are missing or altered, or it is of
            another kind.
    """
    folder = find(name_or_folder)
    description = describe(folder)
    if kind not in (None, description["kind"]):
        raise ModelError(
            f"the model in {folder} must be a {kind}, got a {description['kind']}; choose another "
            "model (`lstm-jax evaluate` takes every kind)"
        )
    try:
        weights = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise ModelError(f"the model in {folder} cannot be read: {error}") from None
    if hashlib.sha256(weights).hexdigest() != description.get("sha256"):
        raise ModelError(
            f"{folder / WEIGHTS} is not the file that {DESCRIPTION} describes (its sha256 "
            "differs): it is incomplete or was altered; restore both files"
        )
    try:
        if not isinstance(description["card"], dict):
            raise TypeError("the card is not an object")
        return Stored(_network(description, weights, folder), description)
    except ModelError:
        raise
    except UNFIT as error:
        raise ModelError(f"{folder / DESCRIPTION} cannot be used: {error!r:.200}") from None


def describe(name_or_folder: str | Path) -> Json:
    """Read `model.json`, including the "kind" of the model, but not the weights.

    Args:
        name_or_folder: as in `load`.

    Returns:
        The description.

    Raises:
        ModelError: if there is no such model, or this version cannot read its description.
    """
    folder = find(name_or_folder)
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"the model in {folder} cannot be read: {error}") from None
    if not isinstance(description, dict):
        raise ModelError(f"{folder / DESCRIPTION} does not describe a model")
    written, kind = description.get("format"), description.get("kind")
    if written not in (BEFORE, FORMAT) or kind not in list(KINDS):
        raise ModelError(
            f"{folder / DESCRIPTION} describes {kind!r:.60} in format {written!r:.60}; this "
            f"version reads {', '.join(KINDS)} in formats {BEFORE} and {FORMAT}"
        )
    if written == FORMAT and description.get("digest") != _digest(description):
        raise ModelError(
            f"{folder / DESCRIPTION} was altered or damaged (its digest differs); restore it, or "
            "export the model again"
        )
    return description


def released() -> list[str]:
    """Return the names of the models that come with the package.

    Returns:
        Their names, sorted.
    """
    root = resources.files("lstm_jax.pretrained")
    return sorted(item.name for item in root.iterdir() if (item / DESCRIPTION).is_file())


def find(name_or_folder: str | Path) -> Path:
    """Find the folder of a model.

    Args:
        name_or_folder: the name of a released model, a folder, or the name of a folder in `RUNS`.

    Returns:
        The folder, which contains a description.

    Raises:
        ModelError: if there is no such model.
    """
    name = str(name_or_folder)
    if name in released():
        return Path(str(resources.files("lstm_jax.pretrained") / name))
    folder = Path(name)
    names = ", ".join(released()) or "none"
    try:
        described, exists = (folder / DESCRIPTION).is_file(), folder.is_dir()
    except OSError as error:  # a folder without permission, or a name that is too long
        raise ModelError(f"the model {name!r:.80} cannot be read: {error.strerror}") from None
    if described:
        return folder
    if folder.name == name and (RUNS / name / DESCRIPTION).is_file():
        return RUNS / name
    if exists:
        raise ModelError(
            f"{folder} has no {DESCRIPTION}: it is not the folder of a run, or the run has not yet "
            f"reached its first validation (released models: {names})"
        )
    runs = [path.parent.name for path in RUNS.glob(f"*/{DESCRIPTION}")]
    near = nearest(name, [*released(), *runs])
    raise ModelError(
        f"there is no model {name!r}: it is neither a folder nor a released model ({names})"
        + (near and f"; {near}")
    )


def _digest(description: Json) -> str:
    """Return the sha256 of a description without its digest, as JSON with sorted keys."""
    content = {name: value for name, value in description.items() if name != "digest"}
    return hashlib.sha256(encoded(json.dumps(content, sort_keys=True))).hexdigest()


def _network(description: Json, weights: bytes, folder: Path) -> Model[Any]:
    kind, config = KINDS[description["kind"]], description["config"]
    unknown = set(config) - {f.name for f in fields(kind.config_type)}
    if unknown:
        listed = ", ".join(sorted(unknown))
        raise ModelError(f"{folder / DESCRIPTION} has unknown configuration fields: {listed}")
    try:
        names = safetensors_names(io.BytesIO(weights))
    except ValueError as error:
        raise ModelError(f"{folder / WEIGHTS} cannot be used: {error}") from None
    if config.get("num_layers", 1) > len(names):
        raise ModelError(
            f"{folder / DESCRIPTION} describes {config['num_layers']:,} layers, but {WEIGHTS} "
            f"has only {len(names):,} arrays"
        )
    abstract = nnx.eval_shape(lambda: kind.build(kind.config_type(**config), description))
    graph, state = nnx.split(abstract)
    expected = _flatten(state)
    unexpected = sorted(names - set(expected) - {name + SCALE for name in expected})
    if unexpected:
        raise ModelError(
            f"{folder / WEIGHTS} has an array {unexpected[0]!r:.80}, which is not in the model"
        )
    try:
        tensors = unpacked(load_tensors(weights))
    except ValueError as error:
        raise ModelError(f"{folder / WEIGHTS}: {error}") from None
    for name, leaf in expected.items():
        actual = tensors[name].shape if name in tensors else "nothing"
        if actual != leaf.shape:
            raise ModelError(f"{folder / WEIGHTS}: {name} must be {leaf.shape}, got {actual}")
        if tensors[name].dtype not in (np.float32, np.float16):
            raise ModelError(
                f"{folder / WEIGHTS}: {name} must be float32 or float16, or int8 with scales, "
                f"got {tensors[name].dtype}"
            )
        if not np.isfinite(tensors[name]).all():
            raise ModelError(f"{folder / WEIGHTS}: {name} must be finite, but has NaN or infinity")
    values = [jnp.asarray(tensors[name], jnp.float32) for name in expected]
    return nnx.merge(graph, jax.tree.unflatten(jax.tree.structure(state), values))


def _flatten(state: nnx.State) -> dict[str, Array]:
    leaves = jax.tree_util.tree_leaves_with_path(nnx.to_pure_dict(state))
    return {".".join(str(key.key) for key in path): leaf for path, leaf in leaves}
