"""Pictures of the diagnostics: what is drawn is what was given, and the axes say what it is."""

import ast
import io
import itertools
from pathlib import Path

import numpy as np
import pytest

import lstm_jax
from lstm_jax import diagnostics as dg

pytest.importorskip("matplotlib")
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure

from lstm_jax import plots, report
from lstm_jax.diagnostics import Roads
from lstm_jax.plots.drawing import COLORS, INK

RNG = np.random.default_rng(0)
LAGS = 12
DECAY = np.exp(-0.2 * np.arange(LAGS + 1))
DAYS = np.datetime64("2015-01-01") + np.arange(LAGS + 1) * np.timedelta64(1, "D")
STACK = lstm_jax.StackState(
    [lstm_jax.LSTMState(DECAY, np.r_[0, DECAY[:-1]]), lstm_jax.LSTMState(DECAY / 2, DECAY / 3)]
)
STEPS = dg.StepNorms(np.log(RNG.uniform(1, 3, LAGS)), np.log(RNG.uniform(3, 9, LAGS)))
SPECTRUM = dg.ProductSpectrum(
    np.array([1, 4, 12]),
    np.array([[1.0, 0.5], [0.3, -2.0], [-800.0, -900.0]]),  # e^-900 is no float
    np.zeros(3),
    np.full(3, np.nan),
)
EXPONENTS = np.sort(RNG.normal(size=(3, 4)))[:, ::-1]
CURVES = RNG.normal(size=(3, 7, 4))
LYAPUNOV = dg.LyapunovSpectrum(EXPONENTS, CURVES, np.arange(1, 8) * np.ones((3, 1)))
POINTS = dg.FixedPoints(
    None, np.array([1e-9, 1e-8, 0.3]), np.array([[0.5, -0.2j], [1.5, 0.1], [0.2, 0.1]])
)
HISTOGRAMS = {n: dg.histogram(RNG.uniform(size=50), bins=10) for n in ("layer 1", "layer 2")}
SATURATIONS = {"layer 1": dg.Saturation(RNG.uniform(size=9) / 2, RNG.uniform(size=9) / 2)}

DRAWN = {
    "influence": (plots.influence, (DECAY,), {"band": (DECAY / 2, DECAY * 2)}),
    "adjoint_norms": (plots.adjoint_norms, (STACK,), {}),
    "unit_adjoints": (
        plots.unit_adjoints,
        (np.outer(DECAY, [1, 2, 0.0]),),
        {"timescales": [1, 2, 3]},
    ),
    "roads": (plots.roads, (dg.Roads(DECAY, DECAY**2, np.where(DECAY < 0.2, 0, DECAY)),), {}),
    "gradient_decay": (
        plots.gradient_decay,
        ({"rnn": ([1, 2], [-1.0, -2.0], None), "lstm": ([1, 2], [0.0, 0.1], [3.0, 700.0])},),
        {},
    ),
    "step_norms": (plots.step_norms, (STEPS,), {"first": 5}),
    "product_spectrum": (plots.product_spectrum, (SPECTRUM,), {}),
    "product_bound": (plots.product_bound, (SPECTRUM, dg.log_bound(STEPS.log_spectral)), {}),
    "lyapunov_exponents": (plots.lyapunov_exponents, (EXPONENTS,), {}),
    "lyapunov_convergence": (plots.lyapunov_convergence, (LYAPUNOV,), {}),
    "exponents_over_training": (plots.exponents_over_training, ([0, 50, 100], EXPONENTS), {}),
    "fixed_points": (plots.fixed_points, (POINTS,), {}),
    "gate_histograms": (plots.gate_histograms, (HISTOGRAMS,), {"title": "Forget gate"}),
    "saturation": (plots.saturation, (SATURATIONS,), {}),
    "timescales": (
        plots.timescales,
        ({"layer 1": [0.5, 1.0, 8.0, np.inf], "layer 2": [2.0, 3.0]},),
        {},
    ),
    "context_loss": (
        plots.context_loss,
        ([1, 2, 8], [3.0, 2.0, 1.9]),
        {"whole": 1.89, "memory": 8, "marks": {"1/e": 2, "1 %": None}},
    ),
    "context_gap": (
        plots.context_gap,
        ([1, 2, 8], [1.0, 0.1, -0.01]),
        {"errors": [0.1, 0.2, 0.3], "tolerance": 0.01},
    ),
    "word_by_word": (plots.word_by_word, (["not", "bad", "."], [0.2, 0.6, 0.7]), {}),
    "frame_by_frame": (
        plots.frame_by_frame,
        (RNG.normal(size=(6, 5)), RNG.dirichlet(np.ones(4), 6)),
        {"classes": "0123", "seconds": 0.02},
    ),
    "forecast_line": (
        plots.forecast_line,
        (DAYS, DECAY, {"model": DECAY + 0.1, "rolled": DECAY[:5]}),
        {"band": (DECAY - 1, DECAY + 1), "y": "°C"},
    ),
    "gains": (plots.gains, (np.arange(LAGS + 1), {"model": DECAY, "linear": -DECAY}), {"y": "$"}),
    "confusion": (plots.confusion, ([[3, 1, 0], [0, 4, 0], [1, 0, 2]],), {"classes": "abc"}),
}


