"""The devices and processes that a run is spread over, from the command line's options."""

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
    """Set up the devices, and the connection to other processes, for the duration of the block.

    On a CPU, one device is created for each part of the mesh; the devices share the cores.

    Args:
        mesh: the axes of the mesh, such as "data=4" and "model=2"; if empty, the first device is
            used, or all devices of all processes.
        distributed: whether other processes train with this one.
        coordinator, count, process: as in `processes.joined`.

    Raises:
        ConfigError: if the mesh is malformed, there are fewer devices than it needs, or the
            processes cannot connect to each other.
    """
    sizes = parse_mesh(mesh)
    named = (coordinator, count, process)
    if not distributed:
        if any(value is not None for value in named):
            raise ConfigError("--coordinator, --processes and --process require --distributed")
        make_cpus(_product(sizes))
        yield make_devices(sizes or None)
        return
    if sizes and _product(sizes) % (count or 1):
        raise ConfigError(
            f"--mesh needs {_product(sizes)} devices, which {count} processes cannot share evenly"
        )
    make_cpus(_product(sizes) // (count or 1))
    with processes.joined(*named):
        yield make_devices(sizes or None)


def parse_mesh(words: Sequence[str]) -> dict[str, int]:
    """Parse the sizes of a mesh's axes.

    Args:
        words: the axes, such as "data=4" and "model=2".

    Returns:
        The size of each axis, by name.

    Raises:
        ConfigError: if an axis is unknown or named twice, or its size is below 1.
    """
    sizes: dict[str, int] = {}
    for word in words:
        name, _, size = word.partition("=")
        if name not in (DATA, MODEL) or name in sizes or not size.isdecimal() or int(size) < 1:
            raise ConfigError(
                "--mesh must be data=N, model=M or both, with N and M at least 1, got "
                f"{' '.join(words)}"
            )
        sizes[name] = int(size)
    return sizes


def make_cpus(count: int) -> None:
    """Split the CPU into several devices, which are used if the machine has no accelerators.

    Args:
        count: the number of devices. It can be set only before JAX initializes its devices.
    """
    if count > 1 and "device_count" not in os.environ.get("XLA_FLAGS", ""):
        jax.config.update("jax_num_cpu_devices", count)


def _product(sizes: dict[str, int]) -> int:
    return sizes.get(DATA, 1) * sizes.get(MODEL, 1)
