"""Checkpoints, whole or refused: Orbax holds the arrays, a manifest vouches for every byte.

    latest/
        arrays/          the leaves, written by Orbax
        metadata.json    what the caller wants to know before it builds a model
        manifest.json    every leaf's path, shape and dtype; every file's size and SHA-256
        manifest.sha256  the manifest's own digest, as `sha256sum -c` reads it

`latest` is replaced by two renames (latest -> latest.old, latest.new -> latest), so a kill at any
moment leaves a whole checkpoint under one of the three names; reading finds it, and the next
`save` puts it back in its place. One process at a time may save to a folder.
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
    """A checkpoint cannot be written, or cannot be trusted; the message is one line."""


class DamagedError(CheckpointError):
    """A checkpoint is not as it was written."""


def save(
    folder: Path, tree: Tree, *, metadata: Mapping[str, object], keep_old: bool = False
) -> None:
    """Write `tree`, a pytree of jax arrays, and the JSON dict `metadata` as one checkpoint.

    A checkpoint already at `folder` is replaced, with whatever else lies inside it, and stays
    whole until the new one is on disk. Where several processes train together, all of them call
    this with the arrays that they share, and see the same folder.

    Args:
        folder: of the checkpoint.
        tree: its leaves are non-empty jax arrays.
        metadata: for JSON.
        keep_old: leave the earlier checkpoint beside the new one, in `latest.old`.

    Raises:
        CheckpointError: a leaf is not a non-empty jax array, the metadata is not JSON, the folder
            holds something that is no checkpoint, or the write fails. The earlier checkpoint is
            then still there.
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
                f"cannot save leaf {path}, a {type(leaf).__name__} of {_show(shape, dtype)}: "
                "a checkpoint holds non-empty jax arrays, and of a PRNG key its jax.random.key_data"
            )
    try:
        metadata_text = encoded(json.dumps(metadata, ensure_ascii=False, indent=1))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the metadata for {folder} is not JSON: {error}") from error
    if _filled(folder) and not (folder / MANIFEST).is_file():
        raise CheckpointError(
            f"{folder} is no checkpoint (it has no {MANIFEST}): move it away, or save elsewhere"
        )

    new, old = _beside(folder, "new"), _beside(folder, "old")
    if jax.process_index() > 0:
        _orbax_save(new / ARRAYS, leaves)  # its part of the arrays; the first does the rest
        return
    found = _find(folder)
    try:
        if found not in (None, folder):
            os.rename(found, folder)
            sync(folder.parent)
    except OSError as error:
        raise CheckpointError(f"could not rename {found} back to {folder}: {error}") from error
    try:
        _remove(new)
        _remove(old)
        new.mkdir(parents=True)
        _reserve(new / ARRAYS, sum(leaf.nbytes for leaf in leaves))
        _orbax_save(new / ARRAYS, leaves)
        _write(new / METADATA, metadata_text)
        _write_manifest(new, described)
    except Exception as error:  # Orbax raises of all kinds
        shutil.rmtree(new, ignore_errors=True)
        raise CheckpointError(
            f"could not write a checkpoint at {folder}: {type(error).__name__}: {error}; "
            "an earlier one is untouched"
        ) from error
    _put_in_place(folder, keep_old=keep_old)


def copy(source: Path, folder: Path) -> None:
    """Put a copy of one checkpoint in another's place; the other stays whole until it is there.

    Args:
        source: of the checkpoint to copy.
        folder: where the copy belongs.

    Raises:
        CheckpointError: there is no checkpoint at `source`, or the copy cannot be written.
    """
    found, folder = _found(source), Path(folder).resolve()
    new = _beside(folder, "new")
    try:
        _remove(new)
        shutil.copytree(found, new)
        for path in [*new.rglob("*"), new]:
            sync(path)
        _remove(_beside(folder, "old"))
    except OSError as error:
        raise CheckpointError(f"could not copy {found} to {folder}: {error}") from error
    _put_in_place(folder, keep_old=False)


def load(folder: Path, like: T) -> tuple[T, dict]:
    """Read the checkpoint at `folder` and return (tree, metadata).

    `like` is a pytree of arrays or `jax.ShapeDtypeStruct`s that gives the structure, shapes,
    dtypes and, where its leaves have one, shardings; the rest goes to the default device. Every
    leaf returned is a jax array with the bits that were saved.

    Args:
        folder: of the checkpoint.
        like: of the same structure.

    Raises:
        CheckpointError: there is no checkpoint, a file of it is missing or changed, or it was
            saved from a tree with other leaves than `like`.
    """
    found, manifest = _verified(folder, like)
    default = jnp.zeros(()).sharding
    abstract = [
        jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=getattr(x, "sharding", None) or default)
        for x in jax.tree.leaves(like)
    ]
    try:
        leaves = _orbax_load(found / ARRAYS, abstract)
    except Exception as error:
        raise CheckpointError(
            f"Orbax could not read {found / ARRAYS}, though every file is as it was written: "
            f"{type(error).__name__}: {error}; check the installed orbax-checkpoint"
        ) from error
    return jax.tree.unflatten(jax.tree.structure(like), leaves), _read_metadata(found, manifest)


def verify(folder: Path, like: Tree) -> dict:
    """Read all that `load` reads but the arrays, and return the metadata.

    Args:
        folder: of the checkpoint.
        like: as for `load`.

    Raises:
        CheckpointError: as `load` does.
    """
    return _read_metadata(*_verified(folder, like))


def has_older(folder: Path) -> bool:
    """Say whether there is another checkpoint than the one that `load` would read.

    Args:
        folder: of the checkpoint.
    """
    folder = Path(folder).resolve()
    places = [folder, _beside(folder, "new"), _beside(folder, "old")]
    return sum(_filled(place) for place in places) > 1


