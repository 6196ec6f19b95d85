"""`lstm-jax diagnose` runs a model on the held-out data of its run, for every problem."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from made_up import sentiment_data, shakespeare_data, speech_data

from lstm_jax import cli
from lstm_jax.models import storage
from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.models.classifier import SequenceClassifierConfig
from lstm_jax.models.forecaster import ForecasterConfig
from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.models.storage import ModelError
from lstm_jax.report import QUESTIONS, command, diagnose_rows
from lstm_jax.report.reading import Settings
from lstm_jax.train import problems
from lstm_jax.train.data import memory, sentiment, shakespeare, speech
from lstm_jax.train.data.scaler import Scaler
from lstm_jax.train.diagnose import find
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.memory.config import MemoryConfig
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.series.load import load, prepare_for
from lstm_jax.train.tasks.series.outputs import loss_of
from lstm_jax.train.tasks.sounds.config import SoundsConfig
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.task import load_texts

pytestmark = pytest.mark.usefixtures("compile_fast")
SETTINGS = Settings(steps=30, lags=4, burn_in=2)


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    monkeypatch.setattr(sentiment, "load", sentiment_data)
    monkeypatch.setattr(speech, "load", speech_data)
    monkeypatch.setattr(shakespeare, "load", shakespeare_data)


def untrained(config, folder):
    """Return the untrained model of a run, as if loaded from its folder."""
    task = problems.make_task(config)
    card = {**task.facts, "config": problems.to_dict(config)}
    task.save(task.model(nnx.Rngs(0)), folder, card)
    return storage.load(folder)


def assert_read(stored, rows):
    """Check that the rows can be read, and that their loss is the one that the model computes."""
    found = diagnose_rows(stored, rows, SETTINGS, questions=())
    outputs = rows.outputs(stored.network, jnp.asarray(rows.inputs))
    expected = rows.loss(outputs, jnp.asarray(rows.targets))
    np.testing.assert_allclose(found.reading.losses, expected, rtol=1e-4, atol=1e-6)


def test_every_problem_has_something_to_read():
    assert all(problem.rows for problem in problems.PROBLEMS.values())


@pytest.mark.parametrize("quantiles", [(), (0.1, 0.5, 0.9)])
def test_windows_are_those_of_the_test(quantiles, tmp_path):
    model = ForecasterConfig(4, linear=3)
    config = SeriesConfig(window=12, horizon=2, quantiles=quantiles, model=model)
    stored = untrained(config, tmp_path)
    rows = find(stored, 5, 100)
    windows = prepare_for(config, load(config)).windows("test")
    assert rows.inputs.shape == (5, 12, 1)
    np.testing.assert_array_equal(rows.inputs[[0, -1]], windows.inputs[[0, -1]])
    np.testing.assert_array_equal(rows.targets[[0, -1]], windows.targets[[0, -1]])
    outputs = np.random.default_rng(0).normal(size=(5, 2, max(len(quantiles), 1)))
    expected = loss_of(outputs, rows.targets, quantiles)
    np.testing.assert_array_equal(rows.loss(outputs, rows.targets), expected)
    assert rows.least == 3
    assert rows.unit == f"{'pinball loss' if quantiles else 'squared error'} of scaled values"
    assert_read(stored, rows)


def test_windows_are_scaled_as_the_model_s_own_were(tmp_path):
    config = SeriesConfig(window=12, model=ForecasterConfig(4))
    stored = untrained(config, tmp_path)
    before = find(stored, 3, 100).inputs
    own = Scaler.from_dict(stored.description["scaler"])
    stored.description["scaler"] = Scaler(own.mean, 2 * own.scale).to_dict()
    np.testing.assert_allclose(find(stored, 3, 100).inputs, before / 2, rtol=1e-5)
    stored.card["data_sha256"] = "0" * 64
    with pytest.raises(ModelError, match="has changed since the model was trained on it"):
        find(stored, 3, 100)


@pytest.mark.parametrize("problem", memory.PUZZLES)
def test_sequences_are_of_one_length_and_whole(problem, tmp_path):
    config = MemoryConfig(problem=problem, steps=24, model=SequenceModelConfig(hidden_features=4))
    stored = untrained(config, tmp_path)
    rows = find(stored, 6, 10)
    assert len(rows.inputs) == 6
    assert 24 <= rows.inputs.shape[1] <= 24 + 2 * memory.COPY_LENGTH
    if problem == "adding":
        marked = [row[row[:, 1] == 1, 0].sum() for row in rows.inputs]
        np.testing.assert_allclose(rows.targets, 0.5 + np.array(marked) / 4, rtol=1e-5)
    if problem == "copy":
        shown = rows.inputs[:, : memory.COPY_LENGTH].argmax(-1)
        np.testing.assert_array_equal(rows.targets, shown)
        assert rows.least == memory.COPY_LENGTH
    if problem == "flipflop":
        assert rows.targets.shape == (6, 24, 3)
    assert rows.unit == ("squared error" if problem in ("adding", "flipflop") else "nats")
    assert_read(stored, rows)


def test_sentences_are_the_longest_and_cut(tmp_path):
    config = ClassifyConfig(data="sentiment", model=SequenceClassifierConfig(4, 4), words=64)
    stored = untrained(config, tmp_path)
    rows = find(stored, 5, 100)
    texts = sentiment_data().splits["test"]
    assert rows.symbols == [list(text.words) for text in texts[:5]]
    assert rows.targets.argmax(-1).tolist() == [text.label for text in texts[:5]]
    assert rows.notes == [f"the 5 longest of {len(texts)} sentences"]
    assert_read(stored, rows)
    cut = find(stored, 5, 3)
    assert cut.inputs.shape == (5, 3)
    assert "5 of them were cut to 3 steps" in cut.notes[-1]


def test_recordings_are_of_the_test(tmp_path):
    pytest.importorskip("librosa")
    config = SoundsConfig(
        data="speech", model=SequenceClassifierConfig(4, 4, pooling="mean"), left_out="bob"
    )
    stored = untrained(config, tmp_path)
    rows = find(stored, 4, 6)
    assert rows.inputs.shape == (4, 6, stored.description["in_features"])
    assert rows.symbols is None
    assert_read(stored, rows)


def test_texts_are_those_of_the_run(tmp_path):
    config = TextConfig(data="verses", model=CharLMConfig(4, 4, 1))
    found = find(untrained(config, tmp_path / "verses"), 12, 30)
    assert found.texts == load_texts("verses").splits["test"]
    assert found.source == "Texts of the test split of verses."
    stored = untrained(TextConfig(data="shakespeare", model=CharLMConfig(4, 4, 1)), tmp_path / "s")
    found = find(stored, 3, 10)
    [text] = shakespeare_data()["valid"]
    stride = len(text) // 3
    assert found.texts[:3] == [text[at : at + 10] for at in (0, stride, 2 * stride)]
    assert "valid split of shakespeare" in found.source


# --- the command ---------------------------------------------------------------------------------


def test_the_command_reads_the_run_s_own_data(tmp_path, monkeypatch, capsys):
    pytest.importorskip("lstm_jax.report.pictures", exc_type=ImportError)
    monkeypatch.setattr(command, "QUICK_QUESTIONS", QUESTIONS[-1:])
    verses = TextConfig(data="verses", model=CharLMConfig(4, 4, 1))
    sine = SeriesConfig(window=12, model=ForecasterConfig(4))
    for name, config in {"verses": verses, "sine": sine}.items():
        untrained(config, tmp_path / name)
        out = tmp_path / "reports" / name
        with pytest.raises(SystemExit) as caught:
            cli.main(["diagnose", str(tmp_path / name), "--quick", "--out", str(out), "--json"])
        assert caught.value.code == 0
        figures = json.loads(capsys.readouterr().out)
        assert f"split of {name}" in figures["texts" if name == "verses" else "rows"]["source"]
        assert (out / "report.html").is_file()


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({}, "the card of this Forecaster does not say which data it was trained on"),
        ({"config": {"kind": "memory"}}, "names a problem that has no data for it"),
        ({"config": {"kind": "opera"}}, "the configuration has an unknown kind 'opera'"),
    ],
)
def test_a_card_that_names_no_data_is_refused(card, said, tmp_path, capsys):
    config = SeriesConfig(window=12, model=ForecasterConfig(4))
    task = problems.make_task(config)
    task.save(task.model(nnx.Rngs(0)), tmp_path / "run", card)
    with pytest.raises(SystemExit) as caught:
        cli.main(["diagnose", str(tmp_path / "run"), "--out", str(tmp_path / "out")])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_file_is_for_language_models(tmp_path, capsys):
    folder = tmp_path / "run"
    untrained(SeriesConfig(window=12, model=ForecasterConfig(4)), folder)
    with pytest.raises(SystemExit) as caught:
        cli.main(["diagnose", str(folder), "--file", "texts.txt", "--out", str(tmp_path / "out")])
    assert caught.value.code == 2
    assert f"--file is for language models, but {folder} is not one" in capsys.readouterr().err
