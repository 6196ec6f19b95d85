"""What the bits of a run hang on besides its configuration: the machine, and the compiler."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib.metadata import version

import jax

from lstm_jax.engines.native import library


def platform(devices: str) -> dict[str, object]:
    """Describe where a run goes on: the same answers give the same bits.

    Args:
        devices: that it is spread over, in words.

    Returns:
        Devices, threads, flags and versions, for JSON.
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
    """Say what is another here than where a checkpoint was written.

    Args:
        metadata: of the checkpoint; those of earlier versions do not know.
        here: what `platform` gives.

    Yields:
        A line for a person, where anything is.
    """
    there = metadata.get("platform")
    if not isinstance(there, Mapping):
        return
    changed = [f"{name} {there.get(name)!r}, now {here[name]!r}" for name in here
               if there.get(name) != here[name]]  # fmt: skip
    if changed:
        yield (
            f"the run was saved with {'; '.join(changed)}: it goes on, but to other bits than "
            "there, by rounding"
        )
