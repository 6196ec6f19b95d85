"""Every kind of model comes back from its two files, and is refused where another is wanted."""

import json

import jax
import numpy as np
import pytest
from flax import nnx

import lstm_jax
from lstm_jax import ModelError
from lstm_jax.models import storage
from lstm_jax.models.base import Model
from lstm_jax.models.char_lm import CharLM
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.models.storage import DESCRIPTION, WEIGHTS

CONFIGS = {
    "lstm": SequenceModelConfig(hidden_features=3, num_layers=2, max_timescale=9.0),
    "gru": SequenceModelConfig(cell="gru", hidden_features=3),
    "rnn": SequenceModelConfig(cell="rnn", hidden_features=3),
}


def save(folder, cell="lstm"):
    network = SequenceModel(2, 5, CONFIGS[cell], rngs=nnx.Rngs(0))
    storage.save(folder, network, {"data": "made up"}, {"in_features": 2, "out_features": 5})
    return network


@pytest.mark.parametrize("cell", CONFIGS)
def test_a_sequence_model_comes_back(cell, tmp_path):
    network = save(tmp_path, cell)
    assert sorted(path.name for path in tmp_path.iterdir()) == [DESCRIPTION, WEIGHTS]
    stored = storage.load(tmp_path)
    assert isinstance(stored.network, SequenceModel)
    assert stored.network.config == CONFIGS[cell]
    assert stored.card == {"data": "made up"}
    expected, found = nnx.state(network), nnx.state(stored.network)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_load_reads_every_kind(tmp_path):
    save(tmp_path)
    kinds = {name: storage.describe(name)["kind"] for name in ("tang", tmp_path)}
    assert kinds == {"tang": "CharLM", tmp_path: "SequenceModel"}
    assert isinstance(storage.load("tang").network, CharLM)


def test_a_kind_is_the_name_of_a_class_that_says_how_it_is_built():
    assert list(storage.KINDS) == [
        "CharLM", "SequenceModel", "SequenceClassifier", "Forecaster"
    ]  # fmt: skip
    for name, kind in storage.KINDS.items():
        assert kind.__name__ == name
        assert kind.config_type.__name__ == f"{name}Config"
        for method in ("build", "initial_state"):
            assert getattr(kind, method) is not getattr(Model, method)


def test_another_kind_than_wanted_is_one_line(tmp_path):
    save(tmp_path)
    with pytest.raises(ModelError, match="holds a SequenceModel and this takes a CharLM") as caught:
        lstm_jax.load(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="holds a CharLM and this takes a SequenceModel"):
        storage.load("tang", "SequenceModel")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"in_features": None}, "'in_features'"),
        ({"in_features": 3}, r"recurrent.layers.0.input_kernel should be \(3, 12\), found \(2,"),
        ({"out_features": 0}, "cannot be used"),
        ({"out_features": 4}, r"output_bias should be \(4,\), found \(5,\)"),
        ({"out_features": "five"}, DESCRIPTION),
        ({"config": {"cell": "transformer"}}, "cell must be one of lstm, gru, rnn"),
        ({"config": {"cell": "gru", "max_timescale": 9.0}}, "max_timescale is for the lstm"),
        ({"config": {"colour": "red"}}, "unknown here: colour"),
        ({"card": []}, "the card is not an object"),
        ({"kind": "CharLM"}, DESCRIPTION),
        ({"kind": ["SequenceModel"]}, "this version reads CharLM, SequenceModel"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(changes, words, tmp_path):
    save(tmp_path)
    path = tmp_path / DESCRIPTION
    description = json.loads(path.read_text()) | changes
    kept = {name: value for name, value in description.items() if value is not None}
    path.write_text(json.dumps(kept))
    with pytest.raises(ModelError, match=words) as caught:
        storage.load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