def draw(name, **options):
    function, arguments, given = DRAWN[name]
    return function(*arguments, **given, **options)


def lines(figure, number=0):
    """Label -> (x, y) of the lines of a panel."""
    found = figure.axes[number].get_lines()
    return {line.get_label(): line.get_xydata().T for line in found}


def legend(figure, number=0):
    return [text.get_text() for text in figure.axes[number].get_legend().get_texts()]


# --- every picture -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_a_figure_whose_axes_say_what_they_are(name):
    figure = draw(name)
    assert isinstance(figure, Figure)
    shown, _ = DisplayFormatter().format(figure)  # as a notebook does; warnings are errors here
    assert shown["image/png"].startswith(b"\x89PNG")
    axes = figure.axes[0]
    assert axes.get_xlabel()
    assert axes.get_ylabel()
    assert axes.get_title(loc="left")


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_goes_where_it_is_told(name):
    figure = plots.new_figure(2)
    left, right = figure.axes
    assert draw(name, axes=right) is figure
    assert right.has_data()
    assert not left.has_data()


def test_the_pictures_leave_no_global_state():
    rooms = sorted(Path(plots.__file__).parent.glob("*.py"))
    assert len(rooms) > 4
    for path in (*rooms, *Path(report.__file__).parent.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [n.name for node in ast.walk(tree) for n in getattr(node, "names", [])]
        names += [getattr(node, "module", "") or "" for node in ast.walk(tree)]
        assert "pyplot" not in str(names)


# --- gradients -----------------------------------------------------------------------------------


def test_influence_is_relative_to_lag_0_and_marks_what_influence_lag_says():
    figure = draw("influence")
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    lag = int(dg.influence_lag(DECAY, np.exp(-1)))
    found = lines(figure)
    x, y = found["whole state s = (h, c)"]
    np.testing.assert_array_equal(x, np.arange(1, LAGS + 1))
    np.testing.assert_allclose(y, DECAY[1:] / DECAY[0])
    np.testing.assert_allclose(found[f"below 1/e from lag {lag} on"], [[lag], [DECAY[lag]]])
    assert found["1% not reached"].size == 0
    doubled = lines(plots.influence(2 * DECAY))
    np.testing.assert_allclose(doubled["whole state s = (h, c)"][1], y)


def test_adjoints_have_a_line_for_each_state_of_each_layer():
    found = lines(draw("adjoint_norms"))
    assert list(found) == [f"layer {k}, {name}" for k in (1, 2) for name in "hc"]
    np.testing.assert_allclose(found["layer 2, c"][1], DECAY[1:] / 3)
    assert list(lines(plots.adjoint_norms(STACK[0]))) == ["h", "c"]


def test_a_norm_of_zero_is_a_gap_and_not_a_number():
    y = lines(draw("roads"))["through h alone (c detached)"][1]
    assert np.isnan(y[DECAY < 0.2]).all()
    np.testing.assert_array_equal(y[DECAY >= 0.2], DECAY[DECAY >= 0.2])


def test_units_are_colored_by_decades_below_the_largest():
    axes, bar = draw("unit_adjoints", decades=2).axes
    [image] = axes.get_images()
    assert image.get_clim() == (pytest.approx(np.log10(2) - 2), pytest.approx(np.log10(2)))
    np.testing.assert_allclose(image.get_array()[:2, 3], np.log10(DECAY[3] * np.array([1, 2])))
    assert bar.get_ylabel() == "log₁₀ |∂L/∂c|"


def test_the_decay_of_several_cells_stands_beside_their_bounds():
    figure = draw("gradient_decay", title="Four cells")
    assert legend(figure) == ["rnn", "lstm", "upper bound: product of step norms"]
    drawn = [line.get_ydata() for line in figure.axes[0].get_lines()]
    assert any(
        np.allclose(y, np.log10(np.e) * np.array([3.0, 700.0])) for y in drawn if len(y) == 2
    )
    assert "log₁₀" in figure.axes[0].get_ylabel()
    assert "bound" not in str(legend(plots.gradient_decay({"rnn": ([1], [0.0], None)})))


# --- Jacobians and dynamics ----------------------------------------------------------------------


def test_step_norms_are_counted_from_the_first():
    found = lines(draw("step_norms"))
    x, y = found["spectral ‖J‖, steepest direction"]
    assert x[0] == 5
    np.testing.assert_allclose(y, np.exp(STEPS.log_spectral))


def test_singular_values_are_decimal_logarithms_beyond_the_range_of_floats():
    figure = draw("product_spectrum")
    found = lines(figure)
    np.testing.assert_allclose(
        found[r"$\sigma_{1}$"][1], np.log10(np.e) * SPECTRUM.log_singular_values[:, 0]
    )
    assert found[r"$\sigma_{2}$"][1][-1] == pytest.approx(-900 / np.log(10))
    assert figure.axes[0].get_yscale() == "linear"
    assert "log₁₀" in figure.axes[0].get_ylabel()


def test_the_bound_is_named_as_one():
    found = lines(draw("product_bound"))
    bound = found["upper bound: product of step norms"]
    np.testing.assert_allclose(bound[1][-1], STEPS.log_spectral.sum() / np.log(10), rtol=1e-5)
    assert "true norm of the product" in found


def test_lyapunov_exponents_of_a_batch_have_mean_and_spread():
    figure = draw("lyapunov_exponents")
    [bars] = [c for c in figure.axes[0].containers if c.has_yerr]
    np.testing.assert_allclose(bars.lines[0].get_ydata(), EXPONENTS.mean(0))
    low, high = (np.array([s[k][1] for s in bars.lines[2][0].get_segments()]) for k in (0, 1))
    np.testing.assert_allclose((high - low) / 2, EXPONENTS.std(0))
    assert "3 trajectories" in str(legend(figure))
    assert legend(plots.lyapunov_exponents(EXPONENTS[0]))[0] == "one trajectory"


def test_convergence_of_a_batch_is_that_of_its_mean():
    one = dg.LyapunovSpectrum(EXPONENTS[0], CURVES.mean(0), np.arange(1, 8))
    batch = lines(draw("lyapunov_convergence"))
    alone = lines(plots.lyapunov_convergence(one, spread=CURVES.std(0)))
    for label in ("λ₁", "λ₄"):
        np.testing.assert_allclose(batch[label], alone[label])


def test_exponents_over_training_have_a_line_each_and_one_at_zero():
    figure = draw("exponents_over_training")
    zero, *drawn = figure.axes[0].get_lines()
    for line, exponents in zip(drawn, EXPONENTS.T[::-1], strict=True):
        np.testing.assert_array_equal(line.get_xydata().T, [[0, 50, 100], exponents])
    np.testing.assert_array_equal(zero.get_ydata(), 0)
    assert legend(figure) == ["λ₁", "λ₄", "chaos above"]


def test_fixed_points_lie_about_the_unit_circle():
    figure = draw("fixed_points")
    axes = figure.axes[0]
    assert axes.get_aspect() == 1
    assert legend(figure) == ["stable (1)", "unstable (1)", "faster than 0.0001: not at rest (1)"]
    [circle] = axes.patches
    assert circle.radius == 1
    found = lines(figure)
    np.testing.assert_allclose(found["unstable (1)"], [[1.5, 0.1], [0, 0]])
    assert axes.get_xlim()[1] > 1.5


# --- gates and memory ----------------------------------------------------------------------------


def test_histograms_are_in_percent():
    [first, _] = draw("gate_histograms").axes[0].patches
    np.testing.assert_allclose(first.get_data().values, 100 * HISTOGRAMS["layer 1"].share)


def test_saturation_is_left_against_right():
    axes = draw("saturation").axes[0]
    [points] = axes.collections
    units = SATURATIONS["layer 1"]
    np.testing.assert_allclose(points.get_offsets(), np.stack([units.left, units.right], axis=1))
    assert "below 0.1" in axes.get_xlabel()
    assert "above 0.9" in axes.get_ylabel()


def test_infinite_timescales_are_counted():
    figure = draw("timescales")
    assert legend(figure) == ["layer 1, median 4.5, 1 infinite", "layer 2, median 2.5"]
    assert [p.get_data().values.sum() for p in figure.axes[0].patches] == [3, 2]
    assert legend(plots.timescales({"all": [np.inf]})) == ["all, median inf, 1 infinite"]


def test_context_marks_what_is_known():
    found = lines(draw("context_loss"))
    assert {"memory length 8", "everything read", "influence below 1/e: lag 2"} <= set(found)
    assert not any("1%" in label for label in found)
    np.testing.assert_array_equal(found["memory length 8"], [[8], [1.9]])


def test_a_gap_below_zero_has_no_place_on_a_logarithmic_axis():
    axes = draw("context_gap").axes[0]
    y = axes.containers[0].lines[0].get_ydata()
    np.testing.assert_array_equal(y, [1.0, 0.1, np.nan])
    plots.context_gap([1, 2], [-1.0, -2.0], errors=[np.nan, np.nan]).canvas.draw()


# --- colors -------------------------------------------------------------------------------------

# Full protanopia and deuteranopia in linear sRGB (Machado, Oliveira & Fernandes 2009).
BLINDNESS = {
    "none": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def lab(colors, blindness):
    """CIE L*a*b* (D65) of hexadecimal colors as they are seen."""
    rgb = np.array([[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)] for c in colors])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(BLINDNESS[blindness]), 0, 1)
    f = np.cbrt(np.maximum(linear @ np.transpose(TO_XYZ) / [0.9505, 1, 1.089], 1e-9))
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], -1)


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_colors_are_told_apart_in_every_color_blindness(blindness):
    seen = lab(plots.COLORS, blindness)
    gaps = [np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)]
    assert min(gaps) > 20
    assert np.linalg.norm(seen[0] - seen[1]) > 60  # the two layers of most pictures
    assert lab(["#ffffff"], blindness)[0, 0] - seen[:, 0].max() > 20  # and from the paper


