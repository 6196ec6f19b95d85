"""Measure the peak memory of a gradient as T grows, with and without recomputation.

    python tests/benchmarks/memory.py [--quick]

The figures are XLA's memory analysis of the compiled gradient with respect to parameters and inputs
in float32: the temporaries alone, and their sum with arguments and outputs. A loss that reads every
h keeps each of them and its cotangent, 2 T B H numbers, whatever is recomputed. A loss that reads
only the last h does not. "flax" is nnx.RNN over its OptimizedLSTMCell with default options.
"""

from __future__ import annotations

import argparse
from itertools import product

import jax
import jax.numpy as jnp
from flax import nnx
from runs import publish

import lstm_jax

B, D, H = 16, 128, 256
CASES = [*product(("scan", "fused"), (None, 32, "sqrt")), ("flax", None)]


def bytes_of(reads: str, steps: int, implementation: str, remat: int | str | None) -> dict:
    """Return the bytes that the compiled gradient needs."""
    if implementation == "flax":
        flax = nnx.RNN(nnx.OptimizedLSTMCell(D, H, rngs=nnx.Rngs(0)))
        graph, params, rest = nnx.split(flax, nnx.Param, ...)

        def run(params, xs):
            zeros = (jnp.zeros((B, H)),) * 2
            layer = nnx.merge(graph, params, rest)
            (_, h), hs = layer(xs, initial_carry=zeros, return_carry=True, time_major=True)
            return h, hs
    else:
        params = lstm_jax.init_lstm(jax.random.key(0), D, H)

        def run(params, xs):
            final, hs = lstm_jax.lstm(params, xs, implementation=implementation, remat=remat)
            return final.h, hs

    def loss(params, xs):
        last, hs = run(params, xs)
        return ((hs if reads == "every h" else last) ** 2).sum()

    xs = jax.ShapeDtypeStruct((steps, B, D), jnp.float32)
    memory = jax.jit(jax.grad(loss, (0, 1))).lower(params, xs).compile().memory_analysis()
    sizes = [memory.argument_size_in_bytes, memory.output_size_in_bytes, memory.temp_size_in_bytes]
    return {
        "reads": reads,
        "steps": steps,
        "implementation": implementation,
        "remat": remat,
        "temporary_bytes": sizes[2],
        "total_bytes": sum(sizes),
    }


def table(rows: list[dict]) -> str:
    """Format a Markdown table in MiB."""
    lines = [
        "| loss of | T | implementation | remat | temporary, MiB | all, MiB |",
        "|---" * 6 + "|",
    ]
    for row in rows:
        temporary, total = (row[k] / 2**20 for k in ("temporary_bytes", "total_bytes"))
        labels = row["reads"], f"{row['steps']:,}", row["implementation"], str(row["remat"])
        lines.append(f"| {' | '.join(labels)} | {temporary:,.1f} | {total:,.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure all cases and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="measure only T = 1024, write nothing")
    quick = parser.parse_args().quick
    rows = [
        bytes_of(reads, steps, implementation, remat)
        for reads in ("the last h", "every h")
        for steps in ((1024,) if quick else (1024, 4096, 16384))
        for implementation, remat in CASES
    ]
    print(table(rows))
    if quick:
        return
    sizes = {"batch": B, "in_features": D, "hidden_features": H}
    publish("memory", {**sizes, "rows": rows}, table(rows))


if __name__ == "__main__":
    main()
