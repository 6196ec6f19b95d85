"""Measure the held-out loss on tinyshakespeare: `lstm-jax train shakespeare` over three seeds.

    python tests/benchmarks/shakespeare.py [--seeds 3]

The held-out part is the last tenth of the text, as in nanoGPT, whose figure is the least loss of
its run on that part too. So both choose a stopping point on the part that they report. Our loss
covers every one of its characters, in order, with the state carried from the first to the last;
nanoGPT's is an average over random windows of 256 characters. Dynamic evaluation (Krause et al.
2018) is reported apart: the model goes on learning from the characters that it has already scored.
Its step was chosen on the first 20,000 of these characters.

A run that exists in --runs is resumed, so the script can be stopped and restarted. Seeds that are
already in the results are not run again.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from own_results import watch
from published import NANOGPT
from runs import once, runs_of, train_or_resume

from lstm_jax.configs import shakespeare as recipe
from lstm_jax.models import storage
from lstm_jax.train.evaluate import EvaluateOptions, measure


def run(folder: Path, seed: int) -> dict[str, Any]:
    """Train or resume a seed, and evaluate it with and without learning."""
    with watch() as times:
        resumed = train_or_resume(folder, replace(recipe.config, seed=seed))
    options = EvaluateOptions(str(folder), split="valid", dynamic=True)
    figures, message = measure(options)
    print(f"seed {seed}: {message}", flush=True)
    card = storage.load(folder).card
    return {
        "parameters": card["parameters"],
        "steps": card["steps"],
        "nats": figures["nats_per_symbol"],
        "dynamic_nats": figures["dynamic"]["nats_per_symbol"],
        **({} if resumed else times),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Format the table in Markdown, in nats per character."""
    lines = [
        "| model | parameters | nats | with dynamic evaluation |",
        "|---|---|---|---|",
        f"| nanoGPT | {NANOGPT['parameters'] / 1e6:.1f} M | {NANOGPT['nats']} | |",
    ]
    for row in rows:
        lines.append(
            f"| lstm_jax, seed {row['seed']} | {row['parameters'] / 1e6:.1f} M | {row['nats']:.4f} "
            f"| {row['dynamic_nats']:.4f} |"
        )
    columns = [[row[name] for row in rows] for name in ("nats", "dynamic_nats")]
    means = [
        f"**{statistics.mean(values):.4f}** ({min(values):.4f} to {max(values):.4f})"
        for values in columns
    ]
    lines.append(f"| **lstm_jax, mean of {len(rows)} seeds** (spread) | | {' | '.join(means)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train, evaluate, and write the table after every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/shakespeare_seeds"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    for seed in range(options.seeds):
        train = partial(run, options.runs / f"seed{seed}", seed)
        once("shakespeare", {"seed": seed}, train, table, nanogpt=NANOGPT)
    print(table(runs_of("shakespeare")))


if __name__ == "__main__":
    main()
