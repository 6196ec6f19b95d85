"""`lstm-jax diagnose`: its figures agree with what is asked directly, and nothing gets lost."""

import base64
import copy
import io
import json
import math
import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from oracles import cells as oracle
from rich.console import Console

from lstm_jax import report as diagnosis
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.storage import ModelError
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.report import findings, reading
from lstm_jax.report import page as report
from lstm_jax.report.page import DiagnoseOptions
from lstm_jax.report.poems import HELD_OUT
from lstm_jax.report.questions import QUESTIONS, prediction_ends
from lstm_jax.report.reading import QUICK, ReportError, Settings
from lstm_jax.text.language import LanguageModel, load
from lstm_jax.text.lines import TextFileError

pytest.importorskip("matplotlib")
from lstm_jax import plots
from lstm_jax.report import pictures

QUIET = Console(file=io.StringIO())
# Small in place of QUICK: programs of few lags compile faster. All 20 exponents of the state.
TINY = Settings(steps=24, streams=3, lags=4, ends=2, exponents=20, burn_in=4, singular_values=3)
PNG = b"\x89PNG\r\n\x1a\n"

pytestmark = pytest.mark.usefixtures("compile_fast")


def make_model(folder, characters, data):
    vocabulary = Vocabulary(tuple(characters))
    network = CharLM(len(vocabulary), CharLMConfig(4, 5, 2), rngs=nnx.Rngs(0))
    # Sharper than at its start, so that gates move and losses differ.
    network.embedding[...] = 6 * network.embedding[...]
    LanguageModel(network, vocabulary, {"data": data}).save(folder)
    return folder


@pytest.fixture(scope="module")
def poet(tmp_path_factory):
    """The folder of a model whose card says that it learned Tang poems."""
    characters = dict.fromkeys("".join(HELD_OUT))
    return make_model(tmp_path_factory.mktemp("models") / "poet", characters, "tang")


@pytest.fixture(scope="module")
def prose(tmp_path_factory):
    """The folder of a model of letters."""
    return make_model(tmp_path_factory.mktemp("models") / "prose", "abcdefgh", "verses")


def only_pixels(figure, kind, saved=pictures._saved):
    """Half of the time to write a report goes into SVG; one test is enough for that."""
    return saved(figure, kind) if kind == "png" else b"<svg/>"


@pytest.fixture(scope="module")
def made(poet, tmp_path_factory):
    """A report: its folder and its results."""
    folder = tmp_path_factory.mktemp("reports") / "deep" / "poet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "QUICK", TINY)
        patch.setattr(pictures, "DPI", 50)
        patch.setattr(pictures, "_saved", only_pixels)
        return folder, report.run(DiagnoseOptions(str(poet), out=folder, quick=True), QUIET)


@pytest.fixture
def undrawn(monkeypatch):
    """Reports with pictures of nothing, which take no time."""
    images = {f"{name}.png": PNG for name in report.PICTURES}
    monkeypatch.setattr(pictures, "files", lambda results: dict(images))


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
        self.layers = [oracle.as_params(layer.params) for layer in network.lstm.layers]
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
    folder, results = made
    assert json.loads((folder / "diagnosis.json").read_text(encoding="utf-8")) == results
    assert len(numbers(results)) > 1000
    assert all(map(math.isfinite, numbers(results)))
    assert results["kind"] == "diagnosis"
    assert list(results["seconds"]) == list(QUESTIONS)


def test_the_losses_are_the_model_s_own(made, slow):
    texts = made[1]["texts"]
    assert len(texts["nats"]) == TINY.streams
    for row, (symbols, nats) in enumerate(zip(texts["symbols"], texts["nats"], strict=True)):
        assert "".join(symbols) == HELD_OUT[row][: TINY.steps]
        for t in (0, 7, TINY.steps - 1):
            expected = slow.nats(slow.run(row, 0, t + 1), slow.ids[row][t + 1])
            assert nats[t] == pytest.approx(expected, rel=1e-4)
    assert texts["perplexity"] == pytest.approx(np.exp(np.mean(texts["nats"])), rel=1e-4)


def test_the_influence_is_the_gradient_with_respect_to_past_states(made, slow):
    found = made[1]["adjoints"]
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
    found = made[1]["jacobians"]
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
    found = made[1]["lyapunov"]
    logs = [np.linalg.slogdet(matrix)[1] for matrix in dense(slow, 1)[TINY.burn_in :]]
    assert sum(found["exponents"][1]) == pytest.approx(np.mean(logs), rel=1e-3)
    np.testing.assert_allclose(found["mean"], np.mean(found["exponents"], axis=0), rtol=1e-4)
    np.testing.assert_allclose(found["spread"], np.std(found["exponents"], axis=0), atol=1e-4)
    assert found["times"][-1] == TINY.steps - TINY.burn_in
    assert found["e_folding"] == pytest.approx(1 / abs(found["mean"][0]), rel=1e-4)


