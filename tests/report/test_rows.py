"""A model of every kind that judges whole sequences, through the whole report."""

import contextlib
import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from report.conftest import TINY

from lstm_jax import diagnostics
from lstm_jax.models.classifier import SequenceClassifier, SequenceClassifierConfig
from lstm_jax.models.forecaster import Forecaster, ForecasterConfig
from lstm_jax.models.parts import answer, listen
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.models.storage import Stored
from lstm_jax.report import ReportError, Rows, diagnose_rows
from lstm_jax.report.command import write_report
from lstm_jax.report.measures import predictions
from lstm_jax.report.questions import adjoints, context, gates, lyapunov, roads
from lstm_jax.report.readers import of_rows
from lstm_jax.report.reading import read
from lstm_jax.report.rows import longest

pytestmark = pytest.mark.usefixtures("compile_fast")
B, T, D, H = 3, 7, 2, 4
SETTINGS = replace(TINY, exponents=3)


def cross_entropy(outputs, targets):
    return -jax.nn.log_softmax(outputs)[jnp.arange(len(outputs)), targets]


def squared(outputs, targets):
    return jnp.square(outputs[..., 0] - targets).mean(-1)


def made(network, rows):
    """The model with parameters that are nowhere zero, in what a folder would give."""
    state = nnx.state(network, nnx.Param)
    leaves, tree = jax.tree.flatten(state)
    rng = np.random.default_rng(3)
    drawn = [jnp.asarray(rng.normal(scale=0.7, size=a.shape).astype(np.float32)) for a in leaves]
    nnx.update(network, jax.tree.unflatten(tree, drawn))
    return Stored(network, {"kind": type(network).__name__, "card": {"data": "mine"}}), rows


RNG = np.random.default_rng(0)
XS = RNG.normal(size=(B, T, D)).astype(np.float32)
IDS = RNG.integers(0, 6, (B, T))


def forecaster(**options):
    config = ForecasterConfig(H, **options)
    network = Forecaster(D, T, 2, 1, config, rngs=nnx.Rngs(0))
    targets = RNG.normal(size=(B, 2)).astype(np.float32)
    return made(
        network,
        Rows(XS, targets, lambda model, xs: model(xs), squared, "squared error", "window",
             "Windows.", least=max(config.linear, 1)),
    )  # fmt: skip


def classifier(**options):
    config = SequenceClassifierConfig(3, H, num_layers=2, **options)
    network = SequenceClassifier(2, config, vocabulary_size=6, rngs=nnx.Rngs(0))
    words = [[f"w{word}" for word in row] for row in IDS.tolist()]
    return made(
        network,
        Rows(IDS, np.array([0, 1, 1]), lambda model, xs: model(xs), cross_entropy, "nats",
             "sentence", "Sentences.", ["a note"], words),
    )  # fmt: skip


def sequence_model(cell="lstm"):
    network = SequenceModel(D, 1, SequenceModelConfig(cell, H, num_layers=2), rngs=nnx.Rngs(0))
    rows = Rows(
        XS, np.array([[0.2], [0.4], [0.1]], np.float32), lambda model, xs: model.last(xs)[1],
        lambda outputs, targets: squared(outputs[:, None], targets), "squared error", "sequence",
        "Sequences.",
    )  # fmt: skip
    return made(network, rows)


KINDS = {
    "forecaster": forecaster,
    "linear": lambda: forecaster(linear=3),
    "odd": lambda: forecaster(odd=True, linear=2),
    "max": lambda: classifier(pooling="max"),
    "mean": lambda: classifier(pooling="mean", bidirectional=False),
    "attention": lambda: classifier(pooling="attention"),
    "last": lambda: classifier(pooling="last"),
    "lstm": sequence_model,
    "gru": lambda: sequence_model("gru"),
    "rnn": lambda: sequence_model("rnn"),
}


