"""The gate animation: what the page holds, and where the GIF may and may not be drawn."""

import base64
import html
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import lstm_jax
from lstm_jax.animation.colors import color_map
from lstm_jax.animation.page import drawn_layers, gate_animation_html, save_html

POEM = ["", *"床前明月光，疑是地上霜。"]
HOSTILE = ["</script><b>", "<!--", "{{data}}", '"&\u2028', "\n"]


def make_trace(steps, units=6, seed=0):
    """Gates and states that obey the equations, from random pre-activations."""
    rng = np.random.default_rng(seed)
    z = 2 * rng.normal(size=(4, steps, units))
    i, f, o = (1 / (1 + np.exp(-z[k])) for k in (0, 1, 3))
    g, c = np.tanh(z[2]), np.zeros((steps, units))
    for t in range(steps):
        c[t] = f[t] * (c[t - 1] if t else 0) + i[t] * g[t]
    gates = [a.astype(np.float32) for a in (i, f, g, o)]
    state = [a.astype(np.float32) for a in (o * np.tanh(c), c)]
    return lstm_jax.LSTMGates(*gates), lstm_jax.LSTMState(*state)


def data_of(page):
    [text] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(text)


def unpack(layer, name):
    """As the page does."""
    low = 0 if name in "fio" else -layer["cellLimit"] if name == "c" else -1
    high = layer["cellLimit"] if name == "c" else 1
    levels = np.frombuffer(base64.b64decode(layer["values"][name]), "<u2").astype(float)
    return (low + (high - low) * levels / 65535).reshape(-1, len(layer["units"]))


# --- the page ------------------------------------------------------------------------------------


def test_the_page_holds_what_the_lstm_did():
    gates, states = make_trace(len(POEM))
    layer, *others = data_of(gate_animation_html(POEM, gates, states))["layers"]
    assert not others
    order = np.argsort(-np.log(gates.f).mean(0), kind="stable")
    assert layer["units"] == order.tolist()
    for name, array in (gates._asdict() | states._asdict()).items():
        span = 2 * layer["cellLimit"] if name == "c" else 2
        np.testing.assert_allclose(unpack(layer, name), array[:, order], atol=span / 65535)
        np.testing.assert_allclose(layer["means"][name], np.abs(array).mean(1), atol=1e-4)
    assert layer["cellLimit"] == pytest.approx(np.abs(states.c).max())


def test_the_page_takes_what_trace_gives():
    rng = np.random.default_rng(0)
    shapes = ((3, 20), (5, 20), (20,))
    params = lstm_jax.LSTMParams(*(rng.normal(size=shape, scale=0.5) for shape in shapes))
    xs = np.ones((4, 3), np.float32)
    zeros = np.zeros(5, np.float32)
    start = lstm_jax.LSTMState(zeros, zeros)
    _, (states, gates) = lstm_jax.trace(
        lstm_jax.lstm_step, params, xs, start, gates=lstm_jax.lstm_gates
    )
    [layer] = data_of(gate_animation_html("abcd", gates, states))["layers"]
    f, i, g, c = (unpack(layer, name) for name in "figc")
    np.testing.assert_allclose(c[1:], f[1:] * c[:-1] + i[1:] * g[1:], atol=1e-4)


def test_the_page_loads_nothing():
    page = gate_animation_html(POEM, *make_trace(len(POEM)))
    loads = r"https?:|[\"'(]//[a-z]|\bsrc\s*=|\bhref\b|@import|url\(|\bfetch\(|XMLHttp|\bimport\("
    assert not re.search(loads, page)
    assert "default-src 'none'" in page


def test_the_page_shows_the_text_in_its_language():
    page = gate_animation_html(POEM, *make_trace(len(POEM)), title="靜夜思", lang="zh-Hant", fps=2)
    assert data_of(page)["characters"] == POEM
    assert data_of(page)["fps"] == 2
    assert "<title>靜夜思</title>" in page
    assert '<p id="text" lang="zh-Hant" dir="auto">' in page
    assert "床前明月光，疑是地上霜。" in page  # for readers without JavaScript


