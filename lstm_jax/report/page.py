"""The two pages of a report, one with the answers and one that plays the gates."""

from __future__ import annotations

import base64
import html
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import numpy as np

from lstm_jax.animation.document import document
from lstm_jax.animation.page import gate_animation_html
from lstm_jax.cells import LSTMGates, LSTMState
from lstm_jax.report.diagnosis import Diagnosis
from lstm_jax.report.question import Answered
from lstm_jax.report.reading import Reading
from lstm_jax.report.words import count

HEAT = 10.0  # nats at which a character has the strongest red
HEATED = (
    "The redder a character, the less the model expected it (−ln <i>p</i>, from 0 to "
    f"{HEAT:g} nats or more)."
)

A = TypeVar("A")

Images = Mapping[str, bytes]
Numbers = Mapping[str, str]


def report_html(diagnosis: Diagnosis, images: Images) -> str:
    """Build the page with all answers.

    Args:
        diagnosis: the answers.
        images: NAME.png -> its bytes, for every picture of the questions.

    Returns:
        An HTML document that needs no other file; it only links to gates.html.
    """
    reading = diagnosis.reading
    settings = reading.settings
    rows = (
        f"<tr><th scope=row>{_html(label)}</th><td>{_html(figure)}</td></tr>"
        for label, figure in diagnosis.summary()
    )
    number = defaultdict(lambda: "(not asked)")
    number.update({a.question.name: str(k + 1) for k, a in enumerate(diagnosis.answers)})
    sections = (_section(answered, number, reading, images) for answered in diagnosis.answers)
    footer = (
        f"lstm_jax {version('lstm_jax')}; float32; seed {settings.seed}. Logarithms are natural, "
        "and losses are in nats, unless stated otherwise."
    )
    fields = {
        "title": _html(f"Diagnosis of {_name(diagnosis)}"),
        "facts": _html(_facts(diagnosis)),
        "playing": _playing(reading),
        "summary": "".join(rows),
        "sections": "\n\n".join(sections),
        "source": _html(diagnosis.source),
        "read": _losses(reading) if reading.whole else HEATED,
        "lang": _lang(diagnosis),
        "texts": "".join(_rows(reading)),
        "notes": "".join(f"<li>{_html(note)}</li>" for note in diagnosis.notes),
        "footer": _html(footer),
    }
    return document("lstm_jax.report", "report.html", fields, allowed="img-src data:")


def _facts(diagnosis: Diagnosis) -> str:
    model, reading = diagnosis.model, diagnosis.reading
    cell = type(reading.reader.params[0]).__name__.removesuffix("Params")
    state = "a state s = (h, c)" if cell == "LSTM" else "a state"
    layers = (
        f"{count(model.num_layers, f'{cell} layer')} of {model.hidden_features}: {state} of "
        f"{model.state_size:,} numbers."
    )
    rows, steps, words = len(reading.streams.inputs), reading.settings.steps, reading.reader.words
    if reading.whole:
        mean = f"{reading.losses.mean():.4g} ({words.unit})"
        return f"{layers} {rows} {words.row}s, {steps} steps of each, mean loss {mean}."
    return f"{layers} {rows} texts, {steps} symbols of each, perplexity {reading.perplexity:.4g}."


def _playing(reading: Reading) -> str:
    """Return the part of a sentence that links to the page of the gates, if there is one."""
    if reading.gates is None:
        return ""
    words = reading.reader.words
    return (
        f', and <a href="gates.html">gates.html</a> shows every gate at every {words.symbol} of '
        f"the first {words.row}"
    )


def _losses(reading: Reading) -> str:
    low, middle, high = np.quantile(reading.losses, [0, 0.5, 1])
    unit = _html(reading.reader.words.unit)
    return (
        f"Their losses ({unit}) range from {low:.3g} to {high:.3g}, with a median of {middle:.3g}."
    )


def _rows(reading: Reading) -> Iterator[str]:
    """Yield a list item for each row that can be shown as text."""
    symbols, losses = reading.streams.symbols or [], reading.losses.T.tolist()
    for row, loss in zip(symbols, losses, strict=False):
        yield f"<li>{_html(' '.join(row))} ({loss:.3g})</li>" if reading.whole else _text(row, loss)


def _section(answered: Answered[A], number: Numbers, reading: Reading, images: Images) -> str:
    question, answer = answered.question, answered.answer
    fields = {"settings": reading.settings, "number": number, "words": reading.reader.words}

    def filled(text: str) -> str:
        return text.format(answer=answer, **fields)

    kinds = {True: '<figure class="single">', False: "<figure>"}
    figures = "\n".join(
        kinds[picture.narrow]
        + f'<img alt="{picture.alt}" src="{_source(images[f"{picture.name}.png"])}">\n'
        f"<figcaption>{filled(picture.caption)}</figcaption></figure>"
        for picture in question.pictures
        if picture.there(answer)
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
    """Return a list item in which the background of a symbol is redder the higher its loss."""
    spans = []
    for symbol, loss in zip(symbols, nats, strict=True):
        kind = "" if symbol else "class=end "
        style = f'style="--a:{0.75 * min(loss / HEAT, 1):.2f}" title="{loss:.2f} nats"'
        spans.append(f"<span {kind}{style}>{_html(symbol or 'end')}</span>")
    return f"<li>{''.join(spans)}</li>"


def gates_html(diagnosis: Diagnosis) -> str:
    """Build the page that plays every gate at every symbol, or step, of the first row.

    Args:
        diagnosis: of a model with gates.

    Returns:
        An HTML document that needs no other file.
    """
    reading = diagnosis.reading
    symbols = (reading.streams.symbols or [None])[0]
    if symbols is None:
        shown = [f"{step + 1} " for step in range(len(reading.xs))]
    elif reading.whole:
        shown = [f"{symbol} " for symbol in symbols]
    else:
        shown = ["", *symbols[:-1]]
    return gate_animation_html(
        shown,
        [LSTMGates(*(gate[:, 0] for gate in layer)) for layer in reading.gates or ()],
        [LSTMState(*(leaf[:, 0] for leaf in layer)) for layer in reading.states],
        title=f"The gates of {_name(diagnosis)}",
        lang=_lang(diagnosis),
    )


def _html(text: str) -> str:
    """Escape a text, and write powers as superscripts."""
    return re.sub(r"\^([-−]?\d+(?:\.\d+)?)", r"<sup>\1</sup>", html.escape(text))


def _lang(diagnosis: Diagnosis) -> str:
    return "zh-Hant" if diagnosis.model.data == "tang" else ""


def _name(diagnosis: Diagnosis) -> str:
    return Path(diagnosis.model.name).name
