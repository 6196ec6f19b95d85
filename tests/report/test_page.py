"""The pages and the pictures of a report, and that all of them come from the questions."""

import base64
import contextlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report.conftest import PNG, TINY

pytest.importorskip("matplotlib")
from lstm_jax.plots import default_style, influence, new_figure
from lstm_jax.report import QUESTIONS, Picture, Question, diagnose, page, pictures
from lstm_jax.report.command import write_report
from lstm_jax.report.folder import OWN, PICTURES
from lstm_jax.report.poems import HELD_OUT
from lstm_jax.report.questions import adjoints, gates, roads
from lstm_jax.text.language import load

pytestmark = pytest.mark.usefixtures("compile_fast")


def saying(said):
    """What `diagnose` is doing, noted down."""

    @contextlib.contextmanager
    def doing(what):
        said.append(what)
        yield

    return doing


def test_the_page_holds_everything_that_it_shows(made):
    folder, diagnosis = made.folder, made.diagnosis
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"https?:|@import|url\(|<script|<link|<iframe|\{\{", text)
    assert not re.search(r"\{\w", text[text.index("<body>") :])
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert len(images) == len(PICTURES) == text.count("src=")
    for image, name in zip(images, PICTURES, strict=True):
        assert base64.b64decode(image) == (folder / f"{name}.png").read_bytes()
    assert re.findall(r'href="([^"]*)"', text) == ["gates.html"]
    assert '<ul class="texts" lang="zh-Hant">' in text
    assert len(diagnosis.summary()) == 8
    for label, said in diagnosis.summary():
        assert f"<th scope=row>{label}</th><td>{page._html(said)}</td>" in text
    for number, one in enumerate(diagnosis.answers):
        assert f"<h2><span>{number + 1}</span>{one.question.title}</h2>" in text
        assert page._html(one.question.say(one.answer)) in text
    words = " ".join(text.split())
    assert f"mean over {made.figures['adjoints']['predictions']} predictions" in words
    assert "(τ, question 5)" in words


def test_the_folder_holds_the_pictures_and_the_gates(made):
    folder = made.folder
    held = {path.name for path in folder.iterdir()}
    assert {"report.html", "gates.html", "diagnosis.json"} <= held <= OWN
    assert {f"{name}.png" for name in PICTURES} <= held
    assert all((folder / name).stat().st_size < 300_000 for name in held if name.endswith("svg"))
    assert not list(folder.parent.glob(".*"))
    text = (folder / "gates.html").read_text(encoding="utf-8")
    assert HELD_OUT[0][: TINY.steps - 1] in text
    assert "The gates of poet" in text


def test_the_pictures_show_every_layer(made):
    answers = made.diagnosis.answers
    figure = gates.draw(answers.to(gates.QUESTION), answers)
    for axes in figure.axes:
        labels = [text.get_text() for text in axes.get_legend().get_texts()]
        assert [label[:7] for label in labels] == ["layer 1", "layer 2"]
    figure = adjoints.draw_units(answers.to(adjoints.QUESTION), answers)
    assert len(figure.axes) == 4  # with their color bars


def test_the_same_figures_give_the_same_pictures(made):
    answers = made.diagnosis.answers
    found = answers.to(roads.QUESTION)
    with default_style():
        one, two = (
            [pictures._saved(roads.draw(found, answers), kind) for kind in ("png", "svg")]
            for _ in range(2)
        )
    assert one == two


def test_hostile_names_and_texts_stay_texts(made):
    diagnosis = made.diagnosis
    symbols = [["<", "", "{{title}}", *diagnosis.reading.streams.symbols[0][3:]]]
    symbols += diagnosis.reading.streams.symbols[1:]
    streams = diagnosis.reading.streams._replace(symbols=symbols)
    diagnosis = replace(
        diagnosis,
        model=diagnosis.model._replace(name="<script>"),
        reading=diagnosis.reading._replace(streams=streams),
        source="<b>",
    )
    text = page.report_html(diagnosis, dict.fromkeys((f"{name}.png" for name in PICTURES), b""))
    assert "<script" not in text
    assert "<b>" not in text
    assert ">&lt;</span>" in text
    assert ">end</span>" in text
    assert ">{{title}}</span>" in text


# --- a question of one's own ---------------------------------------------------------------------

LOUDEST = Question(
    name="loudest",
    doing="which unit is loudest?",
    title="Which unit is the loudest?",
    ask=lambda reading: np.abs(np.asarray(reading.states.h)).max((0, 1)),
    summarize=lambda found: [("loudest", f"unit {found.argmax()}")],
    say=lambda found: f"It is unit {found.argmax()}, with {found.max():.2f} < 1.",
    pictures=(
        Picture(
            name="loud",
            alt="Loudness",
            caption="Of {answer.size} units, unlike question {number[gates]}.",
            draw=lambda found, answers: influence(found, axes=new_figure().axes[0]),
        ),
    ),
    meaning="Nothing, after {settings.steps} steps.",
    how="The largest |<i>h</i>|.",
    literature="None.",
)


def test_a_question_brings_all_that_is_told_of_it(poet, tmp_path):
    said = []
    found = diagnose(
        load(poet), HELD_OUT, TINY, questions=[gates.QUESTION, LOUDEST], doing=saying(said)
    )
    assert said == [
        "reading the texts",
        "1 of 2: what do the gates do?",
        "2 of 2: which unit is loudest?",
    ]
    write_report(found, tmp_path / "report")
    assert {"loud.png", "loud.svg", "gates.png"} <= {
        p.name for p in (tmp_path / "report").iterdir()
    }
    assert (tmp_path / "report" / "loud.png").read_bytes().startswith(PNG)
    assert len(found.figures()["loudest"]) == 5
    assert found.summary()[-1][0] == "loudest"
    text = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    for expected in (
        "<h2><span>2</span>Which unit is the loudest?</h2>",
        "Of 5 units, unlike question 1.",
        "Nothing, after 24 steps.",
        "&lt; 1.",
        "compare with question (not asked).",
    ):
        assert expected in text


def test_a_question_is_known_to_its_file_and_to_the_list():
    room = Path(page.__file__).parent
    others = [path for path in room.iterdir() if path.suffix in (".py", ".html")]
    assert len(others) > 10
    known = {question.name for question in QUESTIONS} | set(PICTURES)
    for path in others:
        text = path.read_text(encoding="utf-8")
        assert not known & set(re.findall(r"""["'{](\w+)["'}]""", text)), path


def test_what_was_not_asked_has_no_answer(made):
    assert made.diagnosis.answers.to(LOUDEST) is None
    names = [picture.name for question in QUESTIONS for picture in question.pictures]
    assert len(set(names)) == len(names) == len(PICTURES)
