"""Time several implementations of the same work, each in its own process.

Two frameworks in one process disturb each other's threads, and the speed of a shared machine drifts
from minute to minute. Each implementation therefore gets its own process. The processes take turns
of a fraction of a second, a signal stops those that wait, and ratios compare adjacent turns.

A benchmark passes `serve` a function that maps a case to the work to time, and calls `main`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import machine
from own_results import RESULTS
from peak import CORES, FLOPS, fma_work

from lstm_jax.allocator import keep_memory

OURS = "lstm_jax"
SHARES = ("native",)  # The table shows their share of the peak beside their ratio.

Work = Callable[[], Any]
"""Function to time. It returns once the work has finished."""

TURN_SECONDS = 0.15


class Contender:
    """Run a process that times one implementation and is stopped while it waits."""

    def __init__(self, name: str, script: str, environment: Mapping[str, str] | None = None):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, script, "--serve", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self._read_answer()
        self._stop()

    def ask(self, **request: Any) -> Any:
        """Wake the process, send a request, wait for the answer and stop the process again."""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self._read_answer()
        self._stop()
        return answer

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()

    def _stop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def _read_answer(self) -> Any:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.name} died; its output is above")
        return json.loads(line)


@dataclass(frozen=True)
class Timing:
    """Store the seconds per call in every turn, and those of the first call, which compiles."""

    turns: list[float]
    first: float

    @property
    def least(self) -> float:
        return min(self.turns)

    @property
    def median(self) -> float:
        return statistics.median(self.turns)

    def summary(self) -> dict[str, float]:
        return {"min": self.least, "median": self.median, "first_call": self.first}


def ratio(peer: Timing, ours: Timing) -> float:
    """Return the median, over adjacent turns, of the peer's time divided by ours."""
    return statistics.median(a / b for a, b in zip(peer.turns, ours.turns, strict=True))


def compare(
    contenders: Sequence[Contender],
    cases: Iterable[Mapping[str, Any]],
    *,
    min_turns: int = 7,
    max_turns: int = 20,
    tolerance: float = 0.02,
) -> Iterator[tuple[Mapping[str, Any], dict[str, dict[str, Timing]]]]:
    """Yield (case, {work: {contender: Timing}}) for each case.

    The contenders take turns until each of them has settled, or for at most `max_turns` rounds. A
    contender has settled when leaving out the latest third of its turns changes neither the minimum
    nor the median by more than the fraction `tolerance`.
    """
    for case in cases:
        firsts = {peer.name: peer.ask(prepare=dict(case)) for peer in contenders}
        timings: dict[str, dict[str, Timing]] = {}
        for work in dict.fromkeys(work for first in firsts.values() for work in first):
            able = [peer for peer in contenders if work in firsts[peer.name]]
            turns: dict[str, list[float]] = {peer.name: [] for peer in able}
            for turn in range(max_turns):
                if turn >= min_turns and all(_settled(t, tolerance) for t in turns.values()):
                    break
                # Rotate the order, so that no contender always goes first.
                for place in range(len(able)):
                    peer = able[(turn + place) % len(able)]
                    turns[peer.name].append(peer.ask(time=work, seconds=TURN_SECONDS))
            timings[work] = {n: Timing(t, firsts[n][work]) for n, t in turns.items()}
        yield case, timings


