"""Train the runs of a benchmark, read what they wrote, and write the results."""

from __future__ import annotations

import fcntl
import json
import os
import statistics
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from machine import machine
from own_results import RESULTS, read

from lstm_jax.train import loop
from lstm_jax.train.config import TrainConfig
from lstm_jax.train.task import Task

Row: TypeAlias = dict[str, Any]
Arms: TypeAlias = dict[str, list[Row]]
"""Results of each arm of a sweep by its name, one row for each seed."""


def train_or_resume(folder: Path, config: TrainConfig, task: Task[Any] | None = None) -> bool:
    """Train a run to its end, or resume it where it stopped.

    Args:
        folder: the folder of the run.
        config: its configuration.
        task: the task to learn; that of the configuration if None.

    Returns:
        Whether a run was resumed, so that its times do not cover all of it.

    Raises:
        SystemExit: if the run was stopped before its end.
    """
    resume = (folder / loop.CONFIG).is_file()
    config = loop.prepare(folder, config, resume=resume, overwrite=False)
    if not loop.train(config, folder, task=task).finished:
        raise SystemExit(f"{folder} was stopped; start the script again to resume it")
    return resume


def lines_of(folder: Path, name: str = "metrics.jsonl") -> list[dict[str, Any]]:
    """Read a file of a run that has one JSON object per line."""
    lines = (folder / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def validations(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's metrics that report a validation."""
    return [line for line in lines_of(folder) if "valid_loss" in line]


def once(
    file: str, key: Row, run: Callable[[], Row], table: Callable[[list[Row]], str], **facts: Any
) -> Row:
    """Return the figures of a run from the results, or run it and add its figures to them.

    Other processes may add runs to the same results meanwhile.

    Args:
        file: name of the results, without its ending.
        key: fields that identify the run, with which its figures begin.
        run: runs a job to its end and returns its figures.
        table: formats all runs of the results in Markdown, or returns "" if it cannot do so yet.
        **facts: further entries of the results.
    """

    def known() -> list[Row]:
        return [row for row in runs_of(file) if key.items() <= row.items()]

    if found := known():
        return found[0]
    figures = run()
    with locked():
        if found := known():
            return found[0]
        runs, here = runs_of(file), machine()
        place = read(f"{file}.json").get("machine", here)
        figures = {**key, **figures, **({} if here == place else {"machine": here})}
        runs = sorted([*runs, figures], key=lambda row: [row[name] for name in key])
        publish(file, {"machine": place, **facts, "runs": runs}, table(runs))
    return figures


def runs_of(file: str) -> list[Row]:
    """Return the runs of the results with this name; none if there are no results yet.

    Runs were made on the machine of the results, unless they name another.
    """
    return read(f"{file}.json").get("runs", [])


@contextmanager
def locked() -> Iterator[None]:
    """Keep other processes from adding to results."""
    RESULTS.mkdir(exist_ok=True)
    folder = os.open(RESULTS, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def publish(name: str, results: Row, table: str, indent: int | None = 1) -> None:
    """Write results, with this machine first, to NAME.json, and their table to NAME.md.

    Args:
        name: name of both files, without their endings.
        results: the results; a "machine" among them is kept.
        table: their table in Markdown; if empty, NAME.md is left as it is.
        indent: indentation of the JSON; everything on one line if None.
    """
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine(), **results}, indent=indent) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    if table:
        (RESULTS / f"{name}.md").write_text(table, encoding="utf-8")


def sweep(
    file: str,
    folder: Path,
    names: Iterable[str],
    seeds: int,
    run: Callable[[Path, str, int], Row],
    table: Callable[[Arms], str],
    **facts: Any,
) -> None:
    """Run every arm with every seed, and add the figures to the results after each run.

    Args:
        file: name of the results, without its ending.
        folder: folder of the runs.
        names: the arms to run.
        seeds: number of seeds.
        run: `run(folder, name, seed)` returns the figures of one run.
        table: formats the results in Markdown, or returns "" if it cannot do so yet.
        **facts: further entries of the results.
    """
    names = list(names)
    for seed in range(seeds):
        for name in names:
            place = folder / f"{name.replace(' ', '_').replace('/', 'by')}_{seed}"
            figures = once(
                file,
                {"arm": name, "seed": seed},
                partial(run, place, name, seed),
                lambda runs: table(by("arm", runs)),
                **facts,
            )
            print(figures, flush=True)


def by(name: str, rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Group rows by a field, which may be missing.

    Args:
        name: name of the field.
        rows: the rows.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(str(row.get(name)), []).append(row)
    return groups


def cost(rows: Iterable[Row], base: Iterable[Row]) -> str:
    """Format the mean CPU time of runs as a multiple of that of other runs on the same machine.

    Runs that were resumed have no time. The text is empty if there is nothing to compare.

    Args:
        rows: the runs, such as those of an arm.
        base: the runs whose mean time counts as 1.
    """

    bases, own = (
        by("machine", (row for row in each if "cpu_seconds" in row)) for each in (base, rows)
    )
    ratios = [
        row["cpu_seconds"] / statistics.mean(each["cpu_seconds"] for each in bases[place])
        for place in own if place in bases
        for row in own[place]
    ]  # fmt: skip
    return f"{statistics.mean(ratios):.1f}" if ratios else ""
