"""The platform of a run: the machine and compiler, which determine its exact bits."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib.metadata import version

import jax

from lstm_jax.engines.native import library


def platform(devices: str) -> dict[str, object]:
    """Describe the platform of a run: on equal platforms it computes the same bits.

    Args:
        devices: a description of the devices that the run is spread over.

    Returns:
        The devices, threads, flags and versions, for JSON.
    """
    native = library.loaded()
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "devices": devices,
        "threads": threads,
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
        "jax": jax.__version__,
        "jaxlib": version("jaxlib"),
        "native engine": None if native is None else native.name,
    }


def elsewhere(metadata: Mapping[str, object], here: Mapping[str, object]) -> Iterator[str]:
    """Report how this platform differs from the one that wrote a checkpoint.

    Args:
        metadata: the checkpoint's metadata; earlier versions did not record the platform.
        here: the result of `platform`.

    Yields:
        A line to print, if there is a difference.
    """
    there = metadata.get("platform")
    if not isinstance(there, Mapping):
        return
    changed = [f"{name} {there.get(name)!r}, now {here[name]!r}" for name in here
               if there.get(name) != here[name]]  # fmt: skip
    if changed:
        yield (
            f"the run was saved with {'; '.join(changed)}; it continues, but its results may "
            "differ by rounding errors"
        )
