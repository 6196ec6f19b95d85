"""Find, verify and load the compiled kernels, and register them with JAX.

A library is loaded only if it was compiled on this machine from the source next to this file, is in
a folder of the user that nobody else can write to, and has the digest that was recorded when it
passed its check. This module does not compile; `lstm_jax.engines.native.build` does.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import stat
import threading
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path

import jax

from lstm_jax import files
from lstm_jax.errors import UserError

VARIABLE = "LSTM_JAX_NATIVE"
PATHS = ("avx512", "avx2", "portable")
KERNELS = ("forward", "keep", "backward", "weights", "inputs", "multiply")
SOURCE = Path(__file__).with_name("kernels.cc")
RECORD = "built.json"
_LOCK = threading.Lock()
_HANDLES: dict[str, ctypes.CDLL] = {}  # JAX does not accept a second registration


class NativeError(UserError, RuntimeError):
    """Report in one line that the kernels cannot be compiled or loaded."""


@dataclass(frozen=True)
class Record:
    """Store how a library was built.

    Attributes:
        file: name of the library, in the folder of the record.
        sha256: digest of the library.
        source: digest of the C++ source.
        jaxlib: version of jaxlib.
        cpu: processor of the machine, as `cpu` describes it.
        compiler: first line of the compiler's `--version`.
        command: command that compiled the library.
    """

    file: str
    sha256: str
    source: str
    jaxlib: str
    cpu: str
    compiler: str
    command: str


@dataclass(frozen=True)
class Library:
    """Represent a loaded library whose kernels are registered with JAX.

    Attributes:
        record: how it was built.
        handle: handle of the library.
    """

    record: Record
    handle: ctypes.CDLL = field(repr=False)

    @property
    def path(self) -> str:
        """Return the instruction set in use: one of `PATHS`."""
        return self.handle.lstm_path().decode()

    @property
    def name(self) -> str:
        """Return a name that identifies the library: its digest and its instruction set."""
        return f"{self.record.sha256[:12]} {self.path}"

    def take(self, path: str) -> str:
        """Switch to another instruction set, in the whole process.

        Args:
            path: one of `PATHS`.

        Returns:
            The set in use: "portable" if the processor does not have the requested one.
        """
        return self.handle.lstm_take(path.encode()).decode()


def folder() -> Path:
    """Return the folder of the compiled kernels, inside the package's cache."""
    return files.cache() / "native"


def obstacle() -> str | None:
    """Return a clause that explains why the kernels cannot be used, or None if they are loaded."""
    return _loaded()[1]


def loaded() -> Library | None:
    """Return the library in use, or None."""
    return _loaded()[0]


def target(kernel: str) -> str:
    """Return the name of a kernel for `jax.ffi.ffi_call`.

    Args:
        kernel: one of `KERNELS`.

    Raises:
        NativeError: if the kernels cannot be used.
    """
    library, why = _loaded()
    if library is None:
        raise NativeError(f"the native engine cannot run: {why}")
    return _target(kernel, library.record.sha256)


def forget() -> None:
    """Forget the loaded library, so that the next call looks for it again."""
    _loaded.cache_clear()


def load(record: Record, place: Path) -> Library:
    """Load a library and register its kernels with JAX.

    Args:
        record: expected library.
        place: folder of the library.

    Raises:
        NativeError: if the library does not match the record, or somebody else could have written
            it.
    """
    path = place / record.file
    for entry in (place, path):
        _check_owner(entry)
    if hashlib.sha256(path.read_bytes()).hexdigest() != record.sha256:
        raise NativeError(f"{path} has changed since it was built; run lstm-jax native")
    library = Library(record, _open(record.sha256, path))
    instructions = os.environ.get(VARIABLE)
    if instructions in PATHS:
        library.take(instructions)
    return library


def _open(digest: str, path: Path) -> ctypes.CDLL:
    """Open a library and register its kernels, once in a process even if there are copies of it."""
    with _LOCK:
        if digest not in _HANDLES:
            handle = ctypes.CDLL(str(path))
            handle.lstm_take.restype = handle.lstm_path.restype = ctypes.c_char_p
            for kernel in KERNELS:
                capsule = jax.ffi.pycapsule(getattr(handle, f"lstm_{kernel}"))
                jax.ffi.register_ffi_target(_target(kernel, digest), capsule, platform="cpu")
            _HANDLES[digest] = handle
        return _HANDLES[digest]


def cpu() -> str:
    """Describe this machine's processor: architecture, name, and a digest of its instructions."""
    lines = []
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        lines = [line for line in text if line.startswith(("model name", "flags", "Features"))][:2]
    except OSError:
        pass  # not Linux
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]
    return f"{platform.machine()} {platform.processor()} {digest}".replace("  ", " ")


def source_digest() -> str:
    """Return the sha256 of the C++ source."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()


def write_record(record: Record, place: Path) -> None:
    """Record a library that passed its check, so that it can be loaded from now on."""
    files.write_whole(place / RECORD, json.dumps(asdict(record), indent=1) + "\n")
    forget()


@cache
def _loaded() -> tuple[Library | None, str | None]:
    if os.environ.get(VARIABLE) == "0":
        return None, f"{VARIABLE} is 0"
    place = folder()
    try:
        record = Record(**json.loads((place / RECORD).read_text()))
    except FileNotFoundError:
        return None, "its kernels have not been compiled; run lstm-jax native"
    except (OSError, ValueError, TypeError) as error:
        return None, f"{place / RECORD} cannot be read ({error}); run lstm-jax native"
    now = {"source": source_digest(), "jaxlib": version("jaxlib"), "cpu": cpu()}
    for name, value in now.items():
        if getattr(record, name) != value:
            return None, f"it was compiled for another {name}; run lstm-jax native"
    try:
        return load(record, place), None
    except (NativeError, OSError, AttributeError) as error:
        return None, str(error)


def _target(kernel: str, digest: str) -> str:
    return f"lstm_jax_{kernel}_{digest[:12]}"


def _check_owner(path: Path) -> None:
    """Raise a NativeError if somebody else owns a file or may write to it."""
    if os.name != "posix":
        return
    status = path.stat()
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise NativeError(
            f"{path} must belong to you and be writable by nobody else to be loaded; delete it and "
            "run lstm-jax native"
        )
