"""Follow the Lyapunov exponents of two models while they train.

    python tests/benchmarks/exponents.py

The runs are the recipe `adding`, until it is solved, and three epochs of the base of levers.py, a
small version of the recipe `tang`. Each of them writes eight exponents to health.jsonl, from the
zero state on four training sequences: 100 to 110 steps of `adding`, and 48 characters of `tang`. A
run that exists in --runs is resumed, so the script can be stopped and restarted.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from levers import BASE, changed, some_poems
from own_results import RESULTS
from runs import lines_of, publish, train_or_resume, validations

from lstm_jax.configs import adding, tang
from lstm_jax.plots import exponents_over_training, new_figure
from lstm_jax.train.config import TrainConfig
from lstm_jax.train.problems import make_task, to_dict
from lstm_jax.train.task import Task
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.task import make_text_task

EXPONENTS = 8
CONFIGS: dict[str, TrainConfig] = {
    "adding": replace(adding.config, health_every=5, health_exponents=EXPONENTS),
    "tang": replace(
        changed(tang.config, BASE), epochs=3, health_every=10, health_exponents=EXPONENTS
    ),
}
TITLES = {"adding": "Adding, T = 100", "tang": "Tang poems, two layers of 128 units"}


def task_of(config: TrainConfig) -> Task[Any]:
    """Return the task of a run; that of `tang` has the poems of levers.py."""
    if isinstance(config, TextConfig):
        return make_text_task(config, some_poems())
    return make_task(config)


def run(config: TrainConfig, folder: Path) -> dict[str, Any]:
    """Train or resume one run, and return its exponents and validations by step."""
    train_or_resume(folder, config, task_of(config))
    health = lines_of(folder, "health.jsonl")
    return {
        "config": to_dict(config),
        "steps": [line["step"] for line in health],
        "exponents": [line["exponents"] for line in health],
        "validations": [
            {name: line[name] for name in ("step", "valid_loss", "valid_wrong") if name in line}
            for line in validations(folder)
        ],
    }


def judged(validation: dict[str, Any]) -> str:
    """Format what a validation found."""
    if "valid_wrong" in validation:
        return f"{validation['valid_wrong']:,} of 2,560 wrong"
    return f"perplexity {math.exp(validation['valid_loss']):.1f}"


def table(runs: dict[str, dict[str, Any]]) -> str:
    """Format a Markdown table of the exponents at the start and at each validation."""
    lines = [
        "| run | training steps | λ₁ | λ₂ | λ₈ | 1/\\|λ₁\\|, steps | validation |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, figures in runs.items():
        after = {figures["steps"][0]: ""} | {v["step"]: judged(v) for v in figures["validations"]}
        for step, verdict in after.items():
            row = figures["exponents"][int(np.searchsorted(figures["steps"], step, "right")) - 1]
            cells = [f"{row[index]:+.4f}" for index in (0, 1, EXPONENTS - 1)]
            cells += [f"{1 / abs(row[0]):,.0f}", verdict]
            lines.append(f"| {TITLES[name]} | {step:,} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train both models, and write their exponents as JSON, a table and a picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/exponents"))
    folder = parser.parse_args().runs
    runs = {name: run(config, folder / name) for name, config in CONFIGS.items()}
    figure = new_figure(len(runs))
    for axes, (name, figures) in zip(figure.axes, runs.items(), strict=True):
        steps, exponents = figures["steps"], figures["exponents"]
        exponents_over_training(steps, exponents, title=TITLES[name], axes=axes)
    publish("exponents", {"runs": runs}, table(runs), indent=None)
    figure.savefig(RESULTS / "exponents.png", dpi=110)
    print(table(runs))


if __name__ == "__main__":
    main()
