"""A trained model as two files, whole or refused, and nothing in them executed.

    model.safetensors    the weights, float32, float16 or packed into int8
    model.json           format, kind, sha256 of the weights, config, card, the kind's own, and a
                         digest of all that

Sizes are compared before they are believed: nothing is allocated for what a description says and
the weights do not hold. A run's folder and a released model are both such a folder, and `load`
reads every kind.
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
"""Where `lstm-jax train` puts a run that is given no other place."""
FORMAT = 2
BEFORE = 1  # without the digest; what was written so is still read


class ModelError(UserError, ValueError):
    """A model that cannot be found, read or used as asked; one line."""


@dataclass(frozen=True)
class Stored:
    """Hold a model as it was read.

    Attributes:
        network: of a class in `KINDS`, which the description names.
        description: what `model.json` holds.
    """

    network: Any
    description: Json

    @property
    def card(self) -> Json:
        """Give figures and facts."""
        return self.description["card"]


UNFIT = (
    ArithmeticError, AttributeError, IndexError, KeyError, MemoryError, RecursionError, TypeError,
    ValueError, SafetensorError,
)  # fmt: skip
"""What a description that does not fit may raise on its way to a model."""

KINDS: dict[str, type[Model[Any]]] = {
    model.__name__: model for model in (CharLM, SequenceModel, SequenceClassifier, Forecaster)
}
"""Class name, the "kind" of a description, -> the class."""


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
        folder: made if it does not exist.
        network: of a class in `KINDS`.
        card: figures and facts, for JSON.
        own: what else is to stand in the description: what the class's `build` reads of it, and
            what the model's users must know, such as how its inputs are scaled.
        dtype: of the stored weights, float32, float16 or int8, for which see `quantization`; they
            are read back as float32.

    Raises:
        ValueError: for another dtype, which `load` could not read.
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
    """Give a model's parameters by the names that they have in its file.

    Args:
        network: of any kind.

    Returns:
        Name, such as "output_bias", -> array.
    """
    return _flatten(nnx.state(network, nnx.Param))


def load(name_or_folder: str | Path, kind: str | None = None) -> Stored:
    """Load a released model by its name, or the model in a run's folder, of any kind in `KINDS`.

    Args:
        name_or_folder: "tang", or a folder with the two files.
        kind: refuse every other, by the name of its class.

    Returns:
        The model, its weights float32, and its description.

    Raises:
        ModelError: no such model, files that are missing or altered, or another kind.
    """
    folder = find(name_or_folder)
    description = describe(folder)
    if kind not in (None, description["kind"]):
        raise ModelError(
            f"{folder} holds a {description['kind']} and this takes a {kind}: give another model "
            "(`lstm-jax evaluate` takes every kind)"
        )
    try:
        weights = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise ModelError(f"the model in {folder} cannot be read: {error}") from None
    if hashlib.sha256(weights).hexdigest() != description.get("sha256"):
        raise ModelError(
            f"{folder / WEIGHTS} is not the file that {DESCRIPTION} describes (its sha256 "
            "differs): it is half-written or altered; restore both files"
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
    """Read what `model.json` holds, its "kind" among it, without reading the weights.

    Args:
        name_or_folder: as in `load`.

    Returns:
        The description.

    Raises:
        ModelError: no such model, or a description that this version does not read.
    """
    folder = find(name_or_folder)
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"the model in {folder} cannot be read: {error}") from None
    if not isinstance(description, dict):
        raise ModelError(f"{folder / DESCRIPTION} is not the description of a model")
    written, kind = description.get("format"), description.get("kind")
    if written not in (BEFORE, FORMAT) or kind not in list(KINDS):
        raise ModelError(
            f"{folder / DESCRIPTION} describes {kind!r:.60} in format {written!r:.60}; this "
            f"version reads {', '.join(KINDS)} in formats {BEFORE} and {FORMAT}"
        )
    if written == FORMAT and description.get("digest") != _digest(description):
        raise ModelError(
            f"{folder / DESCRIPTION} is not as it was written (its digest differs): it was altered "
            "or damaged; restore it, or export the model again"
        )
    return description


def released() -> list[str]:
    """List the models that come with the package.

    Returns:
        Their names, sorted.
    """
    root = resources.files("lstm_jax.pretrained")
    return sorted(item.name for item in root.iterdir() if (item / DESCRIPTION).is_file())


def find(name_or_folder: str | Path) -> Path:
    """Find the folder of a model.

    Args:
        name_or_folder: a released model's name, the folder itself, or the name of one in `RUNS`.

    Returns:
        The folder; it holds a description.

    Raises:
        ModelError: there is none.
    """
    name = str(name_or_folder)
    if name in released():
        return Path(str(resources.files("lstm_jax.pretrained") / name))
    folder = Path(name)
    names = ", ".join(released()) or "none"
    try:
        held, exists = (folder / DESCRIPTION).is_file(), folder.is_dir()
    except OSError as error:  # a folder that is closed to us, or a name too long to be one
        raise ModelError(f"the model {name!r:.80} cannot be read: {error.strerror}") from None
    if held:
        return folder
    if folder.name == name and (RUNS / name / DESCRIPTION).is_file():
        return RUNS / name
    if exists:
        raise ModelError(
            f"{folder} holds no {DESCRIPTION}: it is not a run's folder, or the run has not yet "
            f"come to its first validation (released models: {names})"
        )
    runs = [path.parent.name for path in RUNS.glob(f"*/{DESCRIPTION}")]
    near = nearest(name, [*released(), *runs])
    raise ModelError(
        f"there is no model {name!r}: neither a folder nor a released one ({names})"
        + (near and f"; {near}")
    )


def _digest(description: Json) -> str:
    """The sha256 of all that a description says, in one spelling; its own field apart."""
    said = {name: value for name, value in description.items() if name != "digest"}
    return hashlib.sha256(encoded(json.dumps(said, sort_keys=True))).hexdigest()


def _network(description: Json, weights: bytes, folder: Path) -> Model[Any]:
    kind, config = KINDS[description["kind"]], description["config"]
    unknown = set(config) - {f.name for f in fields(kind.config_type)}
    if unknown:
        names = ", ".join(sorted(unknown))
        raise ModelError(f"{folder / DESCRIPTION} has configuration fields unknown here: {names}")
    try:
        held = safetensors_names(io.BytesIO(weights))
    except ValueError as error:
        raise ModelError(f"{folder / WEIGHTS} cannot be used: {error}") from None
    if config.get("num_layers", 1) > len(held):
        raise ModelError(
            f"{folder / DESCRIPTION} describes {config['num_layers']:,} layers, and {WEIGHTS} "
            f"holds {len(held):,} arrays"
        )
    abstract = nnx.eval_shape(lambda: kind.build(kind.config_type(**config), description))
    graph, state = nnx.split(abstract)
    wanted = _flatten(state)
    strange = sorted(held - set(wanted) - {name + SCALE for name in wanted})
    if strange:
        raise ModelError(f"{folder / WEIGHTS} holds {strange[0]!r:.80}, which the model has not")
    try:
        tensors = unpacked(load_tensors(weights))
    except ValueError as error:
        raise ModelError(f"{folder / WEIGHTS}: {error}") from None
    for name, leaf in wanted.items():
        found = tensors[name].shape if name in tensors else "nothing"
        if found != leaf.shape:
            raise ModelError(f"{folder / WEIGHTS}: {name} should be {leaf.shape}, found {found}")
        if tensors[name].dtype not in (np.float32, np.float16):
            raise ModelError(
                f"{folder / WEIGHTS}: {name} should be float32 or float16, or int8 with "
                f"scales, found {tensors[name].dtype}"
            )
        if not np.isfinite(tensors[name]).all():
            raise ModelError(f"{folder / WEIGHTS}: {name} has values that are no finite numbers")
    values = [jnp.asarray(tensors[name], jnp.float32) for name in wanted]
    return nnx.merge(graph, jax.tree.unflatten(jax.tree.structure(state), values))


def _flatten(state: nnx.State) -> dict[str, Array]:
    leaves = jax.tree_util.tree_leaves_with_path(nnx.to_pure_dict(state))
    return {".".join(str(key.key) for key in path): leaf for path, leaf in leaves}