def test_a_hostile_text_stays_a_text():
    page = gate_animation_html(
        HOSTILE, *make_trace(5), title="</title><script>alert(1)", layer_names=None
    )
    assert data_of(page)["characters"] == HOSTILE
    assert page.count("</script>") == 2
    assert "<b>" not in re.findall(r"<noscript>(.*?)</noscript>", page, re.S)[0]
    assert "<script>alert" not in page
    assert html.escape("</script><b><!--{{data}}") in page
    assert "\u2028" not in page.split("application/json")[1]


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_the_script_is_javascript(tmp_path):
    page = gate_animation_html(HOSTILE, *make_trace(5))
    path = tmp_path / "script.js"
    path.write_text(re.findall(r"<script>(.*?)</script>", page, re.S)[0], encoding="utf-8")
    done = subprocess.run(["node", "--check", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_layers_have_names_and_orders():
    bottom, top = make_trace(3, seed=1), make_trace(3, units=4, seed=2)
    gates, states = zip(bottom, top, strict=True)
    layers = data_of(gate_animation_html("abc", gates, states))["layers"]
    assert [layer["name"] for layer in layers] == ["Layer 1", "Layer 2"]
    assert [layer["total"] for layer in layers] == [6, 4]
    page = gate_animation_html(
        "abc", gates, states, order=(None, [2, 0]), layer_names=("low", "</script>")
    )
    layers = data_of(page)["layers"]
    assert [layer["name"] for layer in layers] == ["low", "</script>"]
    assert layers[1]["units"] == [2, 0]
    np.testing.assert_allclose(unpack(layers[1], "h"), top[1].h[:, [2, 0]], atol=1e-4)


def test_many_units_are_thinned_evenly_along_the_order():
    gates, states = make_trace(5, units=100)
    [layer] = drawn_layers("abcde", gates, states, max_units=10)
    order = np.argsort(-np.log(gates.f).mean(0), kind="stable")
    np.testing.assert_array_equal(layer.units, order[::11])  # both ends are in
    assert layer.total == 100
    assert (np.diff(layer.timescales) <= 0).all()
    page = gate_animation_html("abcde", gates, states, max_units=10)
    assert data_of(page)["layers"][0]["total"] == 100
    assert "of ${layer.total} units" in page
    [layer] = drawn_layers("abcde", gates, states, order=np.arange(100), max_units=2)
    assert layer.units.tolist() == [0, 99]


def test_timescales_of_open_and_closed_gates():
    f = np.array([[1, 0, 0.5, 0.9], [1, 0, 0.5, 0.7]], np.float32)
    gates = lstm_jax.LSTMGates(f, f, f, f)
    page = gate_animation_html("ab", gates, lstm_jax.LSTMState(f, f))
    assert data_of(page)["layers"][0]["timescales"] == [None, 4.329, 1.443, 0]


def test_a_cell_that_stays_zero_is_drawn():
    gates, states = make_trace(2)
    zeros = np.zeros_like(states.c)
    [layer] = data_of(gate_animation_html("ab", gates, lstm_jax.LSTMState(zeros, zeros)))["layers"]
    np.testing.assert_allclose(unpack(layer, "c"), 0, atol=2e-5)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colors_grow_evenly_away_from_the_page(theme):
    towards = {"light": -1, "dark": 1}[theme]
    for kind, half in (("gate", slice(None)), ("signed", slice(128, None))):
        rgb = color_map(kind, theme)[half] / 255.0
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        lightness = 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16  # CIE L*
        steps = np.diff(lightness[::8]) * towards
        assert steps.min() > 0.4 * steps.max()
    ends = color_map("signed", theme)[[0, -1]] / 255.0
    assert ends[0, 2] > ends[0, 0]  # minus is blue
    assert ends[1, 0] > ends[1, 2]  # plus is red


def test_the_page_is_saved_whole_or_not_at_all(tmp_path):
    gates, states = make_trace(3)
    path = tmp_path / "gates.html"
    save_html(path, "abc", gates, states, title="first")
    first = path.read_text(encoding="utf-8")
    assert first == gate_animation_html("abc", gates, states, title="first")
    with pytest.raises(ValueError, match="steps"):
        save_html(path, "abcd", gates, states)
    assert path.read_text(encoding="utf-8") == first
    assert [p.name for p in tmp_path.iterdir()] == ["gates.html"]


def test_the_template_is_package_data():
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert "page.html" in project["tool"]["setuptools"]["package-data"]["lstm_jax.animation"]


# --- what is refused -----------------------------------------------------------------------------

GATES, STATES = make_trace(3)


def spoilt(array, value):
    array = array.copy()
    array[1, 2] = value
    return array


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("", GATES, STATES), {}, "at least one, got none"),
        (([], GATES, STATES), {}, "at least one, got none"),
        (([1, 2, 3], GATES, STATES), {}, r"characters\[0\] must be a string, got 1"),
        ((["a", "\ud800", "c"], GATES, STATES), {}, r"characters\[1\] has a lone surrogate"),
        (("abcd", GATES, STATES), {}, "f of 'Layer 1' has 3 steps, but there are 4 characters"),
        (("abc", GATES, [STATES]), {}, "both be of one layer, or both be sequences"),
        (("abc", [GATES, GATES], [STATES]), {}, "got 2 gates, 1 states"),
        (("abc", [], []), {}, "at least one"),
        (("abc", [GATES], [STATES]), {"layer_names": ["a", "b"]}, "2 names"),
        (("abc", GATES._replace(o=GATES.o[:, :5]), STATES), {}, "o of .* must have the 6 units"),
        (("abc", GATES, STATES._replace(c=STATES.c[:2])), {}, "c of .* has 2 steps"),
        (("abc", GATES._replace(i=GATES.i[:, None]), STATES), {}, "choose one row"),
        (("abc", GATES._replace(i=spoilt(GATES.i, np.nan)), STATES), {}, "i of .* must be finite"),
        (("abc", GATES, STATES._replace(c=spoilt(STATES.c, np.inf))), {}, "c of .* must be finite"),
        (("abc", GATES._replace(f=GATES.g), STATES), {}, r"f of .* must be in \[0, 1\]"),
        (("abc", GATES, STATES._replace(h=3 * STATES.c + 2)), {}, r"h of .* in \[-1, 1\]"),
        (("abc", GATES, STATES), {"order": [0, 0]}, "distinct unit indices"),
        (("abc", GATES, STATES), {"order": [6]}, "H=6"),
        (("abc", GATES, STATES), {"order": []}, "distinct"),
        (("abc", GATES, STATES), {"order": [0.5]}, "distinct"),
        (("abc", GATES, STATES), {"max_units": 0}, "max_units must be at least 1"),
        (("abc", GATES, STATES), {"fps": 0}, "fps"),
        (("abc", GATES, STATES), {"fps": float("nan")}, "fps"),
        (("abc", GATES, STATES), {"lang": '"><b>'}, "language tag"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        gate_animation_html(*arguments, **options)


# --- the GIF -------------------------------------------------------------------------------------


@pytest.fixture
def gif():
    pytest.importorskip("matplotlib")
    from lstm_jax.plots import gif

    return gif


@pytest.fixture
def fonts():
    pytest.importorskip("matplotlib")
    from lstm_jax.plots import fonts

    return fonts


def make_font(path, characters, *, one_glyph=False):
    """A font in which every character is a triangle; with `one_glyph`, the same one for all."""
    builder = pytest.importorskip("fontTools.fontBuilder").FontBuilder(1000)
    pens = pytest.importorskip("fontTools.pens.ttGlyphPen")
    names = [".notdef", *(f"glyph{k}" for k in range(len(characters)))]
    glyphs = {}
    for name in names:
        pen = pens.TTGlyphPen(None)
        for move, point in (("moveTo", (0, 0)), ("lineTo", (900, 0)), ("lineTo", (450, 900))):
            getattr(pen, move)(point)
        pen.closePath()
        glyphs[name] = pen.glyph()
    builder.setupGlyphOrder(names)
    targets = names[1:2] * len(characters) if one_glyph else names[1:]
    builder.setupCharacterMap(dict(zip(map(ord, characters), targets, strict=True)))
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=900, usWinAscent=900, usWinDescent=100)
    builder.setupPost()
    builder.save(path)
    return path


def frames_of(path):
    """The frames of a GIF, uint8 (T, height, width, 3)."""
    with pytest.importorskip("PIL.Image").open(path) as image:
        frames = []
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")))
    return np.stack(frames)


def test_a_gif_has_one_frame_per_step_and_is_small(gif, tmp_path):
    path = tmp_path / "gates.gif"
    text = ["", "λ", " ", "$", "\n", "\x07"]
    gif.save_gif(path, text, *make_trace(6, units=80), title="$ λ", max_units=16, fps=10)
    frames = frames_of(path)
    assert frames.shape == (6, 740, 1000, 3)
    assert path.stat().st_size < 400_000
    assert [p.name for p in tmp_path.iterdir()] == ["gates.gif"]
    # What was drawn stays, and what is to come is blank: the last frame has the most ink.
    ink = [(frame[200:340, 52:264].min(axis=-1) < 200).sum() for frame in frames]
    assert (np.diff(ink) > 0).all()


def test_a_gif_of_chinese_is_drawn_in_a_font_that_has_it(gif, tmp_path):
    font = make_font(tmp_path / "tiny.ttf", "明月，a")
    path = tmp_path / "gates.gif"
    # A glyph that the font lacks would be a warning, which is an error here.
    gif.save_gif(path, "明月，", *make_trace(3), font=font)
    assert len(frames_of(path)) == 3


def test_a_gif_without_a_font_for_its_text_is_an_error(gif, fonts, tmp_path, monkeypatch):
    font = make_font(tmp_path / "tiny.ttf", "明月")
    monkeypatch.setattr(fonts.font_manager, "findSystemFonts", lambda: [str(font)])
    path = tmp_path / "gates.gif"
    with pytest.raises(ValueError, match=r"no glyph for 光; pass font=PATH .*save_html") as error:
        gif.save_gif(path, "明月光", *make_trace(3))
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"tiny.ttf has no glyph for 光; pass font=PATH"):
        gif.save_gif(path, "明月光", *make_trace(3), font=font)
    with pytest.raises(ValueError, match="no glyph for 光"):  # nor is a title drawn as boxes
        gif.save_gif(path, "明月明", *make_trace(3), title="光", font=font)
    assert not path.exists()


