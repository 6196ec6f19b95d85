"""Compare RNN, GRU and LSTM on tasks that need long memory: adding, copy and temporal order.

    python tests/benchmarks/long_memory.py              # all; up to T = 1,000 in three hours
    python tests/benchmarks/long_memory.py --quick      # one short run, in about a minute
    python tests/benchmarks/long_memory.py --steps 5000 10000     # only these T

A small grid search first picks the learning rate of each model on each task, at T = 200 with seed
100. Then every model is trained at T = 100, 200 and 500, and the chrono LSTM also at T = 1,000 on
adding, and at T = 5,000 and 10,000 on adding and temporal order, where gradients recompute the
states between sqrt(T) checkpoints. All models train with Adam on fresh sequences, in batches of
100, with gradients clipped to norm 1. On copy, where these settings never beat the trivial loss,
all models use batches of 20 and norm 0.1. Once fewer than 1% of the last 1,000 training sequences
are wrong, the model is tested on two separate sets of 2,560 sequences. If at most 3 are wrong in
each, the run ends as solved, and the figure of the second set is reported. Otherwise it ends at its
limit of sequences.

The largest timescale of chrono is T, or 3 T / 2 for copy, whose lags are longer than T (the choice
of Tallec & Ollivier 2018).

Runs that are in the results are not repeated, so the script can be stopped and restarted, and two
processes can share the work with --task. The trained networks are kept in --work.
"""

from __future__ import annotations

import argparse
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import optax
from flax import nnx
from published import LSTM_OF_1997
from runs import once, runs_of

from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.train.data import memory
from lstm_jax.train.tasks.memory.task import judge

MODELS = ("lstm chrono", "lstm forget bias 1", "gru", "rnn orthogonal")
TESTED, ALLOWED_WRONG = 2560, 3
TASKS = ("adding", "copy", "order")
BATCH = {"adding": 100, "order": 100, "copy": 20}
CLIP_NORM = {"adding": 1.0, "order": 1.0, "copy": 0.1}
TIMESCALE = {"adding": 1.0, "order": 1.0, "copy": 1.5}  # of chrono, in units of T
RATES = {"lstm": (3e-3, 1e-2, 3e-2), "gru": (3e-3, 1e-2, 3e-2), "rnn": (3e-4, 1e-3, 3e-3)}
HIDDEN = {"adding": 32, "order": 32, "copy": 64}
GRID_STEPS, GRID_SEED = 200, 100
GRID_LIMIT = {"adding": 80_000, "order": 50_000, "copy": 30_000}
# Counts of Hochreiter & Schmidhuber for the same T, or for the next larger T that they report;
# 100,000 where T is larger than any of theirs.
LIMITS = {
    "adding": {
        100: 74_000, 200: 209_000, 500: 209_000, 1000: 853_000, 5000: 100_000, 10_000: 100_000,
    },
    "order": {100: 31_390, 200: 100_000, 500: 100_000, 5000: 100_000, 10_000: 100_000},
    "copy": {100: 200_000, 200: 100_000, 500: 50_000},
}  # fmt: skip
ONLY_CHRONO = 1000  # from this T on, the other models are not run
LONG = 5000  # from this T on, five seeds and recomputation
SEEDS = {"adding": (0, 1, 2), "order": (0, 1, 2), "copy": (0,)}
LONG_SEEDS = (0, 1, 2, 3, 4)


class Run(NamedTuple):
    """Describe a training run."""

    task: str
    model: str
    steps: int
    seed: int
    rate: float
    limit: int


def configured(model: str, hidden: int, timescale: float) -> SequenceModelConfig:
    """Return the configuration of one of `MODELS`; the timescale is that of chrono."""
    return SequenceModelConfig(
        cell=model.split()[0],
        hidden_features=hidden,
        max_timescale=timescale if model == "lstm chrono" else None,
    )


