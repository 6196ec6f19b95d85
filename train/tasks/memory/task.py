"""What a long-memory task asks of a model: a loss to train, and a verdict on each sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from lstm_jax.models import storage as model_files
from lstm_jax.models.sequence_model import SequenceModel
from lstm_jax.train.config import MemoryConfig
from lstm_jax.train.data import memory
from lstm_jax.train.data.memory import COPY_LENGTH, Sequences
from lstm_jax.train.task import Validation

ADDING_TOLERANCE = 0.04
ORDER_TOLERANCE = 0.3
TESTED = 2560  # sequences of a verdict, as the papers have it
AT_ONCE = 256
TRAINING = 0
HELD_OUT = {"valid": 1, "test": 2}  # streams of random numbers beside the training's


def judge(name: str, model: SequenceModel, batch: Sequences) -> tuple[Array, Array]:
    """Each sequence's loss and whether it was processed correctly, (B,) float32 and booleans.

    Losses are means over the steps that have a target: the squared error for adding, nats for
    the others. Correct is an error below 0.04 (adding), every output probability within 0.3 of
    its target (order), all ten symbols right (copy): the papers' rules.
    """
    if memory.problem(name).every_step:
        _, ys = model(batch.inputs, lengths=batch.lengths)
        losses = optax.softmax_cross_entropy_with_integer_labels(ys, batch.targets).mean(-1)
        right = ys.argmax(-1) == batch.targets
        return losses, right[:, -COPY_LENGTH:].all(-1)
    _, y = model.last(batch.inputs, lengths=batch.lengths)
    if name == "adding":
        error = y[:, 0] - batch.targets
        return error**2, jnp.abs(error) < ADDING_TOLERANCE
    losses = optax.softmax_cross_entropy_with_integer_labels(y, batch.targets)
    error = jax.nn.softmax(y) - jax.nn.one_hot(batch.targets, y.shape[-1])
    return losses, (jnp.abs(error) < ORDER_TOLERANCE).all(-1)


@dataclass(frozen=True)
class Epoch(Sequence[Sequences]):
    """Batches of new sequences: each a pure function of the seed and of the step it is for."""

    config: MemoryConfig
    number: int

    def __len__(self) -> int:
        return self.config.sequences // self.config.batch

    def __getitem__(self, index: int) -> Sequences:
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        config, step = self.config, self.number * len(self) + index + 1
        generator = np.random.default_rng([config.seed, TRAINING, step])
        return memory.problem(config.problem).generate(generator, config.batch, config.steps)


def held_out(config: MemoryConfig, split: str) -> list[Sequences]:
    """The sequences of a verdict, in batches: those of `HELD_OUT` differ, and from training's."""
    generator = np.random.default_rng([config.seed, HELD_OUT[split]])
    generate = memory.problem(config.problem).generate
    return [generate(generator, AT_ONCE, config.steps) for _ in range(TESTED // AT_ONCE)]


def make_judge(problem: str, model: SequenceModel) -> Callable[[Any, Sequences], Any]:
    """`judge_batch(params, batch) -> (summed loss, sequences that are wrong)`, jitted."""
    graph = nnx.graphdef(model)

    @jax.jit
    def judge_batch(params, batch):
        losses, right = judge(problem, nnx.merge(graph, params), batch)
        return losses.sum(), (~right).sum()

    return judge_batch


def verdict(
    judge_batch: Callable[[Any, Sequences], Any], params: Any, batches: Iterable[Sequences]
) -> tuple[float, int]:
    """Mean loss of all sequences, and how many are wrong."""
    found = [(judge_batch(params, batch), len(batch.inputs)) for batch in batches]
    total = sum(float(loss) for (loss, _), _ in found)
    return total / sum(count for _, count in found), sum(int(wrong) for (_, wrong), _ in found)


def say(config: MemoryConfig, loss: float, wrong: int) -> str:
    """A verdict in words; of copy's loss, also what share it is of knowing nothing."""
    share = loss / memory.trivial_loss(config.steps)
    more = f", {share:.3f} of the trivial one" if config.problem == "copy" else ""
    return f"{wrong:,} of {TESTED:,} held-out sequences wrong, loss {loss:.3g}{more}"


@dataclass(frozen=True)
class MemoryTask:
    """A problem whose sequences are generated as they are needed; a `Task`."""

    config: MemoryConfig

    unit = "sequences"

    @property
    def description(self) -> str:
        return f"{self.config.problem}, T = {self.config.steps:,}"

    @property
    def facts(self) -> dict[str, Any]:
        return {"data": self.config.problem}

    @property
    def identity(self) -> dict[str, str]:
        return {}  # the configuration says it all

    def model(self, rngs: nnx.Rngs) -> SequenceModel:
        problem = memory.problem(self.config.problem)
        sizes = problem.in_features, problem.out_features
        return SequenceModel(*sizes, self.config.model, rngs=rngs)

    def carry(self, model: SequenceModel) -> Any:
        return ()

    def epoch(self, number: int) -> Epoch:
        return Epoch(self.config, number)

    def loss(
        self, model: SequenceModel, carry: Any, batch: Sequences, key: Array | None
    ) -> tuple[Array, Array, Any]:
        del key
        losses, _ = judge(self.config.problem, model, batch)
        return losses.sum(), jnp.float32(losses.size), carry

    def figures(self, loss: float) -> dict[str, float]:
        return {}

    def validator(self, model: SequenceModel) -> Callable[[nnx.State, int], Validation]:
        config = self.config
        judge_batch, batches = make_judge(config.problem, model), held_out(config, "valid")

        def validate(params: nnx.State, step: int) -> Validation:
            loss, wrong = verdict(judge_batch, params, batches)
            sequences = step * config.batch
            solved = config.stop_wrong is not None and wrong <= config.stop_wrong
            said = f"{say(config, loss, wrong)}, after {sequences:,} sequences"
            figures = {"valid_wrong": wrong, "sequences": sequences}
            return Validation(loss, figures, said + (": solved" if solved else ""), solved)

        return validate

    def save(self, model: SequenceModel, folder: Path, card: dict[str, Any]) -> None:
        problem = memory.problem(self.config.problem)
        sizes = {"in_features": problem.in_features, "out_features": problem.out_features}
        model_files.save(folder, model, card, sizes)
