"""Several processes that train one model together, by `jax.distributed`."""

from __future__ import annotations

import atexit
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from lstm_jax.errors import UserError
from lstm_jax.train.config import ConfigError

T = TypeVar("T")

HEARTBEAT = 30  # seconds without a sign of life after which a process is taken for dead
JOINING = 300  # seconds in which all processes must have come


class PeerError(UserError, RuntimeError):
    """Another of the processes that train together is gone."""

    code = 4


@contextmanager
def joined(coordinator: str | None, processes: int | None, process: int | None) -> Iterator[None]:
    """Train together with other processes while the block runs.

    What is None is found by JAX, in the environment of Slurm, Kubernetes, Open MPI or a TPU pod,
    or in `JAX_COORDINATOR_ADDRESS`. A block that ends by an error ends the process without
    waiting for the others, who may wait for it: they notice at once that it is gone.

    Args:
        coordinator: "host:port" of the process of number 0.
        processes: how many there are.
        process: the number of this one.

    Raises:
        ConfigError: an address or numbers that cannot be, or processes that did not come.
        PeerError: one of the others is gone.
    """
    # Its handler of SIGTERM would take the place of ours.
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
            f"the processes did not come together: {lines[0]}: give --coordinator HOST:PORT, "
            "--processes N and --process I, from 0 to N - 1, to each of them"
        ) from None
    try:
        with _noticing():
            tell(None)  # so that from here on each notices when another goes away
            yield
    except BaseException as error:
        code = error.code if isinstance(error, SystemExit | UserError) else 1
        if not _is_of_all(code):
            atexit.register(partial(_leave, code))
        raise


def is_first() -> bool:
    """Whether this is the process that speaks and writes."""
    return jax.process_index() == 0


def tell(words: Any) -> Any:
    """Tell all processes what the first has to say; all of them call this at the same time.

    Args:
        words: for JSON; those of others than the first are not heard.

    Returns:
        What the first said.
    """
    if jax.process_count() == 1:
        return words
    said = np.frombuffer(json.dumps(words, default=float).encode(), np.uint8)
    size = int(multihost_utils.broadcast_one_to_all(np.int32(said.size)))
    padded = np.resize(said, size)  # of others than the first only the size matters
    return json.loads(np.asarray(multihost_utils.broadcast_one_to_all(padded)).tobytes())


@contextmanager
def first_before_others() -> Iterator[None]:
    """Let the first process run the block before the others do."""
    if not is_first():
        tell(None)
    yield
    if is_first():
        tell(None)


def in_order(result: T) -> T:
    """Wait for a result where the next program might overtake the one that it comes from.

    Processes must send in one order. A GPU runs programs one after the other; a CPU may run two
    at once.

    Args:
        result: of a program in which processes send to one another.
    """
    several = jax.process_count() > 1 and jax.default_backend() == "cpu"
    return jax.block_until_ready(result) if several else result


def make_asked(stopped: Sequence[object]) -> Callable[[], bool]:
    """Make a function that says whether any process was asked to stop.

    All of them must stop after the same step, and none should wait for an answer at each: with
    several processes the answer is that to the question before.

    Args:
        stopped: is filled when this process is asked to.
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
    """Say in a line that another process is gone, where that is why the block ends.

    Raises:
        PeerError: in place of what the collective operation that needed it raises.
    """
    try:
        yield
    except (ValueError, RuntimeError) as error:
        if jax.process_count() == 1 or not _is_of_a_peer(error):
            raise
        raise PeerError(
            "another process of the run is gone: this one stops; go on from the latest checkpoint "
            "with --resume, with as many processes as there are"
        ) from None


def _is_of_a_peer(error: BaseException) -> bool:
    if isinstance(error, UserError):  # such as a checkpoint that could not be written
        return error.__cause__ is not None and _is_of_a_peer(error.__cause__)
    return any(name in str(error) for name in ("Gloo", "NCCL", "oordination", "onnection"))


def _is_of_all(code: object) -> bool:
    """Whether all processes end in this way at once, and may say goodbye: done, or diverged."""
    return code in (None, 0, 3) or (isinstance(code, int) and code > 128)


def _leave(code: object) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)
