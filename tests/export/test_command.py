"""`lstm-jax export`: every kind of model, read back by other programs, and what is refused."""

import json
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from problems import assert_close, make_xs
from safetensors import safe_open

from lstm_jax import interop
from lstm_jax.export.about import MEANINGS
from lstm_jax.export.command import ExportError, ExportOptions, run
from lstm_jax.export.graph import EXPORTS
from lstm_jax.models import storage
from lstm_jax.models.bags import spelled
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.classifier import SequenceClassifier, SequenceClassifierConfig
from lstm_jax.models.forecaster import Forecaster, ForecasterConfig
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.models.storage import ModelError
from lstm_jax.models.vocabulary import Vocabulary

pytestmark = pytest.mark.usefixtures("compile_fast")
B, T, D = 3, 6, 2
FILMS = ["a", "good", "film", "of", "goodness", "!"]
CLASSIFIER = SequenceClassifierConfig(4, 5, num_layers=2)


def make_char_lm():
    return CharLM(5, CharLMConfig(4, 6, 2), rngs=nnx.Rngs(0)), {"vocabulary": "abc"}


def make_sequence_model(cell="lstm"):
    config = SequenceModelConfig(cell, 5, num_layers=2)
    sizes = {"in_features": D, "out_features": 3}
    return SequenceModel(**sizes, config=config, rngs=nnx.Rngs(0)), sizes


def make_judge():
    network = SequenceClassifier(2, CLASSIFIER, vocabulary_size=5, rngs=nnx.Rngs(0))
    return network, {"classes": ["bad", "good"], "vocabulary": ["film", "a", "\ud800"]}


def make_speller():
    network = SequenceClassifier(2, CLASSIFIER, vocabulary_size=5 + 7, rngs=nnx.Rngs(0))
    own = {"classes": ["bad", "good"], "vocabulary": ["film", "a", "good"], "grams": 7}
    return network, own


def make_listener():
    network = SequenceClassifier(2, CLASSIFIER, in_features=D, rngs=nnx.Rngs(0))
    own = {"classes": ["no", "yes"], "in_features": D, "mean": [0.5, 1.0], "scale": [2.0, 1.0]}
    return network, own


def make_forecaster():
    sizes = {"in_features": D, "window": T, "horizon": 4, "outputs": 3}
    network = Forecaster(**sizes, config=ForecasterConfig(5, linear=2), rngs=nnx.Rngs(0))
    return network, {**sizes, "columns": ["units"], "scaler": {"mean": [1.0], "scale": [2.0]}}


MAKERS = {
    "char_lm": make_char_lm,
    "sequence_model": make_sequence_model,
    "judge": make_judge,
    "speller": make_speller,
    "listener": make_listener,
    "forecaster": make_forecaster,
}


def stored(network, own, folder):
    """A run's folder with such a model, its parameters nowhere zero."""
    state = nnx.state(network, nnx.Param)
    leaves, tree = jax.tree.flatten(state)
    rng = np.random.default_rng(7)
    made = [jnp.asarray(rng.normal(scale=0.6, size=a.shape).astype(np.float32)) for a in leaves]
    nnx.update(network, jax.tree.unflatten(tree, made))
    storage.save(folder, network, {"data": "mine"}, own)
    return network


@pytest.fixture(params=MAKERS)
def model(request, tmp_path):
    return stored(*MAKERS[request.param](), tmp_path / "run")


def test_every_kind_is_exported():
    assert set(EXPORTS) == set(MEANINGS) == set(storage.KINDS)


# --- ONNX ----------------------------------------------------------------------------------------


def expected_of(model):
    """What is fed to a graph, and what the model says of it."""
    rng = np.random.default_rng(0)
    ids, xs = rng.integers(0, 5, (B, T)), make_xs((B, T, D), dtype=np.float32)
    lengths = np.array([T, 2, 4], np.int32)
    if isinstance(model, CharLM):
        state = {f"{n}_{k}": np.zeros((1, B, 6), np.float32) for n in "hc" for k in (0, 1)}
        return {"ids": ids, **state}, model(jnp.asarray(ids))[1]
    if isinstance(model, Forecaster):
        return {"xs": xs}, model(xs)
    if isinstance(model, SequenceModel):
        return {"xs": xs, "sequence_lens": lengths}, model(xs, lengths=lengths)[1]
    if model.reads_ids and len(model.embedding) > 5:
        bags = spelled(Vocabulary(("film", "a", "good")), 7).encode(FILMS)
        ids = np.stack([bags] * B).astype(np.int64)
    name, read = ("ids", ids) if model.reads_ids else ("xs", xs)
    return {name: read, "sequence_lens": lengths}, model(jnp.asarray(read), lengths)


