"""Time the benchmarks on users' own data, and store results next to earlier ones."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
STAT = Path("/proc/stat")
QUIET = 0.1
"""Largest number of cores that other processes may keep busy on a machine that counts as quiet."""


@contextmanager
def watch() -> Iterator[dict[str, float]]:
    """Time the body of a `with` statement.

    Yields:
        A dictionary that is filled at the end: `seconds`; `cpu_seconds`, the CPU time of this
        process and the processes it started; and `others`, the number of cores that all other
        processes kept busy during that time (Linux only).
    """
    figures: dict[str, float] = {}
    start, own_start, busy_start = time.perf_counter(), own_seconds(), busy_seconds()
    yield figures
    seconds, cpu = time.perf_counter() - start, own_seconds() - own_start
    others = max(0.0, busy_seconds() - busy_start - cpu) / seconds if seconds > 0.1 else 0.0
    figures.update(seconds=round(seconds, 2), cpu_seconds=round(cpu, 2), others=round(others, 2))


def own_seconds() -> float:
    """Return the CPU time of this process and of the child processes it waited for."""
    return sum(os.times()[:4])


def busy_seconds() -> float:
    """Return the CPU time of all processes since the machine started, or 0 if it is not known."""
    if not STAT.is_file():
        return 0.0
    user, nice, system, _idle, _wait, *rest = map(int, STAT.read_text().split("\n")[0].split()[1:])
    return (user + nice + system + sum(rest[:3])) / os.sysconf("SC_CLK_TCK")


def read(name: str) -> dict:
    """Read an earlier result, or return an empty dictionary if there is no such file."""
    path = RESULTS / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def keep(name: str, place: Sequence[str], figures: dict) -> None:
    """Store figures in a JSON file of results, and leave its other entries unchanged.

    Args:
        name: the file's name in `RESULTS`.
        place: the path of keys to the entry.
        figures: the new value of the entry.
    """
    whole = read(name)
    inner = whole
    for key in place[:-1]:
        inner = inner.setdefault(key, {})
    inner[place[-1]] = figures
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / name).write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def judge(answers: Sequence[str], classes: Sequence[str]) -> dict[str, float]:
    """Compute a classifier's accuracy, mean recall over the classes, and number of wrong answers.

    Args:
        answers: the predicted classes.
        classes: the true classes.
    """
    counts = Counter(map(str, classes))
    pairs = zip(answers, classes, strict=True)
    right = Counter(str(label) for answer, label in pairs if answer == label)
    return {
        "accuracy": right.total() / len(classes),
        "recall": sum(right[label] / counts[label] for label in counts) / len(counts),
        "wrong": len(classes) - right.total(),
        "test": len(classes),
    }


def timing(rows: Sequence[dict], name: str) -> str:
    """Format the mean seconds of a step, with a mark if other processes kept the machine busy."""
    times = [row[name] for row in rows]
    mark = " †" if any(each["others"] > QUIET for each in times) else ""
    return number(sum(each["seconds"] for each in times) / len(times)) + mark


def cpu(rows: Sequence[dict], *names: str) -> str:
    """Format the mean CPU seconds of several steps together."""
    return number(sum(row[name]["cpu_seconds"] for row in rows for name in names) / len(rows))


def number(value: float) -> str:
    """Format a number with three digits, or with all the digits before the decimal point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


BUSY = "† Others kept more than a tenth of a core busy meanwhile: the time is too long.\n"
