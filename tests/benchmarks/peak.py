"""Measure the machine's peak rate of fused multiply-adds with a loop that does nothing else."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CHAINS = 12  # independent sums, enough to hide the latency of a multiply-add
FLOPS = 1_000_000_000  # for one core
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
SOURCE = """
#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
typedef float vector __attribute__((vector_size(BYTES)));

float fma_loop(long flops, float a, float b) {
    vector sums[CHAINS], x, y;
    for (int i = 0; i < BYTES / 4; i++) { x[i] = a; y[i] = b; }
    for (int k = 0; k < CHAINS; k++) sums[k] = y * (float)k;
    for (long n = flops / (2 * CHAINS * (BYTES / 4)); n > 0; n--)
        for (int k = 0; k < CHAINS; k++) sums[k] = sums[k] * x + y;
    for (int k = 1; k < CHAINS; k++) sums[0] += sums[k];
    return sums[0][0];
}
"""


def fma_work() -> Callable[[], object] | None:
    """Build a function that runs the loop on every core.

    Returns:
        A function that does `FLOPS` on each of the `CORES`, or None if no C compiler can build it.
    """
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "fma.c", Path(folder) / "fma.so"
        source.write_text(SOURCE)
        options = ["-O3", "-march=native", "-ffp-contract=fast", f"-DCHAINS={CHAINS}"]
        build = [compiler, *options, "-shared", "-fPIC", source, "-o", library]
        if subprocess.run(build, capture_output=True).returncode:
            return None
        loop = ctypes.CDLL(str(library)).fma_loop
    loop.restype, loop.argtypes = ctypes.c_float, [ctypes.c_long, ctypes.c_float, ctypes.c_float]
    pool = ThreadPoolExecutor(CORES)
    # ctypes releases the GIL during a call, so the threads run in parallel.
    return lambda: list(pool.map(lambda flops: loop(flops, 0.999, 0.001), [FLOPS] * CORES))