def set_aside(folder: Path) -> Path:
    """Move a damaged checkpoint out of the way, so that an older one is found in its place.

    Args:
        folder: of the checkpoint.

    Returns:
        Where it is now, whole as it was found.

    Raises:
        CheckpointError: it cannot be moved.
    """
    found, number = _found(folder), 1
    while (aside := _beside(Path(folder).resolve(), f"damaged-{number}")).exists():
        number += 1
    try:
        os.rename(found, aside)
    except OSError as error:
        raise CheckpointError(f"could not move {found} to {aside}: {error}") from error
    return aside


def read_metadata(folder: Path) -> dict:
    """Return the metadata of the checkpoint at `folder` without reading its arrays.

    Args:
        folder: of the checkpoint.

    Raises:
        CheckpointError: there is no checkpoint, or its manifest or metadata is damaged.
    """
    found = _found(folder)
    return _read_metadata(found, _read_manifest(found))


def exists(folder: Path) -> bool:
    """Whether there is a checkpoint at `folder`, or one that a killed `save` left beside it.

    A damaged one counts: `load` then says what is wrong, where False would start a run afresh.

    Args:
        folder: of the checkpoint.
    """
    return _find(Path(folder).resolve()) is not None


# Finding the checkpoint, and putting one in its place


def _put_in_place(folder: Path, *, keep_old: bool) -> None:
    """Let `latest.new` be `latest`, by two renames: a whole one is there at any moment."""
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
            f"could not put the checkpoint at {folder} in its place: {error}; "
            f"leave {new.name} and {old.name} there, a whole one can still be loaded"
        ) from error


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(f"{folder.name}.{suffix}")


def _filled(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def _whole(folder: Path) -> bool:
    try:
        manifest = _read_manifest(folder)
        for name in manifest["files"]:
            _read_file(folder, manifest, name)
    except CheckpointError:
        return False
    return True


def _find(folder: Path) -> Path | None:
    """Where the checkpoint of this name lies. Changes nothing: a reader may race a writer."""
    new, old = _beside(folder, "new"), _beside(folder, "old")
    if _filled(folder):
        return folder
    if _filled(new) and _whole(new):
        return new
    return old if _filled(old) else None


def _found(folder: Path) -> Path:
    folder = Path(folder).resolve()
    found = _find(folder)
    if found is None:
        raise CheckpointError(
            f"no checkpoint at {folder} (nor at {folder.name}.new or {folder.name}.old beside it): "
            "check the path, or train first"
        )
    return found


# What a tree looks like


def _verified(folder: Path, like: Tree) -> tuple[Path, dict]:
    found = _found(folder)
    manifest = _read_manifest(found)
    for name in manifest["files"]:
        _read_file(found, manifest, name)
    _compare(found, [(p, tuple(s), d) for p, s, d in manifest["leaves"]], _describe(like))
    return found, manifest


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


def _compare(folder: Path, saved: list, wanted: list) -> None:
    if saved == wanted:
        return
    in_saved, in_wanted = ({path: _show(*rest) for path, *rest in x} for x in (saved, wanted))
    # dict.fromkeys keeps the order of the tree, so the first difference is the first in the model.
    for path in dict.fromkeys([*in_wanted, *in_saved]):
        there, here = in_saved.get(path, "absent"), in_wanted.get(path, "absent")
        if there != here:
            raise CheckpointError(
                f"{folder} was saved from another model: leaf {path} is {there} in the checkpoint "
                f"and {here} in the model; build the model that its {METADATA} describes"
            )
    raise CheckpointError(
        f"{folder} was saved from another model: the same leaves come in another order"
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
                f"{folder} is half-written or no checkpoint: found no {name} in it; "
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
        raise _damaged(folder / MANIFEST, f"it is no manifest ({error!r:.80})") from None
    if written != FORMAT:
        raise CheckpointError(
            f"{folder / MANIFEST} has format {written!r:.40} and this version reads {FORMAT}: "
            "load it with the version of lstm_jax that wrote it"
        )
    return manifest


def _read_file(folder: Path, manifest: dict, name: str) -> Path:
    """The path of a file in the checkpoint, once its size and digest are those recorded."""
    path, entry = folder / name, manifest["files"][name]
    if not path.is_file():
        raise _damaged(path, "the file is missing")
    try:
        size = path.stat().st_size
        if size != entry["size"]:
            raise _damaged(path, f"found {size} bytes where {entry['size']} were written")
        digest = _sha256(path)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    if digest != entry["sha256"]:
        raise _damaged(path, f"found SHA-256 {digest[:12]}…, wrote {entry['sha256'][:12]}…")
    return path


def _read_metadata(folder: Path, manifest: dict) -> dict:
    return json.loads(_read_file(folder, manifest, METADATA).read_bytes())


def _damaged(path: Path, found: str) -> DamagedError:
    return DamagedError(
        f"{path} is damaged: {found}; restore it from a copy, or load another checkpoint"
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
    """See that a disk takes so many bytes, and give them back.

    Where one is full this fails in the system's words, and before Orbax fails in many threads.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    with open(path, "wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # as some file systems answer
                raise
    path.unlink()


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


# Orbax. It sees a flat dict of numbered leaves: names, containers and empty states are the
# manifest's and the caller's, so nothing depends on how Orbax spells a NamedTuple or a dotted key.


def _numbered(leaves: list) -> dict[str, Tree]:
    return {f"{i:05d}": leaf for i, leaf in enumerate(leaves)}


@contextmanager
def _named_in_utf8(path: Path) -> Iterator[Path]:
    """Give a path another name, by a link, while its own is no UTF-8, which Orbax's C++ wants."""
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
