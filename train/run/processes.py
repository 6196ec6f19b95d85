"""Several processes that train one model together, with `jax.distributed`."""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from lstm_jax.arguments import PROGRAM
from lstm_jax.errors import UserError
from lstm_jax.train.config import ConfigError

T = TypeVar("T")

HEARTBEAT = 30  # seconds without a sign of life after which a process counts as dead
JOINING = 300  # seconds within which all processes must have joined

GONE = (
    "another process of the run is gone, so this one stops; resume from the latest checkpoint "
    "with --resume, with the processes that are left"
)


class PeerError(UserError, RuntimeError):
    """Report that another of the processes that train together is gone."""

    code = 4


@contextmanager
def joined(coordinator: str | None, processes: int | None, process: int | None) -> Iterator[None]:
    """Connect to the other processes for the duration of the block.

    Arguments that are None are determined by JAX, from the environment of Slurm, Kubernetes, Open
    MPI or a TPU pod, or from `JAX_COORDINATOR_ADDRESS`. If an error ends the block, this process
    exits without waiting for the others, because they may be waiting for it; they notice at once.

    Args:
        coordinator: "host:port" of process 0.
        processes: the number of processes.
        process: the number of this process.

    Raises:
        ConfigError: if an argument is invalid, or the other processes did not join in time.
        PeerError: if another process is gone.
    """
    # This service would install its own handler for SIGTERM.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            coordinator, processes, process,
            initialization_timeout=JOINING,
            heartbeat_timeout_seconds=HEARTBEAT,
            shutdown_timeout_seconds=HEARTBEAT,
        )  # fmt: skip
    except (ValueError, TypeError, RuntimeError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise ConfigError(
            f"the processes could not connect: {lines[0]}; start each of them with --coordinator "
            "HOST:PORT, --processes N and --process I, with I from 0 to N - 1"
        ) from None
    try:
        _speak_at_abort()
        with _noticing():
            tell(None)  # from here on each process notices when another one is gone
            yield
    except BaseException as error:
        code = error.code if isinstance(error, SystemExit | UserError) else 1
        if not _is_of_all(code):
            atexit.register(partial(_leave, code))
        raise


def is_first() -> bool:
    """Return whether this is the process that prints and writes files."""
    return jax.process_index() == 0


def tell(words: Any) -> Any:
    """Send a value from the first process to all; every process must call this at the same time.

    Args:
        words: a JSON value; only the first process's value matters.

    Returns:
        The value of the first process.
    """
    if jax.process_count() == 1:
        return words
    message = np.frombuffer(json.dumps(words, default=float).encode(), np.uint8)
    size = int(multihost_utils.broadcast_one_to_all(np.int32(message.size)))
    padded = np.resize(message, size)  # the other processes contribute only an array of this size
    return json.loads(np.asarray(multihost_utils.broadcast_one_to_all(padded)).tobytes())


@contextmanager
def first_before_others() -> Iterator[None]:
    """Run the block in the first process before the others run it."""
    if not is_first():
        tell(None)
    yield
    if is_first():
        tell(None)


def in_order(result: T) -> T:
    """Wait for a result if the next program might overtake the one that computes it.

    All processes must send their messages in the same order. A GPU runs programs one after the
    other, but a CPU may run two at once.

    Args:
        result: the result of a program in which processes exchange messages.
    """
    several = jax.process_count() > 1 and jax.default_backend() == "cpu"
    return jax.block_until_ready(result) if several else result


def make_asked(stopped: Sequence[object]) -> Callable[[], bool]:
    """Build a function that returns whether any process was asked to stop.

    All processes must stop after the same step, but should not wait for an answer at every step; so
    with several processes the function returns the answer to its previous call.

    Args:
        stopped: a sequence that is filled when this process is asked to stop.
    """
    if jax.process_count() == 1:
        return lambda: bool(stopped)
    mesh = jax.make_mesh((jax.device_count(),), ("all",), (jax.sharding.AxisType.Auto,))
    one_each = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("all"))
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    count = jax.jit(lambda flags: flags.sum(), out_shardings=everywhere)
    answers = [np.int32(0)]

    def asked() -> bool:
        flag = np.array([bool(stopped)], np.int32)
        shape = (jax.device_count(),)
        flags = jax.make_array_from_callback(shape, one_each, lambda _: flag)
        answers.append(in_order(count(flags)))
        return bool(answers.pop(0) > 0)

    return asked


@contextmanager
def _noticing() -> Iterator[None]:
    """Report in one line that another process is gone, if that is what ended the block.

    Raises:
        PeerError: instead of the error of the collective operation that failed.
    """
    try:
        yield
    except (ValueError, RuntimeError) as error:
        if jax.process_count() == 1 or not _is_of_a_peer(error):
            raise
        raise PeerError(GONE) from None


@ctypes.CFUNCTYPE(None, ctypes.c_int)
def _leave_at_abort(_: int) -> None:
    os.write(2, f"{PROGRAM}: {GONE}\n".encode())
    os._exit(PeerError.code)


def _speak_at_abort() -> None:
    """Report in one line that another process is gone, if JAX aborts this one for that reason.

    Threads of JAX watch the first process and the signs of life of the others, and abort this
    process unless a collective operation has failed first. Python would run a handler set by
    `signal.signal` too late, so this one is set in the C library.
    """
    if os.name == "posix":
        ctypes.CDLL(None).signal(signal.SIGABRT, _leave_at_abort)


def _is_of_a_peer(error: BaseException) -> bool:
    if isinstance(error, UserError):  # such as a checkpoint that could not be written
        return error.__cause__ is not None and _is_of_a_peer(error.__cause__)
    return any(name in str(error) for name in ("Gloo", "NCCL", "oordination", "onnection"))


def _is_of_all(code: object) -> bool:
    """Return whether all processes end with this code together, so that they can disconnect."""
    return code in (None, 0, 3) or (isinstance(code, int) and code > 128)


def _leave(code: object) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)
