"""Settings and fixtures for all tests.

Most of the suite's time goes into compiling small programs that run once. Therefore XLA's backend
does not optimize them, compiles them in its faster mode, and caches them, also for the commands
that tests start. The settings are environment variables, so that those commands inherit them;
variables that are already set are kept:

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

# JAX keeps a great many objects: collecting garbage as often as Python does would cost 5% of time.
gc.set_threshold(50_000, 20, 50)


def compile_cheaply():
    """Set JAX's environment variables, before JAX is imported."""
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    # Each xdist worker uses a subfolder of its parent's cache, which the parent removes. A shared
    # cache would be unsafe: JAX writes entries in place, so another worker might read half of one.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    session = os.environ.get("LSTM_JAX_TEST_CACHE")
    if session is None and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        session = os.environ["LSTM_JAX_TEST_CACHE"] = tempfile.mkdtemp(prefix="lstm-jax-tests-")
        atexit.register(shutil.rmtree, session, ignore_errors=True)
    if session is not None:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = os.path.join(session, worker)
    # A flag that this version of XLA does not know would abort every process of the suite.
    if "XLA_FLAGS" not in os.environ:
        program = [sys.executable, "-c", "import jax; jax.devices()"]
        asked = subprocess.run(program, env=os.environ | {"XLA_FLAGS": QUICK}, capture_output=True)
        os.environ["XLA_FLAGS"] = "" if asked.returncode else QUICK


compile_cheaply()

import jax  # noqa: E402
import pytest  # noqa: E402
from jax._src.interpreters import mlir  # noqa: E402

from lstm_jax import cli  # noqa: E402
from lstm_jax.engines.native import compiler, library  # noqa: E402

# JAX creates an MLIR context for each program that it lowers. That takes as long as a small program
# itself, and keeps a megabyte for each of thousands of programs. One context is enough for all.
if hasattr(mlir, "make_ir_context"):
    mlir.make_ir_context = functools.cache(mlir.make_ir_context)


def build_native_engine():
    """Build the native engine before any test, as the first training would, which reports it."""
    compiler.build_once(lambda line: None)
    if library.loaded() is None:  # there is no compiler, which every training would report
        os.environ[library.VARIABLE] = "0"


if "PYTEST_XDIST_WORKER" not in os.environ:
    build_native_engine()


@pytest.fixture(scope="module")
def compile_fast():
    """Compile cheaply in this module, even if the suite is compiled as it is for users."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    default = os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] == "1"
    jax.config.update("jax_disable_most_optimizations", default)


@pytest.fixture
def x64():
    """Enable float64 for one test; the others run in JAX's default mode."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def call(capsys):
    """Runs a command in this process, and returns its exit code, stdout and stderr."""

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main([str(argument) for argument in arguments])
        return caught.value.code or 0, *capsys.readouterr()

    return call


@pytest.fixture
def refused(call):
    """Runs a command that is to be refused, and returns the one line that says why."""

    def refused(*arguments):
        code, out, err = call(*arguments)
        assert code == 2, (out, err)
        assert out == ""
        assert err.startswith("lstm-jax: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        assert "Traceback" not in err
        assert "---" not in err, "a rule of tyro's box"
        return err

    return refused


# Files with single tests that take many seconds: separate programs, notebooks, the README.
LONG = ("test_sharding.py", "test_notebooks.py", "test_readme.py")


def pytest_collection_modifyitems(items):
    """Run long tests first, so that no worker is left with one when the others are done."""
    items.sort(key=lambda item: item.path.name not in LONG)