def test_onnxruntime_says_what_the_model_says(model, tmp_path):
    pytest.importorskip("onnx")
    ort = pytest.importorskip("onnxruntime")
    path = tmp_path / "deep" / "model.onnx"
    said = run(ExportOptions(str(tmp_path / "run"), path))
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds, expected = expected_of(model)
    first, *_ = session.run(None, feeds)
    if isinstance(model, SequenceModel):  # what stands beyond a row's length means nothing
        valid = np.arange(T) < feeds["sequence_lens"][:, None]
        first, expected = first[valid], np.asarray(expected)[valid]
    assert_close(first, np.asarray(expected), 1e-5)
    assert said.startswith(f"wrote {path}, ")
    assert all(f"{one.name} (" in said for one in [*session.get_inputs(), *session.get_outputs()])
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["kind"]) == type(model).__name__
    named = json.loads(about["inputs"])
    assert all(re.sub(r"\d", "k", name) in named for name in feeds)
    assert [path.name for path in path.parent.iterdir()] == ["model.onnx"]


def test_the_metadata_says_how_to_feed_it(tmp_path):
    onnx = pytest.importorskip("onnx")
    for number, make in enumerate([make_char_lm, make_judge, make_listener, make_forecaster]):
        stored(*make(), tmp_path / "run")
        run(ExportOptions(str(tmp_path / "run"), tmp_path / f"{number}.onnx"))
    abouts = [
        {p.key: json.loads(p.value) for p in onnx.load(tmp_path / f"{k}.onnx").metadata_props}
        for k in range(4)
    ]
    assert abouts[0]["vocabulary"] == ["<end>", "<unk>", "a", "b", "c"]
    assert abouts[1]["vocabulary"] == ["<end>", "<unk>", "film", "a", "\ud800"]
    assert abouts[1]["classes"] == ["bad", "good"]
    assert abouts[2]["scale"] == [2.0, 1.0]
    assert abouts[3]["scaler"] == {"mean": [1.0], "scale": [2.0]}
    assert abouts[3]["config"]["linear"] == 2
    assert "sha256" not in abouts[3]


def test_without_onnx_it_says_what_to_install(tmp_path, monkeypatch):
    stored(*make_forecaster(), tmp_path / "run")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ExportError, match=r'is missing; install it with: pip install "lstm_jax\[o'):
        run(ExportOptions(str(tmp_path / "run"), tmp_path / "new" / "model.onnx"))
    assert not (tmp_path / "new").exists()


# --- safetensors ---------------------------------------------------------------------------------


def arrays(path):
    with safe_open(path, "numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def below(found, prefix):
    return {n.removeprefix(prefix): a for n, a in found.items() if n.startswith(prefix)}


def exported(model, layout, tmp_path):
    """The arrays of the recurrent layers, by their names after the attribute's."""
    path = tmp_path / f"{layout}.safetensors"
    run(ExportOptions(str(tmp_path / "run"), path, layout=layout))
    return below(arrays(path)[0], "recurrent." if isinstance(model, SequenceModel) else "lstm.")


def layers_of(model):
    return (model.recurrent if isinstance(model, SequenceModel) else model.lstm).params


def assert_same(found, expected):
    jax.tree.map(np.testing.assert_array_equal, tuple(found), tuple(expected))


def nested(flat):
    """{"a.b": array} as {"a": {"b": array}}, the last dot being where a name begins."""
    found = {}
    for name, array in flat.items():
        path, _, leaf = name.rpartition(".")
        found.setdefault(path, {})[leaf] = array
    return found


def test_torch_s_layout_is_the_default_and_comes_back(model, tmp_path):
    path = tmp_path / "model.safetensors"
    said = run(ExportOptions(str(tmp_path / "run"), path))
    found, about = arrays(path)
    prefix = "recurrent." if isinstance(model, SequenceModel) else "lstm."
    assert_same(interop.from_torch(below(found, prefix)), layers_of(model))
    others = {n: a for n, a in found.items() if not n.startswith(prefix)}
    for name, array in others.items():
        np.testing.assert_array_equal(array, getattr(model, name)[...])
    assert {"output_bias"} < set(others)
    assert json.loads(about["kind"]) == type(model).__name__
    assert f"{prefix}weight_ih_l0 (" in said


def test_keras_layout_comes_back(model, tmp_path):
    found = exported(model, "keras", tmp_path)
    layers = layers_of(model)
    both = getattr(layers[0], "_fields", None)
    sides = [f"{side}." for side in both] if both else [""]
    parts = ("kernel", "recurrent_kernel", "bias")
    weights = [
        [found[f"{k}.{side}{part}"] for side in sides for part in parts] for k in range(len(layers))
    ]
    assert len(found) == sum(map(len, weights))
    assert_same(interop.from_keras(weights), layers)


def test_our_own_layout_comes_back(model, tmp_path):
    from safetensors.numpy import save_file

    found = exported(model, "own", tmp_path)
    save_file(found, tmp_path / "layers.safetensors")
    assert_same(interop.load_safetensors(tmp_path / "layers.safetensors"), layers_of(model))


@pytest.mark.parametrize("layout", ["linen", "nnx", "equinox"])
def test_layouts_of_cells_come_back(layout, tmp_path):
    model = stored(*make_judge(), tmp_path / "run")
    found = exported(model, layout, tmp_path)
    read = getattr(interop, f"from_{layout}")
    for k, layer in enumerate(layers_of(model)):
        for side, params in layer._asdict().items():
            own = below(found, f"{k}.{side}.")
            assert_same([read(own if layout == "equinox" else nested(own))], [params])


def test_haiku_s_layout_comes_back(tmp_path):
    model = stored(*make_char_lm(), tmp_path / "run")
    found = nested(exported(model, "haiku", tmp_path))
    assert set(found) == {"lstm/linear", "lstm_1/linear"}
    for name, params in zip(("lstm", "lstm_1"), layers_of(model), strict=True):
        back = interop.from_haiku(found, name)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), back, params)


