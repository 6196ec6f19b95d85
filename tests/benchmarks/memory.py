"""Peak memory of a forward and backward pass against T, with and without recomputation.

    python tests/benchmarks/memory.py [--quick]

XLA's own memory analysis of the compiled program of the gradient with respect to parameters and
inputs, float32: arguments, outputs and temporaries together, and temporaries alone. A loss that
reads every h holds all of them and their cotangents, 2 T B H numbers, whatever is recomputed; one
that reads the last state does not. "flax" is nnx.RNN over its OptimizedLSTMCell, as it comes.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path

import jax
import jax.numpy as jnp
from flax import nnx
from machine import machine

import lstm_jax

RESULTS = Path(__file__).parent / "results"
B, D, H = 16, 128, 256
CASES = [*product(("scan", "fused"), (None, 32, "sqrt")), ("flax", None)]


def bytes_of(reads: str, steps: int, implementation: str, remat: int | str | None) -> dict:
    """What the compiled gradient needs."""
    if implementation == "flax":
        flax = nnx.RNN(nnx.OptimizedLSTMCell(D, H, rngs=nnx.Rngs(0)))
        graph, params, rest = nnx.split(flax, nnx.Param, ...)

        def run(params, xs):
            begin = (jnp.zeros((B, H)),) * 2
            layer = nnx.merge(graph, params, rest)
            (_, h), hs = layer(xs, initial_carry=begin, return_carry=True, time_major=True)
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
    """In Markdown, MiB."""
    lines = [
        "| loss of | T | implementation | remat | temporary, MiB | all, MiB |",
        "|---" * 6 + "|",
    ]
    for row in rows:
        temporary, everything = (row[k] / 2**20 for k in ("temporary_bytes", "total_bytes"))
        what = row["reads"], f"{row['steps']:,}", row["implementation"], str(row["remat"])
        lines.append(f"| {' | '.join(what)} | {temporary:,.1f} | {everything:,.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="T = 1024 alone; nothing is written")
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
    RESULTS.mkdir(exist_ok=True)
    sizes = {"batch": B, "in_features": D, "hidden_features": H}
    text = json.dumps({"machine": machine(), **sizes, "rows": rows}, indent=1) + "\n"
    (RESULTS / "memory.json").write_text(text, encoding="utf-8")
    (RESULTS / "memory.md").write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
