"""The figures of a diagnosis against the model in NumPy, and the words for every outcome."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles import cells as oracle
from report.conftest import TINY

from lstm_jax.report import QUESTIONS, diagnose
from lstm_jax.report.figures import plain
from lstm_jax.report.measures import Line, prediction_ends
from lstm_jax.report.poems import HELD_OUT
from lstm_jax.report.questions import adjoints, context, gates, jacobians, lyapunov, roads
from lstm_jax.report.reading import QUICK, Settings
from lstm_jax.text.language import load


def numbers(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list):
        return [number for part in tree for number in numbers(part)]
    return [tree] if isinstance(tree, float) else []


class Slow:
    """The model in NumPy, float64, one symbol at a time; its state is one vector of 20."""

    def __init__(self, folder):
        model = load(folder)
        network = model.network
        self.vocabulary = model.vocabulary
        self.layers = [oracle.as_params(params) for params in network.lstm.params]
        self.embedding, self.projection, self.bias = (
            np.asarray(p[...], np.float64)
            for p in (network.embedding, network.projection, network.output_bias)
        )
        # END and a poem: symbol t is read at step t, and t + 1 predicted.
        self.ids = [np.r_[model.vocabulary.end_id, model.vocabulary.encode(p)] for p in HELD_OUT]

    def step(self, vector, symbol):
        x, new = self.embedding[symbol], []
        for params, state in zip(self.layers, vector.reshape(2, 2, 5), strict=True):
            new.append(oracle.lstm_step(params, state, x))
            x = new[-1][0]
        return np.ravel(new)

    def run(self, row, first, last, vector=None):
        """The state after reading the symbols [first, last) of a poem."""
        vector = np.zeros(20) if vector is None else vector
        for symbol in self.ids[row][first:last]:
            vector = self.step(vector, symbol)
        return vector

    def nats(self, vector, target):
        logits = vector[10:15] @ self.projection @ self.embedding.T + self.bias
        return np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[target]


@pytest.fixture(scope="module")
def slow(poet):
    return Slow(poet)


def derivative(function, vector):
    """Central differences: (..., 20), the last axis being that of the vector."""
    sides = [
        (np.asarray(function(vector + e)) - function(vector - e)) / 2e-6
        for e in 1e-6 * np.eye(len(vector))
    ]
    return np.stack(sides, axis=-1)


# --- the figures ---------------------------------------------------------------------------------


def test_the_file_holds_the_results_and_every_number_is_finite(made):
    results = made.figures
    assert json.loads((made.folder / "diagnosis.json").read_text(encoding="utf-8")) == results
    assert len(numbers(results)) > 1000
    assert all(map(math.isfinite, numbers(results)))
    assert results["kind"] == "diagnosis"
    assert list(results["seconds"]) == [question.name for question in QUESTIONS]


def test_the_losses_are_the_model_s_own(made, slow):
    texts = made.figures["texts"]
    assert len(texts["nats"]) == TINY.streams
    for row, (symbols, nats) in enumerate(zip(texts["symbols"], texts["nats"], strict=True)):
        assert "".join(symbols) == HELD_OUT[row][: TINY.steps]
        for t in (0, 7, TINY.steps - 1):
            expected = slow.nats(slow.run(row, 0, t + 1), slow.ids[row][t + 1])
            assert nats[t] == pytest.approx(expected, rel=1e-4)
    assert texts["perplexity"] == pytest.approx(np.exp(np.mean(texts["nats"])), rel=1e-4)


def test_the_influence_is_the_gradient_with_respect_to_past_states(made, slow):
    found = made.figures["adjoints"]
    ends = prediction_ends(TINY, TINY.streams)
    assert found["predictions"] == ends.size == 6
    ln_norms = np.zeros((TINY.lags + 1, 2, 2, 5))
    whole = np.zeros(TINY.lags + 1)
    for row, of_row in enumerate(ends):
        for end in of_row:
            for lag in range(TINY.lags + 1):
                gradient = derivative(
                    lambda v, row=row, end=end, lag=lag: slow.nats(
                        slow.run(row, end - lag, end, v), slow.ids[row][end]
                    ),
                    slow.run(row, 0, end - lag),
                )
                whole[lag] += np.log(np.linalg.norm(gradient)) / ends.size
                with np.errstate(divide="ignore"):
                    norms = np.linalg.norm(gradient.reshape(2, 2, 5), axis=-1)
                    ln_norms[lag] += np.log(norms)[..., None] / ends.size
    np.testing.assert_allclose(found["relative"], np.exp(whole - whole[0]), rtol=1e-3)
    assert found["ln_norm_at_lag_0"] == pytest.approx(whole[0], abs=1e-3)
    for layer, states in zip(found["layers"], np.moveaxis(ln_norms, 1, 0), strict=True):
        for index, name in enumerate("hc"):
            expected = np.exp(states[:, index, 0])
            np.testing.assert_allclose(layer[name], expected, rtol=2e-3, atol=1e-7)
    cut = np.array(found["relative"]) >= math.exp(-1)
    assert found["influence_lag"]["1/e"] == np.flatnonzero(cut)[-1] + 1


def dense(slow, row):
    """Every step's Jacobian of a text, by differences: (T, 20, 20)."""
    states = [slow.run(row, 0, t) for t in range(TINY.steps)]
    ids = slow.ids[row]
    return [derivative(lambda v, t=t: slow.step(v, ids[t]), s) for t, s in enumerate(states)]


