"""Describe the machine on which the figures were measured."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import jax


def machine() -> dict:
    """Return the processor, its cores and the versions, for the JSON of a result."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    # Describe the first core. Clouds shorten its name, but family and model still identify it.
    core = dict(map(str.strip, line.split(":", 1)) for line in reversed(lines) if ":" in line)
    flags = core.get("flags", "").split()
    return {
        "cpu": core.get("model name") or platform.processor(),
        "family": f"family {core.get('cpu family', '?')}, model {core.get('model', '?')}",
        "vectors": next((name for name in ("avx512f", "avx2", "avx") if name in flags), "other"),
        "cores": os.cpu_count(),
        "device": jax.devices()[0].device_kind,
        "python": platform.python_version(),
        "jax": jax.__version__,
    }
