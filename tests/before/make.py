"""Create stopped runs of this version in tests/before/own, and record what they log when resumed.

    python tests/before/make.py /runs

Run it once before a release; existing runs are kept, so that later versions are tested with them.
The runs are created in the given folder, whose path is part of their files, and then copied.
"""

import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from killing import commands

from lstm_jax import cli

HERE = Path(__file__).parent / "own"
STOP = 14  # a multiple of log-every


def run(*words: str) -> None:
    try:
        cli.main(words)
    except SystemExit as end:
        if end.code != 0:
            raise


def logged(folder: Path) -> list[dict[str, float]]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [
        {name: value for name, value in line.items() if not name.endswith("per_second")}
        for line in lines
        if line["step"] > STOP
    ]


def main(there: Path) -> None:
    expected = {}
    data = there / "data"
    data.mkdir(parents=True)
    for problem, words in commands(data).items():
        stopped, whole = there / problem, there / f"{problem}-whole"
        run(*words, "--keep", "1", "--out", str(whole))
        run(*words, "--keep", "1", "--out", str(stopped), "--max-steps", str(STOP))
        shutil.copytree(stopped, HERE / problem)
        expected[problem] = logged(whole)
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
