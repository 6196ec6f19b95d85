"""From the command line's words to the devices and processes that a run is spread over."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import jax

from lstm_jax.train.config import ConfigError
from lstm_jax.train.run import processes
from lstm_jax.train.run.devices import DATA, MODEL, Devices, make_devices


@contextmanager
def spread(
    mesh: Sequence[str] = (),
    *,
    distributed: bool = False,
    coordinator: str | None = None,
    count: int | None = None,
    process: int | None = None,
) -> Iterator[Devices]:
    """Train on several devices, and with other processes, while the block runs.

    On a CPU, one device is made for each part of the mesh; each takes some of the cores.

    Args:
        mesh: such as "data=4" and "model=2"; if there is none, the first device, or all devices
            of all processes.
        distributed: whether other processes train with this one.
        coordinator, count, process: of the processes, as `processes.joined` has them.

    Raises:
        ConfigError: words that are no mesh, fewer devices than it wants, processes that did not
            come together.
    """
    sizes = parse_mesh(mesh)
    named = (coordinator, count, process)
    if not distributed:
        if any(value is not None for value in named):
            raise ConfigError("--coordinator, --processes and --process go with --distributed")
        make_cpus(_product(sizes))
        yield make_devices(sizes or None)
        return
    if sizes and _product(sizes) % (count or 1):
        raise ConfigError(
            f"--mesh wants {_product(sizes)} devices, which {count} processes cannot share evenly"
        )
    make_cpus(_product(sizes) // (count or 1))
    with processes.joined(*named):
        yield make_devices(sizes or None)


def parse_mesh(words: Sequence[str]) -> dict[str, int]:
    """Read the sizes of a mesh's axes.

    Args:
        words: such as "data=4" and "model=2".

    Returns:
        An axis' name -> its size.

    Raises:
        ConfigError: another axis, one that is named twice, or a size below 1.
    """
    sizes: dict[str, int] = {}
    for word in words:
        name, _, size = word.partition("=")
        if name not in (DATA, MODEL) or name in sizes or not size.isdecimal() or int(size) < 1:
            raise ConfigError(
                f"--mesh must be data=N, model=M or both, N and M at least 1, got {' '.join(words)}"
            )
        sizes[name] = int(size)
    return sizes


def make_cpus(count: int) -> None:
    """Let the CPU be several devices; where there are others, they are used and not these.

    Args:
        count: of devices. It can be set only before JAX has found its devices.
    """
    if count > 1 and "device_count" not in os.environ.get("XLA_FLAGS", ""):
        jax.config.update("jax_num_cpu_devices", count)


def _product(sizes: dict[str, int]) -> int:
    return sizes.get(DATA, 1) * sizes.get(MODEL, 1)
