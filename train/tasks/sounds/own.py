"""The inspection of a user's own recordings, and the task built from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lstm_jax.train.config import ConfigError
from lstm_jax.train.data import audio
from lstm_jax.train.data.examples import parts
from lstm_jax.train.data.examples.hearing import headers, hear
from lstm_jax.train.data.examples.labeled import Rows
from lstm_jax.train.data.examples.parts import Labeled
from lstm_jax.train.data.examples.recordings import Listing, in_folder, in_table
from lstm_jax.train.look import Choice, Look, choose
from lstm_jax.train.tasks.classify.choices import of_classes
from lstm_jax.train.tasks.sounds.choices import fill, of_sounds
from lstm_jax.train.tasks.sounds.config import SoundsConfig
from lstm_jax.train.tasks.sounds.task import make_task

UNIT = "recordings"


def look_at_own(config: SoundsConfig, given: object = None) -> Look[SoundsConfig]:
    """Inspect recordings, choose open settings, and build the task.

    Args:
        config: configuration of the run.
        given: a frame with one row per recording, if `config` names neither a folder nor a file.

    Raises:
        ConfigError: if neither a folder nor a table is named, or both.
        DataError: if the recordings cannot be learned from.
        AudioError: if librosa is not installed.
    """
    config, data, made = load(config, given)
    train, valid = data.parts["train"], data.parts["valid"]
    config, more = fill(config, [len(features) for features in train.inputs])
    config, weights = choose(config, [of_classes(train.truth, len(data.classes))])
    more += weights
    chosen = {choice.field: choice.value for choice in more}
    if chosen.get("model.num_layers") == 1 and config.model.layer_dropout > 0:
        # The recipe's dropout between layers is for the two layers of larger sets.
        config = replace(config, model=replace(config.model, layer_dropout=0.0))
        why = "it acts between layers, and there is only one"
        more = (*more, Choice("model.layer_dropout", 0.0, why))
    config = replace(config, data_sha256=data.sha256)
    task = make_task(
        config,
        train,
        valid,
        data.classes,
        description=f"{data.name}: {len(train.inputs):,} training {UNIT}",
        facts={"data": "own", "data_sha256": data.sha256},
    )
    return Look(config, task, data.saw, (*made, *more))


def load(
    config: SoundsConfig, given: object = None
) -> tuple[SoundsConfig, Labeled, tuple[Choice, ...]]:
    """Read the recordings of a configuration, and split them into parts.

    Args, Raises: as in `look_at_own`.

    Returns:
        The configuration with the settings for reading, the recordings, and the choices made.
    """
    config = _absolute(config)
    listing, file_headers = headers(listed(config, given))
    config, made = choose(config, of_sounds(file_headers))
    rows = hear(listing, file_headers, config.mel, config.longest or 0.0)
    if config.scale_groups:
        if None in rows.groups:
            raise ConfigError(
                "--scale-groups needs the group of every recording: name it by --group or "
                "--group-pattern"
            )
        rows = by_group(rows)
    share, why = parts.share_of(len(rows)), f"of {len(rows):,} recordings"
    config, more = choose(config, [Choice(name, share, why) for name in ("valid", "test")])
    data = parts.arrange(
        rows, {}, valid=config.valid or 0.0, test=config.test or 0.0, seed=config.seed, unit=UNIT
    )
    return config, data, (*made, *more)


def by_group(rows: Rows) -> Rows:
    """Scale features by group; recordings without a group are one group."""
    return replace(rows, inputs=audio.scale_groups(rows.inputs, rows.groups))


def listed(config: SoundsConfig, given: object = None) -> Listing:
    """List the recordings that a configuration names.

    Args, Raises: as in `look_at_own`.
    """
    if config.folder and config.file:
        raise ConfigError("--folder and --file cannot be combined: use one of them")
    if config.folder:
        return in_folder(Path(config.folder), pattern=config.group_pattern)
    if given is None and not config.file:
        raise ConfigError(
            "the recordings must be named by --folder, a folder with one folder per class, or by "
            "--file, a table of files and classes"
        )
    if given is None and Path(config.file).is_dir():
        raise ConfigError(f"{config.file} is a folder: use --folder")
    return in_table(
        config.file if given is None else given,
        path=config.path,
        label=config.label,
        group=config.group,
        pattern=config.group_pattern,
        encoding=config.encoding,
    )


def _absolute(config: SoundsConfig) -> SoundsConfig:
    """Convert the paths of the recordings to absolute paths."""
    names = ("folder", "file")
    places = {name: getattr(config, name) for name in names}
    paths = {name: str(Path(place).absolute()) for name, place in places.items() if place}
    return replace(config, **paths)
