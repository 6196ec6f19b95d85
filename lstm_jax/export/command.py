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
    """Report, in one line, that a model cannot be exported as requested."""


@dataclass(frozen=True)
class ExportOptions:
    """Configure the export of a model."""

    model: tyro.conf.Positional[str]
    """Name of a released model, or folder of a run."""
    to: Path
    """File to write: .onnx for the whole model, to be run by onnxruntime and others, or
    .safetensors for its parameters."""
    layout: Layout | None = None
    """Layout of the recurrent layers in a .safetensors file; that of torch if left out."""
    overwrite: bool = False
    """Replace the file if it exists."""


def run(options: ExportOptions) -> str:
    """Export a model.

    Args:
        options: as on the command line.

    Returns:
        One line about the file that was written.

    Raises:
        ModelError: if there is no such model.
        ExportError: if the ending is unknown, the file exists, the format cannot represent the
            model, or a package is missing.
    """
    path = options.to
    make = FORMATS.get(path.suffix.lower())
    if make is None:
        known = " or ".join(FORMATS)
        raise ExportError(f"--to must end in {known}, got {path}")
    if options.layout is not None and make is not _safetensors:
        raise ExportError(f"--layout is only for .safetensors, but --to is {path}")
    folder = storage.find(options.model)
    if path.resolve() == (folder / storage.WEIGHTS).resolve():
        raise ExportError(f"{path} is the model itself; choose another file with --to")
    if path.is_dir():
        raise ExportError(f"{path} is a folder; choose a file with --to")
    if path.exists() and not options.overwrite:
        raise ExportError(f"{path} already exists; add --overwrite to replace it")
    stored = storage.load(options.model)
    try:
        content, summary = make(stored, options)
    except (ImportError, ValueError) as error:
        raise ExportError(f"{options.model} cannot be exported to {path.name}: {error}") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror}") from None
    return f"wrote {path}, {len(content) / 1e6:,.2f} MB: {summary}"


def _onnx(stored: Stored, options: ExportOptions) -> tuple[bytes, str]:
    graph = graph_of(stored)
    return graph.SerializeToString(), f"{say(graph)}; its metadata explains them"


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
"""File ending -> function that returns the content of the file and a summary of it."""
