"""Write results/own_sequences.md and own_texts.md from the JSON of our runs and the peers'."""

from __future__ import annotations

import statistics

from own_results import BUSY, RESULTS, cpu, read, timing

HEAD = (
    "| set | model | wrong | accuracy, % | recall, % | seconds to fit | to predict | CPU, both |\n"
    + "|---" * 8
    + "|"
)
NAMES = {
    "lstm_jax": "**lstm_jax**",
    "lstm_fcn": "LSTM-FCN, sktime",
    "minirocket": "MiniRocket, aeon",
    "1nn_dtw": "1-NN DTW, aeon",
    "majority": "the most frequent class",
    "naive_bayes": "naive Bayes, scikit-learn",
    "linear": "TF-IDF and linear SVM, scikit-learn",
}


def lines(name: str, models: dict[str, dict[str, dict]]) -> list[str]:
    """Format one line for each model of a set, with the most accurate first."""
    runs = {model: list(seeds.values()) for model, seeds in models.items()}
    order = sorted(runs, key=lambda model: -mean(runs[model], "accuracy"))
    return [
        f"| {name} | {NAMES[model]} | {wrong(runs[model])} "
        f"| {100 * mean(runs[model], 'accuracy'):.1f} | {100 * mean(runs[model], 'recall'):.1f} "
        f"| {timing(runs[model], 'fit')} | {timing(runs[model], 'predict')} "
        f"| {cpu(runs[model], 'fit', 'predict')} |"
        for model in order
    ]


def mean(rows: list[dict], figure: str) -> float:
    """Return the mean of a figure over the seeds."""
    return statistics.mean(row[figure] for row in rows)


def wrong(rows: list[dict]) -> str:
    """Format the number of wrong answers for every seed."""
    return f"{', '.join(str(row['wrong']) for row in rows)} of {rows[0]['test']}"


def write(kind: str) -> None:
    """Write the table of everything measured so far.

    Args:
        kind: "own_sequences" or "own_texts".
    """
    peers, ours = (read(f"{kind}{suffix}.json").get("runs", {}) for suffix in ("_peers", ""))
    rows = [
        line
        for name in dict.fromkeys([*peers, *ours])
        for line in lines(name, {**peers.get(name, {}), **ours.get(name, {})})
    ]
    text = "\n".join([HEAD, *rows, "", "Recall: the mean over the classes.", "", BUSY])
    (RESULTS / f"{kind}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    for each in ("own_sequences", "own_texts"):
        write(each)
