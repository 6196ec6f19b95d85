"""What every test runs under, and the fixtures of many.

Most of the suite's time goes into compiling small programs that run once. So XLA's backend does not
optimise them, it compiles them in its quicker way, and what was compiled once is found again, by
the commands that a test starts too. These are settings of the environment, for those commands, and
where they are set they stay:

    JAX_DISABLE_MOST_OPTIMIZATIONS=0 XLA_FLAGS= pytest      # programs as users get them
    JAX_COMPILATION_CACHE_DIR=... pytest                    # keep what was compiled
"""

import atexit
import functools
import gc
import os
import shutil
import subprocess
import sys
import tempfile

QUICK = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"

# JAX keeps very many objects: to look through them all as often as Python would costs a twentieth.
gc.set_threshold(50_000, 20, 50)


def compile_cheaply():
    """Set JAX's environment, before JAX is imported."""
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    # A worker of xdist takes a folder of its own below its parent's, who removes them all: JAX
    # writes entries in place, and another worker might read half of one.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    session = os.environ.get("LSTM_JAX_TEST_CACHE")
    if session is None and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        session = os.environ["LSTM_JAX_TEST_CACHE"] = tempfile.mkdtemp(prefix="lstm-jax-tests-")
        atexit.register(shutil.rmtree, session, ignore_errors=True)
    if session is not None:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = os.path.join(session, worker)
    # A flag that another version of XLA does not know would end every process of the suite.
    if "XLA_FLAGS" not in os.environ:
        program = [sys.executable, "-c", "import jax; jax.devices()"]
        asked = subprocess.run(program, env=os.environ | {"XLA_FLAGS": QUICK}, capture_output=True)
        os.environ["XLA_FLAGS"] = "" if asked.returncode else QUICK


compile_cheaply()

import jax  # noqa: E402
import pytest  # noqa: E402
from jax._src.interpreters import mlir  # noqa: E402

# JAX makes an MLIR context for each program that it lowers, which takes as long as a small program
# itself, and keeps it with the program: a megabyte for each of thousands. One does for them all.
if hasattr(mlir, "make_ir_context"):
    mlir.make_ir_context = functools.cache(mlir.make_ir_context)


@pytest.fixture(scope="module")
def compile_fast():
    """For modules that compile cheaply even where the rest is compiled as users get it."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    default = os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] == "1"
    jax.config.update("jax_disable_most_optimizations", default)


@pytest.fixture
def x64():
    """float64 for the length of one test; the others run in JAX's default mode."""
    with jax.enable_x64(True):
        yield


# Files with single tests of many seconds: programs of their own, notebooks, the README.
LONG = ("test_sharding.py", "test_notebooks.py", "test_readme.py")


def pytest_collection_modifyitems(items):
    """What is long first, lest one worker is left with it when the others are done."""
    items.sort(key=lambda item: item.path.name not in LONG)