def reading_of(stored, rows):
    settings = replace(SETTINGS, steps=T, streams=B, ends=1, lags=4, burn_in=1)
    return read(*of_rows(stored.network, rows), settings)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_step_by_step_is_what_the_model_says(kind):
    stored, rows = KINDS[kind]()
    found = reading_of(stored, rows)
    outputs = rows.outputs(stored.network, jnp.asarray(rows.inputs))
    expected = np.asarray(rows.loss(outputs, jnp.asarray(rows.targets)))
    assert expected.shape == (B,)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.reader.again(T), expected, rtol=1e-5, atol=1e-6)
    short = rows.outputs(stored.network, jnp.asarray(rows.inputs[:, -4:]))
    expected = np.asarray(rows.loss(short, jnp.asarray(rows.targets)))
    np.testing.assert_allclose(found.reader.again(4), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["max", "attention", "odd", "linear"])
def test_states_are_those_of_the_forward_direction(kind):
    stored, rows = KINDS[kind]()
    found = reading_of(stored, rows)
    network, xs = stored.network, jnp.asarray(rows.inputs)
    given = network.embedding[...][xs] if kind in ("max", "attention") else xs
    _, traces = network.lstm.trace(given)
    for states, kept, looked in zip(found.states, traces, found.gates, strict=True):
        forward = getattr(kept, "forward", kept)
        np.testing.assert_allclose(states.c.swapaxes(0, 1), forward.states.c, atol=1e-6)
        np.testing.assert_allclose(looked.f.swapaxes(0, 1), forward.gates.f, atol=1e-6)


@pytest.mark.parametrize("kind", ["max", "attention", "last", "odd", "gru"])
def test_adjoints_are_differences_of_the_loss(kind):
    stored, rows = KINDS[kind]()
    found = reading_of(stored, rows)
    xs, start, loss = predictions(found)
    step, params = found.reader.step, found.reader.params
    value, adjoint = diagnostics.adjoints(step, params, xs, start, loss)
    assert value == pytest.approx(found.losses.sum(), rel=1e-5)

    @jax.jit
    def nudged(by):
        state = jax.tree.map(lambda leaf: leaf, start)
        bottom = state[0]._replace(h=state[0].h.at[1, 2].add(by))
        first = type(state)((bottom, *state[1:]))
        states, now = [], first
        for x in xs:
            now = step(params, now, x)
            states.append(now)
        return loss(jax.tree.map(lambda *leaves: jnp.stack(leaves), *states))

    difference = float(nudged(1e-2) - nudged(-1e-2)) / 2e-2
    assert float(adjoint[0].h[0, 1, 2]) == pytest.approx(difference, rel=2e-2, abs=2e-4)


