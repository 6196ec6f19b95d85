"""Measure the time and memory of `lstm-jax train text` on texts larger than memory.

    python tests/benchmarks/big_text.py [--megabytes 20 200 2000] [--folder BIG_DISK]

For each size, the script writes a text of made-up words, prepares it, and trains a small model on
it for 200 steps. Preparing and training run in separate processes, whose peak resident memory is
recorded. A small text is also trained on in memory (`--stream False`). `batch_ms` is an upper bound
on the time that the loop waits for a batch: it makes batches one after the other, and requests the
next while the previous step is still being computed. The files take up to three times the largest
size and are deleted at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from machine import machine
from own_results import RESULTS

from lstm_jax.configs import text as recipe
from lstm_jax.files import CACHE_VARIABLE
from lstm_jax.train.tasks.text.look import look_at_texts

STEPS = 200
SIZES = {"rows": 32, "window": 96, "epochs": 1}
MODEL = {"embedding-features": 32, "hidden-features": 128, "num-layers": 1, "layer-dropout": 0}
WORDS = 20_000
IN_MEMORY = 20
"""Largest text, in megabytes, that is also trained on in memory, which takes 100 times its size."""


def write(path: Path, size: int) -> None:
    """Write lines of made-up words whose frequencies follow Zipf's law."""
    rng = np.random.default_rng(0)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiouäöü"]
    words = ["".join(rng.choice(syllables, rng.integers(1, 5))) for _ in range(WORDS)]
    separated = np.array([word + " " for word in words] + [word + ".\n" for word in words], object)
    shares = 1 / np.arange(1, WORDS + 1)
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < size:
            chosen = rng.choice(WORDS, 200_000, p=shares / shares.sum())
            last = rng.random(chosen.size) < 1 / 12
            file.write("".join(separated[chosen + WORDS * last]))


def run(path: Path, out: Path, *options: str) -> dict:
    """Run `lstm-jax train text` in a process and return its time, CPU time and peak memory."""
    fields = {**SIZES, **{f"model.{name}": value for name, value in MODEL.items()}}
    flags = [part for name, value in fields.items() for part in (f"--{name}", str(value))]
    program = "from lstm_jax import cli; cli.main()"
    command = [sys.executable, "-c", program, "train", "text", "--file", str(path)]
    start = time.perf_counter()
    process = subprocess.Popen([*command, *flags, "--out", str(out), *options])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    # macOS reports bytes, Linux KiB.
    peak = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    cpu_seconds = usage.ru_utime + usage.ru_stime
    figures = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peak}
    return {name: round(value, 1) for name, value in figures.items()}


def waiting(path: Path, metrics: Path) -> dict:
    """Return the milliseconds it takes to make a batch and to compute a step."""
    config = replace(recipe.config, file=(str(path),), stream=True, **SIZES)
    epoch = look_at_texts(config).task.epoch(0)
    start = time.perf_counter()
    for index in range(STEPS):
        epoch[index]
    batch = (time.perf_counter() - start) / STEPS
    # At the end of a block every row reads a new one, so average over the whole epoch.
    start, stride = time.perf_counter(), max(len(epoch) // 50, 1)
    for index in range(0, len(epoch), stride):
        epoch[index]
    anywhere = (time.perf_counter() - start) / len(range(0, len(epoch), stride))
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    speeds = [line["tokens_per_second"] for line in lines if "tokens_per_second" in line][1:]
    step = SIZES["rows"] * SIZES["window"] / float(np.median(speeds))
    milliseconds = {"batch_ms": batch, "batch_anywhere_ms": anywhere, "step_ms": step}
    return {name: round(1000 * value, 3) for name, value in milliseconds.items()}


def measure(folder: Path, megabytes: int) -> dict:
    """Measure a text of one size."""
    path, size = folder / f"{megabytes}.txt", megabytes * 10**6
    write(path, size)
    os.environ[CACHE_VARIABLE] = str(folder / "cache")
    stream, steps = ("--stream", "True"), ("--max-steps", str(STEPS))
    result = {"megabytes": megabytes, "prepare": run(path, folder / "none", *stream, "--dry-run")}
    result["train"] = run(path, folder / f"{megabytes}", *stream, *steps)
    result |= waiting(path, folder / f"{megabytes}" / "metrics.jsonl")
    if megabytes <= IN_MEMORY:
        result["in_memory"] = run(path, folder / "in_memory", "--stream", "False", *steps)
    cached = sum(part.stat().st_size for part in (folder / "cache").rglob("*") if part.is_file())
    result["cache_megabytes"] = round(cached / 10**6)
    for created in (path, folder / "cache"):
        shutil.rmtree(created) if created.is_dir() else created.unlink()
    print(json.dumps(result))
    return result


def main() -> None:
    """Measure every size and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[20, 200, 2000])
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        sizes = [measure(Path(folder), size) for size in arguments.megabytes]
    results = {"machine": machine(), "steps": STEPS, **SIZES, "model": MODEL, "sizes": sizes}
    (RESULTS / "big_text.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
