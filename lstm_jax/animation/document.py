"""HTML pages that need no other file: one head, and templates with fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources


def document(room: str, name: str, fields: Mapping[str, str], *, allowed: str) -> str:
    """Fill in a template, under the head that the pages share.

    The head forbids the page to load anything, and holds the colours for light and dark.

    Args:
        room: the package that has the template.
        name: of the template; a field stands in it as {{field}}, and the head as {{head}}.
        fields: HTML for each; "title" is also that of the window.
        allowed: what the page may use nevertheless, as in a Content-Security-Policy.

    Returns:
        The document.

    Raises:
        KeyError: a field of the template that is not given.
    """
    head = _filled(
        "lstm_jax.animation", "head.html", {"title": fields["title"], "allowed": allowed}
    )
    return _filled(room, name, {**fields, "head": head})


def _filled(room: str, name: str, fields: Mapping[str, str]) -> str:
    template = resources.files(room).joinpath(name).read_text(encoding="utf-8")
    # In one pass, so that a text that looks like a field stays a text.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], template)
