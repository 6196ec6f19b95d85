"""Train the runs of a benchmark, read what they wrote, and write the results."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable
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


def file_of(run: Iterable[object]) -> str:
    """Return the name of the file of a run, which consists of its fields."""
    return "-".join(str(field).replace(" ", "_") for field in run) + ".json"


def once(path: Path, run: Callable[[], Row]) -> Row:
    """Return the figures of a finished run from its file, or run it and keep them there.

    Args:
        path: a JSON file.
        run: runs a job to its end and returns its figures.
    """
    if not path.is_file():
        path.write_text(json.dumps(run()) + "\n", encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def finished(folder: Path) -> list[Row]:
    """Return the figures of all finished runs in a folder, in the order of their files."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def publish(name: str, results: Row, table: str, indent: int | None = 1) -> None:
    """Write results, with the machine first, to NAME.json, and their table to NAME.md.

    Args:
        name: name of both files, without their endings.
        results: the results.
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
    """Run every arm with every seed, and write the results after each run.

    Runs that are already in the results are not repeated, and other arms keep theirs.

    Args:
        file: name of the results, without its ending.
        folder: folder of the runs.
        names: the arms to run.
        seeds: number of seeds.
        run: `run(folder, name, seed)` returns the row of one run, with its "seed".
        table: formats the results in Markdown, or returns "" if it cannot do so yet.
        **facts: further entries of the results.
    """
    arms: Arms = read(f"{file}.json").get("arms", {})
    names = list(names)
    for seed in range(seeds):
        for name in names:
            rows = {row["seed"]: row for row in arms.get(name, [])}
            if seed in rows:
                continue
            place = folder / f"{name.replace(' ', '_').replace('/', 'by')}_{seed}"
            rows[seed] = run(place, name, seed)
            arms[name] = [rows[each] for each in sorted(rows)]
            publish(file, {**facts, "arms": arms}, table(arms))
            print(name, rows[seed], flush=True)


def cost(rows: Iterable[Row]) -> str:
    """Format the mean CPU seconds of the runs that were not resumed."""
    seconds = [row["cpu_seconds"] for row in rows if "cpu_seconds" in row]
    return f"{statistics.mean(seconds):.0f}" if seconds else ""
