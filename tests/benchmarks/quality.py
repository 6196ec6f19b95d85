"""Make the README's table of quality from committed results and published figures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from own_results import read
from published import LSTM_OF_1997, REVIEWS

from lstm_jax.models import storage


class Result(NamedTuple):
    """Store a model's name and its figure for each seed."""

    name: str
    figures: Sequence[float]


class Comparison(NamedTuple):
    """Compare our results on a task with those of peers.

    Attributes:
        name: the task and its unit.
        ours: our result.
        peers: theirs.
        form: the format of a figure.
        joined: how to show several seeds: all of them, or their range.
        more_is_better: whether the largest figure wins; otherwise the smallest does.
    """

    name: str
    ours: Result
    peers: Sequence[Result]
    form: str
    joined: Callable[[list[str]], str] = ", ".join
    more_is_better: bool = False


def span(figures: list[str]) -> str:
    """Format the least and the greatest of sorted figures."""
    return f"{figures[0]} to {figures[-1]}" if len(figures) > 1 else figures[0]


def tang() -> Comparison:
    """Compare the released poet with the best n-gram, by test perplexity."""
    card = storage.describe("tang")["card"]
    best = min(read("tang_ngrams.json")["rows"], key=lambda row: row["perplexity"])
    peers = [Result(f"{best['order']}-gram", [best["perplexity"]])]
    ours = Result("lstm_jax", [card["test_perplexity"]])
    return Comparison("Tang poems, test perplexity", ours, peers, "{:.1f}")


def shakespeare() -> Comparison:
    """Compare the loss on the last tenth of tinyshakespeare, in nats."""
    found = read("shakespeare.json")
    nats = sorted(row["nats"] for row in found["runs"])
    theirs = Result("nanoGPT", [found["nanogpt"]["nats"]])
    title = "tinyshakespeare, nats per character"
    return Comparison(title, Result("lstm_jax", nats), [theirs], "{:.3f}", span)


def own(file: str, data: str, metric: str, names: dict[str, str]) -> tuple[Result, list[Result]]:
    """Read the results of the defaults on a user's data: ours and the named peers'."""

    def result(runs: dict[str, Any], name: str, shown: str) -> Result:
        return Result(shown, [run[metric] for run in runs["runs"][data][name].values()])

    peers = read(f"{file}_peers.json")
    theirs = [result(peers, name, shown) for name, shown in names.items()]
    return result(read(f"{file}.json"), "lstm_jax", "lstm_jax"), theirs


def series(data: str, title: str) -> Comparison:
    """Compare forecasts."""
    names = {"auto_ets": "AutoETS", "neuralforecast_lstm": "neuralforecast LSTM"}
    return Comparison(f"{title}, MASE", *own("own_series", data, "mase", names), "{:.3f}")


def reviews() -> Comparison:
    """Compare classifiers of film reviews that learn their own word vectors."""
    found = read("sentiment.json")
    ours = Result("lstm_jax", [100 * statistics.mean(r["test_accuracy"] for r in found["rows"])])
    bayes = Result("naive Bayes", [100 * max(found["naive_bayes"].values())])
    convolution = next(float(test) for name, vectors, _, test in REVIEWS
                       if name.startswith("convolution") and vectors == "learned")  # fmt: skip
    peers = [Result("convolution", [convolution]), bayes]
    title = "SST-2 with learned word vectors, % right"
    return Comparison(title, ours, peers, "{:.1f}", more_is_better=True)


def newswires() -> Comparison:
    """Compare classifiers of newswires."""
    names = {"linear": "linear SVM", "naive_bayes": "naive Bayes"}
    return Comparison(
        "Reuters R8, wrong of 2,189", *own("own_texts", "reuters_r8", "wrong", names), "{}"
    )


def vowels() -> Comparison:
    """Compare classifiers of short sequences."""
    names = {"minirocket": "MiniRocket", "lstm_fcn": "LSTM-FCN", "1nn_dtw": "1-NN DTW"}
    found = own("own_sequences", "JapaneseVowels", "wrong", names)
    return Comparison("JapaneseVowels, wrong of 370, three seeds", *found, "{}")


def adding(steps: int = 1000) -> Comparison:
    """Compare how many sequences it takes to learn the adding problem."""
    runs = [
        run for run in read("long_memory.json")["runs"]
        if (run["task"], run["model"], run["steps"]) == ("adding", "lstm chrono", steps)
    ]  # fmt: skip
    if not all(run["solved"] for run in runs):
        raise ValueError(f"adding, T = {steps}: a run did not solve it")
    title = f"adding problem, T = {steps:,}, sequences until solved"
    ours = Result("lstm_jax", sorted(run["sequences"] for run in runs))
    theirs = Result("LSTM of 1997", [LSTM_OF_1997["adding", steps]])
    return Comparison(title, ours, [theirs], "{:,}", span)


def row(task: Comparison) -> list[str]:
    """Format a task as a row of the table, with the best result in bold."""
    results = [task.ours, *task.peers]
    sign = -1 if task.more_is_better else 1
    best = min(results, key=lambda result: sign * statistics.mean(result.figures))

    def shown(result: Result) -> str:
        figures = task.joined([task.form.format(figure) for figure in result.figures])
        named = figures if result is task.ours else f"{result.name} {figures}"
        return f"**{named}**" if result is best else named

    ranked = sorted(task.peers, key=lambda result: sign * statistics.mean(result.figures))
    return [task.name, shown(task.ours), ", ".join(map(shown, ranked))]


def rows() -> list[list[str]]:
    """Return the rows of all tasks."""
    tasks = (
        tang(),
        shakespeare(),
        series("airpassengers", "AirPassengers"),
        series("m3_monthly", "M3 monthly, 1,428 series"),
        reviews(),
        newswires(),
        vowels(),
        adding(),
    )
    return [row(task) for task in tasks]
