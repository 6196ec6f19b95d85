"""The task of long-memory problems: a loss to train, and a verdict on each sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from lstm_jax.models import storage
from lstm_jax.models.sequence_model import SequenceModel
from lstm_jax.train.batch import Batch, Epoch
from lstm_jax.train.data import memory
from lstm_jax.train.data.memory import COPY_LENGTH
from lstm_jax.train.task import Validate, Validation, summed
from lstm_jax.train.tasks.memory import schedule
from lstm_jax.train.tasks.memory.config import MemoryConfig
from lstm_jax.trees import Tree, widened

ADDING_TOLERANCE = 0.04
ORDER_TOLERANCE = 0.3
FLIPFLOP_TOLERANCE = 0.5
TESTED = 2560  # number of held-out sequences, as in the papers
AT_ONCE = 256
TRAINING = 0
HELD_OUT = {"valid": 1, "test": 2}  # streams of random numbers that training does not use

JudgeBatch: TypeAlias = Callable[[nnx.State, Batch[np.ndarray]], tuple[Array, Array]]
"""`judge_batch(params, batch) -> (summed loss, number of wrong sequences)`."""


def judge(name: str, model: SequenceModel, batch: Batch[Array]) -> tuple[Array, Array]:
    """Judge each sequence by the rules of the papers.

    Losses are means over the steps that have a target: the squared error for adding and flipflop,
    nats for the other puzzles. A sequence is correct if its error is below 0.04 (adding), every
    output probability is within 0.3 of its target (order), all ten symbols are right (copy), or
    every bit of every step is within 0.5 of its sign (flipflop).

    Args:
        name: name of the puzzle, one of `memory.PUZZLES`.
        model: a model with the sizes of the puzzle.
        batch: a batch of the puzzle.

    Returns:
        Losses (B,) float32, and whether each sequence is correct, (B,) booleans.

    Raises:
        ValueError: if the name is unknown.
    """
    if memory.puzzle(name).every_step:
        ys = widened(model(batch.inputs, lengths=batch.lengths)[1])
        if name == "flipflop":
            errors = jnp.abs(ys - batch.targets)
            return (errors**2).mean((1, 2)), (errors < FLIPFLOP_TOLERANCE).all((1, 2))
        losses = optax.softmax_cross_entropy_with_integer_labels(ys, batch.targets).mean(-1)
        right = ys.argmax(-1) == batch.targets
        return losses, right[:, -COPY_LENGTH:].all(-1)
    y = widened(model.last(batch.inputs, lengths=batch.lengths)[1])
    if name == "adding":
        error = y[:, 0] - batch.targets
        return error**2, jnp.abs(error) < ADDING_TOLERANCE
    losses = optax.softmax_cross_entropy_with_integer_labels(y, batch.targets)
    error = jax.nn.softmax(y) - jax.nn.one_hot(batch.targets, y.shape[-1])
    return losses, (jnp.abs(error) < ORDER_TOLERANCE).all(-1)


def held_out(config: MemoryConfig, split: str) -> list[Batch[np.ndarray]]:
    """Generate held-out sequences.

    Args:
        config: configuration of the run.
        split: one of `HELD_OUT`, each of which has its own sequences.

    Returns:
        `TESTED` sequences, in batches.
    """
    generator = np.random.default_rng([config.seed, HELD_OUT[split]])
    generate = memory.puzzle(config.problem).generate
    return [generate(generator, AT_ONCE, config.steps) for _ in range(TESTED // AT_ONCE)]


def make_judge(name: str, model: SequenceModel) -> JudgeBatch:
    """Build a jitted `JudgeBatch`.

    Args:
        name: name of the puzzle.
        model: a model with the structure of the parameters.
    """
    graph = nnx.graphdef(model)

    @jax.jit
    def judge_batch(params: nnx.State, batch: Batch[Array]) -> tuple[Array, Array]:
        losses, right = judge(name, nnx.merge(graph, params), batch)
        return losses.sum(), (~right).sum()

    return judge_batch


def verdict(
    judge_batch: JudgeBatch, params: nnx.State, batches: Iterable[Batch[np.ndarray]]
) -> tuple[float, int]:
    """Judge all sequences.

    Args:
        judge_batch: the result of `make_judge`.
        params: parameters of the model.
        batches: the result of `held_out`.

    Returns:
        The mean loss, and the number of wrong sequences.
    """
    results = [(judge_batch(params, batch), len(batch.inputs)) for batch in batches]
    total = sum(float(loss) for (loss, _), _ in results)
    return total / sum(count for _, count in results), sum(int(wrong) for (_, wrong), _ in results)


def say(config: MemoryConfig, loss: float, wrong: int) -> str:
    """Format a verdict; for copy, include the ratio of the loss to the loss without memory.

    Args:
        config: configuration of the run.
        loss: mean loss of all sequences.
        wrong: number of wrong sequences.
    """
    share = loss / memory.trivial_loss(config.steps)
    more = f", {share:.3f} of the trivial loss" if config.problem == "copy" else ""
    return f"{wrong:,} of {TESTED:,} held-out sequences wrong, loss {loss:.3g}{more}"


@dataclass(frozen=True)
class MemoryTask:
    """Train on a problem whose sequences are generated as needed; a `Task`."""

    config: MemoryConfig

    unit = "sequences"

    @property
    def description(self) -> str:
        return f"{self.config.problem}, T = {self.config.steps:,}"

    @property
    def facts(self) -> Mapping[str, str]:
        return {"data": self.config.problem}

    @property
    def identity(self) -> Mapping[str, str]:
        return {}  # the configuration identifies the sequences

    def model(self, rngs: nnx.Rngs) -> SequenceModel:
        puzzle = memory.puzzle(self.config.problem)
        sizes = puzzle.in_features, puzzle.out_features
        return SequenceModel(*sizes, self.config.model, rngs=rngs)

    def initial_state(self, model: SequenceModel, rows: int) -> Tree:
        return model.initial_state(rows)

    def carry(self, model: SequenceModel) -> Tree:
        return ()

    def epoch(self, number: int) -> Epoch:
        config, size = self.config, self.config.sequences // self.config.batch
        steps = schedule.lag(config, number)

        def make(index: int) -> Batch[np.ndarray]:
            step = number * size + index + 1
            generator = np.random.default_rng([config.seed, TRAINING, step])
            batch = memory.puzzle(config.problem).generate(generator, config.batch, steps)
            if not config.flossing.exponents:
                return batch
            learned = not schedule.flosses(config.flossing, step)
            return batch._replace(weights=np.full(config.batch, learned, np.float32))

        return Epoch(size, make)

    def loss(
        self, model: SequenceModel, carry: Tree, batch: Batch[Array], key: Array | None
    ) -> tuple[Array, Array, Tree]:
        del key
        config = self.config
        if batch.weights is None:
            return *summed(judge(config.problem, model, batch)[0]), carry

        def learned() -> Array:
            return judge(config.problem, model, batch)[0].mean()

        def flossed() -> Array:
            return schedule.flossing_loss(model, batch.inputs, config.flossing.exponents)

        mean = jax.lax.cond(batch.weights.any(), learned, flossed)
        return *summed(jnp.full(len(batch.inputs), mean)), carry

    def figures(self, loss: float) -> Mapping[str, float]:
        return {}

    def validator(self, model: SequenceModel) -> Validate:
        config = self.config
        judge_batch, batches = make_judge(config.problem, model), held_out(config, "valid")

        def validate(params: nnx.State, step: int) -> Validation:
            loss, wrong = verdict(judge_batch, params, batches)
            sequences = step * config.batch
            solved = config.stop_wrong is not None and wrong <= config.stop_wrong
            message = f"{say(config, loss, wrong)}, after {sequences:,} sequences"
            figures = {"valid_wrong": wrong, "sequences": sequences}
            return Validation(loss, figures, message + (": solved" if solved else ""), solved)

        return validate

    def save(self, model: SequenceModel, folder: Path, card: dict[str, object]) -> None:
        puzzle = memory.puzzle(self.config.problem)
        sizes = {"in_features": puzzle.in_features, "out_features": puzzle.out_features}
        storage.save(folder, model, card, sizes)
