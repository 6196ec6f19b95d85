"""Batches hold every sequence once; tiny judges are trained, judged and asked on made-up data."""

import io
import json
import re
from dataclasses import replace

import jax
import numpy as np
import pytest
import soundfile
from flax import nnx
from made_up import recordings, sentiment_data, speech_data
from rich.console import Console

from lstm_jax.models import storage
from lstm_jax.models.classifier import SequenceClassifierConfig
from lstm_jax.train import loop
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.data import audio, sentiment, speech
from lstm_jax.train.run import checkpoints
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.examples import Examples, collate, plan, rows_of, widths_of
from lstm_jax.train.tasks.classify.judge import after_each, judge, log_probabilities
from lstm_jax.train.tasks.classify.predict import bar
from lstm_jax.train.tasks.classify.sentiment import make_sentiment_task
from lstm_jax.train.tasks.sounds.config import SoundsConfig

pytestmark = pytest.mark.usefixtures("compile_fast")
OPTIMIZER = OptimizerConfig(learning_rate=3e-2, warmup_steps=0, final_fraction=1.0, weight_decay=0)
SMALL = SequenceClassifierConfig(4, 4, input_dropout=0.1)
RUN = {"optimizer": OPTIMIZER, "health_every": 0, "checkpoint_every": 0, "log_every": 4}
SENTIMENT = ClassifyConfig(model=SMALL, learn="neutral", words=64, epochs=6, validations=2, **RUN)
SPELLED = replace(SENTIMENT, learn="grades", grams=64)
SPEECH = SoundsConfig(model=SMALL, batch=8, masks=1, epochs=10, **RUN)


@pytest.fixture(scope="module", autouse=True)
def made_up():
    data = sentiment_data()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sentiment, "load", lambda: data)
        patch.setattr(speech, "load", speech_data)
        yield data


def run(folder, config, *, resume=False):
    said = io.StringIO()
    config = loop.prepare(folder, config, resume=resume, overwrite=False)
    result = loop.train(config, folder, console=Console(file=said, width=200))
    return result, said.getvalue()


@pytest.fixture(scope="module")
def trained(made_up, tmp_path_factory):
    """Folders of runs that nobody writes to, and what they said."""
    found = {}
    for name, config in {"sentiment": SENTIMENT, "spelled": SPELLED, "speech": SPEECH}.items():
        folder = tmp_path_factory.mktemp("runs") / name
        found[name] = folder, *run(folder, config)
    return found


# Batches


def test_widths():
    assert widths_of(1) == (4,)
    assert widths_of(33) == (4, 8, 16, 32, 64)
    assert widths_of(48, halfway=True) == (4, 6, 8, 12, 16, 24, 32, 48)


