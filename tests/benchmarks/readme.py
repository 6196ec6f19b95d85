"""Write the generated sections of the README and the guides from committed results and recipes.

    python tests/benchmarks/readme.py [--check]

Each section stands between two marker comments of its document, `<!-- NAME: ... -->` and
`<!-- /NAME -->`, and is replaced as a whole. `--check` writes nothing and fails if any section is
out of date.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import quality
from own_results import read

from lstm_jax.recipes import recipes

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = "https://github.com/lstm-jax/lstm_jax/blob/main/tests/benchmarks/results"
MACHINE = "zen4"  # the machine of the READMEs' table; speed.md has the others too
JAX = ("flax", "keras", "equinox")
WORKS = {"forward": "forward", "both": "forward and backward"}
PATHS = {"native": "native engine", "lstm_jax": "default"}
ENGLISH = """best JAX peer
one layer, forward, native engine
one layer, forward, default
one layer, forward and backward, native engine
one layer, forward and backward, default
training step of a Tang model, 2 layers of 512
64 characters of one poem, 2 layers of 512
64 characters each of 64 poems, 2 layers of 512"""
CHINESE = """最快的 JAX 库
单层前向，native 引擎
单层前向，默认
单层前向加反向，native 引擎
单层前向加反向，默认
唐诗模型（两层 512）的一个训练步
写一首诗的 64 个字（两层 512）
同时写 64 首诗，每首 64 个字（两层 512）"""

Row = Mapping[str, Any]
Ratio = Callable[[Row], float]


def results(name: str) -> dict[str, Any]:
    """Read the results of a benchmark."""
    return read(f"{name}.json")


def best_jax(row: Row) -> float:
    """Return the time of the fastest JAX peer divided by our default's."""
    return min(row["results"][name]["ratio"] for name in JAX if name in row["results"])


def torch(row: Row) -> float:
    """Return PyTorch's time divided by our default's."""
    return row["results"]["torch"]["ratio"]


def by_path(rows: list[Row], ratio: Ratio, path: str) -> list[float]:
    """Return a peer's times divided by those of one of our paths."""
    return [ratio(row) / row["results"][path]["ratio"] for row in rows]


def with_two_devices(row: Row) -> float:
    """Return the factor gained by two host devices; 1 where they are not faster or not used."""
    ours = row["results"].get("two_devices")
    return max(1.0, 1 / ours["ratio"]) if ours else 1.0


def of_work(rows: list[Row], work: str) -> list[Row]:
    """Select the rows of one kind of work, "forward" or "both"."""
    return [row for row in rows if row["work"] == work]


def on_grid(row: Row) -> bool:
    """Return whether a layer belongs to the grid: T = 128, as many features as it is wide."""
    case = row["case"]
    return case["steps"] == 128 and case.get("features", case["width"]) == case["width"]


def mean_and_least(ratios: list[float], form: str = "{:.2f} ({:.2f})") -> str:
    """Format the geometric mean and the least."""
    return form.format(statistics.geometric_mean(ratios), min(ratios))


def table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a Markdown table."""
    lines = [list(head), *rows]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines) + "\n"


def summary(words: str) -> str:
    """Make the READMEs' table: each of our paths against each peer on the main machine."""
    layers = results(f"layer.{MACHINE}")["rows"]
    cells = []
    for work in WORKS:
        for path in PATHS:
            rows = of_work(layers, work)
            ratios = [by_path(rows, ratio, path) for ratio in (best_jax, torch)]
            cells.append([*map(mean_and_least, ratios), ""])
    for row in results(f"train_lm.{MACHINE}")["rows"] + results(f"sample.{MACHINE}")["rows"]:
        peers = {name: f"{each['ratio']:.2f}" for name, each in row["results"].items()}
        cells.append([peers.get(name, "") for name in ("flax", "torch", "onnxruntime")])
    peer, *labels = words.splitlines()
    rows = [[label, *row] for label, row in zip(labels, cells, strict=True)]
    return table(["", peer, "PyTorch", "ONNX Runtime"], rows)


def machines() -> str:
    """Make the table of machines: each path on each machine against the peers."""
    rows = []
    for file in sorted((HERE / "results").glob("layer*.json")):
        found = results(file.stem)
        link = f"[{cpu(found['machine'])}]({RESULTS}/{file.stem}.md)"
        for path in reversed(PATHS):
            layers = [row for row in found["rows"] if path in row["results"]]
            cells = [
                mean_and_least(by_path(of_work(layers, work), ratio, path))
                for ratio in (best_jax, torch)
                for work in WORKS
                if layers
            ]
            rows += [[link, PATHS[path], *cells]] if cells else []
    head = ["CPU", "path", *(f"{peer}, {WORKS[w]}" for peer in ("JAX", "PyTorch") for w in WORKS)]
    return table(head, rows)


