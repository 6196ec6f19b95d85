"""Measure which changes to the training recordings help `lstm-jax train speech` on new speakers.

    python tests/benchmarks/speech_pairs.py [--arms "warp and coloring"]

Each model is trained without two of the six speakers and tested on both. A setting for a left-out
speaker of results/speech.md can therefore be chosen by the accuracy on the other speaker of the
pair, without looking at the speaker's own recordings. Arms that are not requested keep their
earlier results.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine
from own_results import RESULTS, read
from runs import train_or_resume
from speech import OTHER_VOICES, count_answers

from lstm_jax.configs import speech as recipe
from lstm_jax.models import storage
from lstm_jax.train.data import speech
from lstm_jax.train.data.speech import Speech
from lstm_jax.train.tasks.sounds.speech import make_speech_task

PAIRS = (("george", "jackson"), ("lucas", "nicolas"), ("theo", "yweweler"))
SMALL = replace(recipe.config.model, hidden_features=64)
ARMS: dict[str, dict[str, Any]] = {
    "recipe": {},
    "recipe, 64 units, 12 epochs": {"epochs": 12, "model": SMALL},
    "warp": {"warp": OTHER_VOICES["warp"]},
    "coloring": {"coloring": OTHER_VOICES["coloring"]},
    "warp and coloring": OTHER_VOICES,
    "warp and coloring, 64 units": {**OTHER_VOICES, "model": SMALL},
}
"""Changes that each arm makes to the recipe."""


def accuracies(folder: Path, pair: tuple[str, str], changes: dict[str, Any]) -> dict[str, float]:
    """Train or resume a model without a pair of speakers, and test it on each of them."""
    config, data = replace(recipe.config, **changes), speech.load()
    others = tuple(each for each in data.recordings if each.speaker not in pair)
    task = make_speech_task(config, Speech(others, data.sha256))
    train_or_resume(folder, config, task)
    stored = storage.load(folder)
    result = {}
    for name in pair:
        counts = count_answers(stored, tuple(r for r in data.recordings if r.speaker == name))
        result[name] = round(float(np.trace(counts) / counts.sum()), 4)
    return result


def table(arms: dict[str, dict[str, float]]) -> str:
    """Format the accuracies in Markdown, in percent."""
    names = [name for pair in PAIRS for name in pair]
    lines = [f"| arm | {' | '.join(names)} | mean |", "|---" * (len(names) + 2) + "|"]
    for arm, by_speaker in arms.items():
        cells = [f"{100 * by_speaker[n]:.1f}" if n in by_speaker else "" for n in names]
        whole = len(by_speaker) == len(names)
        mean = f"{100 * np.mean(list(by_speaker.values())):.1f}" if whole else ""
        lines.append(f"| {arm} | {' | '.join(cells)} | {mean} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train the arms, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/speech_pairs"))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=[*ARMS])
    parser.add_argument("--pairs", type=int, default=len(PAIRS), help="number of pairs")
    options = parser.parse_args()
    arms = read("speech_pairs.json").get("arms", {})
    for arm in options.arms:
        for pair in PAIRS[: options.pairs]:
            folder = options.runs / f"{arm.replace(' ', '_')}_{'_'.join(pair)}"
            arms.setdefault(arm, {}).update(accuracies(folder, pair, ARMS[arm]))
    arms = {arm: arms[arm] for arm in ARMS if arm in arms}
    text = json.dumps({"machine": machine(), "arms": arms}, indent=1) + "\n"
    (RESULTS / "speech_pairs.json").write_text(text, encoding="utf-8")
    (RESULTS / "speech_pairs.md").write_text(table(arms), encoding="utf-8")
    print(table(arms))


if __name__ == "__main__":
    main()
