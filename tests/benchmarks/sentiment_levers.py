"""Measure how changes to the recipe `sentiment` affect its validation sentences.

    python tests/benchmarks/sentiment_levers.py [--only muon] [--seeds 2]

Each arm changes the former recipe, which had no n-grams and no consistency, and trains it in full.
"n-grams and consistency 1" is the recipe now. The 872 validation sentences are judged eight times:
the table shows the best accuracy, the mean accuracy of the last three validations, and the nats of
the last one after its temperature is fitted, so that arms that make a model less confident can be
compared. One sentence is 0.11 points. CPU times are multiples of the former recipe's on the same
machine. The test sentences are not read.

A run that exists in --runs is resumed, so the script can be stopped and restarted. Arms that are
not requested keep their earlier results.
"""

from __future__ import annotations

import argparse
import math
import statistics
from pathlib import Path
from typing import Any

from levers import changed
from own_results import watch
from runs import Arms, Row, cost, sweep, train_or_resume, validations

from lstm_jax.configs import sentiment as recipe
from lstm_jax.train.data import sentiment
from lstm_jax.train.data.sentiment import Sentiment
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.sentiment import make_sentiment_task

LAST = 3
FORMER: dict[str, Any] = {"grams": 0, "consistency": 0.0}
"""Changes that turn the recipe into the one that all arms start from."""
ARMS: dict[str, dict[str, Any]] = {
    "former recipe": {},
    "ema 0.99": {"optimizer.ema": 0.99},
    "ema 0.998": {"optimizer.ema": 0.998},
    "n-grams": {"grams": 16_384},
    "grades": {"learn": "grades"},
    "n-grams and grades": {"grams": 16_384, "learn": "grades"},
    "n-grams and consistency 1": {"grams": 16_384, "consistency": 1.0},
    "n-grams and more dropout": {
        "grams": 16_384,
        "model.word_dropout": 0.2, "model.input_dropout": 0.5, "model.output_dropout": 0.5,
    },
    "consistency 0.5": {"consistency": 0.5},
    "consistency 1": {"consistency": 1.0},
    "consistency 2": {"consistency": 2.0},
    "more dropout": {
        "model.word_dropout": 0.2, "model.input_dropout": 0.5, "model.output_dropout": 0.5,
    },
    "weight decay 0.3": {"optimizer.weight_decay": 0.3},
    "muon": {"optimizer.name": "muon"},
    "rate / 2": {"optimizer.learning_rate": 1e-3},
    "three passes": {"epochs": 12},
    "attention": {"model.pooling": "attention"},
    "two layers": {"model.num_layers": 2, "model.layer_dropout": 0.3},
    "embedding of 100": {"model.embedding_features": 100},
}  # fmt: skip
"""Changes that each arm makes to the former recipe."""


def run(folder: Path, config: ClassifyConfig, data: Sentiment) -> dict[str, Any]:
    """Train or resume one run and return the accuracy and nats of every validation."""
    task = make_sentiment_task(config, data)
    with watch() as times:
        resumed = train_or_resume(folder, config, task)
    judged = validations(folder)
    result = {
        "accuracies": [round(line["valid_accuracy"], 6) for line in judged],
        "tempered_nats": [round(line.get("valid_tempered_nats", math.inf), 5) for line in judged],
    }
    return result | ({} if resumed else {"cpu_seconds": times["cpu_seconds"]})


def table(arms: Arms) -> str:
    """Format a Markdown table of the means over seeds, the best arm by late accuracy first."""
    lines = [
        "| arm | seeds | best, % | mean of the last three, % | nats at the end | CPU time |",
        "|---|---|---|---|---|---|",
    ]

    def late(rows: list[Row]) -> float:
        return statistics.mean(100 * statistics.mean(row["accuracies"][-LAST:]) for row in rows)

    base = arms.get("former recipe", [])
    for name, rows in sorted(arms.items(), key=lambda item: -late(item[1])):
        best = statistics.mean(100 * max(row["accuracies"]) for row in rows)
        nats = statistics.mean(row["tempered_nats"][-1] for row in rows)
        figures = f"{best:.2f} | {late(rows):.2f} | {nats:.4f}"
        lines.append(f"| {name} | {len(rows)} | {figures} | {cost(rows, base)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the arms and write the table after each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/sentiment_levers"))
    parser.add_argument("--only", nargs="+", choices=list(ARMS), default=list(ARMS), metavar="ARM")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    data = sentiment.load()

    def arm(folder: Path, name: str, seed: int) -> Row:
        return run(folder, changed(recipe.config, {**FORMER, **ARMS[name], "seed": seed}), data)

    sweep("sentiment_levers", options.runs, options.only, options.seeds, arm, table)


if __name__ == "__main__":
    main()
