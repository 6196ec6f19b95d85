"""Checkpoints that are verified before use: Orbax stores the arrays, a manifest covers every byte.

    latest/
        arrays/          the leaves, written by Orbax
        metadata.json    facts that the caller needs before it builds a model
        manifest.json    the path, shape and dtype of every leaf; the size and SHA-256 of every file
        manifest.sha256  the digest of the manifest, in the format of `sha256sum -c`

`latest` is replaced by two renames (latest -> latest.old, latest.new -> latest), so a process that
is killed at any moment leaves a complete checkpoint under one of the three names. `load` finds it,
and the next `save` restores its name. Only one process at a time may save to a folder.
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import jax
import jax.numpy as jnp

from lstm_jax.errors import UserError
from lstm_jax.files import encoded, sync
from lstm_jax.train.run.orbax import orbax
from lstm_jax.trees import Tree

FORMAT = 1
ARRAYS, METADATA = "arrays", "metadata.json"
MANIFEST, DIGEST = "manifest.json", "manifest.sha256"


T = TypeVar("T")


class CheckpointError(UserError, RuntimeError):
    """Report in one line that a checkpoint cannot be written, or cannot be trusted."""


class DamagedError(CheckpointError):
    """Report that a checkpoint has changed since it was written."""


def save(
    folder: Path, tree: Tree, *, metadata: Mapping[str, object], keep_old: bool = False
) -> None:
    """Save a pytree of arrays and JSON metadata as one checkpoint.

    A checkpoint that exists at `folder` is replaced, including any other files in it, and stays
    complete until the new one is on disk. If several processes train together, all of them must
    call this with the arrays that they share and the same folder.

    Args:
        folder: the checkpoint's folder.
        tree: a pytree whose leaves are non-empty jax arrays.
        metadata: a dictionary of JSON values.
        keep_old: whether to keep the previous checkpoint, under the name `latest.old`.

    Raises:
        CheckpointError: if a leaf is not a non-empty jax array, the metadata are not JSON, the
            folder holds something other than a checkpoint, or writing fails. The previous
            checkpoint then still exists.
    """
    folder = Path(folder).resolve()
    leaves = jax.tree.leaves(tree)
    described = _describe(tree)
    if not leaves:
        raise CheckpointError(f"nothing to save at {folder}: the tree has no leaves")
    for leaf, (path, shape, dtype) in zip(leaves, described, strict=True):
        is_key = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        if not isinstance(leaf, jax.Array) or is_key or leaf.size == 0:
            raise CheckpointError(
                f"cannot save leaf {path}, a {type(leaf).__name__} of {_show(shape, dtype)}: every "
                "leaf must be a non-empty jax array; convert PRNG keys with jax.random.key_data"
            )
    try:
        metadata_text = encoded(json.dumps(metadata, ensure_ascii=False, indent=1))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the metadata for {folder} is not JSON: {error}") from error
    if _filled(folder) and not (folder / MANIFEST).is_file():
        raise CheckpointError(
            f"{folder} is not a checkpoint (it has no {MANIFEST}); move it away, or save elsewhere"
        )

    new, old = _beside(folder, "new"), _beside(folder, "old")
    if jax.process_index() > 0:
        _orbax_save(new / ARRAYS, leaves)  # only its part of the arrays; process 0 does the rest
        return
    existing = _find(folder)
    try:
        if existing not in (None, folder):
            os.rename(existing, folder)
            sync(folder.parent)
    except OSError as error:
        raise CheckpointError(f"could not rename {existing} to {folder}: {error}") from error
    try:
        _remove(new)
        _remove(old)
        new.mkdir(parents=True)
        _reserve(new / ARRAYS, sum(leaf.nbytes for leaf in leaves))
        _orbax_save(new / ARRAYS, leaves)
        _write(new / METADATA, metadata_text)
        _write_manifest(new, described)
    except Exception as error:  # Orbax raises exceptions of many kinds
        shutil.rmtree(new, ignore_errors=True)
        raise CheckpointError(
            f"could not write a checkpoint at {folder}: {type(error).__name__}: {error}; "
            "an earlier checkpoint is untouched"
        ) from error
    _put_in_place(folder, keep_old=keep_old)


def copy(source: Path, folder: Path) -> None:
    """Replace one checkpoint by a copy of another; it stays complete until the copy is on disk.

    Args:
        source: the folder of the checkpoint to copy.
        folder: the folder of the checkpoint to replace.

    Raises:
        CheckpointError: if there is no checkpoint at `source`, it is damaged, or the copy cannot be
            written.
    """
    place, folder = _find_or_raise(source), Path(folder).resolve()
    _check_files(place)  # before anything is replaced
    new = _beside(folder, "new")
    try:
        _remove(new)
        shutil.copytree(place, new)
        for path in [*new.rglob("*"), new]:
            sync(path)
        _remove(_beside(folder, "old"))
    except OSError as error:
        raise CheckpointError(f"could not copy {place} to {folder}: {error}") from error
    _put_in_place(folder, keep_old=False)


def load(folder: Path, like: T) -> tuple[T, dict]:
    """Verify and load a checkpoint.

    Args:
        folder: the checkpoint's folder.
        like: a pytree of arrays or `jax.ShapeDtypeStruct`s with the structure, shapes and dtypes of
            the saved tree. Leaves that have a sharding are loaded with it, the others onto the
            default device.

    Returns:
        `(tree, metadata)`; every leaf is a jax array with exactly the saved bits.

    Raises:
        CheckpointError: if there is no checkpoint, a file of it is missing or changed, or the saved
            tree had other leaves than `like`.
    """
    place, manifest = _verified(folder, like)
    default = jnp.zeros(()).sharding
    abstract = [
        jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=getattr(x, "sharding", None) or default)
        for x in jax.tree.leaves(like)
    ]
    try:
        leaves = _orbax_load(place / ARRAYS, abstract)
    except Exception as error:
        raise CheckpointError(
            f"Orbax could not read {place / ARRAYS}, although its files are unchanged: "
            f"{type(error).__name__}: {error}; check the installed orbax-checkpoint"
        ) from error
    return jax.tree.unflatten(jax.tree.structure(like), leaves), _read_metadata(place, manifest)


def verify(folder: Path, like: Tree) -> dict:
    """Verify a checkpoint as `load` does, without loading its arrays.

    Args:
        folder: the checkpoint's folder.
        like: as for `load`.

    Returns:
        The metadata.

    Raises:
        CheckpointError: as for `load`.
    """
    return _read_metadata(*_verified(folder, like))


def has_older(folder: Path) -> bool:
    """Return whether there is another checkpoint besides the one that `load` would read.

    Args:
        folder: the checkpoint's folder.
    """
    folder = Path(folder).resolve()
    places = [folder, _beside(folder, "new"), _beside(folder, "old")]
    return sum(_filled(place) for place in places) > 1


def set_aside(folder: Path) -> Path:
    """Move a damaged checkpoint aside, so that `load` finds an older one.

    Args:
        folder: the checkpoint's folder.

    Returns:
        The folder to which the damaged checkpoint was moved.

    Raises:
        CheckpointError: if it cannot be moved.
    """
    damaged, number = _find_or_raise(folder), 1
    while (aside := _beside(Path(folder).resolve(), f"damaged-{number}")).exists():
        number += 1
    try:
        os.rename(damaged, aside)
    except OSError as error:
        raise CheckpointError(f"could not move {damaged} to {aside}: {error}") from error
    return aside


def read_metadata(folder: Path) -> dict:
    """Return the metadata of a checkpoint without reading its arrays.

    Args:
        folder: the checkpoint's folder.

    Raises:
        CheckpointError: if there is no checkpoint, or its manifest or metadata are damaged.
    """
    place = _find_or_raise(folder)
    return _read_metadata(place, _read_manifest(place))


def exists(folder: Path) -> bool:
    """Return whether there is a checkpoint at `folder`, or one that a killed `save` left beside it.

    A damaged checkpoint counts too: `load` then reports what is wrong with it, and the run does not
    silently start again from the beginning.

    Args:
        folder: the checkpoint's folder.
    """
    return _find(Path(folder).resolve()) is not None


# Finding a checkpoint, and putting a new one in place


def _put_in_place(folder: Path, *, keep_old: bool) -> None:
    """Rename `latest.new` to `latest`, such that a complete checkpoint exists at every moment."""
    new, old = _beside(folder, "new"), _beside(folder, "old")
    try:
        if _filled(folder):
            os.rename(folder, old)
        os.rename(new, folder)
        sync(folder.parent)
        if not keep_old:
            _remove(old)
    except OSError as error:
        raise CheckpointError(
            f"could not put the checkpoint at {folder} in place: {error}; do not delete "
            f"{new.name} or {old.name}, from which a complete checkpoint can still be loaded"
        ) from error


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(f"{folder.name}.{suffix}")


def _filled(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def _check_files(folder: Path) -> None:
    manifest = _read_manifest(folder)
    for name in manifest["files"]:
        _read_file(folder, manifest, name)


def _is_intact(folder: Path) -> bool:
    try:
        _check_files(folder)
    except CheckpointError:
        return False
    return True


def _find(folder: Path) -> Path | None:
    """Find the checkpoint of this name, without changing anything: a writer may be at work."""
    new, old = _beside(folder, "new"), _beside(folder, "old")
    if _filled(folder):
        return folder
    if _filled(new) and _is_intact(new):
        return new
    return old if _filled(old) else None


def _find_or_raise(folder: Path) -> Path:
    folder = Path(folder).resolve()
    place = _find(folder)
    if place is None:
        raise CheckpointError(
            f"there is no checkpoint at {folder} (nor at {folder.name}.new or {folder.name}.old "
            "beside it); check the path, or train first"
        )
    return place


# The structure of a tree


def _verified(folder: Path, like: Tree) -> tuple[Path, dict]:
    place = _find_or_raise(folder)
    manifest = _read_manifest(place)
    for name in manifest["files"]:
        _read_file(place, manifest, name)
    _compare(place, [(p, tuple(s), d) for p, s, d in manifest["leaves"]], _describe(like))
    return place, manifest


def _describe(tree: Tree) -> list[tuple[str, tuple[int, ...], str]]:
    described = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        name = jax.tree_util.keystr(path, simple=True, separator="/") or "."
        if not hasattr(leaf, "shape") or not hasattr(leaf, "dtype"):
            raise CheckpointError(f"leaf {name} is a {type(leaf).__name__}, not a jax array")
        described.append((name, tuple(leaf.shape), str(leaf.dtype)))
    return described


def _show(shape: tuple[int, ...], dtype: str) -> str:
    return f"{dtype}[{', '.join(map(str, shape))}]"


def _compare(folder: Path, saved: list, expected: list) -> None:
    if saved == expected:
        return
    in_saved, in_expected = ({path: _show(*rest) for path, *rest in x} for x in (saved, expected))
    # dict.fromkeys keeps the order of the tree, so the first difference is the first in the model.
    for path in dict.fromkeys([*in_expected, *in_saved]):
        there, here = in_saved.get(path, "absent"), in_expected.get(path, "absent")
        if there != here:
            raise CheckpointError(
                f"{folder} was saved from another model: leaf {path} is {there} in the checkpoint "
                f"and {here} in the model; build the model that its {METADATA} describes"
            )
    raise CheckpointError(
        f"{folder} was saved from another model, with the same leaves in a different order"
    )


# Files


def _write_manifest(folder: Path, leaves: list) -> None:
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    files = {}
    for path in paths:
        name = path.relative_to(folder).as_posix()
        files[name] = {"size": path.stat().st_size, "sha256": _sha256(path)}
    manifest = {"format": FORMAT, "leaves": leaves, "files": files}
    text = encoded(json.dumps(manifest, ensure_ascii=False, indent=1))
    _write(folder / MANIFEST, text)
    _write(folder / DIGEST, _digest_line(text))
    for path in [*folder.rglob("*"), folder, folder.parent]:
        sync(path)


def _read_manifest(folder: Path) -> dict:
    for name in (MANIFEST, DIGEST):
        if not (folder / name).is_file():
            raise DamagedError(
                f"{folder} is incomplete or not a checkpoint: it has no {name}; "
                "load another checkpoint, or move this one away and train again"
            )
    try:
        text, digest = (folder / MANIFEST).read_bytes(), (folder / DIGEST).read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read the manifest of {folder}: {error}") from error
    if digest != _digest_line(text):
        raise _damaged(folder / MANIFEST, f"it does not match {DIGEST}")
    try:
        manifest = json.loads(text)
        written = manifest["format"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(folder / MANIFEST, f"it is not a manifest ({error!r:.80})") from None
    if written != FORMAT:
        raise CheckpointError(
            f"{folder / MANIFEST} has format {written!r:.40}, but this version reads {FORMAT}; "
            "load it with the version of lstm_jax that wrote it"
        )
    return manifest


def _read_file(folder: Path, manifest: dict, name: str) -> Path:
    """Return the path of a file in the checkpoint after checking its size and digest."""
    path, entry = folder / name, manifest["files"][name]
    if not path.is_file():
        raise _damaged(path, "the file is missing")
    try:
        size = path.stat().st_size
        if size != entry["size"]:
            raise _damaged(path, f"it has {size} bytes, but {entry['size']} were written")
        digest = _sha256(path)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    if digest != entry["sha256"]:
        raise _damaged(
            path, f"its SHA-256 is {digest[:12]}…, but {entry['sha256'][:12]}… was written"
        )
    return path


def _read_metadata(folder: Path, manifest: dict) -> dict:
    return json.loads(_read_file(folder, manifest, METADATA).read_bytes())


def _damaged(path: Path, reason: str) -> DamagedError:
    return DamagedError(
        f"{path} is damaged: {reason}; restore it from a copy, or load another checkpoint"
    )


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_line(manifest: bytes) -> bytes:
    return f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n".encode()


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    sync(path)


def _reserve(path: Path, size: int) -> None:
    """Check that the disk has room for `size` bytes.

    A full disk then fails early with the system's message, before Orbax fails in many threads.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    with open(path, "wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            unsupported = errno.EINVAL, errno.EOPNOTSUPP  # the answers of some file systems
            if error.errno not in unsupported:
                raise
    path.unlink()


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


# Orbax. It stores a flat dictionary of numbered leaves. Names, containers and empty states are left
# to the manifest and the caller, so nothing depends on how Orbax encodes them.


def _numbered(leaves: list) -> dict[str, Tree]:
    return {f"{i:05d}": leaf for i, leaf in enumerate(leaves)}


@contextmanager
def _named_in_utf8(path: Path) -> Iterator[Path]:
    """Yield the path, or a link to it if its name is not UTF-8, which Orbax's C++ code requires."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            link = Path(folder) / "link"
            link.symlink_to(path.parent.absolute(), target_is_directory=True)
            yield link / path.name
    else:
        yield path


def _orbax_save(path: Path, leaves: list) -> None:
    with orbax() as ocp, _named_in_utf8(path) as name:
        ocp.save(str(name), _numbered(leaves))


def _orbax_load(path: Path, abstract: list) -> list:
    numbered = _numbered(abstract)
    with orbax() as ocp, _named_in_utf8(path) as name:
        loaded = ocp.load(str(name), numbered)
    return [loaded[name] for name in numbered]
