"""The compiled kernels: where they are kept, when they may be loaded, what JAX calls them.

What is loaded was compiled on this machine, from the source beside this file, into a folder of the
user's that nobody else can write to, and has the digest that was noted when it passed its check.
Nothing is compiled here: `lstm_jax.engines.native.build` does that, when it is asked to.
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
_HANDLES: dict[str, ctypes.CDLL] = {}  # what JAX knows cannot be told it again


class NativeError(UserError, RuntimeError):
    """The kernels cannot be compiled or loaded; the message is one line."""


@dataclass(frozen=True)
class Record:
    """What a library was built from and by.

    Attributes:
        file: its name, in the folder of the record.
        sha256: of the library.
        source: digest of the C++ source.
        jaxlib: version.
        cpu: of the machine, as `cpu` says it.
        compiler: first line of what `--version` printed.
        command: that compiled it.
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
    """A library that is loaded, and whose kernels JAX knows.

    Attributes:
        record: what it was built from.
        handle: of the library.
    """

    record: Record
    handle: ctypes.CDLL = field(repr=False)

    @property
    def path(self) -> str:
        """The instructions that it uses: one of `PATHS`."""
        return self.handle.lstm_path().decode()

    @property
    def name(self) -> str:
        """What tells one library from another: its digest and its instructions."""
        return f"{self.record.sha256[:12]} {self.path}"

    def take(self, path: str) -> str:
        """Use other instructions from now on, in the whole process.

        Args:
            path: one of `PATHS`.

        Returns:
            Those that are used: the portable ones, if the processor has not what was asked for.
        """
        return self.handle.lstm_take(path.encode()).decode()


def folder() -> Path:
    """Return the folder of the compiled kernels, beside what else can be made again."""
    return files.cache() / "native"


def obstacle() -> str | None:
    """Say in a clause why the kernels cannot be used; None where they are loaded."""
    return _loaded()[1]


def loaded() -> Library | None:
    """Give the library that is in use; None where there is none."""
    return _loaded()[0]


def target(kernel: str) -> str:
    """Name a kernel as `jax.ffi.ffi_call` knows it.

    Args:
        kernel: one of `KERNELS`.

    Raises:
        NativeError: where the kernels cannot be used.
    """
    library, why = _loaded()
    if library is None:
        raise NativeError(f"the native engine cannot run: {why}")
    return _target(kernel, library.record.sha256)


def forget() -> None:
    """Look again, at the next call, whether there is a library."""
    _loaded.cache_clear()


def load(record: Record, place: Path) -> Library:
    """Load a library and tell JAX of its kernels.

    Args:
        record: what is to be there.
        place: the folder.

    Raises:
        NativeError: a library that is not as the record says, or one that others could have put
            there.
    """
    path = place / record.file
    for entry in (place, path):
        _check_owner(entry)
    if hashlib.sha256(path.read_bytes()).hexdigest() != record.sha256:
        raise NativeError(f"{path} is not what was built; run lstm-jax native to build it anew")
    library = Library(record, _open(record.sha256, path))
    wanted = os.environ.get(VARIABLE)
    if wanted in PATHS:
        library.take(wanted)
    return library


def _open(digest: str, path: Path) -> ctypes.CDLL:
    """Open a library and tell JAX of its kernels, once in a process wherever a copy of it lies."""
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
    """Describe this machine's processor: its kind, name and instructions, as far as it says."""
    lines = []
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        lines = [line for line in text if line.startswith(("model name", "flags", "Features"))][:2]
    except OSError:
        pass  # no Linux
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]
    return f"{platform.machine()} {platform.processor()} {digest}".replace("  ", " ")


def source_digest() -> str:
    """Return the sha256 of the C++ source."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()


def write_record(record: Record, place: Path) -> None:
    """Note that a library has passed its check; from now on it is loaded where it is asked for."""
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
        return None, "its kernels have not been compiled (lstm-jax native does that)"
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
    """Raise a NativeError for what somebody else owns or may write to."""
    if os.name != "posix":
        return
    found = path.stat()
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise NativeError(
            f"{path} belongs to somebody else, or others may write to it, so nothing is loaded "
            f"from there; delete it and run lstm-jax native"
        )
