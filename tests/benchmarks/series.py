"""Train five seeds of each series' recipe, and compare their forecasts with simple baselines.

    python tests/benchmarks/series.py
    python tests/benchmarks/series.py --only weather sensor

Every run is trained as by `lstm-jax train` and evaluated on the test part as by `lstm-jax
evaluate`. The pictures show seed 0.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from own_results import RESULTS
from rich.console import Console
from runs import publish

from lstm_jax.configs import sensor, sine, stocks, weather
from lstm_jax.models import storage
from lstm_jax.train import loop
from lstm_jax.train.forecasts import verdict as series_verdict
from lstm_jax.train.forecasts.picture import draw

SEEDS = range(5)
INPUTS = {
    "AAPL": ("IBM", "MSFT"),
    "IBM": ("AAPL", "MSFT"),
    "MSFT": ("AAPL", "IBM"),
    "GOOG": ("AAPL", "IBM", "MSFT"),
}
RUNS = {
    "sine": sine.config,
    "sine, noise 0.1": replace(sine.config, noise=0.1),
    "weather": weather.config,
    "sensor": sensor.config,
    **{
        f"stocks {target}": replace(stocks.config, target=target, inputs=inputs)
        for target, inputs in INPUTS.items()
    },
}
PICTURES = {"sine": "sine", "weather": "weather", "sensor": "sensor", "stocks AAPL": "stocks"}


def run(name: str, seed: int) -> dict:
    """Train and evaluate a run, and draw its picture if there is one for it."""
    config, start = replace(RUNS[name], seed=seed), time.process_time()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        loop.prepare(folder, config, resume=False, overwrite=False)
        result = loop.train(config, folder, console=Console(file=io.StringIO()))
        stored = storage.load(folder)
    forecasts = series_verdict.forecast(stored, config, "test")
    if seed == 0 and name in PICTURES:
        draw(forecasts, RESULTS / f"{PICTURES[name]}.png")
    return {
        "seed": seed,
        "cpu_seconds": round(time.process_time() - start, 1),
        "steps": result.step,
        "kept": stored.card["steps"],
        "parameters": stored.card["parameters"],
        **series_verdict.measure(forecasts),
    }


def spread(values: list[float]) -> str:
    """Format the mean ± standard deviation over seeds."""
    return f"{statistics.mean(values):.4g} ± {statistics.stdev(values):.2g}"


def line(name: str, title: str, model: str, rows: list[dict]) -> str:
    """Format a model's MAE over seeds, and the mean MAE of the baselines.

    A baseline has one MAE for each seed too, because the noise of the sine depends on the seed.
    """
    mae = [row[model]["mae"] for row in rows]
    baselines = [base for base in ("persistence", "seasonal", "linear") if base in rows[0]]
    means = {base: f"{statistics.mean(row[base]['mae'] for row in rows):.4g}" for base in baselines}
    won = {
        base: str(sum(row[model]["mae"] < row[base]["mae"] for row in rows)) for base in baselines
    }
    cells = [
        name,
        title + (", rolled" if "rolled" in model and "rolled" not in title else ""),
        *(means.get(base, "") for base in ("persistence", "seasonal", "linear")),
        spread(mae),
        f"{min(mae):.4g} to {max(mae):.4g}",
        f"{statistics.mean(row[model]['skill'] for row in rows):+.3f}",
        " and ".join(won[base] for base in ("persistence", "linear") if base in won),
        spread([row[model]["rmse"] for row in rows]),
    ]
    return f"| {' | '.join(cells)} |"


def table(runs: dict[str, list[dict]]) -> str:
    """Format a Markdown table with a line for each table of each series, then the intervals."""
    lines = [
        "| series | MAE of | persistence | seasonal | linear | LSTM, mean ± std of 5 seeds "
        "| best to worst | skill | seeds that beat persistence, linear | RMSE of LSTM |",
        "|---" * 10 + "|",
    ]
    intervals = [""]
    for name, rows in runs.items():
        for title, first in rows[0]["tables"].items():
            for model in (key for key in first if key.startswith("lstm")):
                lines.append(line(name, title, model, [each["tables"][title] for each in rows]))
        if "interval" in rows[0]:
            coverages = [each["interval"]["coverage"] for each in rows]
            intervals.append(
                f"{name}: the interval of {rows[0]['interval']['nominal']:.0%} held "
                f"{min(coverages):.1%} to {max(coverages):.1%} of the test values.\n"
            )
    return "\n".join([*lines, *intervals])


def main() -> None:
    """Run the selected series, and write the table; earlier results of the others are kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(RUNS), default=list(RUNS))
    only = parser.parse_args().only
    path = RESULTS / "series.json"
    RESULTS.mkdir(exist_ok=True)
    results = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.is_file() else {}
    for name in only:
        results[name] = []
        for seed in SEEDS:
            results[name].append(run(name, seed))
            print(name, seed, results[name][-1]["cpu_seconds"], flush=True)
        runs = {name: results[name] for name in RUNS if name in results}
        publish("series", {"runs": runs}, table(runs))
    print((RESULTS / "series.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
