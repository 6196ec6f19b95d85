"""Score modified Kneser-Ney n-grams on the Tang poems, for the n-gram rows of the README's table.

    python tests/benchmarks/tang_ngrams.py

The vocabulary, the split and the counted symbols are those of `lstm-jax train tang`, so you can
compare the perplexities with the model's. The package itself computes them; the tests compare
its results with the equations of Chen & Goodman (1999) written out with dictionaries.
"""

from __future__ import annotations

import json
import math

from machine import machine
from own_results import RESULTS, watch

from lstm_jax.configs import tang
from lstm_jax.train.tasks.text.ngram import mean_nats
from lstm_jax.train.tasks.text.task import load_texts, make_text_task

ORDERS = (1, 2, 3, 4, 5)


def main() -> None:
    """Count the n-grams, score the test poems, and write the table."""
    texts = load_texts("tang")
    task = make_text_task(tang.config, texts)
    vocabulary = task.vocabulary
    test = [vocabulary.encode(text) for text in texts.splits["test"]]
    symbols = sum(map(len, test)) + len(test)
    rows = []
    for order in ORDERS:
        with watch() as times:
            nats = mean_nats(
                task.train, test, size=len(vocabulary), end_id=vocabulary.end_id, order=order
            )
        rows.append({"order": order, "perplexity": math.exp(nats), **times})
        print(rows[-1], flush=True)
    result = {"machine": machine(), "test_symbols": symbols, "rows": rows}
    path = RESULTS / "tang_ngrams.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    lines = ["| n | test perplexity | CPU seconds |", "|---|---|---|"]
    lines += [
        f"| {row['order']} | {row['perplexity']:.1f} | {row['cpu_seconds']:.0f} |" for row in rows
    ]
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
