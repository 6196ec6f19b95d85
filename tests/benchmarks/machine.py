"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import jax


def machine() -> dict:
    """Processor, cores and versions, for a result's JSON."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "device": jax.devices()[0].device_kind,
        "python": platform.python_version(),
        "jax": jax.__version__,
    }
