"""Measure the cost of a line of health.jsonl in training steps, for `tang`, `smoke` and `adding`.

    python tests/benchmarks/health.py

The windows hold random ids, for `tang` from a vocabulary of 7,038 symbols, so that no data is
needed. Updates, health checks and eight Lyapunov exponents alternate, and the fastest of each
counts.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax import Array

from lstm_jax.configs import adding, smoke, tang
from lstm_jax.models.char_lm import CharLM
from lstm_jax.train.batch import Batch
from lstm_jax.train.config import TrainConfig
from lstm_jax.train.data.text import pack
from lstm_jax.train.problems import make_task
from lstm_jax.train.run.exponents import Growth, growth
from lstm_jax.train.run.health import make_health
from lstm_jax.train.run.state import TrainState, make_optimizer, make_state
from lstm_jax.train.run.update import make_update
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.task import window_loss

CONFIGS = {"tang": tang.config, "smoke": smoke.config, "adding": adding.config}
EXPONENTS = 8
VOCABULARIES = {"tang": 7038, "smoke": 24}


def window(config: TextConfig, vocabulary: int) -> Batch[np.ndarray]:
    """Return a window of random texts that are about as long as poems."""
    rng = np.random.default_rng(0)
    texts = [rng.integers(2, vocabulary, n).astype(np.int32) for n in rng.integers(20, 90, 200)]
    return pack(texts, rows=config.rows, length=config.window, end_id=0).windows()[0]


def parts(name: str, config: TrainConfig) -> tuple[Any, Any, Any, Any, Any]:
    """Return the loss, model, initial state function, carry and batch of a recipe."""
    if not isinstance(config, TextConfig):
        task = make_task(config)
        model = task.model(nnx.Rngs(0))
        return task.loss, model, task.initial_state, task.carry(model), task.epoch(0)[0]
    model = CharLM(VOCABULARIES[name], config.model, rngs=nnx.Rngs(0))
    carry, batch = model.initial_state(config.rows), window(config, VOCABULARIES[name])
    return window_loss, model, CharLM.initial_state, carry, batch


def measure(name: str, config: TrainConfig, seconds: float) -> tuple[float, float, float]:
    """Return the seconds of the fastest update, health check and computation of exponents."""
    loss, model, initial_state, carry, batch = parts(name, config)
    optimizer, _ = make_optimizer(config.optimizer, 1000)
    state = make_state(model, optimizer, carry)
    update = make_update(loss, model, optimizer, 0)
    health = make_health(
        loss, model, optimizer, 0,
        initial_state=initial_state, clip_norm=config.optimizer.clip_norm,
    )  # fmt: skip
    graph = nnx.graphdef(model)

    @jax.jit
    def exponents(state: TrainState, batch: Batch[Array]) -> Growth | None:
        return growth(loss, nnx.merge(graph, state.params), state.carry, batch, EXPONENTS)

    times: tuple[list[float], list[float], list[float]] = ([], [], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 6:
        start = time.perf_counter()
        state, metrics = update(state, batch)
        jax.block_until_ready((state, metrics))
        times[0].append(time.perf_counter() - start)
        for program, row in zip((health, exponents), times[1:], strict=True):
            start = time.perf_counter()
            jax.block_until_ready(program(state, batch))
            row.append(time.perf_counter() - start)
    step, check, more = (min(row[1:]) for row in times)  # the first call compiles
    return step, check, more


def main() -> None:
    """Measure every model and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="seconds for each model")
    seconds = parser.parse_args().seconds
    for name, config in CONFIGS.items():
        step, check, more = measure(name, config, seconds)
        print(
            f"{name}: training step {step * 1e3:.1f} ms, health check {check * 1e3:.1f} ms "
            f"({check / step:.2f} steps); {check / step / config.health_every:.2%} of the time "
            f"with one check every {config.health_every} steps; {EXPONENTS} exponents add "
            f"{more * 1e3:.1f} ms ({more / step:.2f} steps)",
            flush=True,
        )


if __name__ == "__main__":
    main()
