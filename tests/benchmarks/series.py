"""Forecasts of each series by five seeds of its recipe, beside those that cost nothing.

    python tests/benchmarks/series.py
    python tests/benchmarks/series.py --only weather sensor

Every run is trained and judged as `lstm-jax train` and `lstm-jax evaluate` do it, on the test part.
The pictures are those of seed 0.
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

from machine import machine
from rich.console import Console

from lstm_jax.configs import sensor, sine, stocks, weather
from lstm_jax.models import storage
from lstm_jax.train import loop
from lstm_jax.train.forecasts import verdict as series_verdict
from lstm_jax.train.forecasts.picture import draw

RESULTS = Path(__file__).parent / "results"
SEEDS = range(5)
OTHERS = {
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
        for target, inputs in OTHERS.items()
    },
}
PICTURES = {"sine": "sine", "weather": "weather", "sensor": "sensor", "stocks AAPL": "stocks"}


def run(name: str, seed: int) -> dict:
    """Train, judge, and draw where the picture is wanted."""
    config, began = replace(RUNS[name], seed=seed), time.process_time()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        loop.prepare(folder, config, resume=False, overwrite=False)
        result = loop.train(config, folder, console=Console(file=io.StringIO()))
        stored = storage.load(folder)
    found = series_verdict.forecast(stored, config, "test")
    if seed == 0 and name in PICTURES:
        draw(found, RESULTS / f"{PICTURES[name]}.png")
    return {
        "seed": seed,
        "cpu_seconds": round(time.process_time() - began, 1),
        "steps": result.step,
        "kept": stored.card["steps"],
        "parameters": stored.card["parameters"],
        **series_verdict.measure(found),
    }


def spread(values: list[float]) -> str:
    """Mean ± standard deviation over seeds."""
    return f"{statistics.mean(values):.4g} ± {statistics.stdev(values):.2g}"


def line(name: str, title: str, model: str, rows: list[dict]) -> str:
    """A model's MAE over seeds beside the baselines', which have one for each noise of the sine."""
    mae = [row[model]["mae"] for row in rows]
    others = [other for other in ("persistence", "seasonal", "linear") if other in rows[0]]
    means = {other: f"{statistics.mean(row[other]['mae'] for row in rows):.4g}" for other in others}
    won = {
        other: str(sum(row[model]["mae"] < row[other]["mae"] for row in rows)) for other in others
    }
    cells = [
        name,
        title + (", rolled" if "rolled" in model and "rolled" not in title else ""),
        *(means.get(other, "") for other in ("persistence", "seasonal", "linear")),
        spread(mae),
        f"{min(mae):.4g} to {max(mae):.4g}",
        f"{statistics.mean(row[model]['skill'] for row in rows):+.3f}",
        " and ".join(won[other] for other in ("persistence", "linear") if other in won),
        spread([row[model]["rmse"] for row in rows]),
    ]
    return f"| {' | '.join(cells)} |"


def table(runs: dict[str, list[dict]]) -> str:
    """In Markdown: a line for every table of every series, MAE and RMSE, and the interval."""
    lines = [
        "| series | MAE of | persistence | seasonal | linear | LSTM, mean ± std of 5 seeds "
        "| best to worst | skill | seeds that beat persistence, linear | RMSE of LSTM |",
        "|---" * 10 + "|",
    ]
    intervals = [""]
    for name, found in runs.items():
        for title, first in found[0]["tables"].items():
            for model in (each for each in first if each.startswith("lstm")):
                lines.append(line(name, title, model, [one["tables"][title] for one in found]))
        if "interval" in found[0]:
            held = [one["interval"]["coverage"] for one in found]
            intervals.append(
                f"{name}: the interval of {found[0]['interval']['nominal']:.0%} held "
                f"{min(held):.1%} to {max(held):.1%} of the test values.\n"
            )
    return "\n".join([*lines, *intervals])


def main() -> None:
    """Run, and write the table; what is not run again is kept from before."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(RUNS), default=list(RUNS))
    only = parser.parse_args().only
    path = RESULTS / "series.json"
    RESULTS.mkdir(exist_ok=True)
    before = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.is_file() else {}
    for name in only:
        before[name] = []
        for seed in SEEDS:
            before[name].append(run(name, seed))
            print(name, seed, before[name][-1]["cpu_seconds"], flush=True)
        runs = {name: before[name] for name in RUNS if name in before}
        text = json.dumps({"machine": machine(), "runs": runs}, indent=1) + "\n"
        path.write_text(text, encoding="utf-8")
        (RESULTS / "series.md").write_text(table(runs), encoding="utf-8")
    print((RESULTS / "series.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
