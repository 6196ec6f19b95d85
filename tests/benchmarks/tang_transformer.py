"""Train nanoGPT's architecture and an LSTM of the same size on the Tang poems, in the same time.

    python tests/benchmarks/tang_transformer.py --model lstm transformer --trial --rates 1e-3 2e-3
    python tests/benchmarks/tang_transformer.py --model lstm --epochs 1 --rates 16e-3
    python tests/benchmarks/tang_transformer.py --model transformer --epochs 0.75 1.5 --rates 1e-3
    python tests/benchmarks/tang_transformer.py --quick            # only checks the transformer

The transformer has layer normalization without a bias before each block, causal attention, a GELU
perceptron of four times the width, learned positions, and a softmax tied to the embedding. Weights
start from normal(0.02), scaled down on the residual branches according to their number. The
optimizer is AdamW with b2 = 0.99 and weight decay 0.1 on matrices, with a warm-up of 100 steps and
a cosine decay to a tenth (Radford et al. 2019, and nanoGPT's defaults for characters). Four blocks
of width 304 have 6.7 million parameters. The LSTM is that of `tang-2026-11`, two layers of 512 with
6.8 million parameters, in the recipe `tang`.

The vocabulary, the split, the counted symbols, the training softmax, and the training loop with its
choice of the best epoch are those of `lstm-jax train tang` for both. For the transformer, whole
poems are packed into rows of 256, and a poem cannot attend to another. The 3.5% of symbols that
come later than that in a poem see at least the 128 symbols before them. It trains for any number of
quarters of an epoch, so that its time can be that of the LSTM, and is validated after each.

The minutes of a run are its symbols over the median speed that its metrics report.

A learning rate is chosen by trials: one epoch of every fourth training poem, judged by every
fourth validation poem. Trials do not read the test poems. Runs that are in the results are not
repeated, and a stopped run resumes from --runs.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from own_results import watch
from runs import Row, lines_of, once, train_or_resume, validations
from safetensors.flax import load_file, save_file

import lstm_jax
from lstm_jax.configs import tang
from lstm_jax.models.losses import tied_cross_entropy, tied_log_probabilities
from lstm_jax.train.batch import Epoch
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.data.text import Packed
from lstm_jax.train.tasks.text.task import Texts, TextTask, load_texts, make_text_task

LENGTH, ROWS = 256, 10  # symbols of a row, and rows of a step
SIZES = {"width": 304, "depth": 4, "heads": 4}
PARTS = {"lstm": 1, "transformer": 4}  # validations in an epoch
WEIGHTS = "model.safetensors"


class Block(nnx.Module):
    """Apply attention and a perceptron, each of which reads the normalized residual stream."""

    def __init__(self, width: int, heads: int, depth: int, dropout: float, *, rngs: nnx.Rngs):
        small = nnx.initializers.normal(0.02)
        last = nnx.initializers.normal(0.02 / math.sqrt(2 * depth))
        self.heads, self.rate = heads, dropout
        self.norms = nnx.List([nnx.LayerNorm(width, use_bias=False, rngs=rngs) for _ in range(2)])

        def linear(inputs: int, outputs: int, kernel: Any) -> nnx.Linear:
            return nnx.Linear(inputs, outputs, use_bias=False, kernel_init=kernel, rngs=rngs)

        self.qkv, self.mixed = linear(width, 3 * width, small), linear(width, width, last)
        self.up, self.down = linear(width, 4 * width, small), linear(4 * width, width, last)

    def __call__(self, xs: jax.Array, visible: jax.Array, key: jax.Array | None) -> jax.Array:
        keys = (None,) * 3 if key is None else jax.random.split(key, 3)
        q, k, v = jnp.split(self.qkv(self.norms[0](xs)), 3, -1)
        q, k, v = (a.reshape(*a.shape[:2], self.heads, -1) for a in (q, k, v))
        scores = jnp.einsum("bthd,bshd->bhts", q, k) / math.sqrt(q.shape[-1])
        weights = jax.nn.softmax(jnp.where(visible[:, None], scores, -1e30), -1)
        weights = drop(keys[0], weights, self.rate)
        attended = jnp.einsum("bhts,bshd->bthd", weights, v).reshape(xs.shape)
        xs = xs + drop(keys[1], self.mixed(attended), self.rate)
        return xs + drop(keys[2], self.down(nnx.gelu(self.up(self.norms[1](xs)))), self.rate)


class Transformer(nnx.Module):
    """Implement nanoGPT's model with the methods of `CharLM`, so that the package can train it."""

    def __init__(
        self,
        size: int,
        *,
        width: int,
        depth: int,
        heads: int,
        dropout: float,
        rngs: nnx.Rngs,
    ):
        normal = nnx.initializers.normal(0.02)
        self.rate = dropout
        self.embedding = nnx.Param(normal(rngs.params(), (size, width)))
        self.positions = nnx.Param(normal(rngs.params(), (LENGTH, width)))
        self.blocks = nnx.List(
            [Block(width, heads, depth, dropout, rngs=rngs) for _ in range(depth)]
        )
        self.norm = nnx.LayerNorm(width, use_bias=False, rngs=rngs)

    def features(
        self, ids: jax.Array, resets: jax.Array, key: jax.Array | None = None
    ) -> jax.Array:
        """Return the features that the softmax reads, (B, T, width)."""
        steps = jnp.arange(ids.shape[1])
        texts = jnp.cumsum(resets, axis=1)
        visible = (texts[:, :, None] == texts[:, None, :]) & (steps[:, None] >= steps)
        starts = jax.lax.cummax(jnp.where(resets, steps, 0), axis=1)
        keys = [None] * (1 + len(self.blocks))
        if key is not None:
            keys = list(jax.random.split(key, len(keys)))
        xs = self.embedding[...][ids] + self.positions[...][steps - starts]
        xs = drop(keys[0], xs, self.rate)
        for block, block_key in zip(self.blocks, keys[1:], strict=True):
            xs = block(xs, visible, block_key)
        return self.norm(xs)

    def loss(self, ids, targets, weights, carry, *, resets, key=None):
        features = self.features(ids, resets, key)
        table = self.embedding[...]
        bias = jnp.zeros(table.shape[0])
        return carry, tied_cross_entropy(features, table, bias, targets, weights)

    def log_probabilities(self, ids, targets, carry, *, resets):
        table = self.embedding[...]
        bias = jnp.zeros(table.shape[0])
        features = self.features(ids, resets)
        return carry, tied_log_probabilities(features, table, bias, targets)


