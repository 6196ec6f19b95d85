"""Compile the kernels on this machine, check what they compute, and keep them."""

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
SECONDS = 600  # that a compiler may take


@dataclass(frozen=True)
class Built:
    """What `build` did.

    Attributes:
        library: that is now in use.
        folder: where it is kept.
        seconds: that the compiler took; 0 where the library was there already.
        error: largest difference to `lstm_jax.lstm(..., implementation="scan")` in the check,
            relative to the largest value.
    """

    library: Library
    folder: Path
    seconds: float
    error: float


def build(*, again: bool = False) -> Built:
    """Compile the native engine's kernels, unless that has been done, and use them from now on.

    Args:
        again: compile even where there is a library already.

    Returns:
        What was done.

    Raises:
        NativeError: no compiler, one that fails, or kernels that do not compute what they should.
    """
    if os.environ.get(library.VARIABLE) == "0":
        raise NativeError(f"the native engine is turned off: {library.VARIABLE} is 0")
    there = library.loaded()
    if there is not None and not again:
        return Built(there, library.folder(), 0.0, check())
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
    taken = library.loaded()
    if taken is None:
        raise NativeError(f"the native engine was compiled and cannot run: {library.obstacle()}")
    return Built(taken, place, seconds, error)


def _compiler() -> str:
    wanted = os.environ.get("CXX")
    for name in (wanted,) if wanted else COMPILERS:
        path = shutil.which(name)
        if path:
            return path
    raise NativeError(
        f"no C++ compiler was found ({wanted or ', '.join(COMPILERS)}); install g++ or clang++, or "
        "name one in the environment as CXX. Everything works without the native engine too."
    )


def _compile(compiler: str, place: Path) -> Record:
    named = "".join(_run([compiler, "--version"]).splitlines()[:1])
    flags = [*FLAGS, *(["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else [])]
    source = library.source_digest()
    parts = [source, version("jaxlib"), library.cpu(), named, *flags]
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
        compiler=named,
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
        raise NativeError(f"{place} cannot be made for the kernels: {error.strerror}") from None
    return place


def build_once(tell: Callable[[str], None]) -> None:
    """Build the kernels where there are none, and say so; go on without them if that fails.

    Args:
        tell: is handed a line for a person.
    """
    if library.loaded() is not None or os.environ.get(library.VARIABLE) == "0":
        return
    tell("compiling the native engine for this processor; that is done once")
    try:
        built = build()
    except NativeError as error:
        tell(f"going on without it: {error}")
    else:
        tell(f"compiled in {built.seconds:.0f} s: {built.folder}")
