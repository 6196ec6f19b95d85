"""Measure the test accuracy of `lstm-jax train speech` over five seeds, and on unseen speakers.

    python tests/benchmarks/speech.py

Runs that are already in --runs are resumed, so you can stop the script and start it again. The
seeds are tested on the official test part, takes 0 to 4. Each speaker is also left out in turn:
neither training nor validation has any of the speaker's 500 recordings, and all of them are the
test. The models for unseen speakers read features that are scaled by speaker, and are tested a
second time with the mean and deviation of fewer recordings, which come in random sets.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from flax import nnx
from own_results import RESULTS
from runs import publish, train_or_resume

from lstm_jax import plots
from lstm_jax.configs import speech as recipe
from lstm_jax.models import storage
from lstm_jax.models.storage import Stored
from lstm_jax.train.data import audio, speech
from lstm_jax.train.data.speech import DIGITS, Recording
from lstm_jax.train.evaluate import EvaluateOptions, measure
from lstm_jax.train.tasks.classify.judge import after_each, log_probabilities, make_reader
from lstm_jax.train.tasks.sounds.predict import features_of

SEEDS = (0, 1, 2, 3, 4)
UNSEEN = {"scale_groups": True}
"""Changes to the recipe for unseen speakers; speech_pairs.py measures what they do."""
TOGETHER = (1, 3, 10, 30, 100)
"""Numbers of recordings of an unseen speaker that are scaled together, besides all of them."""


def run(folder: Path, **changed) -> dict:
    """Train a configuration unless it is already trained, and evaluate it on its test part."""
    config = replace(recipe.config, **changed)
    train_or_resume(folder, config)
    card = storage.load(folder).card
    figures, message = measure(EvaluateOptions(str(folder)))
    print(message)
    return {
        **changed,
        "valid_accuracy": card["valid_accuracy"],
        "test_accuracy": figures["accuracy"],
        "test_recordings": figures["recordings"],
        "test_wrong": figures["wrong"],
    }


def count_answers(
    stored: Stored, recordings: Sequence[Recording], together: int | None = None
) -> np.ndarray:
    """Count the predictions for each spoken digit: (10, 10), one row for each spoken digit.

    Args:
        stored: the model.
        recordings: recordings of a speaker.
        together: number of successive recordings that are scaled together if the model scales its
            features by speaker; all if None.
    """
    size = together or len(recordings)
    features = []
    for start in range(0, len(recordings), size):
        some = recordings[start : start + size]
        features += features_of(stored, [recording.samples for recording in some])
    params = nnx.state(stored.network, nnx.Param)
    answers = log_probabilities(make_reader(stored.network), params, features).argmax(-1)
    counts = np.zeros((len(DIGITS), len(DIGITS)), int)
    np.add.at(counts, ([recording.digit for recording in recordings], answers), 1)
    return counts


def by_together(folders: dict[str, Path]) -> dict[str, list[float]]:
    """Return the accuracy on each unseen speaker, by the number of recordings scaled together."""
    data, found = speech.load(), {str(size): [] for size in TOGETHER}
    for name, folder in folders.items():
        stored, own = storage.load(folder), data.splits(name)["test"]
        order = np.random.default_rng(0).permutation(len(own))
        for size in TOGETHER:
            found[str(size)].append(share_right(stored, [own[i] for i in order], size))
    return found


def share_right(
    stored: Stored, recordings: Sequence[Recording], together: int | None = None
) -> float:
    """Return the accuracy on recordings, as counted by `count_answers`."""
    counts = count_answers(stored, recordings, together)
    return round(float(np.trace(counts) / counts.sum()), 4)


def summary(accuracies: Sequence[float], mark: str = "") -> str:
    """Format the mean, between marks, and the range of accuracies, in percent."""
    percent = 100 * np.array(accuracies)
    return f"{mark}{percent.mean():.1f}{mark} ({percent.min():.1f} to {percent.max():.1f})"


def table(seeds: list[dict], speakers: list[dict], fewer: dict[str, list[float]]) -> str:
    """Format the table in Markdown."""
    lines = ["| test | wrong | accuracy, % |", "|---|---|---|"]
    for row in (*seeds, *speakers):
        title = f"official, seed {row['seed']}" if "seed" in row else f"{row['left_out']}, left out"
        wrong = f"{row['test_wrong']} of {row['test_recordings']}"
        lines.append(f"| {title} | {wrong} | {100 * row['test_accuracy']:.1f} |")
    titles = {f"official, mean of {len(seeds)} seeds": seeds,
              f"a new speaker, mean of {len(speakers)}": speakers}  # fmt: skip
    for title, rows in titles.items():
        mean = summary([row["test_accuracy"] for row in rows], mark="**")
        lines.append(f"| {title} (spread) | | {mean} |")
    for size, accuracies in fewer.items():
        title = f"the same, {size} recording{'s'[: size != '1']} scaled together"
        lines.append(f"| {title} | | {summary(accuracies)} |")
    return "\n".join(lines) + "\n"


def picture(seeds: list[Path], speakers: dict[str, Path], path: Path) -> None:
    """Draw the predictions for one digit over time, and the confusions on new speakers."""
    data = speech.load()
    stored = storage.load(seeds[0])
    [seven] = [
        each for each in data.splits()["test"]
        if (each.digit, each.speaker, each.take) == (7, "jackson", 0)
    ]  # fmt: skip
    [features] = features_of(stored, [seven.samples])
    counts = [
        count_answers(storage.load(folder), data.splits(name)["test"])
        for name, folder in speakers.items()
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
        plots.confusion(np.sum(counts, 0), classes=DIGITS, axes=figure.axes[1])
        figure.axes[1].set_ylabel("said by a new speaker")
        figure.savefig(path, dpi=110)


def main() -> None:
    """Train, evaluate, and write the table and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/speech_seeds"), help="folder of runs"
    )
    options = parser.parse_args()
    folders = [options.runs / f"seed{seed}" for seed in SEEDS]
    without = {name: options.runs / f"without_{name}" for name in speech.load().speakers}
    speakers = [run(folder, left_out=name, **UNSEEN) for name, folder in without.items()]
    fewer = by_together(without)
    seeds = [run(folder, seed=seed) for folder, seed in zip(folders, SEEDS, strict=True)]
    print(table(seeds, speakers, fewer))
    result = {"seeds": seeds, "speakers": speakers, "together": fewer}
    publish("speech", result, table(seeds, speakers, fewer))
    picture(folders, without, RESULTS / "speech.png")


if __name__ == "__main__":
    main()