def network(run: Run, hidden: int) -> SequenceModel:
    """Return the model of a run, initialized with its seed."""
    problem = memory.puzzle(run.task)
    config = configured(run.model, hidden, TIMESCALE[run.task] * run.steps)
    sizes = problem.in_features, problem.out_features
    model = SequenceModel(*sizes, config, rngs=nnx.Rngs(run.seed))
    model.recurrent.remat = "sqrt" if run.steps >= LONG else None
    return model


def train(run: Run) -> tuple[dict, nnx.State]:
    """Train until the task is solved or the limit is reached, and return figures and parameters."""
    problem, size = memory.puzzle(run.task), BATCH[run.task]
    graph, params = nnx.split(network(run, HIDDEN[run.task]), nnx.Param)
    optimizer = optax.chain(optax.clip_by_global_norm(CLIP_NORM[run.task]), optax.adam(run.rate))
    opt_state = optimizer.init(params)

    @jax.jit(donate_argnames=("params", "opt_state"))
    def update(params, opt_state, batch):
        def mean_loss(params):
            losses, correct = judge(run.task, nnx.merge(graph, params), batch)
            return losses.mean(), correct.sum()

        (loss, correct), gradients = jax.value_and_grad(mean_loss, has_aux=True)(params)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss, size - correct

    @jax.jit
    def wrong_in_batch(params, batch):
        return (~judge(run.task, nnx.merge(graph, params), batch)[1]).sum()

    def wrong(params, stream: int) -> int:
        generator = np.random.default_rng([run.seed, stream])
        sizes = [256] * (TESTED // 256)
        batches = (problem.generate(generator, n, run.steps) for n in sizes)
        return sum(int(wrong_in_batch(params, batch)) for batch in batches)

    recent: deque[tuple[float, int]] = deque(maxlen=1000 // size)
    losses: list[float] = []
    start, solved, step = time.perf_counter(), False, 0
    for step in range(1, run.limit // size + 1):
        generator = np.random.default_rng([run.seed, 0, step])
        batch = problem.generate(generator, size, run.steps)
        params, opt_state, loss, missed = update(params, opt_state, batch)
        recent.append((float(loss), int(missed)))
        losses.append(recent[-1][0])
        if not np.isfinite(losses[-1]):
            break
        few = len(recent) == recent.maxlen and sum(m for _, m in recent) < 0.01 * 1000
        if step % 10 == 0 and few and max(wrong(params, 1), wrong(params, 2)) <= ALLOWED_WRONG:
            solved = True
            break
    figures = {
        "hidden_features": HIDDEN[run.task],
        "solved": solved,
        "sequences": step * size,
        "wrong": wrong(params, 2) if solved else None,
        "tested": TESTED,
        "last_loss": float(np.mean(losses[-20:])),
        "seconds": round(time.perf_counter() - start, 1),
    }
    return figures, params


def trained(run: Run, work: Path) -> Path:
    """Return the file with the parameters of a run, training it if there is no such file."""
    path = weights_of(run, work)
    if not path.is_file():
        train_and_save(run, work)
    return path


def weights_of(run: Run, work: Path) -> Path:
    """Return the place of the parameters of a trained run."""
    return work / f"{'-'.join(map(str, run)).replace(' ', '_')}.npz"


def train_and_save(run: Run, work: Path) -> dict:
    """Train a run, save its parameters, and return its figures."""
    figures, params = train(run)
    work.mkdir(parents=True, exist_ok=True)
    np.savez(weights_of(run, work), *map(np.asarray, jax.tree.leaves(params)))
    outcome = "solved" if figures["solved"] else "not solved"
    print(f"{run}: {outcome} after {figures['sequences']:,} sequences, loss "
          f"{figures['last_loss']:.4g}, {figures['seconds']} s", flush=True)  # fmt: skip
    return figures


def figures_of(run: Run, work: Path) -> dict:
    """Return the figures of a run from the results, or train it and add them."""
    return once("long_memory", run._asdict(), lambda: train_and_save(run, work), table)


def best_rate(task: str, model: str, work: Path) -> float:
    """Return the rate that solves the grid's task soonest, or else ends with the lowest loss."""
    runs = [
        figures_of(Run(task, model, GRID_STEPS, GRID_SEED, rate, GRID_LIMIT[task]), work)
        for rate in RATES[model.split()[0]]
    ]

    def merit(run):
        loss = run["last_loss"] if np.isfinite(run["last_loss"]) else np.inf
        return (not run["solved"], run["sequences"] if run["solved"] else 0, loss)

    return min(runs, key=merit)["rate"]


def planned(task: str) -> list[tuple[str, int, int]]:
    """Return (model, T, seed) for all runs of a task, seed 0 first and chrono before the others."""
    cells = [
        (model, steps, seed)
        for model in MODELS
        for steps in LIMITS[task]
        for seed in (SEEDS[task] if steps < LONG else LONG_SEEDS)
        if steps < ONLY_CHRONO or model == "lstm chrono"
    ]
    return sorted(
        cells,
        key=lambda cell: (cell[2] > 0, cell[0] != "lstm chrono", cell[1], cell[2]),
    )


def table(results: list[dict]) -> str:
    """Format Markdown tables of the sequences until solved, by task, model and T."""
    own, lines = [run for run in results if run["seed"] != GRID_SEED], []
    for task in TASKS:
        times = sorted(LIMITS[task])
        lines += [
            f"### {task}",
            "",
            "| model | rate | " + " | ".join(f"T={t:,}" for t in times) + " |",
        ]
        lines += ["|---" * (len(times) + 2) + "|"]
        for model in MODELS:
            runs = [r for r in own if (r["task"], r["model"]) == (task, model)]
            rate = f"{runs[0]['rate']:g}" if runs else ""
            row = [
                cell(sorted((r for r in runs if r["steps"] == t), key=lambda r: r["seed"]), task)
                for t in times
            ]
            lines.append(f"| {model} | {rate} | " + " | ".join(row) + " |")
        published = [
            f"{LSTM_OF_1997[task, t]:,}" if (task, t) in LSTM_OF_1997 else "" for t in times
        ]
        if any(published):
            lines.append(
                "| LSTM of Hochreiter & Schmidhuber 1997 | | " + " | ".join(published) + " |"
            )
        lines.append("")
    return "\n".join(lines)


def cell(runs: list[dict], task: str) -> str:
    """Format a cell: sequences and wrong answers of each seed, or its loss if it was not solved."""
    if not runs:
        return "not run"
    solved = [r for r in runs if r["solved"]]
    parts = []
    if solved:
        counts = ", ".join(f"{r['sequences']:,}" for r in solved)
        parts.append(f"{counts} ({'/'.join(str(r['wrong']) for r in solved)} wrong of {TESTED:,})")
    for r in runs:
        if not r["solved"]:
            loss = f"loss {r['last_loss']:.2g}"
            if task == "copy":
                loss = f"{r['last_loss'] / memory.trivial_loss(r['steps']):.2f} of the trivial loss"
            parts.append(f"unsolved after {r['sequences']:,} ({loss})")
    return "; ".join(parts)


def main() -> None:
    """Run the requested tasks and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="run only chrono on adding at T=100")
    parser.add_argument("--task", nargs="+", choices=TASKS, default=TASKS)
    known = sorted({steps for limits in LIMITS.values() for steps in limits})
    parser.add_argument("--steps", nargs="+", type=int, choices=known, help="only these T")
    parser.add_argument("--work", type=Path, default=Path("runs/long_memory"))
    arguments = parser.parse_args()
    if arguments.quick:
        print(train(Run("adding", "lstm chrono", 100, 0, 1e-2, LIMITS["adding"][100]))[0])
        return
    for task in arguments.task:
        rates = {model: best_rate(task, model, arguments.work) for model in MODELS}
        print(task, rates, flush=True)
        for model, steps, seed in planned(task):
            if arguments.steps and steps not in arguments.steps:
                continue
            figures_of(
                Run(task, model, steps, seed, rates[model], LIMITS[task][steps]), arguments.work
            )
    print(table(runs_of("long_memory")))


if __name__ == "__main__":
    main()
