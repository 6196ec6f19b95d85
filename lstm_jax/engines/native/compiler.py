"""Compile the kernels on this machine, check their results, and store them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import jax

from lstm_jax.engines.native import library
from lstm_jax.engines.native.check import check
from lstm_jax.engines.native.library import Library, NativeError, Record
from lstm_jax.files import written_whole

COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-std=c++17", "-O2", "-fPIC", "-shared", "-ffp-contract=fast", "-w")
SECONDS = 600  # time limit of the compiler


@dataclass(frozen=True)
class Built:
    """Describe the result of `build`.

    Attributes:
        library: the library now in use.
        folder: the folder that contains it.
        seconds: time the compiler took; 0 if the library existed already.
        error: largest difference from `lstm_jax.lstm(..., implementation="scan")` in the check,
            relative to the largest value.
    """

    library: Library
    folder: Path
    seconds: float
    error: float


def build(*, again: bool = False) -> Built:
    """Compile the kernels of the native engine, if necessary, and use them from now on.

    Args:
        again: compile even if there is a library already.

    Returns:
        The library, and how it was built.

    Raises:
        NativeError: if there is no compiler, it fails, or the kernels compute wrong results.
    """
    if os.environ.get(library.VARIABLE) == "0":
        raise NativeError(f"the native engine is turned off: {library.VARIABLE} is 0")
    existing = library.loaded()
    if existing is not None and not again:
        return Built(existing, library.folder(), 0.0, check())
    place = _make_folder(library.folder())
    start = time.monotonic()
    record = _compile(_compiler(), place)
    seconds = time.monotonic() - start
    library.write_record(record, place)
    try:
        error = check()
    except NativeError:
        (place / library.RECORD).unlink(missing_ok=True)
        library.forget()
        raise
    compiled = library.loaded()
    if compiled is None:
        raise NativeError(f"the native engine was compiled but cannot run: {library.obstacle()}")
    return Built(compiled, place, seconds, error)


def _compiler() -> str:
    chosen = os.environ.get("CXX")
    for name in (chosen,) if chosen else COMPILERS:
        path = shutil.which(name)
        if path:
            return path
    raise NativeError(
        f"no C++ compiler was found ({chosen or ', '.join(COMPILERS)}); install g++ or clang++, or "
        "set the environment variable CXX. Everything also works without the native engine."
    )


def _compile(compiler: str, place: Path) -> Record:
    title = "".join(_run([compiler, "--version"]).splitlines()[:1])
    flags = [*FLAGS, *(["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else [])]
    source = library.source_digest()
    parts = [source, version("jaxlib"), library.cpu(), title, *flags]
    name = f"lstm-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}.so"
    with written_whole(place / name) as partial:
        include = ["-isystem", jax.ffi.include_dir()]
        command = [compiler, *flags, *include, str(library.SOURCE), "-o", str(partial)]
        _run(command)
        partial.chmod(0o700)
        digest = hashlib.sha256(partial.read_bytes()).hexdigest()
    return Record(
        file=name,
        sha256=digest,
        source=source,
        jaxlib=version("jaxlib"),
        cpu=library.cpu(),
        compiler=title,
        command=" ".join([Path(compiler).name, *flags]),
    )


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NativeError(f"{command[0]} could not be run: {error}") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or [
            done.stderr[:200]
        ]
        raise NativeError(f"{command[0]} failed to compile the kernels: {lines[0].strip()}")
    return done.stdout


def _make_folder(place: Path) -> Path:
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.chmod(0o700)
    except OSError as error:
        raise NativeError(f"cannot create {place} for the kernels: {error.strerror}") from None
    return place


def build_once(tell: Callable[[str], None]) -> None:
    """Build the kernels if there are none, and continue without them if that fails.

    Args:
        tell: function that prints a line of progress.
    """
    if library.loaded() is not None or os.environ.get(library.VARIABLE) == "0":
        return
    tell("compiling the native engine for this processor; this is done only once")
    try:
        built = build()
    except NativeError as error:
        tell(f"continuing without it: {error}")
    else:
        tell(f"compiled in {built.seconds:.0f} s: {built.folder}")
