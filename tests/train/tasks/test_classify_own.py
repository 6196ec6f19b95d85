"""A user's own texts and sequences, from a file or a frame to answers."""

import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from made_up import sentiment_data
from rich.console import Console

from lstm_jax import cli
from lstm_jax.configs.classify import config as recipe
from lstm_jax.models.storage import ModelError
from lstm_jax.train import fit, loop
from lstm_jax.train.data import sentiment
from lstm_jax.train.data.download import DataError
from lstm_jax.train.tasks.classify.own import look_at_own

pytestmark = pytest.mark.usefixtures("compile_fast")
MOODS = {"bad": "1", "fair": "2", "good": "10"}
SMALL = [
    "--model.hidden-features", "6", "--model.embedding-features", "8", "--epochs", "9",
    "--optimizer.learning-rate", "0.03", "--words", "256", "--optimizer.warmup-steps", "2",
    "--checkpoint-every", "0",
]  # fmt: skip


def reviews(count=180, seed=0):
    """Texts whose class is the one telling word in them."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        mood = list(MOODS)[number % 3]
        words = rng.choice(["film", "the", "a", "plot", "it", "was"], 5).tolist()
        words.insert(rng.integers(6), mood)
        rows.append({"review": f"{' '.join(words)} {number}", "stars": MOODS[mood]})
    return rows


def walks(count=48, seed=0):
    """Steps of sequences that go up or down, of unequal lengths."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        slope, steps = (1, -1)[number % 2], rng.integers(5, 9)
        for t in range(steps):
            x = 100 + slope * t + rng.normal(0, 0.2)
            rows.append({"id": number, "t": t, "x": x, "y": rng.normal(),
                         "way": ("up", "down")[number % 2]})  # fmt: skip
    return rows