def test_a_gru_has_keras_reset_after(tmp_path):
    model = stored(*make_sequence_model("gru"), tmp_path / "run")
    assert exported(model, "keras", tmp_path)["0.bias"].shape == (2, 15)


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "layout", "said"),
    [
        ("model.pt", None, "--to must end in .onnx or .safetensors, got {to}"),
        ("model", None, "--to must end in .onnx or .safetensors, got {to}"),
        ("model.onnx", "torch", "--layout is only for .safetensors, but --to is {to}"),
        ("there.onnx", None, "{to} already exists; add --overwrite to replace it"),
        ("folder.onnx", None, "{to} is a folder; choose a file with --to"),
        ("run/model.safetensors", None, "{to} is the model itself; choose another file with --to"),
        ("there.onnx/model.onnx", None, "{to} cannot be written: "),
    ],
)
def test_what_cannot_be_written_is_refused(to, layout, said, tmp_path):
    stored(*make_forecaster(), tmp_path / "run")
    (tmp_path / "there.onnx").write_text("kept")
    (tmp_path / "folder.onnx").mkdir()
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    path = tmp_path / to
    overwrite = "run" in to or "folder" in to
    with pytest.raises(ExportError) as caught:
        run(ExportOptions(str(tmp_path / "run"), path, layout=layout, overwrite=overwrite))
    assert str(caught.value).startswith(said.format(to=path))
    assert (tmp_path / "there.onnx").read_text() == "kept"
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_is_replaced_if_asked(tmp_path):
    stored(*make_forecaster(), tmp_path / "run")
    path = tmp_path / "model.SAFETENSORS"
    path.write_text("old")
    run(ExportOptions(str(tmp_path / "run"), path, overwrite=True))
    assert "lstm.weight_ih_l0" in arrays(path)[0]


def test_a_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelError, match="there is no model 'opera'"):
        run(ExportOptions("opera", tmp_path / "model.onnx"))


@pytest.mark.parametrize(
    ("cell", "layout", "said"),
    [
        ("gru", "haiku", "hk.GRU resets before the matrix product, but this model after it"),
        ("rnn", "haiku", "hk.VanillaRNN uses ReLU, but this model uses tanh"),
        ("rnn", "equinox", "Equinox supports LSTMParams, GRUParams; params is RNNParams"),
    ],
)
def test_what_a_layout_cannot_hold_is_refused(cell, layout, said, tmp_path):
    stored(*make_sequence_model(cell), tmp_path / "run")
    path = tmp_path / "model.safetensors"
    with pytest.raises(ExportError) as caught:
        run(ExportOptions(str(tmp_path / "run"), path, layout=layout))
    assert str(caught.value).endswith(f"cannot be exported to model.safetensors: {said}")
    assert not path.exists()