def cpu(machine: Mapping[str, Any]) -> str:
    """Describe the machine of a result; older results record less."""
    known = [str(machine[key]) for key in ("cpu", "family", "vectors") if key in machine]
    return ", ".join([*known, f"{machine['cores']} cores"])


def grid() -> str:
    """Make the older machine's tables: every shape of the grid, and means over them."""
    rows = [row for row in of_work(results("layer")["rows"], "both") if on_grid(row)]
    batches = sorted({row["case"]["batch"] for row in rows})
    cells = {(row["case"]["width"], row["case"]["batch"]): _shape(row) for row in rows}
    widths = sorted({width for width, _ in cells})
    shapes = [[f"{width:,}", *(cells[width, batch] for batch in batches)] for width in widths]
    groups: dict[str, tuple[Ratio, list[Row]]] = {
        "fastest JAX peer, H ≤ 256": (best_jax, [r for r in rows if r["case"]["width"] <= 256]),
        "fastest JAX peer, H > 256": (best_jax, [r for r in rows if r["case"]["width"] > 256]),
        "PyTorch": (torch, rows),
    }
    means = [[name, *_means(group, ratio)] for name, (ratio, group) in groups.items()]
    head = ["peer's time divided by ours (by ours on two devices)", "geometric mean", "least"]
    return table(["H", *(f"B = {batch}" for batch in batches)], shapes) + "\n" + table(head, means)


def _shape(row: Row) -> str:
    factor = with_two_devices(row)
    pairs = [f"{ratio(row) * factor:.2f}" for ratio in (best_jax, torch)]
    faster = f" ({', '.join(pairs)})" if factor > 1 else ""
    return f"{best_jax(row):.2f}, {torch(row):.2f}{faster}"


def _means(rows: list[Row], ratio: Ratio) -> list[str]:
    one = [ratio(row) for row in rows]
    two = [ratio(row) * with_two_devices(row) for row in rows]
    return [f"{of(one):.2f} ({of(two):.2f})" for of in (statistics.geometric_mean, min)]


def programs() -> str:
    """Make the table of whole programs, for every machine that ran them."""
    labels = {"step": "training step of a Tang model, 2 layers of 512, 48 x 48"}
    names = {"torch": "PyTorch", "flax": "Flax", "onnxruntime": "ONNX Runtime"}
    rows = []
    for name in ("train_lm", "sample"):
        for file in sorted((HERE / "results").glob(f"{name}*.json")):
            found = results(file.stem)
            for row in found["rows"]:
                poems = row["case"].get("rows")
                ours, label = row["results"]["lstm_jax"], labels.get(row["work"])
                label = label or f"64 characters of {poems} poem{'s' if poems > 1 else ''}"
                peers = [f"{row['results'][n]['ratio']:.2f}" if n in row["results"] else ""
                         for n in names]  # fmt: skip
                cells = [f"{ours['min'] * 1e3:,.0f} ms", *peers, f"{ours['share_of_peak']:.0%}"]
                rows.append([label, cpu(found["machine"]), *cells])
    return table(["program", "CPU", "lstm_jax", *names.values(), "share of peak"], rows)


def listed() -> str:
    """Make the list of recipes."""
    rows = [
        [f"`{name}`", about.what, about.time, about.data, f"`{about.extra}`" if about.extra else ""]
        for name, about in recipes().items()
    ]
    return table(["recipe", "what it trains", "time on 2 cores", "data", "extra"], rows)


def compared() -> str:
    """Make the table of quality."""
    return table(["task", "lstm_jax", "peers"], quality.rows())


SECTIONS: dict[tuple[str, str], Callable[[], str]] = {
    ("README.md", "quality"): compared,
    ("README.md", "speed"): lambda: summary(ENGLISH),
    ("README.md", "recipes"): listed,
    ("README.zh.md", "speed"): lambda: summary(CHINESE),
    ("notebooks/speed.md", "machines"): machines,
    ("notebooks/speed.md", "grid"): grid,
    ("notebooks/speed.md", "programs"): programs,
}


def renewed(text: str, name: str, section: str) -> str:
    """Replace a section between its markers.

    Raises:
        ValueError: if the text does not have exactly one such section.
    """
    pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n)(.*?)(<!-- /{name} -->)", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"expected one section {name!r} between markers")
    return pattern.sub(lambda match: match[1] + "\n" + section + "\n" + match[3], text)


def stale() -> dict[str, str]:
    """Return the documents whose generated sections are out of date, as they should be."""
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name, _ in SECTIONS}
    fresh = dict(texts)
    for (document, name), make in SECTIONS.items():
        fresh[document] = renewed(fresh[document], name, make())
    return {name: text for name, text in fresh.items() if text != texts[name]}


def main() -> None:
    """Write the sections, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if stale")
    check = parser.parse_args().check
    found = stale()
    if check:
        sys.exit(f"out of date: {', '.join(found)}; run {Path(__file__).name}" if found else 0)
    for name, text in found.items():
        (ROOT / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
