"""The folder of a run: create it, resume in it or empty it, and never touch anyone else's files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from lstm_jax.models.storage import DESCRIPTION, WEIGHTS
from lstm_jax.train import problems
from lstm_jax.train.config import ConfigError, TrainConfig, check
from lstm_jax.train.run import checkpoints, lock
from lstm_jax.train.run.meter import HEALTH, METRICS
from lstm_jax.train.run.writers import EVENTS
from lstm_jax.train.task import Task

CONFIG = "config.json"
CHECKPOINTS = "checkpoints"
PARTIAL = re.compile(
    r"\.(config|model|metrics|health)\.[0-9a-f]+\.partial\.(json|jsonl|safetensors)"
)
"""Name of a file in a run's folder that was not completely written."""

Source: TypeAlias = Literal["latest", "best"]
"""The checkpoint that a run is resumed from."""


FREE = frozenset(
    {
        "max_steps", "epochs", "patience", "log_every", "health_every", "health_exponents",
        "checkpoint_every", "keep",
    }
)  # fmt: skip
"""Fields that may change when a run is resumed: how long to train, and what to write how often."""


KEPT_BY_STATE = frozenset({"optimizer.name", "optimizer.ema"})
"""Fields that determine the optimizer's state in a checkpoint, and so never change on a resume."""


PLACES = frozenset({"file", "valid_file", "test_file", "folder"})
"""Fields that locate a user's data, which may be moved as long as their SHA-256 stays the same."""


def free_of(source: Source) -> frozenset[str]:
    """Return the fields that may change when a run is resumed.

    "optimizer" stands for all of its fields except those in `KEPT_BY_STATE`.
    """
    return FREE | {"optimizer"} if source == "best" else FREE


def prepare(
    folder: Path,
    config: TrainConfig,
    *,
    resume: bool,
    overwrite: bool,
    source: Source = "latest",
) -> TrainConfig:
    """Create the run's folder, or make the run in it ready to be resumed.

    Args:
        folder: the run's folder.
        config: the run's configuration, of any kind; it is checked.
        resume: whether to continue the run in the folder.
        overwrite: whether to delete the run in the folder first.
        source: the checkpoint to resume from. With "best" the optimizer's settings may change, for
            example after the run diverged.

    Returns:
        The configuration, which has been written to the folder.

    Raises:
        ConfigError: if the folder holds a run and neither `resume` nor `overwrite` is set; if a
            resume changes the kind, model, data or batch, or has nothing to resume; if the folder
            is not a run's, or cannot be written.
        LockedError: if another process is training in the folder.
    """
    if resume and overwrite:
        raise ConfigError("--resume and --overwrite cannot be used together")
    check(config)
    try:
        has_run = _holds_run(folder)
        if resume:
            if not (folder / CONFIG).is_file():
                raise ConfigError(f"there is no run to resume in {folder} (no {CONFIG})")
            _check_same_run(problems.load(folder / CONFIG), config, folder, free_of(source))
            if source == "best" and not checkpoints.exists(folder / CHECKPOINTS / "best"):
                raise ConfigError(f"there is no best checkpoint in {folder}; use --resume instead")
        elif has_run and not overwrite:
            raise ConfigError(
                f"{folder} already holds a run; use --resume, --overwrite or another --out"
            )
        elif not has_run and not _is_free(folder):
            raise ConfigError(f"{folder} exists and is not a run's folder; choose another --out")
        folder.mkdir(parents=True, exist_ok=True)
        with lock.held(folder):
            _sweep(folder)
            if has_run and overwrite:
                _delete_run(folder)
            if resume and source == "best":
                saved = folder / CHECKPOINTS
                checkpoints.copy(saved / "best", saved / "latest")
            problems.save(config, folder / CONFIG)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be used: {error}; choose another --out") from None
    return config


def _holds_run(folder: Path) -> bool:
    # A config.json alone proves nothing: other programs write such files too, and their folders
    # must not be deleted.
    try:
        problems.load(folder / CONFIG)
    except ConfigError:
        return False
    return True


def _is_free(folder: Path) -> bool:
    """Return whether a folder is empty except for files of a run that was killed at its start."""
    if not folder.exists():
        return True
    return folder.is_dir() and all(
        path.name == lock.LOCK or PARTIAL.fullmatch(path.name) for path in folder.iterdir()
    )


def _sweep(folder: Path) -> None:
    """Remove the partial files that a killed process left behind."""
    for path in folder.iterdir():
        if PARTIAL.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _delete_run(folder: Path) -> None:
    """Delete the files that a run writes, and nothing else in its folder.

    The checkpoints may be on another disk, behind a symbolic link; the link stays and its contents
    are deleted. The configuration is deleted last, so that the folder counts as the old run's for
    as long as any file of it is left.
    """
    saved = folder / CHECKPOINTS
    if saved.is_dir():
        for path in saved.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if not saved.is_symlink():
            saved.rmdir()
    for name in (WEIGHTS, DESCRIPTION, METRICS, HEALTH, EVENTS, CONFIG):
        for path in folder.glob(name):
            path.unlink()


def check_checkpoint(
    where: Path, metadata: Mapping[str, Any], config: TrainConfig, task: Task[Any]
) -> None:
    """Check that a checkpoint belongs to a run and its data.

    Args:
        where: the checkpoint's folder.
        metadata: the checkpoint's metadata.
        config: the configuration of the run to resume.
        task: the task of that run.

    Raises:
        ConfigError: if the checkpoint belongs to another run, or to other data.
    """
    for name, digest in task.identity.items():
        # Older versions saved only the part of the digest before the dash.
        if metadata[name] not in (digest, digest.partition("-")[0]):
            raise ConfigError(
                f"{where} was trained with a different {name} than the current data have"
            )
    if "config" in metadata:
        # The optimizer's settings were already compared with the folder's configuration; they may
        # change after a run diverged.
        old = problems.from_dict(metadata["config"])
        _check_same_run(old, config, where, free_of("best"))


def _check_same_run(
    old: TrainConfig, new: TrainConfig, folder: Path, free: frozenset[str] = FREE
) -> None:
    before, after = _flat(problems.to_dict(old)), _flat(problems.to_dict(new))
    if before.get("data_sha256") != after.get("data_sha256"):
        raise ConfigError(
            f"the data have changed since the run in {folder} began (their SHA-256 differs); use "
            "the same data, or start a new run with another --out"
        )
    if before.get("data_sha256"):
        free |= PLACES
    for name in before:
        if {name, name.split(".")[0]} & free and name not in KEPT_BY_STATE:
            continue
        if before[name] != after[name]:
            raise ConfigError(
                f"the run in {folder} has {name} {before[name]!r}, not {after[name]!r}; resume "
                "it with the same configuration, or start a new run with another --out"
            )


def _flat(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
