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
    # Of the first core; clouds cut the name short, and family and model still tell what it is.
    about = dict(map(str.strip, line.split(":", 1)) for line in reversed(lines) if ":" in line)
    flags = about.get("flags", "").split()
    return {
        "cpu": about.get("model name") or platform.processor(),
        "family": f"family {about.get('cpu family', '?')}, model {about.get('model', '?')}",
        "vectors": next((name for name in ("avx512f", "avx2", "avx") if name in flags), "other"),
        "cores": os.cpu_count(),
        "device": jax.devices()[0].device_kind,
        "python": platform.python_version(),
        "jax": jax.__version__,
    }
