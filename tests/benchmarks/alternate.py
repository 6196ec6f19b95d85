"""Timing several implementations of one piece of work, each in a process of its own.

Two frameworks in one process disturb each other's threads, and a shared machine's speed drifts
from minute to minute. So each implementation has a process; they take turns of a fraction of a
second, the ones that wait are stopped by a signal, and a ratio is taken of turns side by side.

A benchmark gives `serve` a function from a case to what is to be timed, and calls `compare`.
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
from peak import CORES, FLOPS, fma_work

from lstm_jax.allocator import keep_memory

RESULTS = Path(__file__).parent / "results"
OURS = "lstm_jax"
SHARES = ("native",)  # whose share of the peak the table shows beside their ratio

Work = Callable[[], Any]
"""One call of what is timed; it returns when the work is done."""

TURN_SECONDS = 0.15


class Contender:
    """A process that times one implementation, stopped while it waits."""

    def __init__(self, name: str, script: str, environment: Mapping[str, str] | None = None):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, script, "--serve", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self._hear()
        self._stop()

    def ask(self, **request: Any) -> Any:
        """Wake it, put a request, wait for the answer, stop it."""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self._hear()
        self._stop()
        return answer

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()

    def _stop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def _hear(self) -> Any:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} died; what it said is above")
        return json.loads(line)


@dataclass(frozen=True)
class Timing:
    """Seconds of one call, `turns` of them, and of compiling and calling it for the first time."""

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
    """The peer's time by ours: the median over turns that stood side by side."""
    return statistics.median(a / b for a, b in zip(peer.turns, ours.turns, strict=True))


def compare(
    contenders: Sequence[Contender],
    cases: Iterable[Mapping[str, Any]],
    *,
    least_turns: int = 7,
    most_turns: int = 20,
    settled: float = 0.02,
) -> Iterator[tuple[Mapping[str, Any], dict[str, dict[str, Timing]]]]:
    """Yield (case, {work: {contender: Timing}}) for each case.

    Turns go round until, for each contender, the least time and the median of all turns but the
    latest third are within `settled` of those of all turns, or `most_turns` have been.
    """
    for case in cases:
        firsts = {one.name: one.ask(prepare=dict(case)) for one in contenders}
        found: dict[str, dict[str, Timing]] = {}
        for work in dict.fromkeys(work for first in firsts.values() for work in first):
            able = [one for one in contenders if work in firsts[one.name]]
            turns: dict[str, list[float]] = {one.name: [] for one in able}
            for turn in range(most_turns):
                if turn >= least_turns and all(_stands(t, settled) for t in turns.values()):
                    break
                # Who begins changes, so that nobody always follows the same neighbour.
                for place in range(len(able)):
                    one = able[(turn + place) % len(able)]
                    turns[one.name].append(one.ask(time=work, seconds=TURN_SECONDS))
            found[work] = {n: Timing(t, firsts[n][work]) for n, t in turns.items()}
        yield case, found


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
    """A benchmark's command line: compare, print, and write JSON and a table.

    Args:
        script, doc: its file and docstring.
        peers: name -> what `serve` takes; `OURS` among them.
        cases, quick: what to compare on, in sets that can be chosen; and with --quick.
        amount: (case, work) -> what of `rate` is done: FLOPs or bytes.
        environments: name -> variables that its process is started with.
        rate: of this machine, the work of `machine_works` whose speed is the measure of all; where
            it cannot be measured, a large product.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a minute; nothing is written")
    parser.add_argument("--only", nargs="+", choices=list(peers), default=list(peers))
    parser.add_argument("--cases", nargs="+", choices=list(cases), default=list(cases))
    parser.add_argument("--minutes", type=float, help="begin no case after so many")
    parser.add_argument("--turns", type=int, default=20, help="most turns of each contender")
    parser.add_argument("--machine", help="a short name: the results go to a file of its own")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    load = os.getloadavg()[0]  # of what else the machine does
    chosen = [case for name in options.cases for case in cases[name]]
    name = ".".join(filter(None, [Path(script).stem, options.machine]))
    # A stopped process outlives its parent, unless the parent lives to end it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = list(dict.fromkeys([OURS, *options.only]))
    contenders = [Contender(n, script, (environments or {}).get(n)) for n in names]
    contenders.append(Contender("machine", __file__))
    rows: list[dict[str, Any]] = []
    start = time.monotonic()
    try:
        peak: dict[str, float] = {}
        limits = {"least_turns": min(7, options.turns), "most_turns": options.turns}
        limits = {"least_turns": 3, "most_turns": 4} if options.quick else limits
        for case in quick if options.quick else chosen:
            if options.minutes and time.monotonic() - start > 60 * options.minutes:
                print(f"not measured, for want of time: {_named(case)}", flush=True)
                continue
            [(_, found)] = compare(contenders[:-1], [case], **limits)
            [(_, alone)] = compare(contenders[-1:], [{}], least_turns=3, most_turns=3)
            for work, timings in alone.items():
                now = MACHINE[work] / timings["machine"].least
                peak[work] = max(peak.get(work, 0.0), now)
            best = peak.get(rate) or peak["product"]
            for work, timings in found.items():
                rows.append(_row(case, work, timings, amount(case, work)))
                print(_said(rows[-1], best), flush=True)
            if not options.quick:  # as far as it went: a long run that ends early is not lost
                about = {**machine(), "load": load}
                _write(options.out, name, {"machine": about, "peak": peak, "rows": rows}, best)
    finally:
        for one in contenders:
            one.close()
    if rows and not options.quick:
        print(table(rows))


def _write(folder: Path, name: str, found: dict[str, Any], best: float) -> None:
    for row in found["rows"]:
        for result in row["results"].values():
            result["share_of_peak"] = row["amount"] / result["min"] / best
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    (folder / f"{name}.md").write_text(table(found["rows"]))


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


def _said(row: Mapping[str, Any], best: float) -> str:
    ours = row["results"].get(OURS)
    share = f" ({row['amount'] / ours['min'] / best:.0%} of peak)" if ours else ""
    times = ", ".join(f"{n} {r['min'] * 1e3:.2f}" for n, r in row["results"].items())
    return f"{_named(row['case'])}, {row['work']}: {times} ms{share}"


def _named(case: Mapping[str, Any]) -> str:
    return " ".join(f"{name} {value}" for name, value in case.items())


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """In Markdown: our least time and share of the peak, and by it the times of the others, with
    the share of the peak of those that are ours, too.

    The last lines are the geometric mean and the least of each column, work by work.
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
        for said, of in (("geometric mean", geometric_mean), ("least", min)):
            cells = [said, *[""] * (len(rows[0]["case"]) - 1), work, "", ""]
            cells += [_over(of, rows, work, name) for name in names]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(name: str, result: Mapping[str, float]) -> str:
    share = f" ({result['share_of_peak']:.0%})" if name in SHARES else ""
    return f"{result['ratio']:.2f}{share}"


