"""Peak memory of a forward and backward pass against T, with and without recomputation.

    python tests/benchmarks/memory.py

XLA's own memory analysis of the compiled program of the gradient with respect to parameters and
inputs, float32: arguments, outputs and temporaries together, and temporaries alone. A loss that
reads every h holds all of them and their cotangents, 2 T B H numbers, whatever is recomputed; one
that reads the last state does not.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import jax
import jax.numpy as jnp
from machine import machine

import lstm_jax

RESULTS = Path(__file__).parent / "results"
B, D, H = 16, 128, 256


def bytes_of(reads: str, steps: int, implementation: str, remat: int | str | None) -> dict:
    """What the compiled gradient needs."""
    params = lstm_jax.init_lstm(jax.random.key(0), D, H)

    def loss(params, xs):
        final, hs = lstm_jax.lstm(params, xs, implementation=implementation, remat=remat)
        return ((hs if reads == "every h" else final.h) ** 2).sum()

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
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    rows = [
        bytes_of(reads, steps, implementation, remat)
        for reads in ("the last h", "every h")
        for steps in (1024, 16384)
        for implementation in ("scan", "fused")
        for remat in (None, 32, "sqrt")
    ]
    print(table(rows))
    RESULTS.mkdir(exist_ok=True)
    sizes = {"batch": B, "in_features": D, "hidden_features": H}
    text = json.dumps({"machine": machine(), **sizes, "rows": rows}, indent=1) + "\n"
    (RESULTS / "memory.json").write_text(text, encoding="utf-8")
    (RESULTS / "memory.md").write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
