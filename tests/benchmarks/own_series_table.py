"""Write results/own_series.md, with our forecasts of each set and the peers', from their JSON."""

from __future__ import annotations

import statistics

from own_results import BUSY, RESULTS, cpu, read, timing

OURS = "own_series.json"
PEERS = "own_series_peers.json"
FIGURES = ("mase", "mae", "rmse")
HEAD = (
    "| set | model | MASE | MAE | RMSE | seconds to fit | to forecast | CPU, both |\n"
    + "|---" * 8
    + "|"
)


def lines(name: str, models: dict[str, dict[str, dict]]) -> list[str]:
    """Format one line for each model of a set, with the best MASE first."""
    runs = {model: list(seeds.values()) for model, seeds in models.items()}
    best_first = sorted(runs, key=lambda model: statistics.mean(r["mase"] for r in runs[model]))
    return [
        f"| {name} | {title(model, runs[model])} | "
        + " | ".join(spread([row[which] for row in runs[model]]) for which in FIGURES)
        + f" | {timing(runs[model], 'fit')} | {timing(runs[model], 'forecast')} "
        f"| {cpu(runs[model], 'fit', 'forecast')} |"
        for model in best_first
    ]


def title(model: str, rows: list[dict]) -> str:
    """Return a model's title, with the number of epochs of Darts if it is less than its 100."""
    fewer = [row["epochs"] for row in rows if row.get("epochs", 100) < 100]
    remark = f", {min(fewer)} of its 100 epochs" if fewer else ""
    return f"**{model}**" if model == "lstm_jax" else model.replace("_", " ") + remark


def spread(values: list[float]) -> str:
    """Format a mean, with the minimum and maximum if there are several seeds."""
    mean, minimum, maximum = (figure(reduce(values)) for reduce in (statistics.mean, min, max))
    return f"{mean} ({minimum} to {maximum})" if len(values) > 1 else mean


def figure(value: float) -> str:
    """Format a number with four digits, or with all the digits before the decimal point."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def write() -> None:
    """Write the table of everything measured so far."""
    peers, ours = read(PEERS).get("runs", {}), read(OURS).get("runs", {})
    rows = [
        line
        for name in dict.fromkeys([*peers, *ours])
        for line in lines(name, {**peers.get(name, {}), **ours.get(name, {})})
    ]
    text = "\n".join([HEAD, *rows, "", BUSY])
    (RESULTS / "own_series.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    write()