def main(
    script: str,
    doc: str,
    peers: Mapping[str, Any],
    cases: Mapping[str, Sequence[Mapping[str, Any]]],
    quick: Sequence[Mapping[str, Any]],
    amount: Callable[[Mapping[str, Any], str], float],
    environments: Mapping[str, Mapping[str, str]] | None = None,
    *,
    rate: str = "product",
) -> None:
    """Run the command line of a benchmark: compare, print, and write JSON and a table.

    Args:
        script, doc: file and docstring of the benchmark.
        peers: name -> argument of `serve`. `OURS` must be included.
        cases, quick: named sets of cases to choose from, and the cases of --quick.
        amount: (case, work) -> number of FLOPs or bytes, whichever `rate` counts.
        environments: name -> environment variables of the contender's process.
        rate: work in `machine_works` whose speed counts as the peak of this machine. Where it
            cannot be measured, a large matrix product replaces it.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="run for a minute, write nothing")
    parser.add_argument("--only", nargs="+", choices=list(peers), default=list(peers))
    parser.add_argument("--cases", nargs="+", choices=list(cases), default=list(cases))
    parser.add_argument("--minutes", type=float, help="start no case after this many minutes")
    parser.add_argument("--turns", type=int, default=20, help="maximum turns per contender")
    parser.add_argument("--machine", help="short name of this machine, for the file names")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    options = parser.parse_args()
    load = os.getloadavg()[0]  # caused by other processes
    chosen = [case for name in options.cases for case in cases[name]]
    name = ".".join(filter(None, [Path(script).stem, options.machine]))
    # The parent must live long enough to kill the stopped processes, because they would outlive it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = list(dict.fromkeys([OURS, *options.only]))
    contenders = [Contender(n, script, (environments or {}).get(n)) for n in names]
    contenders.append(Contender("machine", __file__))
    rows: list[dict[str, Any]] = []
    start = time.monotonic()
    try:
        peak: dict[str, float] = {}
        limits = {"min_turns": min(7, options.turns), "max_turns": options.turns}
        limits = {"min_turns": 3, "max_turns": 4} if options.quick else limits
        for case in quick if options.quick else chosen:
            if options.minutes and time.monotonic() - start > 60 * options.minutes:
                print(f"skipped because the time is up: {_label(case)}", flush=True)
                continue
            [(_, works)] = compare(contenders[:-1], [case], **limits)
            [(_, machine_timings)] = compare(contenders[-1:], [{}], min_turns=3, max_turns=3)
            for work, timings in machine_timings.items():
                speed = MACHINE[work] / timings["machine"].least
                peak[work] = max(peak.get(work, 0.0), speed)
            best = peak.get(rate) or peak["product"]
            for work, timings in works.items():
                rows.append(_row(case, work, timings, amount(case, work)))
                print(_line(rows[-1], best), flush=True)
            if not options.quick:  # after every case, so that an interrupted run keeps its results
                description = {**machine(), "load": load}
                results = {"machine": description, "peak": peak, "rows": rows}
                _write(options.out, name, results, best)
    finally:
        for contender in contenders:
            contender.close()
    if rows and not options.quick:
        print(table(rows))


def _write(folder: Path, name: str, results: dict[str, Any], best: float) -> None:
    for row in results["rows"]:
        for result in row["results"].values():
            result["share_of_peak"] = row["amount"] / result["min"] / best
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / f"{name}.md").write_text(table(results["rows"]))


def _row(
    case: Mapping[str, Any], work: str, timings: Mapping[str, Timing], amount: float
) -> dict[str, Any]:
    results = {name: timing.summary() for name, timing in timings.items()}
    for name, timing in timings.items():
        results[name]["turns"] = len(timing.turns)
        if OURS in timings:
            results[name]["ratio"] = ratio(timing, timings[OURS])
            results[name]["ratio_of_least"] = timing.least / timings[OURS].least
    return {"case": dict(case), "work": work, "amount": amount, "results": results}


def _line(row: Mapping[str, Any], best: float) -> str:
    ours = row["results"].get(OURS)
    share = f" ({row['amount'] / ours['min'] / best:.0%} of peak)" if ours else ""
    times = ", ".join(f"{n} {r['min'] * 1e3:.2f}" for n, r in row["results"].items())
    return f"{_label(row['case'])}, {row['work']}: {times} ms{share}"


def _label(case: Mapping[str, Any]) -> str:
    return " ".join(f"{name} {value}" for name, value in case.items())


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Format a Markdown table of our minimum times and of the peers' times divided by ours.

    Beside our times and the ratios of `SHARES` stands the share of the machine's peak. The last
    lines hold the geometric mean and the minimum of each column, for each kind of work.
    """
    names = [n for n in dict.fromkeys(n for r in rows for n in r["results"]) if n != OURS]
    heads = [*rows[0]["case"], "work", f"{OURS}, ms", "share of peak", *names]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        ours = row["results"][OURS]
        cells = [*map(str, row["case"].values()), row["work"]]
        cells += [f"{ours['min'] * 1e3:.2f}", f"{ours['share_of_peak']:.0%}"]
        for name in names:
            result = row["results"].get(name)
            cells.append(_cell(name, result) if result else "")
        lines.append(f"| {' | '.join(cells)} |")
    for work in dict.fromkeys(row["work"] for row in rows):
        for label, statistic in (("geometric mean", geometric_mean), ("least", min)):
            cells = [label, *[""] * (len(rows[0]["case"]) - 1), work, "", ""]
            cells += [_summarize(statistic, rows, work, name) for name in names]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(name: str, result: Mapping[str, float]) -> str:
    share = f" ({result['share_of_peak']:.0%})" if name in SHARES else ""
    return f"{result['ratio']:.2f}{share}"


def _summarize(
    statistic: Callable[[list[float]], float], rows: Sequence[Any], work: str, name: str
) -> str:
    results = [row["results"] for row in rows if row["work"] == work]
    ratios = [result[name]["ratio"] for result in results if name in result]
    return f"{statistic(ratios):.2f}" if ratios else ""


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean."""
    return statistics.geometric_mean(list(values))


SIDE = 2048
MACHINE = {"product": 2.0 * SIDE**3, "read": float(1 << 28), "fma": float(CORES * FLOPS)}
"""FLOPs or bytes of each work in `machine_works`."""


def machine_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Return the works that measure the machine itself.

    They are a large square matrix product in XLA, a single read of 256 MiB and, where there is a C
    compiler, a loop of fused multiply-adds.
    """
    import jax
    import numpy as np

    square = jax.random.normal(jax.random.key(0), (SIDE, SIDE))
    product = jax.jit(lambda a: a @ a)
    numbers = np.ones(int(MACHINE["read"]) // 4, np.float32)
    halves = np.split(numbers, 2)
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(2)
    works: dict[str, Work] = {
        "product": lambda: jax.block_until_ready(product(square)),
        "read": lambda: list(pool.map(lambda half: half.max(), halves)),
    }
    fma = fma_work()
    return works | ({"fma": fma} if fma else {})


def _settled(turns: list[float], tolerance: float) -> bool:
    early = turns[: -(-2 * len(turns) // 3)]
    changes = (abs(f(early) / f(turns) - 1) for f in (min, statistics.median))
    return all(change <= tolerance for change in changes)


def serve(prepare: Callable[[Mapping[str, Any]], dict[str, Work]]) -> None:
    """Answer the requests of a `Contender` until the input ends: prepare cases and time work."""
    keep_memory()  # for every contender, because it tunes the C library and is not a merit of ours
    # Only answers use the real standard output. Whatever libraries print goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value: Any) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    answer("ready")
    works: dict[str, Work] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "prepare" in request:
            works = prepare(request["prepare"])
            firsts = {name: _time(work, 1) for name, work in works.items()}
            for work in works.values():
                _time(work, 2)
            answer(firsts)
        else:
            work = works[request["time"]]
            single = _time(work, 1)
            count = max(1, round(request["seconds"] / max(single, 1e-9)))
            answer(_time(work, count) if count > 1 else single)


def _time(work: Work, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - start) / count


if __name__ == "__main__":
    serve(machine_works)