# --- judgements ----------------------------------------------------------------------------------


def test_a_judgement_has_a_color_for_each_side_of_a_half():
    figure = draw("word_by_word")
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["not", "bad", "."]
    assert legend(figure) == ["positive", "negative"]
    heights = {bars.get_label(): [b.get_height() for b in bars] for bars in axes.containers}
    np.testing.assert_allclose(heights["positive"], [0.1, 0.2])
    np.testing.assert_allclose(heights["negative"], [-0.3])


def test_what_is_heard_is_drawn_over_the_sound():
    figure = draw("frame_by_frame")
    features, ps = DRAWN["frame_by_frame"][1]
    [image] = figure.axes[0].get_images()
    np.testing.assert_array_equal(image.get_array(), features.T)
    found = lines(figure)
    assert len(found) == 3
    for label, (times, p) in found.items():
        np.testing.assert_allclose(times, (np.arange(6) + 0.5) * 0.02)
        np.testing.assert_array_equal(p, ps[:, int(label)])
    assert str(ps.max(0).argmin()) not in found


def test_confusions_are_counted_in_their_cells():
    axes = draw("confusion").axes[0]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts == {(0, 0): "3", (1, 0): "1", (1, 1): "4", (0, 2): "1", (2, 2): "2"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")


# --- forecasts -----------------------------------------------------------------------------------


def test_a_forecast_stands_at_the_time_that_it_is_of():
    figure = draw("forecast_line")
    found = lines(figure)
    assert list(found) == ["truth", "model", "rolled"]
    np.testing.assert_array_equal(found["model"][1], DECAY + 0.1)
    assert len(found["rolled"][1]) == 5
    assert legend(figure) == ["interval", "truth", "model", "rolled"]
    assert legend(draw("forecast_line", quantiles=(0.1, 0.5, 0.9)))[0] == "80% interval"
    assert figure.axes[0].get_ylabel() == "°C"
    assert list(lines(plots.forecast_line(DAYS, None, {"model": DECAY}))) == ["model"]


def test_gains_are_drawn_from_nothing_gained():
    figure = draw("gains")
    assert legend(figure) == ["model", "linear"]
    assert figure.axes[0].get_ylabel() == "sum of |errors| saved ($)"
    assert any(np.array_equal(line.get_ydata(), [0, 0]) for line in figure.axes[0].get_lines())


# --- files, floors and colors -------------------------------------------------------------------


def test_text_stays_text_whatever_the_users_settings():
    import matplotlib

    figure = plots.new_figure()
    figure.axes[0].set_title("Lag")
    svg, pdf = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "pdf.fonttype": 3}):
        figure.savefig(svg, format="svg")
        figure.savefig(pdf, format="pdf")
    assert b"<text" in svg.getvalue()
    assert b">Lag</text>" in svg.getvalue()
    assert b"/CIDFontType2" in pdf.getvalue()
    assert b"/Type3" not in pdf.getvalue()


