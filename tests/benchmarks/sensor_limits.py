"""Search for forecasts of the sea temperature that beat the linear model 24 hours ahead.

    python tests/benchmarks/sensor_limits.py            # trains, and reads the validation part
    python tests/benchmarks/sensor_limits.py --test     # once at the end: also reads the test part

Each trained candidate changes the recipe `sensor` in one or two places. The one to choose has the
smallest mean absolute error 48 steps ahead on the validation part among those whose error over all
48 steps there is no larger than the recipe's. The second table shows how much of the residual of
the linear model other inputs predict (see sensor_residual.py).

A run that is finished in --runs is read, not trained again. With --test nothing is trained.
"""

from __future__ import annotations

import argparse
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sensor_residual as residual
from flax import nnx
from levers import changed
from machine import machine
from own_results import RESULTS
from rich.console import Console
from sensor_tables import markdown

from lstm_jax.configs import sensor
from lstm_jax.models import storage
from lstm_jax.models.forecaster import Forecaster
from lstm_jax.train import loop
from lstm_jax.train.forecasts import baselines
from lstm_jax.train.forecasts.verdict import future
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.series.outputs import forecasts_of, make_predict, middle
from lstm_jax.train.tasks.series.task import SeriesTask, begin_linear, make_series_task

WINDOWS = (50, 100, 200, 400, 960)
FROM_LINEAR = "from linear"
"""Key for a start from the linear forecast, which the recipe has no field for."""
LSTMS: dict[str, dict[str, Any]] = {
    "recipe": {},
    "12 epochs": {"epochs": 12},
    "absolute error": {"quantiles": (0.5,)},
    "no dropout": {"model.output_dropout": 0.0},
    "weight decay 1": {"optimizer.weight_decay": 1.0},
    "hidden 32": {"model.hidden_features": 32},
    "level": {"read": "relative", "model.odd": False},
    "phases of day and tide": {"calendar": (48.0, 24.8412), "model.odd": False},
    "window 200": {"window": 200, "model.linear": 50},
    "from linear": {FROM_LINEAR: True},
    "from linear, absolute error": {FROM_LINEAR: True, "quantiles": (0.5,)},
    "from linear, window 400": {FROM_LINEAR: True, "window": 400, "model.linear": 400},
    "from linear, window 960": {
        FROM_LINEAR: True, "window": 960, "model.linear": 960, "epochs": 2,
    },
}  # fmt: skip
"""Changes that each trained candidate makes to the recipe."""


@dataclass(frozen=True)
class FromLinear(SeriesTask):
    """Task whose model starts as the linear forecast."""

    def model(self, rngs: nnx.Rngs) -> Forecaster:
        """Make the usual model and start it from the linear forecast."""
        model = super().model(rngs)
        begin_linear(model, self.prepared, self.config)
        return model


def trained(folder: Path, config: SeriesConfig, task: SeriesTask) -> storage.Stored:
    """Train a run, unless it is finished, and load its model."""
    if not (folder / "done").is_file():
        loop.prepare(folder, config, resume=False, overwrite=True)
        result = loop.train(config, folder, task=task, console=Console(file=io.StringIO()))
        if not result.finished:
            raise SystemExit(f"{folder} was stopped; start the script again")
        (folder / "done").touch()
    return storage.load(folder)


def lstm(runs: Path, name: str, seed: int, splits: list[str]) -> dict[str, np.ndarray]:
    """Train a candidate with one seed, and forecast the splits, (N, 48)."""
    changes = dict(LSTMS[name])
    begins = changes.pop(FROM_LINEAR, False)
    config = changed(sensor.config, {**changes, "seed": seed, "health_every": 0})
    task = make_series_task(config)
    task = FromLinear(**vars(task)) if begins else task
    network = trained(runs / f"{name} {seed}", config, task).network
    ready, predict = task.prepared, make_predict(network)
    forecasts = {}
    for split in splits:
        inputs, _, at, _ = ready.windows(split)
        outputs = predict(nnx.state(network, nnx.Param), inputs)
        forecasts[split] = forecasts_of(config, ready, outputs, at)[..., middle(config)]
    return forecasts


def linear(window: int, splits: list[str]) -> dict[str, np.ndarray]:
    """Forecast the splits with the linear baseline of a window."""
    ready = make_series_task(changed(sensor.config, {"window": window})).prepared
    fit = baselines.fit_linear(ready)
    parts = {split: ready.windows(split) for split in splits}
    return {split: ready.restore(fit(part.inputs), part.at) for split, part in parts.items()}


def mean(forecasts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the mean of several forecasts of each split."""
    return {split: np.mean([each[split] for each in forecasts], 0) for split in forecasts[0]}


def main() -> None:
    """Run every candidate and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/sensor_limits"))
    parser.add_argument("--test", action="store_true", help="also forecast the test part")
    parser.add_argument("--only", nargs="+", choices=list(LSTMS), default=list(LSTMS))
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    splits = ["valid", "test"] if options.test else ["valid"]
    ready = make_series_task(sensor.config).prepared
    at = {split: ready.moments(split) for split in splits}
    truth = {split: future(ready.target, rows, 48) for split, rows in at.items()}

    lines = {window: linear(window, splits) for window in WINDOWS}
    straight = lines[sensor.config.window]

    def misses(forecasts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {split: np.abs(forecasts[split] - truth[split]) for split in splits}

    def keep(name: str, forecasts: list[dict[str, np.ndarray]]) -> None:
        """Score the forecasts of each seed, and write the results so far."""
        rows = []
        for each in map(misses, forecasts):
            gains = {split: each[split][:, -1] - reference[split][:, -1] for split in splits}
            rows.append(
                {
                    split: {
                        "24 hours": miss[:, -1].mean(),
                        "all": miss.mean(),
                        "minus linear": residual.interval(gains[split]),
                    }
                    for split, miss in each.items()
                }
            )
        results["candidates"][name] = rows
        print(name, rows, flush=True)
        (RESULTS / "sensor_limits.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        (RESULTS / "sensor_limits.md").write_text(markdown(results), "utf-8")

    reference = misses(straight)
    results: dict[str, Any] = {"machine": machine(), "candidates": {}}
    results["residual"] = residual.measure(ready, splits)
    keep("persistence", [{s: np.repeat(ready.target[r, None], 48, 1) for s, r in at.items()}])
    for window, forecasts in lines.items():
        keep(f"linear, window {window}", [forecasts])
    for name in options.only:
        seeds = range(options.seeds)
        if options.test:  # nothing is trained once the test part is read
            seeds = [seed for seed in seeds if (options.runs / f"{name} {seed}" / "done").is_file()]
        forecasts = [lstm(options.runs, name, seed, splits) for seed in seeds]
        if not forecasts:
            continue
        keep(f"LSTM, {name}", forecasts)
        for window in (sensor.config.window, max(WINDOWS)):
            both = [mean([each, lines[window]]) for each in forecasts]
            keep(f"mean of linear, window {window}, and LSTM, {name}", both)


if __name__ == "__main__":
    main()
