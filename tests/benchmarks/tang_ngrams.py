"""Score modified Kneser-Ney n-grams on the Tang poems, for the README and notebooks/results.md.

    python tests/benchmarks/tang_ngrams.py [--kenlm FOLDER]

The vocabulary, the split and the counted symbols are those of `lstm-jax train tang`, so you can
compare the perplexities with the model's. The package itself computes them; the tests compare its
results with the equations of Chen & Goodman (1999) written out with dictionaries. With --kenlm
FOLDER, which holds the programs lmplz and query, KenLM counts and scores the same symbols as a
second opinion. Both programs can be built from the source distribution of kenlm 0.3.0 with CMake
and Boost.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from machine import machine
from own_results import RESULTS, read, watch

from lstm_jax.configs import tang
from lstm_jax.train.tasks.text.ngram import mean_nats
from lstm_jax.train.tasks.text.task import load_texts, make_text_task

ORDERS = (1, 2, 3, 4, 5)


def written(texts: Iterable[np.ndarray]) -> str:
    """Format texts for KenLM, one per line, with a number for every symbol."""
    return "".join(" ".join(map(str, text.tolist())) + "\n" for text in texts)


def kenlm(programs: Path, order: int, train: str, test: str) -> float:
    """Return the test perplexity of KenLM's n-gram."""

    def run(name: str, *options: object, given: str) -> str:
        command = [programs / name, *map(str, options)]
        return subprocess.run(
            command, input=given, stdout=subprocess.PIPE, text=True, check=True
        ).stdout  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:
        counted = Path(folder) / "counted.arpa"
        counted.write_text(run("lmplz", "-o", order, "-S", "2G", "-T", folder, given=train))
        summary = run("query", "-v", "summary", counted, given=test)
    found = re.search(r"Perplexity including OOVs:\s+([\d.]+)", summary)
    if found is None:
        raise SystemExit(f"query printed no perplexity: {summary[-200:]}")
    return float(found[1])


def main() -> None:
    """Count the n-grams, score the test poems, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kenlm", type=Path, help="folder of lmplz and query")
    options = parser.parse_args()
    texts = load_texts("tang")
    task = make_text_task(tang.config, texts)
    vocabulary = task.vocabulary
    test = [vocabulary.encode(text) for text in texts.splits["test"]]
    symbols = sum(map(len, test)) + len(test)
    earlier = {row["order"]: row for row in read("tang_ngrams.json").get("rows", [])}
    rows = []
    for order in ORDERS:
        with watch() as times:
            nats = mean_nats(
                task.train, test, size=len(vocabulary), end_id=vocabulary.end_id, order=order
            )
        rows.append({"order": order, "perplexity": math.exp(nats), **times})
        if "kenlm" in earlier.get(order, {}):
            rows[-1]["kenlm"] = earlier[order]["kenlm"]
        print(rows[-1], flush=True)
    if options.kenlm:
        train = written(vocabulary.encode(text) for text in texts.splits["train"])
        for row in rows[1:]:  # lmplz refuses to count single symbols
            row["kenlm"] = kenlm(options.kenlm, row["order"], train, written(test))
    result = {"machine": machine(), "test_symbols": symbols, "rows": rows}
    path = RESULTS / "tang_ngrams.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    lines = ["| n | test perplexity | KenLM's | CPU seconds |", "|---|---|---|---|"]
    for row in rows:
        second = f"{row['kenlm']:.1f}" if "kenlm" in row else ""
        cells = f"{row['perplexity']:.1f} | {second} | {row['cpu_seconds']:.0f}"
        lines.append(f"| {row['order']} | {cells} |")
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
