"""HTML pages that need no other file, from templates with a common head."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources


def document(room: str, name: str, fields: Mapping[str, str], *, allowed: str) -> str:
    """Fill in a template, with the head that all pages share.

    The head keeps the page from loading anything, and defines the colors for light and dark mode.

    Args:
        room: the package that contains the template.
        name: of the template, in which {{field}} stands for a field and {{head}} for the head.
        fields: HTML for each field; "title" is also the title of the window.
        allowed: exceptions for the page, as in a Content-Security-Policy.

    Returns:
        The document.

    Raises:
        KeyError: if a field of the template is missing.
    """
    head = _filled(
        "lstm_jax.animation", "head.html", {"title": fields["title"], "allowed": allowed}
    )
    return _filled(room, name, {**fields, "head": head})


def _filled(room: str, name: str, fields: Mapping[str, str]) -> str:
    template = resources.files(room).joinpath(name).read_text(encoding="utf-8")
    # In one pass, so that text that looks like a field is not replaced.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], template)