def test_the_products_are_those_of_the_dense_jacobians(made, slow):
    found = made.figures["jacobians"]
    matrices = dense(slow, 0)
    assert found["lags"] == [1, 2, 4]
    for lag, logs in zip(found["lags"], found["ln_singular_values"], strict=True):
        product = np.linalg.multi_dot([np.eye(20), *matrices[::-1][:lag]])
        values = np.linalg.svd(product, compute_uv=False)
        np.testing.assert_allclose(logs, np.log(values[: len(logs)]), atol=2e-3)
    norms = np.linalg.svd(matrices[-TINY.lags :], compute_uv=False)[:, 0]
    np.testing.assert_allclose(found["ln_spectral"], np.log(norms), atol=1e-4)
    assert found["ln_bound"][-1] == pytest.approx(np.log(norms).sum(), abs=1e-3)
    assert found["ln_bound"][-1] >= found["ln_singular_values"][-1][0]


def test_the_exponents_of_a_text_add_up_to_its_mean_determinant(made, slow):
    found = made.figures["lyapunov"]
    logs = [np.linalg.slogdet(matrix)[1] for matrix in dense(slow, 1)[TINY.burn_in :]]
    assert sum(found["exponents"][1]) == pytest.approx(np.mean(logs), rel=1e-3)
    np.testing.assert_allclose(found["mean"], np.mean(found["exponents"], axis=0), rtol=1e-4)
    np.testing.assert_allclose(found["spread"], np.std(found["exponents"], axis=0), atol=1e-4)
    assert found["times"][-1] == TINY.steps - TINY.burn_in
    assert found["e_folding"] == pytest.approx(1 / abs(found["mean"][0]), rel=1e-4)


def test_all_roads_together_are_the_gradient(made):
    results = made.figures
    total = np.array(results["roads"]["ln_total"])
    relative = results["adjoints"]["relative"]
    np.testing.assert_allclose(np.exp(total - total[0]), relative, rtol=1e-3)
    cell, hidden = (results["roads"][f"ln_through_{road}"] for road in ("cell", "hidden"))
    assert cell[0] == pytest.approx(total[0])
    assert hidden[-1] < total[-1]