def drop(key: jax.Array | None, xs: jax.Array, rate: float) -> jax.Array:
    """Apply dropout if there is a key."""
    if key is None or not rate:
        return xs
    return jnp.where(jax.random.bernoulli(key, 1 - rate, xs.shape), xs / (1 - rate), 0)


@dataclass(frozen=True)
class TransformerTask(TextTask):
    """Configure the Tang task with whole poems in each row and a transformer as the model."""

    sizes: tuple[tuple[str, Any], ...] = ()

    def model(self, rngs: nnx.Rngs) -> Any:
        return Transformer(len(self.vocabulary), **dict(self.sizes), rngs=rngs)

    def carry(self, model: Any) -> tuple[()]:
        return ()

    def epoch(self, number: int) -> Epoch:
        """Return a part of the windows of an epoch."""
        epoch, part = divmod(number, PARTS["transformer"])
        windows = self._packed(self.train, epoch).windows()
        size = len(windows) // PARTS["transformer"]
        return Epoch(size, lambda index: windows[size * part + index])

    def _packed(self, texts: Sequence[np.ndarray], epoch: int | None) -> Packed:
        seed = None if epoch is None else 1000 * self.config.seed + epoch
        return pack(texts, self.config.rows, self.vocabulary.end_id, seed)

    def save(self, model: Any, folder: Path, card: dict[str, object]) -> None:
        save_file(flat(model), folder / WEIGHTS)
        (folder / "model.json").write_text(json.dumps({"card": card}), encoding="utf-8")


