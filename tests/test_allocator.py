"""Freed memory is kept with glibc, unless the user has settings."""

import ctypes
import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from lstm_jax import allocator

GLIBC = platform.libc_ver()[0] == "glibc"
FAULTS = """
import ctypes, importlib.util, resource, sys

spec = importlib.util.spec_from_file_location("allocator", sys.argv[1])
allocator = importlib.util.module_from_spec(spec)
spec.loader.exec_module(allocator)
assert "jax" not in sys.modules
library = ctypes.CDLL(None)
library.malloc.restype, library.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]


def faults(size=50_000_000):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = library.malloc(ctypes.c_size_t(size))
    ctypes.memset(block, 1, size)
    library.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


print(allocator.keep_memory(), faults(), faults())
"""


def measured(**environment):
    """The result of `keep_memory`, and the page faults of 50 MB the first and the second time."""
    command = [sys.executable, "-c", FAULTS, allocator.__file__]
    clean = {name: value for name, value in os.environ.items() if name not in allocator.SETTINGS}
    done = subprocess.run(command, env=clean | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kept, first, second = done.stdout.split()
    return kept, int(first), int(second)


@pytest.mark.skipif(not GLIBC, reason="the C library is not glibc")
def test_the_second_time_costs_no_page_faults():
    kept, first, second = measured()
    assert kept == "True"
    assert second < 10 < first


@pytest.mark.skipif(not GLIBC, reason="the C library is not glibc")
@pytest.mark.parametrize(
    "setting",
    [{"MALLOC_MMAP_THRESHOLD_": "1000000"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_max=65536"}],
)
def test_settings_of_the_user_are_kept(setting):
    kept, first, second = measured(**setting)
    assert kept == "False"
    assert second > 0.9 * first > 10


def musl(name):
    del name
    return SimpleNamespace(mallopt=lambda *_: pytest.fail("called what is not glibc's"))


def windows(name):
    raise TypeError("a name is wanted")


@pytest.mark.parametrize("library", [musl, windows])
def test_other_c_libraries_are_left_alone(library, monkeypatch):
    for name in (*allocator.SETTINGS, "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ctypes, "CDLL", library)
    assert allocator.keep_memory() is False
