"""Time what is measured on users' own data, and keep it beside what was measured before."""

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
"""Up to so many cores that others kept busy, a time counts as that of a quiet machine."""


@contextmanager
def watch() -> Iterator[dict[str, float]]:
    """Time what is done inside.

    Yields:
        A dictionary, filled at the end: `seconds`, the `cpu_seconds` of this process and those it
        started, and `others`, how many cores everyone else kept busy meanwhile (Linux only).
    """
    found: dict[str, float] = {}
    began, own, all_of_it = time.perf_counter(), own_seconds(), busy_seconds()
    yield found
    seconds, cpu = time.perf_counter() - began, own_seconds() - own
    others = max(0.0, busy_seconds() - all_of_it - cpu) / seconds if seconds > 0.1 else 0.0
    found.update(seconds=round(seconds, 2), cpu_seconds=round(cpu, 2), others=round(others, 2))


def own_seconds() -> float:
    """CPU time of this process and of those it started and waited for."""
    return sum(os.times()[:4])


def busy_seconds() -> float:
    """CPU time that all processes have used since the machine started; 0 where it isn't known."""
    if not STAT.is_file():
        return 0.0
    user, nice, system, _idle, _wait, *rest = map(int, STAT.read_text().split("\n")[0].split()[1:])
    return (user + nice + system + sum(rest[:3])) / os.sysconf("SC_CLK_TCK")


def read(name: str) -> dict:
    """Read a result of before: an empty dictionary if there is none."""
    path = RESULTS / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def keep(name: str, place: Sequence[str], figures: dict) -> None:
    """Write figures at a place in a result's JSON, and leave the rest as it is.

    Args:
        name: of the file in `RESULTS`.
        place: the keys that lead there.
        figures: what is to stand there.
    """
    whole = read(name)
    inner = whole
    for key in place[:-1]:
        inner = inner.setdefault(key, {})
    inner[place[-1]] = figures
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / name).write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def judge(answers: Sequence[str], classes: Sequence[str]) -> dict[str, float]:
    """Judge a classifier: accuracy, the mean recall of the classes, and how many are wrong.

    Args:
        answers: a class for each.
        classes: the true ones.
    """
    counts = Counter(map(str, classes))
    right = Counter(str(of) for answer, of in zip(answers, classes, strict=True) if answer == of)
    return {
        "accuracy": right.total() / len(classes),
        "recall": sum(right[of] / counts[of] for of in counts) / len(counts),
        "wrong": len(classes) - right.total(),
        "test": len(classes),
    }


def timing(rows: Sequence[dict], name: str) -> str:
    """Write the mean seconds of a step in words, marked where others kept the machine busy."""
    times = [row[name] for row in rows]
    mark = " †" if any(one["others"] > QUIET for one in times) else ""
    return number(sum(one["seconds"] for one in times) / len(times)) + mark


def cpu(rows: Sequence[dict], *names: str) -> str:
    """Write the mean CPU seconds of some steps together."""
    return number(sum(row[name]["cpu_seconds"] for row in rows for name in names) / len(rows))


def number(value: float) -> str:
    """Write three digits, or all that stand before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


BUSY = "† Others kept more than a tenth of a core busy meanwhile: the time is too long.\n"