def flat(model: nnx.Module) -> dict[str, jax.Array]:
    """Return the parameters by path."""
    leaves = jax.tree_util.tree_leaves_with_path(nnx.state(model, nnx.Param))
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def pack(texts: Sequence[np.ndarray], rows: int, end_id: int, seed: int | None) -> Packed:
    """Pack whole texts into lines of LENGTH, and the lines into windows of `rows`.

    The longest text goes first, and each goes to the fullest line that has room for it. The number
    of lines then depends only on the lengths, so every epoch has the same number of windows. The
    lines are shuffled at the end.
    """
    parts = sorted(
        (part for text in texts for part in pieces(text, end_id)), key=lambda p: -len(p[0])
    )
    by_room: list[list[int]] = [[] for _ in range(LENGTH + 1)]
    lines: list[list[tuple[list[int], list[int]]]] = []
    for part in parts:
        size = len(part[0])
        room = next((room for room in range(size, LENGTH + 1) if by_room[room]), None)
        if room is None:
            room = LENGTH
            by_room[room].append(len(lines))
            lines.append([])
        line = by_room[room].pop()
        lines[line].append(part)
        by_room[room - size].append(line)
    count = -(-len(lines) // rows)
    places = np.arange(count * rows)
    if seed is not None:
        places = np.random.default_rng(seed).permutation(places)
    inputs = np.full((count * rows, LENGTH), end_id, np.int32)
    targets = np.full((count * rows, LENGTH), -1, np.int32)
    for place, line in zip(places, lines, strict=False):
        for array, side in ((inputs, 0), (targets, 1)):
            joined = [symbol for part in line for symbol in part[side]]
            array[place, : len(joined)] = joined
    # `Packed` cuts windows along its columns, so its row b holds lines b, rows + b, 2 rows + b, ...
    wide = (
        a.reshape(count, rows, LENGTH).swapaxes(0, 1).reshape(rows, -1) for a in (inputs, targets)
    )
    return Packed(*wide, LENGTH, end_id, int((targets >= 0).sum()))


def pieces(text: np.ndarray, end_id: int) -> Iterator[tuple[list[int], list[int]]]:
    """Split a text into `(inputs, targets)` of at most LENGTH; repeated symbols do not count."""
    symbols = [end_id, *text.tolist(), end_id]
    inputs, targets = symbols[:-1], symbols[1:]
    yield inputs[:LENGTH], targets[:LENGTH]
    done = LENGTH
    while done < len(inputs):
        start = min(done - LENGTH // 2, len(inputs) - LENGTH)
        part = slice(start, start + LENGTH)
        yield inputs[part], [-1] * (done - start) + targets[done : start + LENGTH]
        done = start + LENGTH


def check(model: Transformer) -> None:
    """Check that the model does not look ahead or into another text."""
    ids = np.array([[0, 5, 6, 7, 0, 8, 9, 5]])
    features = jax.jit(lambda ids: model.features(ids, ids == 0))
    before = features(ids)
    for changed, expected in ((7, [7]), (1, [1, 2, 3]), (5, [5, 6, 7])):
        altered = ids.copy()
        altered[0, changed] = 10
        affected = np.flatnonzero(np.abs(features(altered) - before).max(-1)[0])
        assert affected.tolist() == expected, (changed, affected)


class Run(NamedTuple):
    """Describe a training run."""

    model: str
    trial: bool
    epochs: float
    rate: float
    dropout: float
    seed: int


def task_of(run: Run, texts: Texts) -> TextTask:
    """Return the task of a run, with its configuration."""
    make = lstm if run.model == "lstm" else transformer
    task = make(run, texts)
    epochs = round(run.epochs * PARTS[run.model])
    config = replace(task.config, epochs=epochs, seed=run.seed, health_every=0, keep=1)
    return replace(task, config=config)


def lstm(run: Run, texts: Texts) -> TextTask:
    """Return the recipe `tang` with the size and the dropout of a run."""
    model = replace(
        tang.config.model, embedding_features=384, hidden_features=512, weight_dropout=0.0,
        embedding_dropout=run.dropout, layer_dropout=2 * run.dropout,
        output_dropout=2 * run.dropout,
    )  # fmt: skip
    optimizer = replace(tang.config.optimizer, learning_rate=run.rate)
    return make_text_task(replace(tang.config, model=model, optimizer=optimizer), texts)


def transformer(run: Run, texts: Texts) -> TransformerTask:
    """Return the task of a transformer with the rate and the dropout of a run."""
    optimizer = OptimizerConfig(
        learning_rate=run.rate, warmup_steps=100, final_fraction=0.1, weight_decay=0.1,
        clip_norm=1.0,
    )  # fmt: skip
    config = replace(tang.config, optimizer=optimizer, rows=ROWS, window=LENGTH)
    sizes = (*SIZES.items(), ("dropout", run.dropout))
    return TransformerTask(**vars(make_text_task(config, texts)), sizes=sizes)


def train(run: Run, folder: Path, texts: Texts) -> Row:
    """Train or resume a run, and test its best epoch unless it is a trial."""
    task = task_of(run, texts)
    with watch() as times:
        resumed = train_or_resume(folder, task.config, task)
    losses = [line["valid_loss"] for line in validations(folder)]
    speeds = [line["tokens_per_second"] for line in lines_of(folder) if "tokens_per_second" in line]
    model = task.model(nnx.Rngs(0))
    figures = {
        "parameters": sum(leaf.size for leaf in flat(model).values()),
        "valid": [round(math.exp(loss), 3) for loss in losses],
        "symbols": round(run.epochs * sum(len(text) + 1 for text in task.train)),
        "tokens_per_second": round(statistics.median(speeds)),
        **({} if resumed else times),
    }
    return figures if run.trial else figures | {"test": tested(task, folder, texts)}


def tested(task: TextTask, folder: Path, texts: Texts) -> float:
    """Return the test perplexity of a run's best epoch."""
    model = task.model(nnx.Rngs(0))
    if isinstance(task, TransformerTask):
        params = restore(model, folder)
    else:
        params = nnx.state(lstm_jax.load(folder).network, nnx.Param)
    test = [task.vocabulary.encode(text) for text in texts.splits["test"]]
    judge = replace(task, valid=test).validator(model)
    return round(judge(params, 0).figures["valid_perplexity"], 3)


def table(runs: list[Row]) -> str:
    """Format a Markdown table of the runs in full, by their minutes, and one of the trials."""
    full = sorted((row for row in runs if not row["trial"]), key=lambda row: row["test"])
    lines = [
        "| model | parameters | epochs | rate | minutes | validation | test perplexity |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in full:
        minutes = row["symbols"] / row["tokens_per_second"] / 60
        lines.append(
            f"| {row['model']} | {row['parameters'] / 1e6:.1f} M | {row['epochs']:g} "
            f"| {row['rate']:g} | {minutes:.0f} | {min(row['valid']):.1f} | {row['test']:.1f} |"
        )
    lines += ["", "| trial | rate | dropout | validation perplexity |", "|---|---|---|---|"]
    trials = sorted((row for row in runs if row["trial"]), key=lambda row: min(row["valid"]))
    lines += [
        f"| {row['model']} | {row['rate']:g} | {row['dropout']:g} | {min(row['valid']):.1f} |"
        for row in trials
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train the runs that are asked for, one by one, and write the table after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", choices=("lstm", "transformer"), default=["lstm"])
    parser.add_argument("--epochs", nargs="+", type=float, default=[3])
    parser.add_argument("--rates", nargs="+", type=float, default=[2e-3], metavar="RATE")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trial", action="store_true", help="train with a quarter of the poems")
    parser.add_argument("--quick", action="store_true", help="only check the transformer")
    parser.add_argument("--runs", type=Path, default=Path("runs/transformer"))
    options = parser.parse_args()
    for model, epochs in product(options.model, options.epochs):
        if epochs * PARTS[model] % 1:
            parser.error(f"--epochs of the {model} must be a multiple of {1 / PARTS[model]:g}")
    if options.quick:
        check(Transformer(16, **SIZES, dropout=0.1, rngs=nnx.Rngs(0)))
        return
    texts = load_texts("tang")
    if options.trial:
        parts = {name: texts.splits[name][::4] for name in ("train", "valid")}
        texts, options.epochs = replace(texts, splits=parts), [1]
    for model, epochs, rate in product(options.model, options.epochs, options.rates):
        run = Run(model, options.trial, epochs, rate, options.dropout, options.seed)
        folder = options.runs / "-".join(map(str, run))
        print(once("tang_transformer", run._asdict(), partial(train, run, folder, texts), table))


def restore(model: Transformer, folder: Path) -> nnx.State:
    """Load the parameters of a run's best epoch."""
    stored, state = load_file(folder / WEIGHTS), nnx.state(model, nnx.Param)
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: stored[jax.tree_util.keystr(path)], state
    )


if __name__ == "__main__":
    main()
