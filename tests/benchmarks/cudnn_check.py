"""Check every output and gradient of "cudnn" against "scan" on shapes from DeepBench.

    python tests/benchmarks/cudnn_check.py [--engine fused] [--small]

Each figure is the largest difference divided by the largest value, in JAX's highest precision,
because either engine may otherwise multiply in TF32. The exit code is 1 if a figure exceeds 1e-4.
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


def relative_error(engine: Any, steps: int, batch: int, width: int) -> float:
    """Return the largest relative error of an engine's outputs, final state and gradients."""
    key, xs_key = jax.random.split(jax.random.key(0))
    params = lstm_jax.init_lstm(key, width, width)
    xs = jax.random.normal(xs_key, (steps, batch, width))

    def loss(params, xs, name):
        with jax.default_matmul_precision("highest"):
            final, hs = lstm_jax.lstm(params, xs, implementation=name)
        return (hs**2).mean() + final.c.mean(), (final, hs)

    run = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True), static_argnums=2)
    pairs = zip(*(jax.tree.leaves(run(params, xs, name)) for name in (engine, "scan")), strict=True)
    arrays = [(np.asarray(checked), np.asarray(reference)) for checked, reference in pairs]
    return max(float(abs(a - b).max() / abs(b).max()) for a, b in arrays)


def main() -> None:
    """Print the error of every shape."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="cudnn", help="engine to check")
    parser.add_argument("--small", action="store_true", help="try one small shape only")
    options = parser.parse_args()
    worst = 0.0
    for shape in SMALL if options.small else SHAPES:
        error = relative_error(options.engine, *shape)
        worst = max(worst, error)
        print("T {} B {} H {}: relative error {:.1e}".format(*shape, error), flush=True)
    if worst > ALLOWED:
        sys.exit(
            f"the relative error of {options.engine} must be at most {ALLOWED:.0e}, got {worst:.1e}"
        )


if __name__ == "__main__":
    main()
