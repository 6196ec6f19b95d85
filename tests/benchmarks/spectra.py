"""Top 8 singular values of ∂s_T/∂s_{T-lag} of an LSTM: the dense road against the matrix-free one.

    python tests/benchmarks/spectra.py            # H=512 (n=1,024), lag 1,000, and the crossover
    python tests/benchmarks/spectra.py --quick    # H=128, lag 200, in under a minute

Both start from the same linearized chain: the dense road carries n vectors by structured step
Jacobians (one product with the recurrent kernel, the rest elementwise), takes the growth out by QR
every ten steps into logarithms, and ends with one SVD. Runs alternate in one process; each figure
is the median of the rounds, the ratio that of the pairs. Compilation is not counted. "same" is the
largest relative difference of the singular values. "default" is the road taken where none is
asked for, with its time where it depends on the spectrum.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from machine import machine

import lstm_jax
from lstm_jax.diagnostics import product_spectrum
from lstm_jax.diagnostics.products import choose

RESULTS = Path(__file__).parent / "results"
D = 64
KINDS = {
    "forget bias 1": {"forget_bias": 1.0},
    "forget bias 5": {"forget_bias": 5.0},
    "chrono": {},
}


def problem(kind: str, hidden: int, lag: int):
    """Parameters, inputs and the zero state of a fresh LSTM."""
    options = KINDS[kind] or {"max_timescale": float(lag)}
    params = lstm_jax.init_lstm(jax.random.key(0), D, hidden, **options)
    zeros = jnp.zeros(hidden)
    return params, jax.random.normal(jax.random.key(1), (lag, D)), lstm_jax.LSTMState(zeros, zeros)


def compare(kind: str, hidden: int, lag: int, rounds: int) -> dict:
    """Both roads in alternation."""
    operands = problem(kind, hidden, lag)
    roads, values, times = {}, {}, {"dense": [], "matrix-free": [], "default": []}
    if choose(2 * hidden, 8, (lag,)) in times:
        del times["default"]
    for method in times:
        chosen = None if method == "default" else method
        run = jax.jit(partial(product_spectrum, lstm_jax.lstm_step, lags=(lag,), method=chosen))
        roads[method] = run.lower(*operands).compile()
    for _ in range(rounds):
        for method, run in roads.items():
            began = time.perf_counter()
            found = jax.block_until_ready(run(*operands))
            times[method].append(time.perf_counter() - began)
            values[method] = np.asarray(found.log_singular_values[0], np.float64)
    apart = np.abs(np.expm1(values["dense"] - values["matrix-free"])).max()
    ratios = np.array(times["dense"]) / times["matrix-free"]
    memory = {m: int(r.memory_analysis().temp_size_in_bytes) for m, r in roads.items()}
    row = {
        "kind": kind,
        "hidden_features": hidden,
        "lag": lag,
        "seconds": times,
        "ratio": [float(ratios.min()), float(np.median(ratios)), float(ratios.max())],
        "relative_difference": float(apart),
        "log_singular_values": values["matrix-free"].tolist(),
        "temporary_bytes": memory,
        "default": choose(2 * hidden, 8, (lag,)),
    }
    print(line(row), flush=True)
    return row


def line(row: dict) -> str:
    """A row of the table, in Markdown."""
    dense, free = (np.median(row["seconds"][m]) for m in ("dense", "matrix-free"))
    low, middle, high = row["ratio"]
    default = row["default"]
    if "default" in row["seconds"]:
        default = f"{default}: {np.median(row['seconds']['default']):.3g} s"
    memory = [f"{row['temporary_bytes'][m] / 2**20:,.0f}" for m in ("dense", "matrix-free")]
    return (
        f"| {row['kind']} | {row['hidden_features']} | {row['lag']:,} | {dense:.3g} | {free:.3g} | "
        f"{middle:.2f} ({low:.2f} to {high:.2f}) | {row['relative_difference']:.1e} | "
        f"{' / '.join(memory)} | {default} |"
    )


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    head = (
        "| initialisation | H | lag | dense, s | matrix-free, s | ratio | same | MiB | default |\n"
        + "|---" * 9
        + "|"
    )
    print(head)
    if arguments.quick:
        for kind in KINDS:
            compare(kind, 128, 200, arguments.rounds)
        return
    small = [(kind, h, 200) for h in (16, 32, 64, 128, 256) for kind in KINDS]
    cases = [(kind, 512, 1000) for kind in KINDS] + small
    rows = [compare(kind, h, lag, arguments.rounds) for kind, h, lag in cases]
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n"
    (RESULTS / "spectra.json").write_text(text, encoding="utf-8")
    table = "\n".join([head, *map(line, rows)]) + "\n"
    (RESULTS / "spectra.md").write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
