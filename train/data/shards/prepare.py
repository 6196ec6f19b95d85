"""Preparation of text files of any size: written once to the cache as blocks of ids."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lstm_jax.train.data.download import DataError, cache
from lstm_jax.train.data.shards import pieces, store
from lstm_jax.train.data.shards.count import Counts, Files, bar, count, splits_of
from lstm_jax.train.data.shards.store import Blocks, BlockWriter, open_blocks
from lstm_jax.train.data.shards.symbols import Encoder

FORMAT = 1  # version of the folder; texts are prepared again when it changes
DAY = 24 * 3600  # seconds after which the remains of an interrupted preparation are deleted
ABOUT, LENGTHS = "about.json", "lengths.npy"


@dataclass(frozen=True)
class Prepared:
    """Store the location and the statistics of prepared texts.

    Attributes:
        folder: folder in the cache.
        sha256: digest of the files.
        counts: statistics of the texts.
        dtype: dtype of the ids.
        lengths: number of symbols in each block of the training texts.
    """

    folder: Path
    sha256: str
    counts: Counts
    dtype: np.dtype
    lengths: np.ndarray

    def blocks(self, known: int) -> Blocks:
        """Open the blocks of the training texts.

        Args:
            known: V, the size of a vocabulary that is the beginning of the table of symbols; all
                other symbols are unknown.
        """
        shards = sorted(self.folder.glob("*.array_record"))
        return open_blocks(shards, self.lengths, self.dtype, known)

    @property
    def held_out(self) -> dict[str, tuple[str, ...]]:
        """Return the texts of each held-out split."""
        paths = {name: self.folder / f"{name}.json" for name in self.counts.texts}
        return {
            name: tuple(json.loads(path.read_text(encoding="utf-8")))
            for name, path in paths.items()
            if name != "train"
        }


def prepare(files: Files, sha256: str) -> Prepared:
    """Prepare texts, or find them in the cache.

    The folder in the cache appears only when it is complete; an interruption leaves none.

    Args:
        files: the files to read.
        sha256: their digest.

    Raises:
        TextFileError: if a file has another encoding or is binary; the message names the byte.
        DataError: if there are too few texts, a package is missing, or the cache is not writable.
    """
    store.packages()
    settings = [FORMAT, sha256, *files[1:], pieces.PIECE, store.BLOCK]
    key = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:32]
    folder = cache() / "prepared" / key
    if not _is_whole(folder):
        try:
            _make(files, folder)
        except (OSError, RuntimeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"the texts cannot be prepared in {folder.parent}: {error}") from None
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    counts, dtype = Counts(**about["counts"]), np.dtype(about["dtype"])
    return Prepared(folder, sha256, counts, dtype, np.load(folder / LENGTHS))


def _is_whole(folder: Path) -> bool:
    """Return whether the folder is complete."""
    try:
        sizes = json.loads((folder / ABOUT).read_text(encoding="utf-8"))["sizes"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError):
        return False


def _make(files: Files, folder: Path) -> None:
    root = folder.parent
    root.mkdir(parents=True, exist_ok=True)
    for old in root.glob("*.partial"):
        if time.time() - old.stat().st_mtime > DAY:
            shutil.rmtree(old, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=root))
    try:
        counts = count(files)
        _write(files, counts, partial)
        shutil.rmtree(folder, ignore_errors=True)  # an incomplete one
        try:
            partial.rename(folder)
        except OSError:
            if not _is_whole(folder):  # otherwise another process was faster
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(files: Files, counts: Counts, folder: Path) -> None:
    encoder = Encoder(files.unit, list(counts.symbols))
    writer = BlockWriter(folder, encoder.dtype)
    held_out: dict[str, list[str]] = {split: [] for split in files.splits if split != "train"}
    with bar("Writing", files.paths) as read:
        for split, pieces in splits_of(files, read):
            if split == "train":
                writer.add(*encoder.encode(pieces.texts, pieces.ends))
            else:
                held_out[split] += pieces.texts
    writer.close()
    np.save(folder / LENGTHS, np.array(writer.lengths, np.int32))
    for split, texts in held_out.items():
        (folder / f"{split}.json").write_text(json.dumps(texts), encoding="utf-8")
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    about = {"counts": asdict(counts), "dtype": encoder.dtype.str, "sizes": sizes}
    (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")