def test_the_gates_are_those_that_the_model_uses(made, slow):
    layer = made.figures["gates"]["layers"][0]
    gates = []
    for row in range(TINY.streams):
        for t in range(TINY.steps):
            h, x = slow.run(row, 0, t)[:5], slow.embedding[slow.ids[row][t]]
            gates.append(oracle.lstm_gates(slow.layers[0], h, x))
    i, f, g, o = np.moveaxis(np.array(gates), 1, 0)
    np.testing.assert_allclose(layer["timescales"], -1 / np.log(f).mean(0), rtol=1e-4)
    for name, gate in {"i": i, "f": f, "g": g, "o": o}.items():
        assert layer["mean"][name] == pytest.approx(gate.mean(), rel=1e-3, abs=1e-5)
        shares, edges = (layer["histograms"][name][key] for key in ("share", "edges"))
        np.testing.assert_allclose(shares, np.histogram(gate, edges)[0] / gate.size, atol=0.006)
        assert edges[0] == (-1 if name == "g" else 0)
    np.testing.assert_allclose(layer["saturation"]["o"]["left"], (o < 0.1).mean(0), atol=1e-4)
    assert layer["median_timescale"] == pytest.approx(np.median(layer["timescales"]), rel=1e-4)


def test_a_context_is_what_is_read_before_a_prediction(made, slow):
    found = made.figures["context"]
    assert found["contexts"] == [1, 2, 3, 4]
    times = range(TINY.lags - 1, 2 * TINY.lags)
    assert found["predictions"] == TINY.streams * len(times)
    where = [(row, t) for row in range(TINY.streams) for t in times]
    for length, nats in zip(found["contexts"], found["nats"], strict=True):
        losses = [
            slow.nats(slow.run(row, t - length + 1, t + 1), slow.ids[row][t + 1])
            for row, t in where
        ]
        assert nats == pytest.approx(np.mean(losses), rel=1e-4)
    read = np.mean([made.figures["texts"]["nats"][row][t] for row, t in where])
    assert found["whole"] == pytest.approx(read, rel=1e-4)
    np.testing.assert_allclose(found["gap"], np.array(found["nats"]) - read, atol=1e-4)


def test_predictions_are_spread_over_the_places_of_a_verse():
    ends = prediction_ends(Settings(), 12)
    assert ends.shape == (12, 4)
    assert ends.min() >= 64
    assert ends.max() <= 120
    assert len(set(ends.ravel() % 12)) == 12


# --- the file ------------------------------------------------------------------------------------


BEFORE = json.loads((Path(__file__).parent / "quick_tang.json").read_text(encoding="utf-8"))
"""diagnosis.json of a quick look at the Tang poet, once written; of each list, the first three."""


