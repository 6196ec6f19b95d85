"""Measure which changes to the recipe help `lstm-jax train speech` on new speakers.

    python tests/benchmarks/speech_pairs.py [--only "warp and coloring"] [--seeds 3]

Each model is trained without two of the six speakers and tested on both. A setting for a left-out
speaker of results/speech.md can therefore be chosen by the accuracy on the other speaker of the
pair, without looking at the speaker's own recordings.

A run that exists in --runs is resumed, so the script can be stopped and restarted. Arms that are
not requested keep their earlier results.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

from runs import Arms, Row, sweep, train_or_resume
from speech import UNSEEN, share_right

from lstm_jax.configs import speech as recipe
from lstm_jax.models import storage
from lstm_jax.train.data import speech
from lstm_jax.train.data.speech import Speech
from lstm_jax.train.tasks.sounds.config import SoundsConfig
from lstm_jax.train.tasks.sounds.speech import make_speech_task

PAIRS = (("george", "jackson"), ("lucas", "nicolas"), ("theo", "yweweler"))
SMALL = replace(recipe.config.model, hidden_features=64)
ARMS: dict[str, dict[str, Any]] = {
    "recipe": {},
    "warp and coloring": {"warp": 0.15, "coloring": 6.0},
    "scaled by speaker": UNSEEN,
    "scaled by speaker, 64 units": {**UNSEEN, "model": SMALL},
}
"""Changes that each arm makes to the recipe."""


def run(folder: Path, config: SoundsConfig, data: Speech) -> Row:
    """Train or resume a model without each pair of speakers, and test it on both of them."""
    row: Row = {}
    for pair in PAIRS:
        place = Path(f"{folder}_{'_'.join(pair)}")
        others = tuple(each for each in data.recordings if each.speaker not in pair)
        train_or_resume(place, config, make_speech_task(config, Speech(others, data.sha256)))
        stored = storage.load(place)
        for name in pair:
            own = [each for each in data.recordings if each.speaker == name]
            row[name] = share_right(stored, own)
    return row


def table(arms: Arms) -> str:
    """Format the mean accuracies over the seeds in Markdown, in percent, the best arm first."""
    names = [name for pair in PAIRS for name in pair]
    lines = [
        f"| arm | seeds | {' | '.join(names)} | mean (of each seed) |",
        "|---" * (len(names) + 3) + "|",
    ]

    def by_seed(rows: list[Row]) -> list[float]:
        return [100 * statistics.mean(row[name] for name in names) for row in rows]

    for arm, rows in sorted(arms.items(), key=lambda item: -statistics.mean(by_seed(item[1]))):
        cells = [f"{100 * statistics.mean(row[name] for row in rows):.1f}" for name in names]
        means = by_seed(rows)
        each = ", ".join(f"{mean:.1f}" for mean in means)
        lines.append(
            f"| {arm} | {len(rows)} | {' | '.join(cells)} | {statistics.mean(means):.1f} ({each}) |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train the arms, and write the table after each of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/speech_pairs"))
    parser.add_argument("--only", nargs="+", choices=list(ARMS), default=list(ARMS), metavar="ARM")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    data = speech.load()

    def arm(folder: Path, name: str, seed: int) -> Row:
        return run(folder, replace(recipe.config, seed=seed, **ARMS[name]), data)

    sweep("speech_pairs", options.runs, options.only, options.seeds, arm, table)


if __name__ == "__main__":
    main()