def test_all_roads_together_are_the_gradient(made):
    results = made[1]
    total = np.array(results["roads"]["ln_total"])
    relative = results["adjoints"]["relative"]
    np.testing.assert_allclose(np.exp(total - total[0]), relative, rtol=1e-3)
    cell, hidden = (results["roads"][f"ln_through_{road}"] for road in ("cell", "hidden"))
    assert cell[0] == pytest.approx(total[0])
    assert hidden[-1] < total[-1]


def test_the_gates_are_those_that_the_model_uses(made, slow):
    layer = made[1]["gates"]["layers"][0]
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
    found = made[1]["context"]
    assert found["contexts"] == [1, 2, 3, 4]
    times = range(TINY.lags - 1, 2 * TINY.lags)
    assert found["predictions"] == TINY.streams * len(times)
    where = [(row, t) for row in range(TINY.streams) for t in times]
    for context, nats in zip(found["contexts"], found["nats"], strict=True):
        losses = [
            slow.nats(slow.run(row, t - context + 1, t + 1), slow.ids[row][t + 1])
            for row, t in where
        ]
        assert nats == pytest.approx(np.mean(losses), rel=1e-4)
    read = np.mean([made[1]["texts"]["nats"][row][t] for row, t in where])
    assert found["whole"] == pytest.approx(read, rel=1e-4)
    np.testing.assert_allclose(found["gap"], np.array(found["nats"]) - read, atol=1e-4)


def test_predictions_are_spread_over_the_places_of_a_verse():
    ends = prediction_ends(Settings(), 12)
    assert ends.shape == (12, 4)
    assert ends.min() >= 64
    assert ends.max() <= 120
    assert len(set(ends.ravel() % 12)) == 12


# --- what is read --------------------------------------------------------------------------------

LETTERS = Vocabulary(tuple("abcdefgh"))
SHORT = Settings(steps=6, lags=3, burn_in=2)


def symbols(*texts, settings=SHORT):
    streams = reading.make_streams(LETTERS, texts, settings)
    return ["".join(s or "|" for s in row) for row in streams.symbols], streams


def test_long_texts_are_cut_and_short_ones_joined():
    rows, streams = symbols("abcdefgh", "abc", "de", "ab")
    assert rows == ["abcdef", "abc|de"]
    assert "1 texts were joined" in " ".join(streams.notes)
    np.testing.assert_array_equal(streams.targets[1], [2, 3, 4, 0, 5, 6])
    np.testing.assert_array_equal(streams.inputs[1], [0, 2, 3, 4, 0, 5])
    assert symbols("abcde")[0] == ["abcde|"]
    assert symbols(*["abcdef"] * 20)[0] == ["abcdef"] * 12


