"""A notebook widget in which a language model writes; it needs ipywidgets.

The kernel computes the text and starts over whenever a control changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import ipywidgets

from lstm_jax.errors import UserError
from lstm_jax.text.script import to_traditional
from lstm_jax.text.verse import break_lines

FORMS = {"free": None, "五絕 5x4": "5x4", "七絕 7x4": "7x4", "五律 5x8": "5x8", "七律 7x8": "7x8"}
WIDE = {"description_width": "96px"}


class Play(ipywidgets.VBox):
    """Show a prompt, settings and the text that the model writes.

    Attributes:
        prompt, form, acrostic, temperature, seed: the controls, from ipywidgets; form and acrostic
            are shown only for verse.
        another: the button that moves on to the next seed.
        text: the text, prompt included; "" if it cannot be written.
        shown: the text as HTML.
        fault: the reason why nothing can be written, in one line.
    """

    def __init__(self, stream: Callable[..., Iterator[list[str]]], *, verse: bool):
        """Create the controls and write the first text.

        Args:
            stream: the method of a model; see `LanguageModel.stream`.
            verse: whether the model writes Chinese verse.
        """
        at_once: dict[str, Any] = {"continuous_update": False, "style": WIDE}
        hints = ("明月", "春夏秋冬") if verse else ("", "")
        self.prompt = ipywidgets.Text(description="Begin with", placeholder=hints[0], **at_once)
        self.form = ipywidgets.Dropdown(description="Form", options=FORMS.items(), style=WIDE)
        self.acrostic = ipywidgets.Text(description="Acrostic", placeholder=hints[1], **at_once)
        self.temperature = ipywidgets.FloatSlider(
            0.8, description="Temperature", max=2, step=0.05, **at_once
        )
        self.seed = ipywidgets.BoundedIntText(0, description="Seed", max=2**32 - 1, style=WIDE)
        self.another = ipywidgets.Button(description="Write another", button_style="primary")
        self.shown = ipywidgets.HTML(style={"font_size": "1.5rem" if verse else None})
        self.fault = ipywidgets.HTML(style={"text_color": "var(--jp-error-color0, #b71c1c)"})
        self.text = ""
        self._stream, self._verse = stream, verse
        of_verse = [self.form, self.acrostic] if verse else []
        controls = [self.prompt, *of_verse, self.temperature, self.seed]
        super().__init__([*controls, self.another, self.fault, self.shown])
        for control in controls:
            control.observe(self._write, "value")
        self.another.on_click(self._go_on)
        self._write()

    def __repr__(self) -> str:
        """Return the text, which replaces the widget where none can be shown."""
        return self.text

    def _go_on(self, _: object) -> None:
        self.seed.value = (self.seed.value + 1) % (self.seed.max + 1)

    def _write(self, _: object = None) -> None:
        """Write a text, and show each of its symbols as it is drawn."""
        in_script = to_traditional if self._verse else str
        settings: dict[str, Any] = {
            "temperature": self.temperature.value,
            "seed": self.seed.value,
            "form": self.form.value,
            "acrostic": in_script(self.acrostic.value),
        }
        prompt = in_script(self.prompt.value)
        self.fault.value = ""
        self._show(prompt)
        try:
            for [piece] in self._stream(prompt, chunk=1, **settings):
                self._show(self.text + piece)
        except UserError as error:
            self._show("")
            self.fault.value = escape(str(error), quote=False)

    def _show(self, text: str) -> None:
        self.text = text
        lines = break_lines(text) if self._verse else text
        self.shown.value = escape(lines.rstrip("\n"), quote=False).replace("\n", "<br>")
