"""Format the results of sensor_limits.py as Markdown.

python tests/benchmarks/sensor_tables.py
"""

from __future__ import annotations

import json
import statistics
from typing import Any

from own_results import RESULTS


def markdown(results: dict[str, Any]) -> str:
    """Format the candidates, then the share of the linear residual that inputs predict."""
    splits = list(results["candidates"]["persistence"][0])
    parts = [
        "MAE in °C, mean ± standard deviation of the seeds. The interval is that of the difference "
        "from the linear model of the recipe's window, 24 hours ahead, for the first seed (95%, "
        "blocks of five days):",
        candidates(results["candidates"], splits),
        "Share of the squared residual of that linear model, 24 hours ahead, that a fit to the "
        "training part predicts, and that a fit to the same part explains:",
        residual(results["residual"], splits),
    ]
    return "\n\n".join(parts) + "\n"


def candidates(rows: dict[str, list[dict[str, dict[str, Any]]]], splits: list[str]) -> str:
    """Format a line for each candidate."""
    columns = "24 hours", "all of 48 steps", "minus linear"
    head = [f"{split}, {column}" for split in splits for column in columns]
    lines = [f"| candidate | seeds | {' | '.join(head)} |", "|---" * (2 + len(head)) + "|"]
    for name, seeds in rows.items():
        cells = []
        for split in splits:
            cells += [spread([seed[split][key] for seed in seeds]) for key in ("24 hours", "all")]
            low, high = seeds[0][split]["minus linear"]
            cells.append(f"{low:+.4f} to {high:+.4f}")
        lines.append(f"| {name} | {len(seeds)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def residual(groups: dict[str, dict[str, Any]], splits: list[str]) -> str:
    """Format a line for each group of inputs."""
    head = [f"{split}, {fit}" for split in splits for fit in ("predicted", "explained")]
    lines = [f"| inputs | {' | '.join(head)} |", "|---" * (1 + len(head)) + "|"]
    for name, first in groups[splits[0]].items():
        if "r2" in first:
            shares = [groups[split][name] for split in splits]
            cells = [f"{share[fit]:+.1%}" if fit in share else "" for share in shares
                     for fit in ("r2", "fitted here")]  # fmt: skip
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """Format the mean, with the standard deviation of several seeds."""
    mean = f"{statistics.mean(values):.4f}"
    return f"{mean} ± {statistics.stdev(values):.4f}" if len(values) > 1 else mean


if __name__ == "__main__":
    stored = json.loads((RESULTS / "sensor_limits.json").read_text(encoding="utf-8"))
    (RESULTS / "sensor_limits.md").write_text(markdown(stored), encoding="utf-8")
