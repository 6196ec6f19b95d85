"""The widget of a notebook, driven as a reader drives it, without a browser."""

import sys
from dataclasses import replace

import pytest
from verses import make

from lstm_jax import ModelError

ipywidgets = pytest.importorskip("ipywidgets")
pytestmark = pytest.mark.usefixtures("compile_fast")

POET = replace(make(end=0.0), card={"data": "tang"})


@pytest.fixture(scope="module")
def widget():
    return POET.play()


@pytest.fixture(autouse=True)
def at_rest(request):
    """Put the controls back, so that no test depends on another."""
    yield
    if "widget" in request.fixturenames:
        shown = request.getfixturevalue("widget")
        shown.prompt.value, shown.form.value, shown.acrostic.value = "", None, ""
        shown.seed.value = 0


def test_a_text_is_there_from_the_start(widget):
    assert widget.text == POET.generate()[0] != ""
    assert repr(widget) == widget.text
    assert widget.fault.value == ""


def test_whatever_is_changed_writes_anew(widget):
    widget.prompt.value = "東風"
    widget.form.value = "5x4"
    widget.acrostic.value = "東山"
    widget.temperature.value = 1.5
    widget.seed.value = 7
    wishes = {"form": "5x4", "acrostic": "東山", "temperature": 1.5, "seed": 7}
    assert widget.text == POET.generate("東風", **wishes)[0]
    widget.another.click()
    assert widget.seed.value == 8
    assert widget.text == POET.generate("東風", **wishes | {"seed": 8})[0]
    widget.temperature.value = 0.8


def test_the_last_seed_is_followed_by_the_first(widget):
    widget.seed.value = 2**32 - 1
    assert widget.fault.value == ""
    widget.another.click()
    assert widget.seed.value == 0


def test_symbols_appear_as_they_are_drawn(widget):
    seen = []
    widget.shown.observe(lambda change: seen.append(change["new"]), "value")
    widget.form.value = "5x4"
    widget.shown.unobserve_all()
    poem = widget.text
    assert len(poem) == 24
    assert [text.replace("<br>", "") for text in seen[-24:]] == [poem[: n + 1] for n in range(24)]
    assert seen[-1] == f"{poem[:12]}<br>{poem[12:]}"


def test_simplified_script_is_read(widget):
    widget.prompt.value = "东风红"
    assert widget.text.startswith("東風紅")


@pytest.mark.parametrize(
    ("prompt", "acrostic", "fault"),
    [
        ("東<b>", "", "the model does not know '&lt;b&gt;', in the prompt '東&lt;b&gt;'"),
        (
            "",
            "春夏秋冬山",
            "the acrostic '春夏秋冬山' has 5 characters, one for each line, but the form 5x4 has "
            "only 4 lines",
        ),
    ],
)
def test_what_cannot_be_written_is_told_in_one_line(widget, prompt, acrostic, fault):
    widget.form.value = "5x4"
    widget.prompt.value, widget.acrostic.value = prompt, acrostic
    assert (widget.fault.value, widget.text, widget.shown.value) == (fault, "", "")
    widget.prompt.value, widget.acrostic.value = "", ""
    assert (widget.fault.value, len(widget.text)) == ("", 24)


def test_a_model_of_other_texts_is_asked_for_no_verse():
    from lstm_jax.text.play import Play

    def stream(prompt, **settings):
        assert settings.pop("chunk") == 1
        assert settings == {"temperature": 0.8, "seed": 0, "form": None, "acrostic": ""}
        yield ["<b>one</b>\n"]
        yield ["two。three"]

    widget = Play(stream, verse=False)
    assert widget.shown.value == "&lt;b&gt;one&lt;/b&gt;<br>two。three"
    labels = [one.description for one in widget.children if hasattr(one, "description")]
    assert labels[:4] == ["Begin with", "Temperature", "Seed", "Write another"]


def test_a_missing_ipywidgets_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(ModelError) as error:
        POET.play()
    assert str(error.value) == 'the widget needs ipywidgets: pip install "lstm_jax[notebooks]"'
