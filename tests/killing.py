"""Run `lstm-jax train` on every problem, and kill it with SIGKILL at random until it is done.

Run as a program, this file is an `lstm-jax` that kills itself:

    python tests/killing.py EVENT SECONDS FOLDER train text ...

does what `lstm-jax train text ...` does, and dies SECONDS after it has touched a file in FOLDER
(opened, renamed, created or removed it) for the EVENTth time.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RUN = "run"  # the run's folder, the same in every command because the model's card records it
TOUCHES = {"open", "os.rename", "os.mkdir", "os.rmdir", "os.remove"}
OFTEN = ["--log-every", "2", "--health-every", "3", "--checkpoint-every", "5"]


@dataclass(frozen=True)
class Kill:
    """Describe a process that was killed.

    Attributes:
        at: the touch of a file at which, or shortly after which, it died.
        began: the step that it resumed from; None if it died before printing that.
        logged: the last step in metrics.jsonl after its death.
    """

    at: str
    began: int | None
    logged: int


def commands(data: Path) -> dict[str, list[str]]:
    """Write small data for every problem, and return the commands that train small models on them.

    Args:
        data: the folder to write to.

    Returns:
        The arguments of `lstm-jax` for each problem.
    """
    from made_up import sound_folder

    rng = np.random.default_rng(0)
    words = "the a wind rain falls on my roof and nobody hears it".split()
    lines = [" ".join(rng.choice(words, 6)) for _ in range(60)]
    (data / "lines.txt").write_text("\n".join(lines) + "\n")
    labelled = [f"{'wet' if 'rain' in line else 'dry'},{line}" for line in lines]
    (data / "labelled.csv").write_text("\n".join(["label,text", *labelled]) + "\n")
    levels = np.sin(np.arange(70) / 3) + 0.1 * rng.normal(size=70)
    days = np.datetime64("2020-01-01") + np.arange(70)
    rows = [f"{day},{level:.4f}" for day, level in zip(days, levels, strict=True)]
    (data / "series.csv").write_text("\n".join(["day,y", *rows]) + "\n")
    sound_folder(data / "tones")
    one_layer = ["--model.hidden-features", "4", "--model.num-layers", "1", "--epochs", "3"]
    without = ["--model.layer-dropout", "0"]
    embedded = ["--model.embedding-features", "4", "--min-count", "1"]
    return {
        "text": [
            "train", "text", "--file", str(data / "lines.txt"), *one_layer, *without, *embedded,
            "--rows", "4", "--window", "32", "--texts", "line", *OFTEN,
        ],
        "memory": [
            "train", "adding", "--steps", "24", "--model.hidden-features", "4", "--epochs", "3",
            "--batch", "20", "--sequences", "240", *OFTEN,
        ],
        "classify": [
            "train", "classify", "--file", str(data / "labelled.csv"), "--label", "label",
            "--text", "text", *one_layer, *without, *embedded, "--words", "64",
            "--validations", "1", *OFTEN,
        ],
        "sounds": [
            "train", "sounds", "--folder", str(data / "tones"), *one_layer, *without,
            "--batch", "2", *OFTEN,
        ],
        "series": [
            "train", "series", "--file", str(data / "series.csv"), "--time", "day",
            "--target", "y", "--window", "8", "--horizon", "2", "--season", "7",
            "--batch", "8", "--sample", "96", *one_layer, *OFTEN,
        ],
    }  # fmt: skip


def killed_once(place: Path, words: list[str], event: int, seconds: float = 0.0) -> Kill | None:
    """Start or resume a run, and kill the process.

    Args:
        place: the parent of the run's folder.
        words: the arguments of the command.
        event: the number of the touch at which to kill the process.
        seconds: the delay after that touch.

    Returns:
        The kill, or None if the run finished first.
    """
    more = ["--resume"] if (place / RUN / "config.json").exists() else []
    process = subprocess.run(
        [sys.executable, __file__, str(event), str(seconds), RUN, *words, "--out", RUN, *more],
        cwd=place, capture_output=True, text=True, env=os.environ | {"PYTHONUTF8": "1"},
    )  # fmt: skip
    if process.returncode == 0:
        return None
    assert process.returncode == -signal.SIGKILL, process.stdout + process.stderr
    began = re.search(r"in total(?:; resuming from step ([0-9,]+))?$", process.stdout, re.MULTILINE)
    at = re.findall("^killed at (.*)$", process.stderr, re.MULTILINE) or ["a kill from outside"]
    step = int((began[1] or "0").replace(",", "")) if began else None
    return Kill(at[-1], step, last_step(place / RUN))


def killed_often(
    place: Path, words: list[str], rng: np.random.Generator, touches: int
) -> Iterator[Kill]:
    """Kill a run at random moments, and resume it, until it is done.

    Three in four moments are a random touch of the run's files, or up to a tenth of a second later,
    because Python does not see everything that libraries write. The fourth is any moment in the
    first seconds of a process.

    Args:
        place, words: as in `killed_once`.
        rng: the random number generator for the moments.
        touches: the number of touches in a run that is not killed.

    Yields:
        Each kill.
    """
    while True:
        at_a_touch = rng.random() < 0.75
        event = int(rng.integers(1, touches // 2)) if at_a_touch else 0
        seconds = rng.choice([0.0, rng.uniform(0, 0.1)]) if at_a_touch else rng.uniform(0, 12)
        kill = killed_once(place, words, event, float(seconds))
        if kill is None:
            return
        yield kill


def touches_of(place: Path, words: list[str]) -> int:
    """Complete a run in a separate process, without killing it.

    Returns:
        The number of times that it touched a file in its folder.
    """
    process = subprocess.run(
        [sys.executable, __file__, "-1", "0", RUN, *words, "--out", RUN],
        cwd=place, capture_output=True, text=True, env=os.environ | {"PYTHONUTF8": "1"},
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr
    return int(re.findall("^touches (.*)$", process.stderr, re.MULTILINE)[-1])


def last_step(folder: Path) -> int:
    """Return the last step in metrics.jsonl, or 0; an incomplete line does not count."""
    path = folder / "metrics.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return json.loads(lines[-1])["step"] if lines else 0


def left_by(folder: Path) -> dict[str, Any]:
    """Collect everything that a run leaves behind, except its speed and its command.

    Args:
        folder: the run's folder.

    Returns:
        The names of files, their lines or bytes, and the checkpoints' arrays as bytes, by name.
    """
    description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    del description["digest"], description["card"]["command"]
    remains = {
        "names": sorted(path.name for path in folder.iterdir()),
        "checkpoints": sorted(path.name for path in (folder / "checkpoints").iterdir()),
        "config.json": (folder / "config.json").read_bytes(),
        "model.json": description,
        "model.safetensors": (folder / "model.safetensors").read_bytes(),
        "metrics.jsonl": _lines(folder / "metrics.jsonl"),
        "health.jsonl": _lines(folder / "health.jsonl"),
    }
    for name in ("latest", "latest.old", "best"):
        remains |= {f"{name} {key}": value for key, value in _checkpoint(folder, name).items()}
    return remains


def _lines(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{key: line[key] for key in line if "per_second" not in key} for line in lines]


def _checkpoint(folder: Path, name: str) -> dict[str, Any]:
    import jax

    from lstm_jax.train.run import checkpoints

    where = folder / "checkpoints" / name
    leaves = json.loads((where / "manifest.json").read_bytes())["leaves"]
    # Works for any model: leaves are identified by their paths, in the order in which they were
    # saved.
    like = OrderedDict((path, jax.ShapeDtypeStruct(shape, dtype)) for path, shape, dtype in leaves)
    arrays, metadata = checkpoints.load(where, like)
    return {path: np.asarray(leaf).tobytes() for path, leaf in arrays.items()} | {
        "metadata": metadata
    }


def _main() -> None:
    event, seconds, folder = int(sys.argv[1]), float(sys.argv[2]), os.path.abspath(sys.argv[3])
    counted = itertools.count(1)

    def die(at: str) -> None:
        print(f"killed at {at}", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    def arm(at: str) -> None:
        if seconds:
            timer = threading.Timer(seconds, die, [f"{at} and {seconds:.2f} s"])
            timer.daemon = True
            timer.start()
        else:
            die(at)

    def watch(name: str, arguments: tuple[Any, ...]) -> None:
        if name not in TOUCHES or not isinstance(arguments[0], str | os.PathLike):
            return
        path = os.path.abspath(os.fspath(arguments[0]))
        if path.startswith(folder):
            number = next(counted)
            if number == event:
                arm(f"{name} {os.path.relpath(path, folder)}")

    if event == 0:
        arm("start")
    sys.addaudithook(watch)
    from lstm_jax import cli

    try:
        cli.main(sys.argv[4:])
    finally:
        if event < 0:
            print(f"touches {next(counted) - 1}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    _main()
