"""The pages of a report: the one that shows the answers, and the one that plays the gates."""

from __future__ import annotations

import base64
import html
import re
from collections import defaultdict
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from lstm_jax.animation.document import document
from lstm_jax.animation.page import gate_animation_html
from lstm_jax.cells import LSTMGates, LSTMState
from lstm_jax.report.diagnosis import Diagnosis
from lstm_jax.report.question import Answered
from lstm_jax.report.reading import Settings

HEAT = 10.0  # nats at which a character is as red as can be

A = TypeVar("A")

Images = Mapping[str, bytes]
Numbers = Mapping[str, str]


def report_html(diagnosis: Diagnosis, images: Images) -> str:
    """Make the page that shows every answer.

    Args:
        diagnosis: the answers.
        images: NAME.png -> its bytes, for every picture of the questions.

    Returns:
        An HTML document that needs no other file, but that it has a link to gates.html.
    """
    model, reading = diagnosis.model, diagnosis.reading
    settings = reading.settings
    rows = (
        f"<tr><th scope=row>{_html(label)}</th><td>{_html(said)}</td></tr>"
        for label, said in diagnosis.summary()
    )
    number = defaultdict(lambda: "(not asked)")
    number.update({one.question.name: str(k + 1) for k, one in enumerate(diagnosis.answers)})
    sections = (_section(one, number, settings, images) for one in diagnosis.answers)
    facts = (
        f"{model.num_layers} LSTM layers of {model.hidden_features}: a state s = (h, c) of "
        f"{model.state_size:,} numbers. {len(reading.streams.symbols)} texts, {settings.steps} "
        f"symbols of each, perplexity {reading.perplexity:.4g}."
    )
    footer = (
        f"lstm_jax {version('lstm_jax')}; float32; seed {settings.seed}. Natural logarithms and "
        "nats, where nothing else is said."
    )
    fields = {
        "title": _html(f"Diagnosis of {_name(diagnosis)}"),
        "facts": _html(facts),
        "summary": "".join(rows),
        "sections": "\n\n".join(sections),
        "source": _html(diagnosis.source),
        "limit": f"{HEAT:g}",
        "lang": _lang(diagnosis),
        "texts": "".join(map(_text, reading.streams.symbols, reading.nats.T.tolist())),
        "notes": "".join(f"<li>{_html(note)}</li>" for note in diagnosis.notes),
        "footer": _html(footer),
    }
    return document("lstm_jax.report", "report.html", fields, allowed="img-src data:")


def _section(one: Answered[A], number: Numbers, settings: Settings, images: Images) -> str:
    question, answer = one.question, one.answer

    def filled(text: str) -> str:
        return text.format(answer=answer, settings=settings, number=number)

    kinds = {True: '<figure class="single">', False: "<figure>"}
    figures = "\n".join(
        kinds[picture.narrow]
        + f'<img alt="{picture.alt}" src="{_source(images[f"{picture.name}.png"])}">\n'
        f"<figcaption>{filled(picture.caption)}</figcaption></figure>"
        for picture in question.pictures
    )
    return f"""\
<h2><span>{number[question.name]}</span>{question.title}</h2>
<p class="answer">{_html(question.say(answer))}</p>
{figures}
<dl>
<dt>What it means</dt><dd>{filled(question.meaning)}</dd>
<dt>How</dt><dd>{filled(question.how)}</dd>
<dt>Literature</dt><dd>{question.literature}</dd>
</dl>"""


def _source(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()


def _text(symbols: list[str], nats: list[float]) -> str:
    """A list item: every symbol on a ground as red as the model was surprised."""
    spans = []
    for symbol, loss in zip(symbols, nats, strict=True):
        kind = "" if symbol else "class=end "
        style = f'style="--a:{0.75 * min(loss / HEAT, 1):.2f}" title="{loss:.2f} nats"'
        spans.append(f"<span {kind}{style}>{_html(symbol or 'end')}</span>")
    return f"<li>{''.join(spans)}</li>"


def gates_html(diagnosis: Diagnosis) -> str:
    """Make the page that plays every gate at every symbol of the first text.

    Args:
        diagnosis: its reading has the gates.

    Returns:
        An HTML document that needs no other file.
    """
    reading = diagnosis.reading
    return gate_animation_html(
        ["", *reading.streams.symbols[0][:-1]],
        [LSTMGates(*(gate[:, 0] for gate in layer)) for layer in reading.gates],
        [LSTMState(*(leaf[:, 0] for leaf in layer)) for layer in reading.states],
        title=f"The gates of {_name(diagnosis)}",
        lang=_lang(diagnosis),
    )


def _html(text: str) -> str:
    """Escaped, with powers raised."""
    return re.sub(r"\^([-−]?\d+(?:\.\d+)?)", r"<sup>\1</sup>", html.escape(text))


def _lang(diagnosis: Diagnosis) -> str:
    return "zh-Hant" if diagnosis.model.data == "tang" else ""


def _name(diagnosis: Diagnosis) -> str:
    return Path(diagnosis.model.name).name
