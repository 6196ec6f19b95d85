"""Exported models in onnxruntime, against the models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from problems import assert_close, make_xs

from lstm_jax.interop.onnx import (
    export_classifier,
    export_forecaster,
    export_sequence_model,
    load,
)
from lstm_jax.models.classifier import SequenceClassifier, SequenceClassifierConfig
from lstm_jax.models.forecaster import Forecaster, ForecasterConfig
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

B, T, D = 3, 6, 2


def drawn(model):
    """The model with nonzero weights."""
    state = nnx.state(model, nnx.Param)
    leaves, tree = jax.tree.flatten(state)
    rng = np.random.default_rng(7)
    made = [jnp.asarray(rng.normal(scale=0.6, size=a.shape).astype(np.float32)) for a in leaves]
    nnx.update(model, jax.tree.unflatten(tree, made))
    return model


def in_onnxruntime(model, feeds, path):
    onnx.save(model, path)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert {one.name for one in session.get_inputs()} == feeds.keys()
    (result,) = session.run(None, feeds)
    (named,) = session.get_outputs()
    return result, named


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("linear", [0, 4])
@pytest.mark.parametrize("odd", [False, True], ids=["as it is", "odd"])
def test_a_forecaster_predicts_the_same(odd, linear, outputs, tmp_path):
    layers = 2 if odd else 1
    config = ForecasterConfig(
        hidden_features=5, num_layers=layers, linear=linear, odd=odd, output_dropout=0.5
    )
    model = drawn(Forecaster(D, T, 4, outputs, config, rngs=nnx.Rngs(0)))
    exported = export_forecaster(model)
    for batch, steps in ((B, T), (1, T + 3)):
        xs = make_xs((batch, steps, D), dtype=np.float32)
        expected = np.asarray(model(xs))
        ys, named = in_onnxruntime(exported, {"xs": xs}, tmp_path / "forecaster.onnx")
        assert named.name == "ys"
        assert named.shape == ["B", 4, outputs]
        assert ys.dtype == expected.dtype
        assert_close(ys, expected, 1e-5)
    assert len(load(exported)) == layers


def test_a_forecaster_of_a_distribution_keeps_the_order_of_its_numbers(tmp_path):
    model = drawn(Forecaster(D, T, 4, 2, ForecasterConfig(5), quantiles=False, rngs=nnx.Rngs(0)))
    xs = make_xs((B, T, D), dtype=np.float32)
    ys, _ = in_onnxruntime(export_forecaster(model), {"xs": xs}, tmp_path / "forecaster.onnx")
    assert_close(ys, np.asarray(model(xs)), 1e-5)


@pytest.mark.parametrize(
    ("reads", "message"),
    [
        ({"reads_on": True}, "this model also reads known future inputs"),
        ({"categories": (3,)}, "also reads codes of categories"),
    ],
)
def test_a_forecaster_that_reads_more_than_a_window_is_refused(reads, message):
    model = Forecaster(D, T, 4, 3, ForecasterConfig(5), **reads, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=message):
        export_forecaster(model)


@pytest.mark.parametrize("lengths", [None, [T, 0, 4]], ids=["whole", "lengths"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "two"])
@pytest.mark.parametrize("pooling", ["max", "mean", "last", "attention"])
def test_a_classifier_predicts_the_same(pooling, bidirectional, lengths, tmp_path):
    reads = "ids" if bidirectional == (lengths is None) else "vectors"
    config = SequenceClassifierConfig(
        4, 5, num_layers=2, bidirectional=bidirectional, pooling=pooling, word_dropout=0.5
    )
    sizes = {"vocabulary_size": 9} if reads == "ids" else {"in_features": D}
    model = drawn(SequenceClassifier(3, config, rngs=nnx.Rngs(0), **sizes))
    exported = export_classifier(model, sequence_lens=lengths is not None)
    ids = np.random.default_rng(0).integers(0, 9, (B, T))
    xs = ids if reads == "ids" else make_xs((B, T, D), dtype=np.float32)
    feeds = {"ids" if reads == "ids" else "xs": xs}
    if lengths is not None:
        lengths = feeds["sequence_lens"] = np.array(lengths, np.int32)
    logits, named = in_onnxruntime(exported, feeds, tmp_path / "classifier.onnx")
    assert named.name == "logits"
    assert named.shape == ["B", 3]
    expected = np.asarray(model(jnp.asarray(xs), lengths))
    assert logits.dtype == expected.dtype
    assert_close(logits, expected, 1e-5)
    assert [len(sides) for sides in load(exported)] == [1 + bidirectional] * 2


@pytest.mark.parametrize("pooling", ["max", "mean", "last", "attention"])
def test_steps_beyond_the_length_are_not_read(pooling, tmp_path):
    config = SequenceClassifierConfig(4, 5, pooling=pooling)
    model = drawn(SequenceClassifier(3, config, rngs=nnx.Rngs(0), in_features=D))
    exported = export_classifier(model, sequence_lens=True)
    xs = make_xs((B, T, D), dtype=np.float32)
    lengths = np.array([2, 5, T], np.int32)
    padded = np.where((np.arange(T) < lengths[:, None])[..., None], xs, 1000).astype(np.float32)
    feeds = [{"xs": one, "sequence_lens": lengths} for one in (xs, padded)]
    results = [in_onnxruntime(exported, one, tmp_path / "m.onnx")[0] for one in feeds]
    np.testing.assert_array_equal(*results)
    for row, length in enumerate(lengths):
        alone = model(jnp.asarray(xs[row : row + 1, :length]))
        assert_close(results[0][row], np.asarray(alone)[0], 1e-5)


@pytest.mark.parametrize("lengths", [None, [T, 1, 4]], ids=["whole", "lengths"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_sequence_model_computes_the_same(cell, lengths, tmp_path):
    config = SequenceModelConfig(cell, 5, num_layers=2)
    model = drawn(SequenceModel(D, 3, config, rngs=nnx.Rngs(0)))
    exported = export_sequence_model(model, sequence_lens=lengths is not None)
    xs = make_xs((B, T, D), dtype=np.float32)
    feeds = {"xs": xs}
    if lengths is not None:
        lengths = feeds["sequence_lens"] = np.array(lengths, np.int32)
    ys, named = in_onnxruntime(exported, feeds, tmp_path / "model.onnx")
    assert named.name == "ys"
    assert named.shape == ["B", "T", 3]
    expected = np.asarray(model(xs, lengths=lengths)[1])
    valid = np.arange(T) < np.broadcast_to(T if lengths is None else lengths, B)[:, None]
    assert ys.dtype == expected.dtype
    assert_close(ys[valid], expected[valid], 1e-5)
    assert len(load(exported)) == 2


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_sequence_model_continues_from_its_state(cell, tmp_path):
    model = drawn(SequenceModel(D, 3, SequenceModelConfig(cell, 5), rngs=nnx.Rngs(0)))
    xs = make_xs((B, T, D), dtype=np.float32)
    path = tmp_path / "model.onnx"
    onnx.save(export_sequence_model(model, initial_state=True), path)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    letters = "hc" if cell == "lstm" else "h"
    assert names == ["ys", *(f"final_{letter}_0" for letter in letters)]
    state, parts = {f"{letter}_0": np.zeros((1, B, 5), np.float32) for letter in letters}, []
    for some in (xs[:, :2], xs[:, 2:]):
        ys, *final = session.run(None, {"xs": some, **state})
        parts.append(ys)
        state = dict(zip(state, final, strict=True))
    assert_close(np.concatenate(parts, 1), np.asarray(model(xs)[1]), 1e-5)


def test_weights_keep_their_dtype():
    model = Forecaster(D, T, 4, 3, ForecasterConfig(linear=2, odd=True), rngs=nnx.Rngs(0))
    nnx.update(model, jax.tree.map(lambda a: a.astype(jnp.float16), nnx.state(model, nnx.Param)))
    exported = export_forecaster(model)
    assert exported.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
    classifier = SequenceClassifier(
        2, SequenceClassifierConfig(4, 5, pooling="attention"), vocabulary_size=4, rngs=nnx.Rngs(0)
    )
    state = nnx.state(classifier, nnx.Param)
    nnx.update(classifier, jax.tree.map(lambda a: a.astype(jnp.float16), state))
    exported = export_classifier(classifier, sequence_lens=True)
    assert exported.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