def _over(of: Callable[[list[float]], float], rows: Sequence[Any], work: str, name: str) -> str:
    of_work = [row["results"] for row in rows if row["work"] == work]
    ratios = [results[name]["ratio"] for results in of_work if name in results]
    return f"{of(ratios):.2f}" if ratios else ""


def geometric_mean(values: Iterable[float]) -> float:
    """exp of the mean logarithm."""
    return statistics.geometric_mean(list(values))


SIDE = 2048
MACHINE = {"product": 2.0 * SIDE**3, "read": float(1 << 28), "fma": float(CORES * FLOPS)}
"""FLOPs or bytes of `machine_works`."""


def machine_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """What the machine can do: a large square product of XLA's, reading much memory once, and
    fused multiply-adds alone where there is a C compiler.
    """
    import jax
    import numpy as np

    square = jax.random.normal(jax.random.key(0), (SIDE, SIDE))
    product = jax.jit(lambda a: a @ a)
    many = np.ones(int(MACHINE["read"]) // 4, np.float32)
    halves = np.split(many, 2)
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(2)
    works: dict[str, Work] = {
        "product": lambda: jax.block_until_ready(product(square)),
        "read": lambda: list(pool.map(lambda half: half.max(), halves)),
    }
    fma = fma_work()
    return works | ({"fma": fma} if fma else {})


def _stands(turns: list[float], settled: float) -> bool:
    early = turns[: -(-2 * len(turns) // 3)]
    return all(abs(of(early) / of(turns) - 1) <= settled for of in (min, statistics.median))


def serve(prepare: Callable[[Mapping[str, Any]], dict[str, Work]]) -> None:
    """Answer a `Contender`: prepare cases, and time their work, until the input ends."""
    keep_memory()  # everybody's: it is the C library's, and no merit of one's own
    # Answers have the real standard output to themselves; what libraries print goes to stderr.
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
            once = _time(work, 1)
            count = max(1, round(request["seconds"] / max(once, 1e-9)))
            answer(_time(work, count) if count > 1 else once)


def _time(work: Work, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - start) / count


if __name__ == "__main__":
    serve(machine_works)