def test_a_pass_holds_every_sequence_once_and_as_many_batches_each_time():
    lengths = np.random.default_rng(0).integers(1, 20, 200)
    widths = widths_of(20, halfway=True)
    passes = [
        plan(lengths, widths, lambda width: 48 // width, np.random.default_rng(seed))
        for seed in (0, 0, 1)
    ]
    for batches in passes:
        assert sorted(i for *_, part in batches for i in part) == list(range(200))
        for width, rows, part in batches:
            assert rows == 48 // width >= len(part)
            assert width // 2 < lengths[part].max() <= width or width == 4
    first, again, other = ([part.tolist() for *_, part in batches] for batches in passes)
    assert first == again != other
    assert len(first) == len(other)


def test_rows_that_fill_a_batch_do_not_count():
    examples = Examples([np.array([5, 6]), np.array([7])], np.eye(2, dtype=np.float32))
    batch = collate(examples, np.array([1]), 4, 3)
    assert batch.inputs.tolist() == [[7, 0, 0, 0]] * 3
    assert batch.weights.tolist() == [1, 0, 0]
    assert batch.targets[0].tolist() == [0, 1]
    task = make_sentiment_task(SENTIMENT)

    def model(inputs, lengths, key):
        return np.array([[0, np.log(3)], [9, -9], [9, -9]], np.float32)

    total, count, carry = task.loss(model, (), batch, None)
    assert float(total) == pytest.approx(-np.log(3 / 4), rel=1e-5)
    assert (float(count), carry) == (1, ())


@pytest.mark.parametrize("learn", ["neutral", "grades"])
def test_a_grade_says_how_much_praise_a_text_is(learn):
    task = make_sentiment_task(replace(SENTIMENT, learn=learn))
    shares = {"neutral": {0.0, 0.5, 1.0}, "grades": {0.25, 0.4, 0.5, 1.0}}[learn]
    assert set(task.train.targets[:, 1].tolist()) == set(np.float32(list(shares)).tolist())
    np.testing.assert_allclose(task.train.targets.sum(1), 1, rtol=1e-6)
    assert set(task.valid.targets[:, 1].tolist()) == {0, 1}


def test_consistency_adds_half_the_divergences_of_two_readings():
    config = replace(SENTIMENT, consistency=1.5, model=replace(SMALL, word_dropout=0.3))
    task = make_sentiment_task(config)
    model, batch = task.model(nnx.Rngs(0)), task.epoch(0)[0]
    key = jax.random.key(1)
    inputs, lengths = (np.concatenate([each, each]) for each in (batch.inputs, batch.lengths))
    logits = np.asarray(model(inputs, lengths, key=key), np.float64)
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected, apart, rows = 0.0, 0.0, len(batch.inputs)
    for row in range(rows):
        p, q, target = logs[row], logs[rows + row], batch.targets[row]
        divergences = sum(np.exp(p) * (p - q)) + sum(np.exp(q) * (q - p))
        cross_entropy = -(target @ p + target @ q) / 2
        expected += batch.weights[row] * (cross_entropy + 1.5 * divergences / 2)
        apart += divergences
    assert apart > 0.01  # the two readings have masks of their own
    total, count, _ = task.loss(model, (), batch, key)
    np.testing.assert_allclose(total, expected, rtol=1e-5)
    assert count == batch.weights.sum()


def test_without_a_key_a_batch_is_read_once():
    task = make_sentiment_task(replace(SENTIMENT, consistency=1.5))
    model, batch, rows = task.model(nnx.Rngs(0)), task.epoch(0)[0], []

    def counting(inputs, lengths, key):
        rows.append(len(inputs))
        return model(inputs, lengths, key=key)

    task.loss(counting, (), batch, None)
    assert rows == [len(batch.inputs)]


def test_short_phrases_come_in_greater_numbers():
    assert [rows_of(1024, width) for width in (4, 8, 16, 1000, 2000)] == [128, 128, 64, 1, 1]


def test_epochs_are_parts_of_a_pass():
    task = make_sentiment_task(SENTIMENT)
    one, two, next_pass = (
        [batch.inputs.tobytes() for batch in task.epoch(number)] for number in range(3)
    )
    assert len(one) == len(two) == len(next_pass)
    assert one == [batch.inputs.tobytes() for batch in make_sentiment_task(SENTIMENT).epoch(0)]
    assert one != two
    assert one != next_pass
    seen = sum(batch.weights.sum() for part in range(2) for batch in task.epoch(part))
    assert 0.8 * len(task.train.inputs) < seen <= len(task.train.inputs)
    with pytest.raises(IndexError):
        task.epoch(0)[len(one)]


def test_log_probabilities_come_in_the_order_of_the_sequences():
    lengths = np.random.default_rng(1).integers(1, 30, 150)
    inputs = [np.full(n, i) for i, n in enumerate(lengths)]

    def read(params, batch, counts):
        assert len(batch) == 64
        return np.stack([batch[:, 0], counts], 1)

    found = log_probabilities(read, None, inputs)
    assert found.tolist() == [[i, n] for i, n in enumerate(lengths.tolist())]


def test_a_score_is_over_all_sequences():
    p = np.log([[0.75, 0.25], [0.5, 0.5], [0.2, 0.8]])

    def read(params, batch, counts):
        return p[batch[:, 0]]

    examples = Examples([np.array([i]) for i in range(3)], np.eye(2, dtype=np.float32)[[0, 1, 0]])
    found = judge(read, None, examples)
    assert (found.sequences, found.wrong) == (3, 2)  # of equals the first is taken
    assert found.accuracy == pytest.approx(1 / 3)
    assert found.nats == pytest.approx(-np.log([0.75, 0.5, 0.2]).mean(), rel=1e-6)


# Runs


@pytest.mark.parametrize("name", ["sentiment", "spelled", "speech"])
def test_a_tiny_run_learns_and_keeps_its_best(name, trained, call):
    folder, result, said = trained[name]
    assert result.finished
    assert "validation accuracy 100.00% (0 of" in said
    card = storage.load(folder).card
    data = {"spelled": "sentiment"}.get(name, name)
    assert card["data"] == data
    assert card["valid_accuracy"] == 1
    assert result.best_valid_loss < 1 / 20  # less than one error
    code, out, err = call("evaluate", folder, "--json")
    assert (code, err) == (0, "")
    figures = json.loads(out)
    assert figures["on"] == f"{data} test"
    assert figures["wrong"] == 0
    assert figures["accuracy"] == 1


def test_a_resume_gives_the_same_bytes(trained, tmp_path):
    whole, folder = trained["sentiment"][0], tmp_path / "run"
    result, _ = run(folder, replace(SENTIMENT, max_steps=7))
    assert not result.finished
    result, said = run(folder, SENTIMENT, resume=True)
    assert "resuming from step 7" in said
    assert result == trained["sentiment"][1]
    for name in ("model.safetensors", "model.json"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    facts = [checkpoints.read_metadata(f / "checkpoints" / "latest") for f in (folder, whole)]
    assert facts[0] == facts[1]


def test_the_health_of_layers_that_read_both_ways_has_no_lag(made_up, tmp_path):
    config = replace(SENTIMENT, health_every=2, max_steps=2, epochs=1)
    run(tmp_path / "run", config)
    [line] = (tmp_path / "run" / "health.jsonl").read_text().splitlines()
    assert json.loads(line)["adjoint"] == []
    assert json.loads(line)["grad_norm"] > 0


# Predictions


def test_a_sentence_is_judged_word_by_word(trained, call):
    folder = trained["sentiment"][0]
    code, out, err = call("predict", folder, "A zany good film")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"positive, [6-9]\d\.\d%", lines[0])
    assert [line.split()[0] for line in lines[3:]] == ["a", "zany", "good", "film"]
    assert lines[4].endswith("%  (unknown)")
    assert "++++" in lines[5]
    code, out, _ = call("predict", folder, "A bad film", "--json")
    figures = json.loads(out)
    assert figures["label"] == "negative"
    assert [row["word"] for row in figures["words"]] == ["a", "bad", "film"]
    assert figures["words"][-1]["positive"] == pytest.approx(1 - figures["probability"], abs=2e-4)


def test_an_unknown_word_is_read_by_its_spelling(trained, call):
    words = ("goodness", "badly", "@")
    shares = {}
    for name in ("sentiment", "spelled"):
        out = call("predict", trained[name][0], "film " + " ".join(words), "--json")[1]
        rows = json.loads(out)["words"][1:]
        assert [row["known"] for row in rows] == [False] * 3
        alone = (call("predict", trained[name][0], f"film {word}", "--json")[1] for word in words)
        shares[name] = [json.loads(out)["probabilities"]["positive"] for out in alone]
    assert len(set(shares["sentiment"])) == 1
    good, bad, other = shares["spelled"]
    assert bad + 0.02 < other < good - 0.02
    code, out, _ = call("predict", trained["spelled"][0], "goodness")
    assert code == 0
    assert out.startswith("positive")
    assert call("predict", trained["spelled"][0], "!?")[0] == 2


def test_each_row_of_the_bars_is_that_beginning_alone(trained):
    stored = storage.load(trained["sentiment"][0])
    whole = after_each(stored, np.array([2, 3, 4, 5, 6]))
    part = after_each(stored, np.array([2, 3, 4]))
    np.testing.assert_allclose(whole[:3], part, rtol=1e-5)
    np.testing.assert_allclose(whole.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("p", "drawn"),
    [(0.5, " " * 20 + "|" + " " * 20), (1.0, " " * 20 + "|" + "+" * 20), (0.25, "-" * 10 + "|")],
)
def test_bars(p, drawn):
    assert drawn.strip() in bar(p)
    assert len(bar(p)) == 41


def test_a_digit_is_recognised(trained, call, tmp_path):
    folder, one = trained["speech"][0], recordings()[0]
    soundfile.write(tmp_path / "a.wav", one.samples / 2, audio.RATE, "FLOAT")
    code, out, err = call("predict", folder, tmp_path / "a.wav")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"0, \d+\.\d%  \(then 1 \d+\.\d%, \d \d+\.\d%\)\n", out)
    soundfile.write(tmp_path / "b.wav", np.stack([one.samples] * 2, 1) / 2, audio.RATE, "FLOAT")
    code, out, err = call("predict", folder, tmp_path / "b.wav", "--json")
    assert err == f"{tmp_path / 'b.wav'}: 2 channels were averaged into one\n"
    figures = json.loads(out)
    assert figures["label"] == "0"
    assert sum(figures["probabilities"].values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sentiment", " "], "the text is empty"),
        (["sentiment", "zany, wondrous"], "knows none of the words of 'zany, wondrous'"),
        (["sentiment", "film " * 257], "must have at most 256 words, got 257"),
        (["speech", "nothing.wav"], "nothing.wav cannot be read as a sound"),
        (["weather"], "there is no model 'weather'"),
        (["sentiment"], "the text is empty"),
    ],
)
def test_a_mistake_is_one_line(arguments, said, trained, call):
    name, *rest = arguments
    code, out, err = call("predict", trained[name][0] if name in trained else name, *rest)
    assert (code, out) == (2, "")
    assert err.startswith("lstm-jax: ")
    assert said in err
    assert err.count("\n") == 1


def test_help_says_what_can_be_predicted(call):
    code, out, _ = call("predict")
    assert code == 0
    assert "predict MODEL" in out
