"""Recordings of a user's own: read, split honestly, and looked at before training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lstm_jax.train.config import ConfigError
from lstm_jax.train.data.examples import parts
from lstm_jax.train.data.examples.hearing import headers, hear
from lstm_jax.train.data.examples.parts import Labelled
from lstm_jax.train.data.examples.recordings import Listing, in_folder, in_table
from lstm_jax.train.look import Choice, Look, choose
from lstm_jax.train.tasks.classify.choices import of_classes
from lstm_jax.train.tasks.sounds.choices import of_sizes, of_sounds
from lstm_jax.train.tasks.sounds.config import SoundsConfig
from lstm_jax.train.tasks.sounds.task import make_task

UNIT = "recordings"


def look_at_own(config: SoundsConfig, given: object = None) -> Look[SoundsConfig]:
    """Look at recordings, choose what was left open, and make what is to be learned of them.

    Args:
        config: of the run.
        given: a frame with a row for each recording, where `config` names no folder and no file.

    Raises:
        ConfigError: neither a folder nor a table is named.
        DataError: recordings that cannot be learned from.
        AudioError: librosa is not installed.
    """
    config, data, made = load(config, given)
    train, valid = data.parts["train"], data.parts["valid"]
    config, more = choose(
        config,
        [
            *of_sizes([len(one) for one in train.inputs]),
            of_classes(train.truth, len(data.classes)),
        ],
    )
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
) -> tuple[SoundsConfig, Labelled, tuple[Choice, ...]]:
    """Read the recordings of a configuration and split them.

    Args, Raises: as in `look_at_own`.

    Returns:
        The configuration with what decides how they are read, them, and what was chosen.
    """
    config = _absolute(config)
    listing, found = headers(listed(config, given))
    config, made = choose(config, of_sounds(found))
    rows = hear(listing, found, config.mel, config.longest or 0.0)
    share, why = parts.share_of(len(rows)), f"of {len(rows):,} recordings"
    config, more = choose(config, [Choice(name, share, why) for name in ("valid", "test")])
    data = parts.arrange(
        rows, {}, valid=config.valid or 0.0, test=config.test or 0.0, seed=config.seed, unit=UNIT
    )
    return config, data, (*made, *more)


def listed(config: SoundsConfig, given: object = None) -> Listing:
    """List recordings where a configuration says that they are.

    Args, Raises: as in `look_at_own`.
    """
    if config.folder and config.file:
        raise ConfigError("give --folder or --file, and not both of them")
    if config.folder:
        return in_folder(Path(config.folder), pattern=config.group_pattern)
    if given is None and not config.file:
        raise ConfigError(
            "say where the recordings are: --folder with a folder for each class, or --file with a "
            "table of files and classes"
        )
    if given is None and Path(config.file).is_dir():
        raise ConfigError(f"{config.file} is a folder: give it with --folder")
    return in_table(
        config.file if given is None else given,
        path=config.path,
        label=config.label,
        group=config.group,
        pattern=config.group_pattern,
        encoding=config.encoding,
    )


def _absolute(config: SoundsConfig) -> SoundsConfig:
    """Write where the recordings are so that it holds in any working folder."""
    names = ("folder", "file")
    places = {name: getattr(config, name) for name in names}
    found = {name: str(Path(place).absolute()) for name, place in places.items() if place}
    return replace(config, **found)
