"""Test accuracy of `lstm-jax train speech`: three seeds, and every speaker left out in turn.

    python tests/benchmarks/speech.py

A run that is in --runs already is taken up where it stands, so that the script can be stopped and
started again. The test is the official one, takes 0 to 4; of a speaker who was left out it is all
of their 500 recordings, of which neither training nor validation had any.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from flax import nnx
from machine import machine

from lstm_jax import plots
from lstm_jax.configs import speech as recipe
from lstm_jax.models import storage
from lstm_jax.models.storage import Stored
from lstm_jax.train import loop
from lstm_jax.train.data import audio, speech
from lstm_jax.train.data.speech import DIGITS, Recording
from lstm_jax.train.evaluate import EvaluateOptions, measure
from lstm_jax.train.tasks.classify.judge import after_each, log_probabilities, make_reader
from lstm_jax.train.tasks.sounds.predict import features_of

RESULTS = Path(__file__).parent / "results"
SEEDS = (0, 1, 2)


def run(folder: Path, **changed) -> dict:
    """Train a configuration, unless it is trained, and judge it on its test."""
    config = replace(recipe.config, **changed)
    resume = (folder / loop.CONFIG).is_file()
    loop.train(loop.prepare(folder, config, resume=resume, overwrite=False), folder)
    card = storage.load(folder).card
    figures, said = measure(EvaluateOptions(str(folder)))
    print(said)
    return {
        **changed,
        "valid_accuracy": card["valid_accuracy"],
        "test_accuracy": figures["accuracy"],
        "test_recordings": figures["recordings"],
        "test_wrong": figures["wrong"],
    }


def heard(stored: Stored, recordings: tuple[Recording, ...]) -> np.ndarray:
    """How often each digit was heard as each: (10, 10), a row for what was said."""
    features = [features_of(stored, one.samples) for one in recordings]
    params = nnx.state(stored.network, nnx.Param)
    answers = log_probabilities(make_reader(stored.network), params, features).argmax(-1)
    counts = np.zeros((len(DIGITS), len(DIGITS)), int)
    np.add.at(counts, ([one.digit for one in recordings], answers), 1)
    return counts


def summary(rows: list[dict]) -> str:
    """Mean and spread of test accuracies, in percent."""
    tests = 100 * np.array([row["test_accuracy"] for row in rows])
    return f"**{tests.mean():.1f}** ({tests.min():.1f} to {tests.max():.1f})"


def table(seeds: list[dict], speakers: list[dict]) -> str:
    """In Markdown."""
    lines = ["| test | wrong | accuracy, % |", "|---|---|---|"]
    for row in (*seeds, *speakers):
        what = f"official, seed {row['seed']}" if "seed" in row else f"{row['left_out']}, left out"
        wrong = f"{row['test_wrong']} of {row['test_recordings']}"
        lines.append(f"| {what} | {wrong} | {100 * row['test_accuracy']:.1f} |")
    lines.append(f"| official, mean of {len(seeds)} seeds (spread) | | {summary(seeds)} |")
    lines.append(f"| a new speaker, mean of {len(speakers)} (spread) | | {summary(speakers)} |")
    return "\n".join(lines) + "\n"


def picture(seeds: list[Path], speakers: dict[str, Path], path: Path) -> None:
    """A digit as it is heard, and what new speakers' digits are taken for."""
    data = speech.load()
    stored = storage.load(seeds[0])
    [seven] = [
        one for one in data.splits()["test"]
        if (one.digit, one.speaker, one.take) == (7, "jackson", 0)
    ]  # fmt: skip
    features = features_of(stored, seven.samples)
    new = [
        heard(storage.load(folder), data.splits(name)["test"]) for name, folder in speakers.items()
    ]
    with plots.default_style():
        figure = plots.new_figure(2, size=(5.2, 4.2))
        plots.frame_by_frame(
            features,
            after_each(stored, features),
            classes=DIGITS,
            seconds=audio.Mel().step / 1000,
            frequencies=audio.frequencies(),
            axes=figure.axes[0],
        )
        plots.confusion(np.sum(new, 0), classes=DIGITS, axes=figure.axes[1])
        figure.axes[1].set_ylabel("said by a new speaker")
        figure.savefig(path, dpi=110)


def main() -> None:
    """Train, judge, and write table and picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/speech_seeds"))
    options = parser.parse_args()
    folders = [options.runs / f"seed{seed}" for seed in SEEDS]
    without = {name: options.runs / f"without_{name}" for name in speech.load().speakers}
    seeds = [run(folder, seed=seed) for folder, seed in zip(folders, SEEDS, strict=True)]
    speakers = [run(folder, left_out=name) for name, folder in without.items()]
    print(table(seeds, speakers))
    RESULTS.mkdir(exist_ok=True)
    found = {"machine": machine(), "seeds": seeds, "speakers": speakers}
    text = json.dumps(found, indent=1) + "\n"
    (RESULTS / "speech.json").write_text(text, encoding="utf-8")
    (RESULTS / "speech.md").write_text(table(seeds, speakers), encoding="utf-8")
    picture(folders, without, RESULTS / "speech.png")


if __name__ == "__main__":
    main()
