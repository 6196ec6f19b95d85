"""`lstm-jax export`: write a trained model to one file for other programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tyro

from lstm_jax.errors import UserError
from lstm_jax.export.about import about
from lstm_jax.export.arrays import Layout, arrays_in
from lstm_jax.export.graph import graph_of, say
from lstm_jax.files import safetensors_bytes, write_whole
from lstm_jax.models import storage
from lstm_jax.models.storage import Stored


class ExportError(UserError, ValueError):
    """A model that cannot be exported as asked; one line."""


@dataclass(frozen=True)
class ExportOptions:
    """What to export, and where to."""

    model: tyro.conf.Positional[str]
    """A released model's name or a run's folder."""
    to: Path
    """The file. Its ending says what it holds: .onnx is the whole model, for onnxruntime and
    others; .safetensors are its parameters."""
    layout: Layout | None = None
    """For .safetensors: the framework that the recurrent layers are laid out for. (torch)"""
    overwrite: bool = False
    """Replace the file if it is there."""


def run(options: ExportOptions) -> str:
    """Export a model.

    Args:
        options: as on the command line.

    Returns:
        What was written, in one line.

    Raises:
        ModelError: no such model.
        ExportError: an ending that is not known, a file that is there, a model that the format has
            no place for, or a package that is missing.
    """
    path = options.to
    make = FORMATS.get(path.suffix.lower())
    if make is None:
        known = " or ".join(FORMATS)
        raise ExportError(f"--to must end in {known}, got {path}")
    if options.layout is not None and make is not _safetensors:
        raise ExportError(f"--layout is for .safetensors, and --to is {path}")
    folder = storage.find(options.model)
    if path.resolve() == (folder / storage.WEIGHTS).resolve():
        raise ExportError(f"{path} is the model itself: give another file with --to")
    if path.is_dir():
        raise ExportError(f"{path} is a folder: give a file with --to")
    if path.exists() and not options.overwrite:
        raise ExportError(f"{path} is there already: --overwrite replaces it")
    stored = storage.load(options.model)
    try:
        content, said = make(stored, options)
    except (ImportError, ValueError) as error:
        raise ExportError(f"{options.model} cannot be exported to {path.name}: {error}") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror}") from None
    return f"wrote {path}, {len(content) / 1e6:,.2f} MB: {said}"


def _onnx(stored: Stored, options: ExportOptions) -> tuple[bytes, str]:
    graph = graph_of(stored)
    return graph.SerializeToString(), f"{say(graph)}; what they mean is in its metadata"


def _safetensors(stored: Stored, options: ExportOptions) -> tuple[bytes, str]:
    layout = options.layout or "torch"
    arrays = arrays_in(stored.network, layout)
    content = safetensors_bytes(arrays, metadata=about(stored, graph=False))
    names = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    return content, f"{layout} layout, {len(arrays)} arrays: {names}"


FORMATS: dict[str, Callable[[Stored, ExportOptions], tuple[bytes, str]]] = {
    ".onnx": _onnx,
    ".safetensors": _safetensors,
}
"""A file's ending -> what makes its content, and what is said of it."""
