"""Measure what `--precision bfloat16` costs in validation loss and in time, on Tang poems.

    python tests/benchmarks/precision.py [--steps 600]

The recipe is that of `tang-2026-11` with an embedding of 128 and layers of 256, and its schedule is
as short as the run. Both precisions start from the same parameters and read the same batches with
the same dropout. They take turns step by step, so that a busy machine slows both. Validation is in
float32.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any, get_args

import jax
from flax import nnx
from levers import OF_2026_11, changed
from machine import machine
from own_results import RESULTS

from lstm_jax.configs import tang
from lstm_jax.train.config import Precision
from lstm_jax.train.problems import make_task
from lstm_jax.train.run.precision import at_precision
from lstm_jax.train.run.state import make_optimizer, make_state
from lstm_jax.train.run.update import make_update

PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def main() -> None:
    """Train in both precisions, and write the results after each validation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600, help="training steps in each precision")
    parser.add_argument("--validate-every", type=int, default=100, help="interval in steps")
    options = parser.parse_args()
    sizes = {"model.embedding_features": 128, "model.hidden_features": 256}
    config = changed(tang.config, OF_2026_11 | sizes)
    task = make_task(config)
    model = task.model(nnx.Rngs(0))
    optimizer, _ = make_optimizer(config.optimizer, options.steps)
    batches, validate = task.epoch(0), task.validator(model)
    updates = {
        precision: make_update(at_precision(task.loss, precision), model, optimizer, 0)
        for precision in PRECISIONS
    }
    states = {name: make_state(model, optimizer, task.carry(model)) for name in PRECISIONS}
    seconds: dict[str, list[float]] = {name: [] for name in PRECISIONS}
    rows: list[dict[str, Any]] = []
    for step in range(1, options.steps + 1):
        for name in PRECISIONS:
            start = time.perf_counter()
            states[name], metrics = updates[name](states[name], batches[step - 1])
            jax.block_until_ready((states[name], metrics))
            seconds[name].append(time.perf_counter() - start)
        if step % options.validate_every == 0:
            losses = {name: validate(states[name].params, step).loss for name in PRECISIONS}
            rows.append({"step": step, "valid_loss": losses})
            times = {name: {"median": statistics.median(each[1:]), "min": min(each[1:])}
                     for name, each in seconds.items()}  # fmt: skip
            result = {"machine": machine(), "rows": rows, "seconds_of_a_step": times}
            (RESULTS / "precision.json").write_text(json.dumps(result, indent=1) + "\n")
            print(rows[-1], times, flush=True)


if __name__ == "__main__":
    main()
