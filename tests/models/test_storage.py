"""Every kind of model is restored from its two files, and refused as another kind."""

import contextlib
import hashlib
import json

import jax
import numpy as np
import pytest
import safetensors.numpy
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
def test_a_sequence_model_is_restored(cell, tmp_path):
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


def test_a_kind_is_the_name_of_a_class_that_can_be_built():
    assert list(storage.KINDS) == [
        "CharLM", "SequenceModel", "SequenceClassifier", "Forecaster"
    ]  # fmt: skip
    for name, kind in storage.KINDS.items():
        assert kind.__name__ == name
        assert kind.config_type.__name__ == f"{name}Config"
        for method in ("build", "initial_state"):
            assert getattr(kind, method) is not getattr(Model, method)


def test_an_unexpected_kind_is_one_line(tmp_path):
    save(tmp_path)
    with pytest.raises(ModelError, match="must be a CharLM, got a SequenceModel") as caught:
        lstm_jax.load(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="must be a SequenceModel, got a CharLM"):
        storage.load("tang", "SequenceModel")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"in_features": None}, "'in_features'"),
        ({"in_features": 3}, r"recurrent.layers.0.input_kernel must be \(3, 12\), got \(2,"),
        ({"out_features": 0}, r"cannot be used|output_bias must be \(0,\)"),  # as JAX has it
        ({"out_features": 4}, r"output_bias must be \(4,\), got \(5,\)"),
        ({"out_features": "five"}, DESCRIPTION),
        ({"config": {"cell": "transformer"}}, "cell must be one of lstm, gru, rnn"),
        ({"config": {"cell": "gru", "max_timescale": 9.0}}, "max_timescale needs the lstm"),
        ({"config": {"colour": "red"}}, "unknown configuration fields: colour"),
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
    path.write_text(json.dumps(kept | {"digest": storage._digest(kept)}))
    with pytest.raises(ModelError, match=words) as caught:
        storage.load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def altered(folder, **changes):
    """Change a description and its digest, as an attacker would."""
    path = folder / DESCRIPTION
    description = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(description | {"digest": storage._digest(description)}))


def reweighed(folder, arrays):
    """Replace the weights."""
    weights = safetensors.numpy.save(arrays)
    (folder / WEIGHTS).write_bytes(weights)
    altered(folder, sha256=hashlib.sha256(weights).hexdigest())


def test_every_flipped_bit_of_a_description_is_noticed(tmp_path):
    save(tmp_path)
    path = tmp_path / DESCRIPTION
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for bit in rng.choice(8 * len(content), 300, replace=False).tolist():
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with contextlib.suppress(ModelError):
            # The case of letters in an escape may differ without changing the meaning.
            assert storage.describe(tmp_path) == json.loads(content)


def test_a_description_without_a_digest_is_read(tmp_path):
    network = save(tmp_path)
    path = tmp_path / DESCRIPTION
    description = json.loads(path.read_text()) | {"format": 1}
    del description["digest"]
    path.write_text(json.dumps(description))
    found = storage.load(tmp_path).network
    np.testing.assert_array_equal(found.output_kernel[...], network.output_kernel[...])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"config": {"num_layers": 10**9}},
            "describes 1,000,000,000 layers, but",
        ),
        ({"config": {"hidden_features": 10**12}}, "model"),
        ({"config": {"hidden_features": -3}}, "cannot be used"),
        ({"config": {"num_layers": True, "cell": 3}}, "cell must be one of"),
        ({"in_features": 10**15}, "model"),
        ({"out_features": [1]}, "cannot be used"),
        ({"card": {"deep": 1}, "config": 7}, "cannot be used"),
    ],
)
def test_a_size_is_checked_before_allocating(changes, words, tmp_path):
    save(tmp_path)
    altered(tmp_path, **changes)
    with pytest.raises(ModelError, match=words) as caught:
        storage.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_deep_nesting_is_one_line(tmp_path):
    save(tmp_path)
    (tmp_path / DESCRIPTION).write_text("[" * 200_000)
    with pytest.raises(ModelError, match="cannot be read"):
        storage.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a * np.float32(np.nan), "must be finite, but has NaN"),
        (lambda a: a.astype(np.float64), "or int8 with scales, got float64"),
        (lambda a: a.astype(np.int32), "or int8 with scales, got int32"),
        (lambda a: a[:, :-1].copy(), "must be"),
    ],
)
def test_invalid_weights_are_refused(change, words, tmp_path):
    save(tmp_path)
    arrays = safetensors.numpy.load_file(tmp_path / WEIGHTS)
    arrays["output_kernel"] = change(arrays["output_kernel"])
    reweighed(tmp_path, arrays)
    with pytest.raises(ModelError, match=words):
        storage.load(tmp_path)


def test_many_arrays_that_are_not_the_models_are_refused_at_once(tmp_path):
    save(tmp_path)
    arrays = safetensors.numpy.load_file(tmp_path / WEIGHTS)
    reweighed(tmp_path, arrays | {f"extra{i}": np.zeros(0, np.float32) for i in range(2_000)})
    with pytest.raises(ModelError, match="'extra0', which is not in the model"):
        storage.load(tmp_path)


@pytest.mark.parametrize("size", [2**63, 10**7 + 1, 0])
def test_a_header_that_lies_is_refused(size, tmp_path):
    save(tmp_path)
    weights = size.to_bytes(8, "little") + (tmp_path / WEIGHTS).read_bytes()[8:]
    (tmp_path / WEIGHTS).write_bytes(weights)
    altered(tmp_path, sha256=hashlib.sha256(weights).hexdigest())
    with pytest.raises(ModelError) as caught:
        storage.load(tmp_path)
    assert "\n" not in str(caught.value)