def test_an_unknown_character_is_read_as_such_and_said():
    rows, streams = symbols("abc?efgh")
    assert rows == ["abc?ef"]
    assert streams.targets[0, 3] == LETTERS.unknown_id
    assert any("unknown" in note for note in streams.notes)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["ab", "c"], "the texts hold 5 symbols with their ends, and 6 are needed"),
        ([], "hold 0 symbols"),
        (["ab???fgh"], "does not know 3 of the 8 characters"),
    ],
)
def test_texts_that_cannot_be_read_are_refused(texts, said):
    with pytest.raises(ReportError, match=re.escape(said)) as error:
        symbols(*texts)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": 3}, "steps must be at least 4, got 3"),
        ({"lags": 6}, "lags must be less than steps=6, got 6"),
        ({"burn_in": 6}, "burn_in must be less than steps=6"),
        ({"streams": 0}, "streams must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change, said):
    with pytest.raises(ReportError, match=said):
        reading.check(replace(SHORT, **change))


# --- the page and the pictures -------------------------------------------------------------------


def test_the_page_holds_everything_that_it_shows(made):
    folder, results = made
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|@import|url\(|<script|<link|<iframe|\{\{", page)
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(images) == len(report.PICTURES) == page.count("src=")
    for image, name in zip(images, report.PICTURES, strict=True):
        assert base64.b64decode(image) == (folder / f"{name}.png").read_bytes()
    assert re.findall(r'href="([^"]*)"', page) == ["gates.html"]
    assert '<ul class="texts" lang="zh-Hant">' in page
    for label, said in findings.summary(results):
        assert f"<th scope=row>{label}</th><td>{report._html(said)}</td>" in page
    for answer in findings.answers(results).values():
        assert report._html(answer) in page


def test_the_folder_holds_the_pictures_and_the_gates(made):
    folder, _ = made
    held = {path.name for path in folder.iterdir()}
    assert {"report.html", "gates.html", "diagnosis.json"} <= held <= report.OWN
    assert {f"{name}.png" for name in pictures.PICTURES} <= held
    assert tuple(pictures.PICTURES) == report.PICTURES
    assert all((folder / name).stat().st_size < 300_000 for name in held if name.endswith("svg"))
    assert not list(folder.parent.glob(".*"))
    page = (folder / "gates.html").read_text(encoding="utf-8")
    assert HELD_OUT[0][: TINY.steps - 1] in page
    assert "The gates of poet" in page


def test_the_pictures_show_every_layer(made):
    _, results = made
    figure = pictures.gates(results["gates"], results)
    for axes in figure.axes:
        labels = [text.get_text() for text in axes.get_legend().get_texts()]
        assert [label[:7] for label in labels] == ["layer 1", "layer 2"]
    assert len(pictures.units(results["adjoints"], results).axes) == 4  # with their colour bars


def test_hostile_names_and_texts_stay_texts(made):
    results = copy.deepcopy(made[1])
    results["model"]["name"] = "<script>"
    results["texts"]["symbols"][0][:3] = ["<", "", "{{title}}"]
    results["texts"]["source"] = "<b>"
    images = dict.fromkeys((f"{name}.png" for name in report.PICTURES), b"")
    page = report._page(results, images)
    assert "<script" not in page
    assert "<b>" not in page
    assert ">&lt;</span>" in page
    assert ">end</span>" in page
    assert ">{{title}}</span>" in page


@pytest.mark.parametrize("question", ["missing", "chaotic", "exponential", "long"])
def test_there_are_words_for_every_outcome(made, question):
    results = copy.deepcopy(made[1])
    adjoints, lyapunov, roads = (results[name] for name in ("adjoints", "lyapunov", "roads"))
    if question == "missing":
        adjoints["power_law"] = adjoints["exponential"] = {"slope": None, "r2": None}
        adjoints["influence_lag"] = {"1/e": None, "1 %": None}
        roads["ln_through_hidden"][-1] = roads["hidden_rate"] = None
        results["gates"]["layers"][0]["slowest_tenth"] = None
        results["context"]["memory_length"] = None
        said = "less than float32 can hold"
    elif question == "chaotic":
        lyapunov.update(mean=[0.3, 0.1, -0.1], spread=[0.01] * 3, e_folding=3.3)
        said = "chaotic on these texts, 2 directions"
    elif question == "exponential":
        adjoints["power_law"], adjoints["exponential"] = (
            {"slope": -2.0, "r2": 0.8},
            {"slope": -0.5, "r2": 0.99},
        )
        said = "falls as an exponential would, by −0.5 nats a step"
    else:
        results["jacobians"]["ln_bound"][-1] = 124.5
        results["context"]["memory_length"] = 8
        said = "no more than 10^54"
    words = " ".join(findings.answers(results).values())
    assert said in words
    assert not re.search(r"\bnan\b|None|inf\b", words)
    assert len(findings.summary(results)) == 8
    assert pictures.context(results["context"], results).axes


def test_one_text_has_no_standard_error(made):
    results = copy.deepcopy(made[1])
    results["context"]["gap_error"] = [None] * len(results["context"]["contexts"])
    figure = pictures.context(results["context"], results)
    figure.canvas.draw()


def test_texts_come_from_a_file(prose, tmp_path, monkeypatch):
    path = tmp_path / "texts.txt"
    path.write_text("\ufeffabcdefgh\n\n  gfedcbaabc  \n", encoding="utf-8")
    written = []
    monkeypatch.setattr(diagnosis, "QUESTIONS", {})
    monkeypatch.setattr(report, "write_report", lambda *given, **options: written.append(given))
    console = Console(file=io.StringIO(), width=80)
    options = DiagnoseOptions(str(prose), file=path, out=tmp_path / "out", steps=12)
    results = report.run(options, console)
    assert results["texts"]["source"] == "The lines of texts.txt."
    [row] = results["texts"]["symbols"]
    assert "".join(symbol or "|" for symbol in row) == "abcdefgh|gfe"
    assert written[0][0] is results
    assert written[0][2] == tmp_path / "out"
    assert "s  reading the texts" in console.file.getvalue()


def test_simplified_characters_are_read_as_traditional(poet, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("远游\n", encoding="utf-8")
    texts, _ = report._texts(DiagnoseOptions(str(poet), file=path), load(poet))
    assert texts == ("遠遊",)


# --- nothing gets lost ---------------------------------------------------------------------------


@pytest.fixture
def written(made, tmp_path):
    """A report of one's own to spoil."""
    folder = tmp_path / "report"
    folder.mkdir()
    for path in made[0].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def refuse(folder, overwrite, said):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ReportError, match=said) as error:
        report.check_folder(folder, overwrite=overwrite)
    assert "\n" not in str(error.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_report_is_replaced_only_when_asked(written, made, poet, tmp_path, undrawn):
    refuse(written, False, "holds a report: --overwrite replaces it")
    results = {**made[1], "seconds": {}}
    with pytest.raises(ReportError, match="holds a report"):
        report.write_report(results, load(poet), written)
    report.write_report(results, load(poet), written, overwrite=True)
    assert json.loads((written / "diagnosis.json").read_text(encoding="utf-8")) == results
    assert (written / "roads.png").read_bytes() == PNG
    assert not (written / "roads.svg").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_the_same_figures_give_the_same_pictures(made):
    results = made[1]
    with plots.default_style():
        one, two = (
            [
                pictures._saved(pictures.roads(results["roads"], results), kind)
                for kind in ("png", "svg")
            ]
            for _ in range(2)
        )
    assert one == two


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_never_touched(tmp_path, overwrite):
    (tmp_path / "thesis.txt").write_text("mine")
    refuse(tmp_path, overwrite, "is not empty and holds no report")
    (tmp_path / "diagnosis.json").write_text('{"of": "another kind"}')
    refuse(tmp_path, overwrite, "is not empty and holds no report")
    with pytest.raises(ReportError, match="is a file"):
        report.check_folder(tmp_path / "thesis.txt", overwrite=overwrite)


def test_notes_beside_a_report_are_not_lost(written):
    (written / "notes.txt").write_text("mine")
    refuse(written, True, r"no part of a report \(notes.txt\)")


def test_an_empty_folder_will_do(tmp_path, made, poet, undrawn):
    (tmp_path / "out").mkdir()
    report.write_report(made[1], load(poet), tmp_path / "out")
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_write_that_fails_leaves_the_old_report(
    written, made, poet, tmp_path, monkeypatch, undrawn
):
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    rename = Path.rename

    def failing(self, target):
        if self.name.endswith(".partial"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(ReportError, match="No space left"):
        report.write_report(made[1], load(poet), written, overwrite=True)
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"\xff\xfe\x00", "cannot be read"), (b" \n\n", "holds no text")],
)
def test_a_file_that_cannot_be_read_is_refused(content, said, prose, tmp_path):
    path = tmp_path / "texts.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TextFileError, match=said):
        report.run(DiagnoseOptions(str(prose), file=path, out=tmp_path / "out"), QUIET)
    assert not (tmp_path / "out").exists()


def test_a_model_of_something_else_needs_texts(prose, tmp_path):
    with pytest.raises(ReportError, match="give some with --file"):
        report.run(DiagnoseOptions(str(prose), out=tmp_path / "out"), QUIET)
    with pytest.raises(ModelError, match="no model 'opera'"):
        report.run(DiagnoseOptions("opera", out=tmp_path / "out"), QUIET)


def test_without_matplotlib_the_error_says_what_to_install(poet, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    rooms = [name for name in sys.modules if name.startswith("lstm_jax.plots.")]
    for name in ("lstm_jax.plots.gif", *rooms, "lstm_jax.plots", "lstm_jax.report.pictures"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in ("gif", "plots", "diagnosis.pictures"):
        monkeypatch.delattr(f"lstm_jax.{name}", raising=False)
    with pytest.raises(ReportError, match=r'pip install "lstm_jax\[viz\]"') as error:
        report.run(DiagnoseOptions(str(poet), out=tmp_path / "out"), QUIET)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_options_name_the_folder_and_the_settings():
    assert DiagnoseOptions().folder == Path("diagnosis/tang")
    assert DiagnoseOptions("runs/wide/").folder == Path("diagnosis/wide")
    assert DiagnoseOptions(out=Path("x")).folder == Path("x")
    assert DiagnoseOptions().settings == Settings()
    assert DiagnoseOptions(quick=True, seed=3).settings == replace(QUICK, seed=3)
    long = DiagnoseOptions(steps=1200).settings
    assert (long.steps, long.lags, long.burn_in) == (1200, 128, 200)
    assert DiagnoseOptions(steps=120).settings == Settings()


def test_the_template_is_package_data():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    data = project["tool"]["setuptools"]["package-data"]
    assert "report.html" in data["lstm_jax.report"]


@pytest.mark.corpus
def test_the_poems_are_held_out():
    from lstm_jax.train.data import tang

    corpus = tang.load()
    assert set(HELD_OUT) <= set(corpus.test)
