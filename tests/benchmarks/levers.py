"""Measure how single changes to the recipe affect a small Tang model on validation poems.

    python tests/benchmarks/levers.py [--only base muon] [--seeds 3]

The base is a small version of the recipe `tang`: every twelfth training poem, layers of 128, an
embedding of 64, less dropout, and six epochs of 148 steps. Each arm changes the recipe in one
place. The table compares the best validation perplexity of each run over every fourth validation
poem, with the vocabulary of those training poems, so its figures are comparable only with one
another. The test poems are not read. Such a short run is far from memorizing its poems. It shows
how fast an arm learns, but says little about the value of regularization in a long run.

A run that exists in --runs is resumed, so the script can be stopped and restarted. Arms that are
not requested keep their earlier results. CPU times are multiples of the base's on the same machine,
and were measured on one thread of a busy one, with XLA_FLAGS=--xla_cpu_multi_thread_eigen=false.
"""

from __future__ import annotations

import argparse
import math
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flax import nnx
from own_results import watch
from runs import Arms, Row, cost, sweep, train_or_resume, validations

from lstm_jax.configs import tang
from lstm_jax.functional import mogrifier_cell
from lstm_jax.models.char_lm import CharLM
from lstm_jax.nn.recurrent import Recurrent
from lstm_jax.train.data import tang as poems
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.task import Texts, TextTask, make_text_task

EVERY = 12
OF_2026_11: dict[str, Any] = {
    "model.embedding_dropout": 0.1,
    "model.layer_dropout": 0.2,
    "model.output_dropout": 0.2,
    "model.weight_dropout": 0.0,
    "optimizer.learning_rate": 2.5e-3,
}
"""Changes that turn the recipe into that of `tang-2026-11`, apart from its size and length."""
BASE: dict[str, Any] = {
    **OF_2026_11,
    "model.embedding_features": 64,
    "model.hidden_features": 128,
    "optimizer.learning_rate": 2e-2,
    "optimizer.warmup_steps": 100,
    "rows": 32,
    "epochs": 6,
    "health_every": 0,
    "checkpoint_every": 0,
    "keep": 1,
}
"""Changes that make the recipe small."""

ROUNDS = "rounds"
"""Key for the rounds of a mogrifier that replaces the LSTM, which the recipe has no field for."""
ARMS: dict[str, dict[str, Any]] = {
    "base": {},
    "rate / 2": {"optimizer.learning_rate": 1e-2},
    "rate x 2": {"optimizer.learning_rate": 4e-2},
    "muon": {"optimizer.name": "muon"},
    "ema 0.99": {"optimizer.ema": 0.99},
    "mogrifier, 4 rounds": {ROUNDS: 4},
    "three layers": {"model.num_layers": 3},
    "three layers, residual": {"model.num_layers": 3, "model.connections": "residual"},
    "weight drop 0.2": {"model.weight_dropout": 0.2},
    "variational": {"model.variational": True},
    "no dropout": {
        "model.embedding_dropout": 0.0, "model.layer_dropout": 0.0, "model.output_dropout": 0.0,
    },
    "layers of 181": {"model.hidden_features": 181},
    "ema 0.99, rate falls to a third": {
        "optimizer.ema": 0.99, "optimizer.final_fraction": 0.33,
    },
}  # fmt: skip
"""Changes that each arm makes to the base."""


@dataclass(frozen=True)
class Mogrified(TextTask):
    """Task whose model has mogrifier layers."""

    rounds: int = 0

    def model(self, rngs: nnx.Rngs) -> CharLM:
        """Make the usual model and replace its layers, leaving all other weights the same."""
        model, sizes = super().model(rngs), self.config.model
        layer_rngs = nnx.Rngs(self.config.seed)
        layer_rngs.params()  # skip the key that the embedding was drawn with
        layers = Recurrent(
            mogrifier_cell(), sizes.embedding_features, sizes.hidden_features,
            num_layers=sizes.num_layers, dropout=sizes.layer_dropout, rounds=self.rounds,
            rngs=layer_rngs,
        )  # fmt: skip
        model.lstm = layers
        return model


def some_poems() -> Texts:
    """Return every twelfth training poem, and every fourth validation poem."""
    corpus = poems.load()
    splits = {"train": corpus.train[::EVERY], "valid": corpus.valid[::4]}
    return Texts(splits, {"data": corpus.name, "data_sha256": corpus.sha256})


def changed(config: Any, changes: dict[str, Any]) -> Any:
    """Return a configuration with changed fields, which are given by their dotted names."""
    for name, value in changes.items():
        field, _, inner = name.partition(".")
        value = changed(getattr(config, field), {inner: value}) if inner else value
        config = replace(config, **{field: value})
    return config


def run(folder: Path, config: TextConfig, texts: Texts, rounds: int) -> dict[str, Any]:
    """Train or resume one run and return the validation perplexity of every epoch."""
    task = make_text_task(config, texts)
    if rounds:
        task = Mogrified(**vars(task), rounds=rounds)
    with watch() as times:
        resumed = train_or_resume(folder, config, task)
    losses = [line["valid_loss"] for line in validations(folder)]
    result = {"perplexities": [round(math.exp(x), 3) for x in losses]}
    return result | ({} if resumed else {"cpu_seconds": times["cpu_seconds"]})


def table(arms: Arms) -> str:
    """Format a Markdown table of each arm's best perplexities and its gain over the base.

    It is empty until the base has been run.
    """
    if "base" not in arms:
        return ""
    bests = {
        name: {row["seed"]: min(row["perplexities"]) for row in rows} for name, rows in arms.items()
    }
    base = bests["base"]
    lines = [
        "| arm | validation perplexity of seeds 0, 1, ... | against base | CPU time |",
        "|---|---|---|---|",
    ]
    for name, by_seed in sorted(bests.items(), key=lambda item: statistics.mean(item[1].values())):
        shared = [seed for seed in by_seed if seed in base]
        change = statistics.mean(by_seed[seed] / base[seed] - 1 for seed in shared)
        cell = ", ".join(f"{by_seed[seed]:.2f}" for seed in sorted(by_seed))
        lines.append(f"| {name} | {cell} | {change:+.1%} | {cost(arms[name], arms['base'])} |")
    noise = max(base.values()) / min(base.values()) - 1
    lines += ["", f"The base differs by {noise:.1%} between {len(base)} seeds."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the arms and write the table after each of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/levers"))
    parser.add_argument("--only", nargs="+", choices=list(ARMS), default=list(ARMS), metavar="ARM")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    texts = some_poems()

    def arm(folder: Path, name: str, seed: int) -> Row:
        changes = {**BASE, **ARMS[name], "seed": seed}
        rounds = changes.pop(ROUNDS, 0)
        return run(folder, changed(tang.config, changes), texts, rounds)

    sweep("levers", options.runs, options.only, options.seeds, arm, table, base=BASE)


if __name__ == "__main__":
    main()
