"""Write results/own_series.md: ours and the peers' forecasts of each set, out of their JSON."""

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
    """Write a line for each model of a set, the best MASE first."""
    found = {model: list(seeds.values()) for model, seeds in models.items()}
    best_first = sorted(found, key=lambda model: statistics.mean(r["mase"] for r in found[model]))
    return [
        f"| {name} | {title(model, found[model])} | "
        + " | ".join(spread([row[which] for row in found[model]]) for which in FIGURES)
        + f" | {timing(found[model], 'fit')} | {timing(found[model], 'forecast')} "
        f"| {cpu(found[model], 'fit', 'forecast')} |"
        for model in best_first
    ]


def title(model: str, rows: list[dict]) -> str:
    """Name a model, and say how many epochs Darts was given where these are not its 100."""
    fewer = [row["epochs"] for row in rows if row.get("epochs", 100) < 100]
    said = f", {min(fewer)} of its 100 epochs" if fewer else ""
    return f"**{model}**" if model == "lstm_jax" else model.replace("_", " ") + said


def spread(values: list[float]) -> str:
    """Write a mean, and where there are several seeds their least and most."""
    mean, least, most = (figure(of(values)) for of in (statistics.mean, min, max))
    return f"{mean} ({least} to {most})" if len(values) > 1 else mean


def figure(value: float) -> str:
    """Write four digits, or all that stand before the point."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def write() -> None:
    """Write the table of all that was measured so far."""
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
