"""Classify digits that are read pixel by pixel: 64 steps, or 1,024 at four times the size.

    python tests/benchmarks/pixels.py             # all models and lengths
    python tests/benchmarks/pixels.py --quick     # one short run

The digits are those of scikit-learn: 1,797 images of 8 x 8 pixels (Alpaydin & Kaynak 1998). This is
the test of long memory of Le, Jaitly & Hinton (2015), with images that come in a package. For 1,024
steps, each pixel becomes a square of 4 x 4, and the images are read row by row. The class is read
from the last state. The first 1,297 images are for training, the next 200 for validation and the
last 300 for testing.

All models have 128 units and train with Adam on batches of 50, for 100 epochs of 64 steps or 30 of
1,024, with gradients clipped to norm 1 and a rate that falls to 1% along a cosine. A model's
learning rate is the one with the best validation accuracy of seed 100 at 64 steps. Runs that are in
the results are not repeated.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from long_memory import MODELS, configured
from runs import once, runs_of
from sklearn.datasets import load_digits

from lstm_jax.models.sequence_model import SequenceModel

RATES = {"lstm": (1e-3, 3e-3, 1e-2), "gru": (1e-3, 3e-3, 1e-2), "rnn": (1e-4, 3e-4, 1e-3)}
LENGTHS = {64: 100, 1024: 30}  # steps, and epochs
SEEDS, GRID_SEED = (0, 1, 2, 3, 4), 100
CLASSES, HIDDEN, BATCH = 10, 128, 50
TRAIN, VALID = 1297, 200


class Run(NamedTuple):
    """Describe a training run."""

    model: str
    steps: int
    seed: int
    rate: float
    epochs: int


def digits(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels of all images in [-1, 1], (N, T, 1), and their classes, (N,)."""
    data = load_digits()
    factor = round((steps / 64) ** 0.5)
    images = data.images.repeat(factor, 1).repeat(factor, 2)
    return (images.reshape(len(images), -1, 1) / 8 - 1).astype(np.float32), data.target


def train(run: Run) -> dict:
    """Train a model and return its accuracies on the validation and the test images."""
    pixels, truth = digits(run.steps)
    config = configured(run.model, HIDDEN, run.steps)
    graph, params = nnx.split(SequenceModel(1, CLASSES, config, rngs=nnx.Rngs(run.seed)), nnx.Param)
    per_epoch = TRAIN // BATCH
    schedule = optax.cosine_decay_schedule(run.rate, run.epochs * per_epoch, 0.01)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))

    def answer(params, xs):
        return nnx.merge(graph, params)(xs)[1][:, -1]

    @jax.jit
    def update(params, opt_state, xs, classes):
        def loss(params):
            logits = answer(params, xs)
            return optax.softmax_cross_entropy_with_integer_labels(logits, classes).mean()

        value, gradients = jax.value_and_grad(loss)(params)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, value

    @jax.jit
    def right(params, xs, classes):
        return jnp.mean(answer(params, xs).argmax(-1) == classes)

    def accuracy(params, start, end):
        return float(right(params, pixels[start:end], truth[start:end]))

    opt_state, start = optimizer.init(params), time.perf_counter()
    for epoch in range(run.epochs):
        order = np.random.default_rng([run.seed, epoch]).permutation(TRAIN)
        for rows in order[: per_epoch * BATCH].reshape(per_epoch, BATCH):
            params, opt_state, value = update(params, opt_state, pixels[rows], truth[rows])
    return {
        "last_loss": round(float(value), 5),
        "valid_accuracy": round(accuracy(params, TRAIN, TRAIN + VALID), 4),
        "test_accuracy": round(accuracy(params, TRAIN + VALID, len(truth)), 4),
        "seconds": round(time.perf_counter() - start, 1),
    }


def result_of(run: Run) -> dict:
    """Return the result of a run from the results, or train it and add it to them."""
    result = once("pixels", run._asdict(), partial(train, run), table)
    print(f"{run}: validation {result['valid_accuracy']:.3f}, {result['seconds']} s", flush=True)
    return result


def table(runs: list[dict]) -> str:
    """Format the test accuracies in Markdown: mean and range over the seeds, in percent."""
    lines = [
        f"| model | rate | {' | '.join(f'{steps:,} steps' for steps in LENGTHS)} |",
        "|---" * (len(LENGTHS) + 2) + "|",
    ]
    for model in MODELS:
        own = [run for run in runs if run["model"] == model and run["seed"] != GRID_SEED]
        cells = [cell([r["test_accuracy"] for r in own if r["steps"] == n]) for n in LENGTHS]
        rate = f"{own[0]['rate']:g}" if own else ""
        lines.append(f"| {model} | {rate} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def cell(accuracies: list[float]) -> str:
    """Format the mean and range of accuracies, in percent."""
    if not accuracies:
        return "not run"
    percent = 100 * np.array(accuracies)
    if len(percent) == 1:
        return f"{percent[0]:.1f} (one seed)"
    spread = f"{percent.min():.1f} to {percent.max():.1f}, {len(percent)} seeds"
    return f"{percent.mean():.1f} ({spread})"


def main() -> None:
    """Train the models that are asked for, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="run only chrono for two epochs")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--lengths", nargs="+", type=int, choices=LENGTHS, default=[*LENGTHS])
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    options = parser.parse_args()
    if options.quick:
        print(train(Run(MODELS[0], 64, 0, 5e-3, 2)))
        return
    for model in options.models:
        rates = RATES[model.split()[0]]
        grid = [result_of(Run(model, 64, GRID_SEED, rate, LENGTHS[64])) for rate in rates]
        rate = max(grid, key=lambda run: run["valid_accuracy"])["rate"]
        for steps in options.lengths:
            for seed in SEEDS[: options.seeds]:
                result_of(Run(model, steps, seed, rate, LENGTHS[steps]))
    print(table(runs_of("pixels")))


if __name__ == "__main__":
    main()
