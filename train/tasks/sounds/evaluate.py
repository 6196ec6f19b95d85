"""Evaluation of a classifier of recordings on held-out recordings."""

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
from lstm_jax.train.data.examples.parts import Labeled, Part, part_of
from lstm_jax.train.data.examples.recordings import in_folder
from lstm_jax.train.scope import Scope, Told
from lstm_jax.train.tasks.classify.baselines import majority, nearest_mean
from lstm_jax.train.tasks.classify.judge import log_probabilities, make_reader
from lstm_jax.train.tasks.classify.measures import report
from lstm_jax.train.tasks.sounds import own
from lstm_jax.train.tasks.sounds.config import SoundsConfig
from lstm_jax.train.tasks.sounds.speech import part_of as digits_of
from lstm_jax.train.tasks.sounds.task import longest_of, mel_of, scaled, scaler_of, scales_groups


def measure(stored: Stored, config: SoundsConfig, scope: Scope) -> Told:
    """Evaluate a classifier beside simple baselines, and draw its picture if `scope` names one.

    Args:
        stored: the model.
        config: configuration of its run.
        scope: the split, or another folder or table of recordings, and the path of the picture.

    Raises:
        DataError: if data are missing, altered, or have other classes.
        AudioError: if librosa is not installed.
        ModelError: if matplotlib is not installed.
    """
    classes = stored.description["classes"]
    train, part, what = to_judge(stored, config, scope)
    if not len(part.truth):
        raise DataError(f"there are no recordings in {what}: use another --split or a --file")
    scaler = scaler_of(stored)
    inputs, baselines = scaled(part, scaler), {}
    if train is not None:
        baselines["majority"] = majority(train.truth, len(inputs), len(classes))
        baselines["nearest mean spectrum"] = nearest_mean(
            scaled(train, scaler), train.truth, inputs, len(classes)
        )
    params = nnx.state(stored.network, nnx.Param)
    logs = log_probabilities(make_reader(stored.network), params, inputs)
    return report(
        logs,
        part.truth,
        classes,
        baselines,
        what=what,
        unit=own.UNIT,
        temperature=stored.card.get("temperature"),
        picture=scope.picture,
    )


def to_judge(stored: Stored, config: SoundsConfig, scope: Scope) -> tuple[Part | None, Part, str]:
    """Read the recordings on which a classifier is evaluated.

    Args:
        stored: the model.
        config: configuration of its run.
        scope: the split, or another folder or table of recordings.

    Returns:
        The training recordings, if available; the recordings to evaluate on; and their name.

    Raises:
        DataError: if data are missing, altered, or have other classes.
        AudioError: if librosa is not installed.
    """
    return (_digits if config.data == "speech" else _own)(stored, config, scope)


def _digits(stored: Stored, config: SoundsConfig, scope: Scope) -> tuple[Part, Part, str]:
    splits = speech.load().splits(config.left_out)
    train = digits_of(config, splits["train"], "train")
    if scope.file is not None:
        return train, elsewhere(stored, config, scope.file), str(scope.file)
    who = f", only {config.left_out}" if config.left_out and scope.split == "test" else ""
    part = digits_of(config, splits[scope.split], scope.split)
    return train, part, f"speech {scope.split}{who}"


def _own(stored: Stored, config: SoundsConfig, scope: Scope) -> tuple[Part | None, Part, str]:
    data = _learned(config, scope)
    train = None if data is None else data.parts["train"]
    if scope.file is not None:
        return train, elsewhere(stored, config, scope.file), str(scope.file)
    if scope.given is not None and (config.folder or config.file):
        return train, elsewhere(stored, config, scope.given), "the frame"
    if data is None:
        place = config.folder or config.file or "the frame"
        raise DataError(
            f"the recordings of {place} have changed since the model was trained on them: evaluate "
            "them as new recordings, with --file"
        )
    return train, data.parts[scope.split], f"{Path(data.name).name} {scope.split}"


def _learned(config: SoundsConfig, scope: Scope) -> Labeled | None:
    """Read the training data again; return None if they are not available, or have changed."""
    try:
        _, data, _ = own.load(config, None if config.file else scope.given)
    except AudioError:
        raise
    except UserError:
        if scope.file is None:
            raise
        return None
    return data if data.sha256 == config.data_sha256 else None


def elsewhere(stored: Stored, config: SoundsConfig, source: object) -> Part:
    """Read recordings that are not part of a run.

    Args:
        stored: the model.
        config: configuration of its run, which names the columns of a table.
        source: path of a folder with one folder per class, or of a table, or a frame.

    Raises:
        DataError: if there are no recordings, or the model does not know a class.
        AudioError: if librosa is not installed.
    """
    # Groups matter only if features are scaled by them. If none are named, there is one group.
    by_group = scales_groups(stored)
    if not by_group:
        config = replace(config, group="", group_pattern="")
    if isinstance(source, Path) and source.is_dir():
        listing = in_folder(source, pattern=config.group_pattern)
    elif config.path:
        given, file = (None, str(source)) if isinstance(source, Path) else (source, "")
        listing = own.listed(replace(config, folder="", file=file), given)
    else:
        name = source if isinstance(source, Path) else "the recordings"
        raise DataError(
            f"{name} must be a folder with one folder per class, like the training recordings"
        )
    listing, file_headers = headers(listing)
    rows = hear(listing, file_headers, mel_of(stored), longest_of(stored))
    return part_of(own.by_group(rows) if by_group else rows, stored.description["classes"])