def test_curves_that_end_with_float32_say_so():
    short = Roads(*([1.0, 1e-3, 1e-20],) * 3)
    long = Roads([1.0, 1e-20, 1.2e-38, 0.0], [1.0, 1e-3, 0.0, 0.0], [1.0, 1e-9, 0.0, 0.0])
    said = "10⁻³⁸: smallest float32, where curves end"
    assert said not in legend(plots.roads(short))
    assert said in legend(plots.roads(long))
    assert said in legend(plots.adjoint_norms([{"h": np.array([1.0, 1e-37, 0.0])}]))


def test_a_kind_of_cell_has_one_color():
    names = ["LSTM, chrono", "LSTM, forget bias 1", "GRU", "tanh RNN, orthogonal", "mine"]
    curves = {name: ([1, 2], [0.0, -1.0], None) for name in names}
    for order in (names, names[::-1]):
        figure = plots.gradient_decay({name: curves[name] for name in order})
        found = {line.get_label(): line.get_color() for line in figure.axes[0].lines}
        assert {found[name] for name in names[:2]} == {COLORS[0], COLORS[3]}  # two blues
        assert (found["GRU"], found["tanh RNN, orthogonal"]) == (INK, COLORS[1])
    assert len(set(found.values())) >= len(names)


def test_a_sound_has_an_axis_of_frequency():
    frequencies = np.linspace(50, 3_950, 40)
    figure = plots.frame_by_frame(
        np.zeros((5, 40)), np.ones((5, 2)) / 2, classes="ab", seconds=0.02, frequencies=frequencies
    )
    [right] = figure.axes[0].child_axes
    labels = [label.get_text() for label in right.get_yticklabels()]
    assert labels == ["100", "200", "500", "1,000", "2,000"]
    assert right.get_ylabel() == "frequency (Hz)"
    bands = np.interp([100, 2_000], frequencies, (np.arange(40) + 0.5) / 40)
    np.testing.assert_allclose(right.get_yticks()[[0, -1]], bands)
