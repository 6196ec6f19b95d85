"""Check "cudnn" against "scan" on shapes of DeepBench: every output and every gradient.

    python tests/benchmarks/cudnn_check.py [--engine fused] [--small]

Each figure is the largest difference by the largest value, in JAX's highest precision: without it,
either engine may multiply in TF32. Exits 1 where one is above 1e-4.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import jax
import numpy as np

import lstm_jax

SHAPES = [(25, 16, 512), (25, 128, 1024), (50, 32, 1536), (150, 64, 256), (150, 1, 256)]
SMALL = [(25, 2, 32)]
ALLOWED = 1e-4


def off(engine: Any, steps: int, batch: int, width: int) -> float:
    """The largest difference between an engine and "scan", of outputs, final state, gradients."""
    key, of_xs = jax.random.split(jax.random.key(0))
    params = lstm_jax.init_lstm(key, width, width)
    xs = jax.random.normal(of_xs, (steps, batch, width))

    def loss(params, xs, name):
        with jax.default_matmul_precision("highest"):
            final, hs = lstm_jax.lstm(params, xs, implementation=name)
        return (hs**2).mean() + final.c.mean(), (final, hs)

    run = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True), static_argnums=2)
    pairs = zip(*(jax.tree.leaves(run(params, xs, name)) for name in (engine, "scan")), strict=True)
    arrays = [(np.asarray(one), np.asarray(other)) for one, other in pairs]
    return max(float(abs(a - b).max() / abs(b).max()) for a, b in arrays)


def main() -> None:
    """Print a line for each shape."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="cudnn", help="which is checked")
    parser.add_argument("--small", action="store_true", help="one small shape, to try this out")
    options = parser.parse_args()
    worst = 0.0
    for shape in SMALL if options.small else SHAPES:
        found = off(options.engine, *shape)
        worst = max(worst, found)
        print("T {} B {} H {}: off by {:.1e}".format(*shape, found), flush=True)
    if worst > ALLOWED:
        sys.exit(f"{options.engine} is off by {worst:.1e}, allowed is {ALLOWED:.0e}")


if __name__ == "__main__":
    main()