def test_fonts_are_found_by_what_they_cover(fonts, tmp_path, monkeypatch):
    (tmp_path / "a-broken.ttf").write_bytes(b"not a font")
    make_font(tmp_path / "b-partial.ttf", "明")
    whole = make_font(tmp_path / "c-whole.ttf", "明月光")
    installed = [str(p) for p in tmp_path.iterdir()]
    monkeypatch.setattr(fonts.font_manager, "findSystemFonts", lambda: installed)
    assert fonts.find_font(["明月", " \n\u3000", "", "光"]) == str(whole)
    assert Path(fonts.find_font(["Ελλάδα, é", "\n"])).name == "DejaVuSans.ttf"
    assert Path(fonts.find_font([""])).name == "DejaVuSans.ttf"
    assert fonts.find_font("明", tmp_path / "b-partial.ttf") == str(tmp_path / "b-partial.ttf")
    for path in ("a-broken.ttf", "missing.ttf"):
        with pytest.raises(ValueError, match="cannot be read as a font"):
            fonts.find_font("明", tmp_path / path)


def test_fonts_of_last_resort_are_not_taken(fonts, tmp_path):
    text = "明月光"
    block = "".join(chr(ord(c) + k) for c in text for k in (0, 1))
    font = make_font(tmp_path / "boxes.ttf", block, one_glyph=True)
    with pytest.raises(ValueError, match="no glyph for"):
        fonts.find_font(text, font)


@pytest.mark.parametrize(
    ("name", "text", "options", "message"),
    [
        ("gates.png", "abc", {}, "must end in .gif"),
        ("gates.gif", "abc", {"fps": 60}, "fps"),
        ("gates.gif", "abcd", {}, "3 steps"),
        ("gates.gif", "a" * 301, {}, "a GIF must have at most 300 steps, got 301"),
    ],
)
def test_a_gif_that_cannot_be_is_refused(gif, tmp_path, name, text, options, message):
    with pytest.raises(ValueError, match=message):
        gif.save_gif(tmp_path / name, text, GATES, STATES, **options)
    with pytest.raises(ValueError, match="one layer"):
        gif.save_gif(tmp_path / "gates.gif", "abc", [GATES], [STATES])
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if f"{name}.".startswith("lstm_jax.plots.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("lstm_jax.plots.gif", "lstm_jax.plots.fonts", "lstm_jax.plots"):
        with pytest.raises(ImportError, match=r'pip install "lstm_jax\[viz\]"') as error:
            __import__(name)
        assert "\n" not in str(error.value)
