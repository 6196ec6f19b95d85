"""A run's folder: made, taken up, emptied, and never somebody else's."""

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
"""A file of a run that `written_whole` has not finished."""

Source: TypeAlias = Literal["latest", "best"]
"""A checkpoint that a run goes on from."""


FREE = frozenset(
    {"max_steps", "log_every", "health_every", "checkpoint_every", "keep", "epochs", "patience"}
)
"""What may change on a resume: how long to train, and how often to write. The rest is the run."""


KEPT_BY_STATE = frozenset({"optimizer.name", "optimizer.ema"})
"""What the optimizer's state in a checkpoint is made for: it never changes on a resume."""


PLACES = frozenset({"file", "folder"})
"""Where a user's data lie: they may be moved, if their sha256 is what it was."""


def free_of(source: Source) -> frozenset[str]:
    """Name the fields that may change where a run goes on; "optimizer" is all of its own but what
    `KEPT_BY_STATE` has."""
    return FREE | {"optimizer"} if source == "best" else FREE


def prepare(
    folder: Path,
    config: TrainConfig,
    *,
    resume: bool,
    overwrite: bool,
    source: Source = "latest",
) -> TrainConfig:
    """Make the run's folder, or take up the run that is in it.

    Args:
        folder: of the run.
        config: of any kind; it is checked.
        resume: go on with the run that is there.
        overwrite: delete it first.
        source: the checkpoint that a resume goes on from. From the best one the optimizer's
            settings may be others, as for a run that diverged.

    Returns:
        The configuration, which now stands in the folder.

    Raises:
        ConfigError: a folder that holds a run, without `resume` or `overwrite`; a resume with
            another kind, model, data or batch; nothing to resume; a folder that is not a run's,
            or that cannot be written.
        LockedError: a folder that another process trains in.
    """
    if resume and overwrite:
        raise ConfigError("--resume and --overwrite exclude one another")
    check(config)
    try:
        held = _holds_run(folder)
        if resume:
            if not (folder / CONFIG).is_file():
                raise ConfigError(f"there is no run to resume in {folder} (no {CONFIG})")
            _check_same_run(problems.load(folder / CONFIG), config, folder, free_of(source))
            if source == "best" and not checkpoints.exists(folder / CHECKPOINTS / "best"):
                raise ConfigError(f"there is no best checkpoint in {folder}: give --resume")
        elif held and not overwrite:
            raise ConfigError(
                f"{folder} already holds a run: give --resume, --overwrite or another --out"
            )
        elif not held and not _is_free(folder):
            raise ConfigError(f"{folder} exists and is not a run's folder: give another --out")
        folder.mkdir(parents=True, exist_ok=True)
        with lock.held(folder):
            _sweep(folder)
            if held and overwrite:
                _delete_run(folder)
            if resume and source == "best":
                held_at = folder / CHECKPOINTS
                checkpoints.copy(held_at / "best", held_at / "latest")
            problems.save(config, folder / CONFIG)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be used: {error}: give another --out") from None
    return config


def _holds_run(folder: Path) -> bool:
    # Other programs write a config.json too, and what is in their folder is not ours to delete.
    try:
        problems.load(folder / CONFIG)
    except ConfigError:
        return False
    return True


def _is_free(folder: Path) -> bool:
    """Whether there is nothing in a folder but what a run leaves that was killed as it began."""
    if not folder.exists():
        return True
    return folder.is_dir() and all(
        path.name == lock.LOCK or PARTIAL.fullmatch(path.name) for path in folder.iterdir()
    )


def _sweep(folder: Path) -> None:
    """Remove the halves of files that a killed process left, so that they do not gather."""
    for path in folder.iterdir():
        if PARTIAL.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _delete_run(folder: Path) -> None:
    """Delete what a run writes, and nothing that somebody else put beside it.

    Checkpoints may lie on another disk, behind a link: what is in there goes, and the link stays.
    The configuration goes last: as long as anything is left, the folder still holds the old run.
    """
    held = folder / CHECKPOINTS
    if held.is_dir():
        for path in held.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if not held.is_symlink():
            held.rmdir()
    for name in (WEIGHTS, DESCRIPTION, METRICS, HEALTH, EVENTS, CONFIG):
        for path in folder.glob(name):
            path.unlink()


def check_checkpoint(
    where: Path, metadata: Mapping[str, Any], config: TrainConfig, task: Task[Any]
) -> None:
    """Refuse the checkpoint of another run, or of other data.

    Args:
        where: of the checkpoint.
        metadata: of it.
        config: of the run that wants to go on from it.
        task: of that run.

    Raises:
        ConfigError: it is another's.
    """
    for name, digest in task.identity.items():
        # Once, a digest of words was what stands before the dash today.
        if metadata[name] not in (digest, digest.partition("-")[0]):
            raise ConfigError(f"{where} was trained with another {name} than the data gives")
    if "config" in metadata:
        # The optimizer's settings, which a run that diverged may change, are held to the folder's.
        old = problems.from_dict(metadata["config"])
        _check_same_run(old, config, where, free_of("best"))


def _check_same_run(
    old: TrainConfig, new: TrainConfig, folder: Path, free: frozenset[str] = FREE
) -> None:
    before, after = _flat(problems.to_dict(old)), _flat(problems.to_dict(new))
    if before.get("data_sha256") != after.get("data_sha256"):
        raise ConfigError(
            f"the data have changed since the run in {folder} began (their sha256 differs): give "
            "the same data, or start anew with another --out"
        )
    if before.get("data_sha256"):
        free |= PLACES
    for name in before:
        if {name, name.split(".")[0]} & free and name not in KEPT_BY_STATE:
            continue
        if before[name] != after[name]:
            raise ConfigError(
                f"the run in {folder} has {name} {before[name]!r}, not {after[name]!r}: resume "
                "with the same configuration, or start anew with another --out"
            )


def _flat(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