def write(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def command(*arguments):
    """`lstm-jax` in this process: exit code; what it prints, pytest has."""
    with pytest.raises(SystemExit) as caught:
        cli.main([str(argument) for argument in arguments])
    return caught.value.code


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folders of runs that nobody writes to, with what they learned from."""
    folder = tmp_path_factory.mktemp("own")
    write(folder / "reviews.csv", reviews())
    write(folder / "walks.csv", walks())
    of_texts = ["--file", folder / "reviews.csv", "--text", "review", "--label", "stars"]
    assert command("train", "classify", *of_texts, *SMALL, "--out", folder / "texts") == 0
    steps = ["--file", folder / "walks.csv", "--by", "id", "--time", "t", "--label", "way"]
    assert command("train", "classify", *steps, *SMALL, "--out", folder / "steps") == 0
    return folder


# The look


def test_a_dry_run_says_what_is_seen_and_chosen(trained, tmp_path, call):
    texts = ["--file", trained / "reviews.csv", "--text", "review", "--label", "stars"]
    code, out, err = call("train", "classify", *texts, "--dry-run", "--out", tmp_path / "run")
    assert (code, err) == (0, "")
    assert "reviews.csv: 180 texts\n" in out
    assert "3 classes: 1 60, 2 60, 10 60\n" in out
    assert "parts: train 126, valid 27, test 27\n" in out
    assert "words in training examples: median 7, 95% have at most 7, maximum 7\n" in out
    assert "vocabulary of 137; unknown: " in out
    for option in ("--unit word", "--class-weights none", "--epochs", "--model.hidden-features 48"):
        assert f"\n  {option}" in out
    assert not (tmp_path / "run").exists()


def test_nothing_is_left_open():
    frame = pd.DataFrame(reviews())
    config = replace(recipe, text="review", label="stars")
    look = look_at_own(config, frame)
    values = vars(look.config) | vars(look.config.model)
    for name in ("epochs", "validations", "words", "min_count", "longest", "hidden_features",
                 "embedding_features", "num_layers", "patience"):  # fmt: skip
        assert values[name] >= 1
    for name in ("unit", "class_weights", "valid", "test", "data_sha256"):
        assert values[name] is not None
    said = replace(config, epochs=3, unit="character", class_weights="balanced")
    look = look_at_own(said, frame)
    assert (look.config.epochs, look.config.unit) == (3, "character")
    np.testing.assert_allclose(look.task.train.weights, 1)


def test_uneven_classes_are_weighted():
    rows = [row for i, row in enumerate(reviews(400)) if row["stars"] != "10" or i % 8 == 0]
    look = look_at_own(replace(recipe, text="review", label="stars"), pd.DataFrame(rows))
    assert look.config.class_weights == "balanced"
    weights, truth = look.task.train.weights, look.task.train.targets.argmax(1)
    sums = [weights[truth == label].sum() for label in range(3)]
    assert sums == pytest.approx([sums[0]] * 3, rel=1e-5)
    total = [batch.weights.sum() for batch in look.task.epoch(0)]
    assert sum(total) == pytest.approx(len(truth), rel=1e-5)


def test_missing_values_are_filled_and_marked():
    rows = walks()
    for row in rows[::7]:
        row["x"] = None
    config = replace(recipe, by="id", time="t", label="way")
    look = look_at_own(config, pl.DataFrame(rows))
    assert any(line.startswith("missing values: ") for line in look.saw)
    inputs = look.task.train.inputs
    assert {one.shape[1] for one in inputs} == {3}  # x, y, and where x is missing
    marks = np.concatenate([one[:, 2] for one in inputs])
    assert set(marks.tolist()) == {0, 1}
    for one in inputs:
        for t in np.flatnonzero(one[:, 2]):
            assert one[t, 0] == (one[t - 1, 0] if t else 0)


def test_what_cannot_be_looked_at_is_refused(trained, call):
    file = ["--file", trained / "reviews.csv"]
    for options, said in (
        ([], "there are no data to learn from: use --file"),
        (
            file,
            "name one of --text (a column with texts), --tokens (a column with tokens) and --by",
        ),
        ([*file, "--text", "review", "--by", "stars"], "got --text and --by"),
        (
            [*file, "--text", "review"],
            "--label must name the column with the classes; the columns are",
        ),
        ([*file, "--text", "reviw", "--label", "stars"], "no column 'reviw': did you mean review?"),
        ([*file, "--text", "stars", "--label", "review"], "is this the column with the classes?"),
        (["--file", "nothing.csv", "--text", "a", "--label", "b"], "nothing.csv cannot be read"),
        ([*file, "--valid", "0.9"], "--valid must be in [0, 0.5], got 0.9"),
        (
            [*file, "--text", "review", "--label", "stars", "--noise", "0.1"],
            "--noise must be left alone for texts",
        ),
        (["--file", "a.ts", "--text", "review"], "--text names a column, but a.ts is a .ts file"),
        ([*file, "--learn", "grades"], "--learn must be left alone unless --data is sentiment"),
    ):
        code, out, err = call("train", "classify", *options, "--dry-run")
        assert (code, out) == (2, "")
        assert said in err
        assert err.count("\n") == 1


# From training to answers


def test_texts_are_told_apart_and_measured(trained, call):
    code, out, err = call("evaluate", trained / "texts", "--plot")
    assert (code, err) == (0, "")
    assert re.match(
        r"reviews\.csv test: accuracy (9\d|100)\.\d\d% \([0-2] of 27 texts wrong\)\n", out
    )
    assert "naive Bayes " in out
    assert "calibrated by temperature " in out
    assert (trained / "texts" / "reliability.png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = call("evaluate", trained / "texts", "--json", "--split", "valid")
    figures = json.loads(out)
    assert figures["classes"] == ["1", "2", "10"]
    assert set(figures["baselines"]) == {"majority", "naive Bayes"}
    assert figures["texts"] == 27
    card = json.loads((trained / "texts" / "model.json").read_text())["card"]
    assert figures["temperature"] == card["temperature"]
    assert figures["nats"] == pytest.approx(card["valid_tempered_nats"], rel=1e-4)


def test_a_file_of_its_own_is_measured(trained, tmp_path, call):
    new = write(tmp_path / "new.csv", reviews(30, seed=9))
    code, out, _ = call("evaluate", trained / "texts", "--file", new, "--json")
    figures = json.loads(out)
    assert (code, figures["on"], figures["texts"]) == (0, "new.csv", 30)
    assert "naive Bayes" in figures["baselines"]
    rows = [{**row, "stars": "7"} for row in reviews(3)]
    code, out, err = call("evaluate", trained / "texts", "--file", write(tmp_path / "x.csv", rows))
    assert (code, out) == (2, "")
    assert "x.csv, line 2: the class '7' is not one of the training classes (1, 2, 10)" in err


def test_a_text_of_three_classes_is_judged_word_by_word(trained, call):
    code, out, err = call("predict", trained / "texts", "it was good unheard")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("10, ")
    assert [line.split()[0] for line in lines[2:]] == ["it", "was", "good", "unheard"]
    assert lines[4].endswith("%  10")
    assert lines[5].endswith("%  10  (unknown)")
    figures = json.loads(call("predict", trained / "texts", "a bad plot", "--json")[1])
    assert figures["label"] == "1"
    assert sum(figures["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert figures["words"][1] | {"probability": 0} == {
        "word": "bad", "known": True, "label": "1", "probability": 0
    }  # fmt: skip


def test_rows_of_a_file_are_judged_and_written_once(trained, tmp_path, call):
    texts = ["it was good", " ", "it was bad, so"]
    rows = [{"review": text, "number": i} for i, text in enumerate(texts)]
    new, out_file = write(tmp_path / "new.csv", rows), tmp_path / "predicted.csv"
    code, out, _ = call("predict", trained / "texts", "--file", new, "--out", out_file)
    assert code == 0
    assert out.splitlines()[-1] == f"saved to {out_file}"
    found = read_csv(out_file)
    assert [row["review"] for row in found] == texts
    assert [row["prediction"] for row in found] == ["10", "", "1"]
    shares = [float(found[0][f"p_{name}"]) for name in ("1", "2", "10")]
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert float(found[0]["probability"]) == max(shares)
    again = call("predict", trained / "texts", "--file", new, "--out", out_file)
    assert again[0] == 2
    assert "exists already: use another --out" in again[2]
    code, _, err = call("predict", trained / "texts", "--file", out_file)
    assert (code, "the column 'prediction' exists already" in err) == (2, True)
    code, out, _ = call("predict", trained / "texts", "--file", new)
    assert "classified 3 rows: 1 1, 10 1" in out


@pytest.mark.parametrize(
    ("run", "arguments", "said"),
    [
        ("texts", ["a text", "--file", "x.csv"], "a text and a --file cannot be combined"),
        ("texts", ["a text", "--out", "x.csv"], "--out needs a --file"),
        ("texts", [], "the text is empty: give it some words, or use --file"),
        ("steps", ["a text"], "the model reads sequences of numbers, not a text: use --file"),
    ],
)
def test_a_mistake_is_one_line(run, arguments, said, trained, call):
    code, out, err = call("predict", trained / run, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_sequences_are_told_apart(trained, tmp_path, call):
    code, out, err = call("evaluate", trained / "steps", "--json")
    figures = json.loads(out)
    assert (code, err) == (0, "")
    assert figures["accuracy"] == 1
    assert set(figures["baselines"]) == {"majority", "nearest mean"}
    unlabelled = [{k: v for k, v in row.items() if k != "way"} for row in walks(4, seed=5)]
    new, out_file = write(tmp_path / "new.csv", unlabelled), tmp_path / "predicted.csv"
    assert call("predict", trained / "steps", "--file", new, "--out", out_file)[0] == 0
    found = read_csv(out_file)
    assert [(row["id"], row["prediction"]) for row in found] == [
        ("0", "up"), ("1", "down"), ("2", "up"), ("3", "down")
    ]  # fmt: skip


def test_columns_of_another_file_are_found_by_name(trained, tmp_path, call):
    rows = [{k: row[k] for k in ("y", "way", "x", "t", "id")} for row in walks()]
    _, expected, _ = call("evaluate", trained / "steps", "--file", trained / "walks.csv", "--json")
    turned = write(tmp_path / "walks.csv", rows)
    code, out, err = call("evaluate", trained / "steps", "--file", turned, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["nats"] == json.loads(expected)["nats"]
    config = replace(recipe, file=str(trained / "walks.csv"), by="id", time="t", label="way")
    names, found = ("x", "y"), []
    for columns in (names, names[::-1]):
        held = [{k: row[k] for k in ("id", "t", "way", *columns)} for row in walks(12, seed=1)]
        file = str(write(tmp_path / "held.csv", held))
        found.append(look_at_own(replace(config, valid_file=file, test=0.0)).task.valid.inputs)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    others = [{"z" if k == "x" else k: v for k, v in row.items()} for row in walks()]
    code, _, err = call("evaluate", trained / "steps", "--file", write(tmp_path / "z.csv", others))
    assert (code, err.count("\n")) == (2, 1)
    assert "has no column 'x'" in err


def test_more_epochs_need_no_other_option(trained, tmp_path, call):
    out = ["--out", tmp_path / "run"]
    file = ["--file", trained / "reviews.csv", "--text", "review", "--label", "stars"]
    sizes = ["--model.hidden-features", "3", "--model.embedding-features", "3", "--words", "512"]
    few = ["--epochs", "2", "--max-steps", "2"]
    assert call("train", "classify", *file, *sizes, *out, *few)[0] == 0
    more = ["--epochs", "9", "--max-steps", "4", "--resume"]
    code, said, err = call("train", "classify", *file, *sizes, *out, *more)
    assert (code, err) == (0, "")
    assert "resuming from step 2" in said


def test_groups_matter_only_for_parts(trained, tmp_path, call):
    grouped = write(tmp_path / "walks.csv", [{**row, "who": row["id"] // 2} for row in walks()])
    steps = ["--file", grouped, "--by", "id", "--time", "t", "--label", "way", "--group", "who"]
    assert call("train", "classify", *steps, *SMALL, "--out", tmp_path / "run")[0] == 0
    for question in ("evaluate", "predict"):
        code, _, err = call(question, tmp_path / "run", "--file", trained / "walks.csv")
        assert (code, err) == (0, "")


def test_a_picture_that_cannot_be_written_is_one_line(trained, call, monkeypatch):
    def full(self, path, *args, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    code, _, err = call("evaluate", trained / "texts", "--plot")
    assert (code, err.count("\n")) == (2, 1)
    assert "reliability.png cannot be written: Permission denied" in err


def test_a_file_that_changed_is_refused(trained, tmp_path, call):
    file = write(tmp_path / "reviews.csv", reviews())
    options = ["--file", file, "--text", "review", "--label", "stars", *SMALL]
    out = ["--out", tmp_path / "run"]
    assert call("train", "classify", *options, *out, "--max-steps", "14")[0] == 0
    write(file, reviews(183))
    code, _, err = call("train", "classify", *options, *out, "--resume")
    assert (code, err.count("\n")) == (2, 1)
    assert "the data have changed since the run" in err
    code, _, err = call("evaluate", tmp_path / "run")
    assert (code, err.count("\n")) == (2, 1)
    assert "has changed since the model was trained on it" in err


# From Python


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.Table.from_pylist])
def test_a_frame_comes_back_as_it_came(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = make(reviews(90))
    run = fit.classify(
        frame, text="review", label="stars", epochs=3, words=256, model=SMALL_MODEL,
        out=tmp_path / "run",
    )  # fmt: skip
    assert 0 <= run.evaluate()["accuracy"] <= 1
    found = run.predict(make([{"review": "a good film"}, {"review": ""}]))
    assert type(found) is type(frame)
    answers = pl.DataFrame(found) if not isinstance(found, pl.DataFrame) else found
    assert answers.columns[:3] == ["review", "prediction", "probability"]
    (one,) = run.predict(["a good film"])
    assert answers["prediction"][0] == one.prediction == run.predict("a good film").prediction
    assert answers["probability"][0] == pytest.approx(one.probability, abs=1e-5)
    again = fit.load(tmp_path / "run")
    assert again.predict("a good film") == one
    with pytest.raises(DataError, match="trained on a frame, which is only available in Python"):
        again.evaluate()
    assert replace(again, given=frame).evaluate() == run.evaluate()
    assert run.evaluate(given=make(reviews(6, seed=4)))["texts"] == 6
    with pytest.raises(ModelError, match=r"input 1 must be a text with words, got ' '"):
        run.predict(["good", " "])
    assert type(run.model).__name__ == "SequenceClassifier"


SMALL_MODEL = replace(recipe.model, hidden_features=4, embedding_features=4, num_layers=1)


def test_columns_may_be_named_with_commas():
    frame = pl.DataFrame(walks()).with_columns(pl.col("y").alias("a,b"))
    config = replace(recipe, by="id", time="t", label="way", inputs=("x,y", "a,b"))
    assert look_at_own(config, frame).task.own["columns"] == ["x", "y", "a,b"]


def test_arrays_are_judged(trained):
    run = fit.load(trained / "steps")
    assert run.evaluate(given=pd.DataFrame(walks(6, seed=9)))["sequences"] == 6
    assert run.evaluate(file=str(trained / "walks.csv"))["sequences"] == 48
    for scope, said in (
        ({"split": "dev"}, "--split must be train, valid, test, got 'dev'"),
        ({"backtest": 3}, "--backtest is for forecasters only"),
        ({"dynamic": True}, "--dynamic is for language models only"),
    ):
        with pytest.raises(ModelError, match=said):
            run.evaluate(**scope)
    up = np.stack([100 + np.arange(6), np.zeros(6)], 1)
    assert [one.prediction for one in run.predict([up, up * [-1, 1] + [200, 0]])] == ["up", "down"]
    with pytest.raises(ModelError, match=r"input 0 must have the shape \(steps, 2\), got \(6, 1\)"):
        run.predict([up[:, :1]])
    with pytest.raises(ModelError, match=r"input 1 must have .*, got \(2, 'different widths'\)"):
        run.predict([up, [[1, 2], [1]]])
    assert run.plot() == trained / "steps" / "reliability.png"


# The path of the package's own set


def test_film_reviews_through_a_file_give_the_recipes_figures(tmp_path, monkeypatch):
    data = sentiment_data()
    held = {text.words for text in (*data.valid, *data.test)}
    data = replace(data, train=tuple(text for text in data.train if text.words not in held))
    monkeypatch.setattr(sentiment, "load", lambda: data)
    for name, texts in data.splits.items():
        rows = [{"mood": sentiment.LABELS[text.label], "words": " ".join(text.words)}
                for text in texts]  # fmt: skip
        write(tmp_path / f"{name}.csv", rows)
    same = {
        "words": 64, "epochs": 4, "validations": 1, "min_count": 1, "patience": 9,
        "model": replace(SMALL_MODEL, word_dropout=0.1), "log_every": 1,
        "optimizer": replace(recipe.optimizer, learning_rate=3e-2, warmup_steps=1),
    }  # fmt: skip
    files = {f"{name}_file": str(tmp_path / f"{name}.csv") for name in ("valid", "test")}
    own = replace(
        recipe, file=str(tmp_path / "train.csv"), tokens="words", label="mood", **files, **same
    )
    theirs = replace(recipe, data="sentiment", learn="sentences", **same)
    logged = []
    for name, config in {"own": own, "theirs": theirs}.items():
        folder = tmp_path / name
        look = fit.fitting.look_at(config, console=Console(file=io.StringIO()))
        loop.prepare(folder, look.config, resume=False, overwrite=False)
        loop.train(look.config, folder, task=look.task, console=Console(file=io.StringIO()))
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        logged.append([
            {name: line.get(name) for name in ("step", "loss", "valid_accuracy", "valid_nats")}
            for line in lines
        ])  # fmt: skip
    assert logged[0] == logged[1]
    assert sum(line["valid_accuracy"] is not None for line in logged[0]) == 4
