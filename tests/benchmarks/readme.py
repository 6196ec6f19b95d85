"""Write the README's table of speed from the committed results.

    python tests/benchmarks/readme.py [--check]

What stands between the two markers is replaced; --check fails where it is out of date.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
BEGIN, END = "<!-- speed: tests/benchmarks/readme.py -->\n", "<!-- /speed -->\n"
JAX = ("flax", "keras", "equinox")

Row = Mapping[str, Any]


def results(name: str) -> dict[str, Any]:
    """What a benchmark left."""
    return json.loads((HERE / "results" / f"{name}.json").read_text(encoding="utf-8"))


def best_jax(row: Row) -> float:
    """The ratio of the JAX peer that did best."""
    return min(row["results"][name]["ratio"] for name in JAX if name in row["results"])


def torch(row: Row) -> float:
    """PyTorch's time by ours."""
    return row["results"]["torch"]["ratio"]


def gain(row: Row) -> float:
    """Our time by ours on two devices; 1 where they are not faster, or have no rows to share."""
    ours = row["results"].get("two_devices")
    return max(1.0, 1 / ours["ratio"]) if ours else 1.0


def means(rows: list[Row], ratio: Callable[[Row], float]) -> str:
    """Geometric mean and least, and in brackets the same with two devices where they are faster."""
    one = [ratio(row) for row in rows]
    two = [ratio(row) * gain(row) for row in rows]
    mean, least = (f"{of(one):.2f} ({of(two):.2f})" for of in (statistics.geometric_mean, min))
    return f"{mean} | {least}"


def layers(rows: list[Row]) -> list[str]:
    """The table of layers: a line for each width."""
    batches = sorted({row["case"]["batch"] for row in rows})
    lines = [f"| H | {' | '.join(f'B = {batch}' for batch in batches)} |"]
    lines.append("|---" * (1 + len(batches)) + "|")
    for width in sorted({row["case"]["width"] for row in rows}):
        cells = []
        for batch in batches:
            [row] = [r for r in rows if (r["case"]["width"], r["case"]["batch"]) == (width, batch)]
            more = gain(row)
            pairs = [f"{ratio(row) * more:.2f}" for ratio in (best_jax, torch)]
            also = f" ({', '.join(pairs)})" if more > 1 else ""
            cells.append(f"{best_jax(row):.2f}, {torch(row):.2f}{also}")
        lines.append(f"| {width:,} | {' | '.join(cells)} |")
    return lines


def by_machine() -> list[str]:
    """The table of machines: each path of each against the fastest JAX peer and PyTorch."""
    lines = ["| CPU | path | fastest JAX peer, forward | both | PyTorch, forward | both |"]
    lines.append("|---" * 6 + "|")
    for path in sorted((HERE / "results").glob("layer*.json")):
        found = results(path.stem)
        named = f"[{cpu(found['machine'])}](tests/benchmarks/results/{path.stem}.md)"
        for name, label in (("lstm_jax", "default"), ("native", "native")):
            rows = [row for row in found["rows"] if name in row["results"]]
            cells = [
                over([ratio(row) / row["results"][name]["ratio"] for row in of_work(rows, work)])
                for ratio in (best_jax, torch)
                for work in ("forward", "both")
                if rows
            ]
            lines += [f"| {named} | {label} | {' | '.join(cells)} |"] if rows else []
    return lines


def cpu(machine: Mapping[str, Any]) -> str:
    """What a result says of its machine; older ones say less."""
    known = [str(machine[key]) for key in ("cpu", "family", "vectors") if key in machine]
    return ", ".join([*known, f"{machine['cores']} cores"])


def of_work(rows: list[Row], work: str) -> list[Row]:
    """The rows of one work: forward, or both."""
    return [row for row in rows if row["work"] == work]


def on_grid(row: Row) -> bool:
    """Whether a layer is of the grid: as many features as it is wide."""
    case = row["case"]
    return case["steps"] == 128 and case.get("features", case["width"]) == case["width"]


def over(ratios: list[float]) -> str:
    """Geometric mean and least."""
    return f"{statistics.geometric_mean(ratios):.2f}, {min(ratios):.2f}"


def section() -> str:
    """All that stands between the markers."""
    of_layers = results("layer")
    rows = [row for row in of_work(of_layers["rows"], "both") if on_grid(row)]
    [step] = results("train_lm")["rows"]
    one, many = results("sample")["rows"]
    narrow = [row for row in rows if row["case"]["width"] <= 256]
    wide = [row for row in rows if row["case"]["width"] > 256]
    lines = [
        "Forward and backward of one layer, T = 128, D = H: the time of the fastest JAX peer of",
        "each shape, and of PyTorch, by ours; in brackets by ours with the batch split over two",
        "host devices, where that is faster (the peers were given one):",
        "",
        *layers(rows),
        "",
        "| by ours, in brackets with two devices | geometric mean | least |",
        "|---|---|---|",
        f"| fastest JAX peer, H ≤ 256 | {means(narrow, best_jax)} |",
        f"| fastest JAX peer, H > 256 | {means(wide, best_jax)} |",
        f"| PyTorch | {means(rows, torch)} |",
        "",
        "Ratios depend on the CPU. Geometric mean and least over all shapes of each machine, odd",
        "ones too, the peer's time by ours; default is what `pip install` gives:",
        "",
        *by_machine(),
        "",
        "| whole programs | lstm_jax | peers' time by ours |",
        "|---|---|---|",
        f"| training step of the Tang model, 48 x 48 | {_ms(step)} | {_ratios(step)} |",
        f"| 64 characters of one poem | {_ms(one)} | {_ratios(one)} |",
        f"| 64 characters of 64 poems | {_ms(many)} | {_ratios(many)} |",
        "",
        f"The step runs at {_share(step)} of the rate of a large matrix product, and a character"
        " of one",
        f"poem at {_share(one)} of the rate at which memory is read, measured beside them.",
    ]
    return "\n".join(lines) + "\n"


def _ms(row: Row) -> str:
    return f"{row['results']['lstm_jax']['min'] * 1e3:,.0f} ms"


def _share(row: Row) -> str:
    return f"{row['results']['lstm_jax']['share_of_peak']:.0%}"


def _ratios(row: Row) -> str:
    names = {"torch": "PyTorch", "flax": "Flax", "onnxruntime": "ONNX Runtime"}
    found = row["results"]
    return ", ".join(f"{names[n]} {found[n]['ratio']:.2f}" for n in names if n in found)


def main() -> None:
    """Replace or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if stale")
    check = parser.parse_args().check
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    new = before + BEGIN + section() + END + rest.split(END)[1]
    if check:
        sys.exit(0 if new == text else "README.md: the table of speed is out of date")
    README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