@pytest.mark.parametrize("kind", ["odd", "max", "gru"])
def test_the_whole_report(kind, tmp_path, monkeypatch, request):
    pictures = pytest.importorskip("lstm_jax.report.pictures", exc_type=ImportError)
    saved = pictures._saved
    monkeypatch.setattr(pictures, "DPI", 40)
    monkeypatch.setattr(pictures, "_saved", lambda figure, kind: saved(figure, "png"))
    if kind == "max":  # what is drawn of it is what is drawn of the odd one
        request.getfixturevalue("undrawn")
    stored, rows = KINDS[kind]()
    found = diagnose_rows(stored, rows, SETTINGS, name="runs/mine")
    write_report(found, tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    words = " ".join(re.sub(r"<[^>]*>", "", page[page.index("<body>") :]).split())
    assert f"{B} {rows.kind}s, {T} steps of each, mean loss" in words
    assert rows.source in words
    assert "Their losses (" in words
    assert "character" not in words
    assert not re.search(r"\btexts?\b|\{\w|\bnan\b|\binf\b", words)
    figures = found.figures()
    assert figures["settings"]["lags"] == 4
    np.testing.assert_allclose(figures["rows"]["losses"], found.reading.losses, rtol=1e-5)
    assert figures["rows"]["unit"] == rows.unit
    assert "texts" not in figures
    assert figures["model"]["vocabulary"] is None
    # A GRU has no cell.
    lstm = kind != "gru"
    assert ("gates" in figures) == ("roads" in figures) == lstm
    assert (tmp_path / "report" / "gates.html").exists() == lstm
    assert (tmp_path / "report" / "units.png").exists() == lstm
    assert (f"“{gates.QUESTION.title}” was not asked: its layers have GRUParams" in words) != lstm
    assert ("the report is about the forward one" in words) == (kind == "max")
    assert ("the report is about the upright reading" in words) == (kind == "odd")
    assert bool(re.search(r'class="texts"[^>]*><li>w\d', page)) == (kind == "max")


def test_every_step_before_the_end_counts_as_context():
    stored, rows = forecaster()
    found = diagnose_rows(stored, rows, SETTINGS, questions=[context.QUESTION])
    answered = found.answers.to(context.QUESTION)
    assert answered.contexts == [1, 2, 4, 5]
    assert answered.predictions == B
    for length, loss in zip(answered.contexts, answered.nats, strict=True):
        said = stored.network(jnp.asarray(XS[:, -length:]))
        assert loss == pytest.approx(float(squared(said, rows.targets).mean()), rel=1e-5)
    assert answered.tolerance == pytest.approx(0.01 * found.reading.losses.mean())
    assert "After reading 1 step, the squared error is" in context.QUESTION.say(answered)
    kept = context.QUESTION.figures(answered)
    assert kept["unit"] == "squared error"
    assert "nats" not in kept


def test_a_model_that_reads_no_less_is_not_asked_for_less():
    stored, rows = forecaster(linear=T)
    found = diagnose_rows(stored, rows, SETTINGS, questions=[context.QUESTION])
    assert found.answers.to(context.QUESTION) is None
    assert f"the model needs at least {T} steps" in found.notes[-1]


def test_a_cell_without_c_has_adjoints_of_h_alone():
    stored, rows = sequence_model("rnn")
    found = diagnose_rows(stored, rows, SETTINGS, questions=[adjoints.QUESTION, lyapunov.QUESTION])
    answered = found.answers.to(adjoints.QUESTION)
    assert [layer.c for layer in answered.layers] == [None, None]
    assert answered.units == ()
    assert answered.predictions == B
    assert "over 3 sequences of" in lyapunov.QUESTION.say(found.answers.to(lyapunov.QUESTION))


def test_progress_speaks_of_what_is_read():
    said = []

    @contextlib.contextmanager
    def doing(what):
        said.append(what)
        yield

    stored, rows = sequence_model("gru")
    diagnose_rows(stored, rows, SETTINGS, questions=[roads.QUESTION], doing=doing)
    assert said == ["reading the sequences"]


def test_what_cannot_be_read_is_refused_in_a_line():
    stored, rows = forecaster()
    short = rows._replace(inputs=XS[:, :3])
    with pytest.raises(ReportError, match="the windows must have at least 4 steps"):
        diagnose_rows(stored, short, SETTINGS)
    twice = rows._replace(outputs=lambda model, xs: model(xs) + model(xs[:, 1:]))
    with pytest.raises(ReportError, match="does not read each sequence once, whole and from the"):
        diagnose_rows(stored, twice, SETTINGS)
    stored, rows = sequence_model()
    own = rows._replace(outputs=lambda model, xs: model.last(xs, model.initial_state(B))[1])
    with pytest.raises(ReportError, match="from the zero state") as caught:
        diagnose_rows(stored, own, SETTINGS)
    assert "\n" not in str(caught.value)


def test_a_model_is_put_together_again_from_its_parts():
    network, xs = classifier()[0].network, jnp.asarray(IDS)
    heard = listen(network, lambda model: model(xs))
    assert heard.hs.shape == (B, T, 2 * H)
    np.testing.assert_array_equal(heard.xs, network.embedding[...][xs])
    again = answer(network, lambda model: model(xs), heard.final, heard.hs)
    np.testing.assert_array_equal(again, network(xs))
    np.testing.assert_array_equal(again, heard.outputs)
    other = answer(network, lambda model: model(xs), heard.final, 2 * heard.hs)
    assert not np.allclose(other, again)


def test_the_longest_are_chosen():
    assert longest([3, 9, 5, 7, 9], 3, 100) == ([1, 3, 4], 7)
    assert longest([3, 9, 5, 7, 9], 3, 6) == ([1, 3, 4], 6)
    assert longest([3, 9], 5, 100) == ([0, 1], 3)
