"""What a listener is worth on recordings that it did not learn from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flax import nnx

from lstm_jax.errors import UserError
from lstm_jax.models.storage import Stored
from lstm_jax.train.data import speech
from lstm_jax.train.data.audio import AudioError
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.hearing import headers, hear
from lstm_jax.train.data.examples.parts import Labelled, Part, part_of
from lstm_jax.train.data.examples.recordings import in_folder
from lstm_jax.train.scope import Scope, Told
from lstm_jax.train.tasks.classify.baselines import majority, nearest_mean
from lstm_jax.train.tasks.classify.judge import log_probabilities, make_reader
from lstm_jax.train.tasks.classify.measures import told
from lstm_jax.train.tasks.sounds import own
from lstm_jax.train.tasks.sounds.config import SoundsConfig
from lstm_jax.train.tasks.sounds.speech import part_of as digits_of
from lstm_jax.train.tasks.sounds.task import longest_of, mel_of, scaled, scaler_of


def measure(stored: Stored, config: SoundsConfig, scope: Scope) -> Told:
    """Measure a listener beside what costs nothing, and draw its picture if one is wanted.

    Args:
        stored: the model.
        config: of its run.
        scope: the split, or another folder or table of recordings.

    Raises:
        DataError: data that is missing, altered, or has none of the classes.
        AudioError: librosa is not installed.
        ModelError: no matplotlib to draw with.
    """
    classes = stored.description["classes"]
    train, asked, what = to_judge(stored, config, scope)
    if not len(asked.truth):
        raise DataError(f"there are no recordings in {what}: give another --split or a --file")
    scaler = scaler_of(stored)
    inputs, others = scaled(asked, scaler), {}
    if train is not None:
        others["majority"] = majority(train.truth, len(inputs), len(classes))
        others["nearest mean spectrum"] = nearest_mean(
            scaled(train, scaler), train.truth, inputs, len(classes)
        )
    params = nnx.state(stored.network, nnx.Param)
    logs = log_probabilities(make_reader(stored.network), params, inputs)
    return told(
        logs,
        asked.truth,
        classes,
        others,
        what=what,
        unit=own.UNIT,
        temperature=stored.card.get("temperature"),
        picture=scope.picture,
    )


def to_judge(stored: Stored, config: SoundsConfig, scope: Scope) -> tuple[Part | None, Part, str]:
    """Read what a listener is judged on.

    Args:
        stored: the model.
        config: of its run.
        scope: the split, or another folder or table of recordings.

    Returns:
        What it learned from, if that is at hand; what is judged; and what that is called.

    Raises:
        DataError: data that is missing, altered, or has none of the classes.
        AudioError: librosa is not installed.
    """
    return (_digits if config.data == "speech" else _own)(stored, config, scope)


def _digits(stored: Stored, config: SoundsConfig, scope: Scope) -> tuple[Part, Part, str]:
    splits = speech.load().splits(config.left_out)
    train = digits_of(config, splits["train"], "train")
    if scope.file is not None:
        return train, elsewhere(stored, config, scope.file), str(scope.file)
    who = f", {config.left_out} alone" if config.left_out and scope.split == "test" else ""
    asked = digits_of(config, splits[scope.split], scope.split)
    return train, asked, f"speech {scope.split}{who}"


def _own(stored: Stored, config: SoundsConfig, scope: Scope) -> tuple[Part | None, Part, str]:
    learned = _learned(config, scope)
    train = None if learned is None else learned.parts["train"]
    if scope.file is not None:
        return train, elsewhere(stored, config, scope.file), str(scope.file)
    if learned is None:
        place = config.folder or config.file or "the frame"
        raise DataError(
            f"the recordings of {place} have changed since the model learned from them: judge it "
            "as new ones, with --file"
        )
    return train, learned.parts[scope.split], f"{Path(learned.name).name} {scope.split}"


def _learned(config: SoundsConfig, scope: Scope) -> Labelled | None:
    """Read again what a model learned from; None where that is not at hand, or has changed."""
    try:
        _, data, _ = own.load(config, scope.given)
    except AudioError:
        raise
    except UserError:
        if scope.file is None:
            raise
        return None
    return data if data.sha256 == config.data_sha256 else None


def elsewhere(stored: Stored, config: SoundsConfig, path: Path) -> Part:
    """Read other recordings than those of a run.

    Args:
        stored: the model.
        config: of its run, which names the columns of a table.
        path: of a folder with a folder for each class, or of a table.

    Raises:
        DataError: no recordings, or of a class that the model does not know.
        AudioError: librosa is not installed.
    """
    if path.is_dir():
        listing = in_folder(path)
    elif config.path:
        listing = own.listed(replace(config, folder="", file=str(path), group="", group_pattern=""))
    else:
        raise DataError(
            f"{path} is no folder: the model learned from folders of classes, and is judged on such"
        )
    listing, found = headers(listing)
    rows = hear(listing, found, mel_of(stored), longest_of(stored))
    return part_of(rows, stored.description["classes"])
