"""Measure other libraries' classifiers of multivariate series on the archive's own split.

    python -m venv peers && peers/bin/pip install aeon sktime tensorflow -e .
    peers/bin/python tests/benchmarks/own_sequences_peers.py           # all, about 15 minutes
    peers/bin/python tests/benchmarks/own_sequences_peers.py --peers lstm_fcn --seed 1

The sets JapaneseVowels (270 sequences to train, 370 to test, 12 channels, 7 to 29 steps, 9
speakers) and BasicMotions (40 and 40, 6 channels, 100 steps, 4 classes) are in aeon's wheel. aeon
no longer has an LSTM-FCN, so we run sktime's with its defaults, which include 2,000 epochs. It and
MiniRocket need sequences of equal length, so JapaneseVowels is padded with zeros to the longest
sequence of training and test. Times do not include imports. Every peer runs on two threads;
MiniRocket and 1-NN DTW get them through aeon's n_jobs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
import own_classes_table
from machine import machine
from own_results import judge, keep, watch

from lstm_jax.train.data.series import package_folder

THREADS = 2
RESULT = "own_sequences_peers.json"
SETS = {
    "JapaneseVowels": (
        "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
        "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
    ),
    "BasicMotions": (
        "8dc43cc6306cb679c888c01e26f91772ac4441a916da43bac8b79734a538b9d6",
        "79213102bc6fca1a398ad98ce1185dff0208fa3d1465e687f48288946b0ff8dc",
    ),
}
"""Set -> the sha256 of its training file and its test file in the package aeon."""


class Part(NamedTuple):
    """Store sequences (channels, steps) of any length, and their classes."""

    sequences: list[np.ndarray]
    classes: np.ndarray


class Peer(NamedTuple):
    """Describe a library's classifier, which `make` builds; `padded` if it needs equal lengths."""

    package: str
    module: str
    make: Callable[[int], Any]
    padded: bool


def load(name: str) -> tuple[Part, Part]:
    """Read the training and test part of a set, and check that the files are the pinned ones.

    Args:
        name: one of `SETS`.

    Raises:
        ValueError: if the package contains different files.
    """
    from aeon.datasets import load_from_ts_file

    parts = []
    for split, digest in zip(("TRAIN", "TEST"), SETS[name], strict=True):
        path = package_folder("aeon") / "datasets" / "data" / name / f"{name}_{split}.ts"
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise ValueError(f"{path} must be the pinned file, but its sha256 differs")
        sequences, classes = load_from_ts_file(str(path))
        parts.append(Part(list(sequences), classes))
    return parts[0], parts[1]


def pad(part: Part, steps: int) -> np.ndarray:
    """Pad sequences with zeros at the end, and stack them: (sequences, channels, steps)."""
    padded = [np.pad(xs, ((0, 0), (0, steps - xs.shape[1]))) for xs in part.sequences]
    return np.stack(padded)


def make_lstm_fcn(seed: int) -> Any:
    """Build sktime's LSTM-FCN of Karim et al. (2019)."""
    from sktime.classification.deep_learning.lstmfcn import LSTMFCNClassifier

    return LSTMFCNClassifier(random_state=seed)


def make_minirocket(seed: int) -> Any:
    """Build aeon's MiniRocket: fixed convolutions and a ridge classifier."""
    from aeon.classification.convolution_based import MiniRocketClassifier

    return MiniRocketClassifier(random_state=seed, n_jobs=THREADS)


def make_dtw(seed: int) -> Any:
    """Build aeon's nearest-neighbor classifier with dynamic time warping."""
    from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier

    del seed
    return KNeighborsTimeSeriesClassifier(n_neighbors=1, distance="dtw", n_jobs=THREADS)


PEERS = {
    "1nn_dtw": Peer("aeon", "aeon.classification.distance_based", make_dtw, padded=False),
    "minirocket": Peer(
        "aeon", "aeon.classification.convolution_based", make_minirocket, padded=True
    ),
    "lstm_fcn": Peer(
        "sktime", "sktime.classification.deep_learning.lstmfcn", make_lstm_fcn, padded=True
    ),
}


def run(peer: Peer, train: Part, test: Part, seed: int) -> dict:
    """Fit a peer, and evaluate it on the test part."""
    import_module(peer.module)
    steps = max(xs.shape[1] for xs in train.sequences + test.sequences)
    inputs = [pad(part, steps) if peer.padded else part.sequences for part in (train, test)]
    classifier = peer.make(seed)
    with watch() as fitting:
        classifier.fit(inputs[0], train.classes)
    with watch() as predicting:
        answers = classifier.predict(inputs[1])
    return {
        **judge(answers, test.classes),
        "fit": fitting,
        "predict": predicting,
        "version": f"{peer.package} {version(peer.package)}",
    }


def main() -> None:
    """Run the selected peers, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=list(SETS))
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--seed", type=int, default=0, help="each seed has its own entry")
    options = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    keep(RESULT, ["machine"], machine())
    for name in options.sets:
        train, test = load(name)
        for peer in options.peers:
            figures = run(PEERS[peer], train, test, options.seed)
            keep(RESULT, ["runs", name, peer, str(options.seed)], figures)
            print(name, peer, figures, flush=True)
    own_classes_table.write("own_sequences")


if __name__ == "__main__":
    main()