def shape(tree):
    """The keys of dictionaries and the kinds of values; of a list, those of its first entry."""
    if isinstance(tree, dict):
        return {key: shape(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [shape(tree[0])] if tree else []
    return "figure" if tree is None or isinstance(tree, int | float) else type(tree).__name__


def test_the_file_keeps_its_keys(made):
    assert shape(made.figures) == shape(BEFORE)
    assert list(made.figures) == list(BEFORE)


def assert_agree(found, expected, path=""):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), path
        for key in expected:
            assert_agree(found[key], expected[key], f"{path}/{key}")
    elif isinstance(expected, list):
        for index, (one, other) in enumerate(zip(found, expected, strict=False)):
            assert_agree(one, other, f"{path}/{index}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=2e-3, abs=2e-5), path
    else:
        assert found == expected, path


@pytest.mark.slow
def test_the_figures_of_the_poet_stay_what_they_were():
    found = diagnose(
        load("tang"),
        HELD_OUT,
        QUICK,
        name="tang",
        source=BEFORE["texts"]["source"],
        notes=BEFORE["texts"]["notes"][-1:],
    ).figures()
    parts = [key for key in BEFORE if key not in ("seconds", "texts")]
    assert_agree({key: found[key] for key in parts}, {key: BEFORE[key] for key in parts})
    assert_agree(found["texts"]["nats"], BEFORE["texts"]["nats"])


def test_what_does_not_exist_is_none_in_the_file():
    assert plain({"a": [np.nan, -np.inf, 1 / 3], "b": Line(2.0, 1.0), 3: (np.arange(2),)}) == {
        "a": [None, None, 0.333333],
        "b": {"slope": 2.0, "r2": 1.0},
        "3": [[0, 1]],
    }
    with pytest.raises(TypeError, match="a set cannot be stored in a JSON file"):
        plain({1, 2})


# --- in words ------------------------------------------------------------------------------------


def answer_to(made, question):
    """The answer to a question, of the type that the question gives."""
    return made.diagnosis.answers.to(question.QUESTION)


def words(question, answer):
    """What is said of an answer: in the sentence and in the table."""
    lines = question.QUESTION.summarize(answer)
    said = " ".join([question.QUESTION.say(answer), *(line for _, line in lines)])
    assert not re.search(r"\bnan\b|None|inf\b", said)
    return said


@pytest.mark.parametrize("law", ["power", "exponential", "none"])
def test_there_are_words_for_every_law_of_decay(made, law):
    found = answer_to(made, adjoints)
    laws = {
        "power": (Line(-2.0, 0.99), Line(-0.5, 0.8)),
        "exponential": (Line(-2.0, 0.8), Line(-0.5, 0.99)),
        "none": (None, None),
    }
    said = {
        "power": "decays like a power law, roughly lag^−2",
        "exponential": "decays exponentially, at −0.5 nats per step",
        "none": "unknown",
    }
    power, exponential = laws[law]
    found = replace(found, power_law=power, exponential=exponential)
    assert said[law] in words(adjoints, found)
    kept = plain(adjoints.QUESTION.figures(found))["power_law"]
    assert kept == (plain(power) or {"slope": None, "r2": None})


def test_there_are_words_for_an_influence_that_lasts(made):
    found = replace(answer_to(made, adjoints), influence_lag={"1/e": None, "1 %": 3})
    assert "not within 4 steps, and below 1% from lag 3 on" in words(adjoints, found)


def test_there_are_words_for_a_bound_beyond_floats(made):
    found = answer_to(made, jacobians)
    found = replace(found, bound=np.array([*found.bound[:-1], 124.5]))
    assert "give the bound 10^54" in words(jacobians, found)


@pytest.mark.parametrize(
    ("mean", "said"),
    [
        ([0.3, 0.1, -0.1], "chaotic on these texts, with growth in 2 directions"),
        ([-0.3, -0.31, -0.9], "contracting. Two runs over the same text converge"),
        ([-0.005, -0.5, -0.9], "indistinguishable from 0"),
        ([0.0, -0.5, -0.9], "indistinguishable from 0"),
    ],
)
def test_there_are_words_for_every_sign_of_the_exponent(made, mean, said):
    fold = 1 / abs(mean[0]) if mean[0] else None
    found = replace(
        answer_to(made, lyapunov), mean=np.array(mean), spread=np.full(3, 0.01), e_folding=fold
    )
    assert said in words(lyapunov, found)


def test_there_are_words_for_a_road_on_which_nothing_arrives(made):
    found = answer_to(made, roads)
    nothing = np.array([*found.ln_through_hidden[:-1], -np.inf])
    unknown = np.full_like(found.cosine_of_cell, np.nan)
    found = replace(
        found, ln_through_hidden=nothing, hidden_rate=None, cosine_of_cell=unknown,
        share_of_cell=unknown,
    )  # fmt: skip
    said = words(roads, found)
    assert "less than float32 can represent" in said
    assert "an unknown share" in said
    assert "cosine" not in said


def test_there_are_words_for_a_cell_that_never_forgets(made):
    first, *others = answer_to(made, gates).layers
    found = gates.Gates((first._replace(slowest_tenth=np.array(np.inf)), *others))
    assert "the slowest tenth takes ∞ or more" in words(gates, found)


@pytest.mark.parametrize(
    ("length", "said"),
    [(None, "more than 4 characters"), (8, "8 characters: its loss is then within")],
)
def test_there_are_words_for_every_memory(made, length, said):
    found = replace(answer_to(made, context), memory_length=length)
    assert said in words(context, found)
    assert context.draw(found, made.diagnosis.answers).axes


def test_one_text_has_no_standard_error(made):
    found = replace(answer_to(made, context), gap_error=None)
    kept = plain(context.QUESTION.figures(found))
    assert kept["gap_error"] == [None] * len(found.contexts)
    context.draw(found, made.diagnosis.answers).canvas.draw()
