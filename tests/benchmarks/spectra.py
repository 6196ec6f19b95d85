"""Compare the dense and matrix-free methods for the singular values of an LSTM's Jacobian products.

    python tests/benchmarks/spectra.py            # H=512 (n=1,024), lag 1,000, and the crossover
    python tests/benchmarks/spectra.py --quick    # H=128, lag 200, in under a minute

Both compute the top 8 singular values of ∂s_T/∂s_{T-lag}, and start from the same linearized chain.
The dense method multiplies n vectors by structured step Jacobians (one product with the recurrent
kernel; the rest is elementwise), moves their growth into logarithms with a QR every ten steps, and
ends with one SVD. The methods take turns in one process. Each time is the median over the rounds,
and the ratio is the median over the pairs. Compilation is not counted. "same" is the largest
relative difference of the singular values. "default" is the method that runs if you choose none,
with its time if the choice depends on the spectrum.
"""

from __future__ import annotations

import argparse
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from runs import publish

import lstm_jax
from lstm_jax.diagnostics import product_spectrum
from lstm_jax.diagnostics.products import choose

D = 64
KINDS = {
    "forget bias 1": {"forget_bias": 1.0},
    "forget bias 5": {"forget_bias": 5.0},
    "chrono": {},
}


def problem(kind: str, hidden: int, lag: int):
    """Return the parameters, inputs and zero state of an untrained LSTM."""
    options = KINDS[kind] or {"max_timescale": float(lag)}
    params = lstm_jax.init_lstm(jax.random.key(0), D, hidden, **options)
    zeros = jnp.zeros(hidden)
    return params, jax.random.normal(jax.random.key(1), (lag, D)), lstm_jax.LSTMState(zeros, zeros)


def compare(kind: str, hidden: int, lag: int, rounds: int) -> dict:
    """Time the methods in turns, and compare their singular values."""
    operands = problem(kind, hidden, lag)
    compiled, values, times = {}, {}, {"dense": [], "matrix-free": [], "default": []}
    if choose(2 * hidden, 8, (lag,)) in times:
        del times["default"]
    for method in times:
        chosen = None if method == "default" else method
        run = jax.jit(partial(product_spectrum, lstm_jax.lstm_step, lags=(lag,), method=chosen))
        compiled[method] = run.lower(*operands).compile()
    for _ in range(rounds):
        for method, run in compiled.items():
            start = time.perf_counter()
            spectrum = jax.block_until_ready(run(*operands))
            times[method].append(time.perf_counter() - start)
            values[method] = np.asarray(spectrum.log_singular_values[0], np.float64)
    difference = np.abs(np.expm1(values["dense"] - values["matrix-free"])).max()
    ratios = np.array(times["dense"]) / times["matrix-free"]
    memory = {m: int(r.memory_analysis().temp_size_in_bytes) for m, r in compiled.items()}
    row = {
        "kind": kind,
        "hidden_features": hidden,
        "lag": lag,
        "seconds": times,
        "ratio": [float(ratios.min()), float(np.median(ratios)), float(ratios.max())],
        "relative_difference": float(difference),
        "log_singular_values": values["matrix-free"].tolist(),
        "temporary_bytes": memory,
        "default": choose(2 * hidden, 8, (lag,)),
    }
    print(line(row), flush=True)
    return row


def line(row: dict) -> str:
    """Format a row of the table in Markdown."""
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
    """Measure every case, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="print a few small cases and write nothing"
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each case")
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
    publish("spectra", {"rows": rows}, "\n".join([head, *map(line, rows)]) + "\n")


if __name__ == "__main__":
    main()
