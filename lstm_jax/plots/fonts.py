"""Fonts for texts in any script, chosen by the characters that they have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib import font_manager, ft2font


def find_font(characters: Sequence[str], font: str | Path | None = None) -> str:
    """Find a font that has a glyph for every one of these characters.

    Only the characters of a font count, not its name. Whitespace and control characters are not
    drawn and need no glyph.

    Args:
        characters: texts.
        font: a font file. By default, matplotlib's DejaVu Sans is tried first, then the installed
            fonts, upright regular ones before the rest.

    Returns:
        The path of the font file.

    Raises:
        ValueError: if the file is not a font, or no font has all of the characters.
    """
    needed = sorted({c for text in characters for c in text if c.isprintable() and c != " "})
    if font is not None:
        try:
            missing = _missing(ft2font.FT2Font(str(font)), needed)
        except (OSError, RuntimeError) as error:
            raise ValueError(f"{font} cannot be read as a font: {error}") from None
        if missing:
            raise ValueError(_no_glyphs(f"{font} has", missing))
        return str(font)
    regular, others = [], []
    fewest = needed
    for path in [own_font(), *sorted(font_manager.findSystemFonts())]:
        try:
            face = ft2font.FT2Font(path)
            missing = _missing(face, needed)
        except (OSError, RuntimeError):
            continue  # a broken file among the installed fonts must not stop the search
        if missing:
            fewest = min(fewest, missing, key=len)
        elif path == own_font():
            return path
        else:
            plain = face.style_name.lower() in {"regular", "book", "roman", "normal"}
            (regular if plain else others).append(path)
    if not regular + others:
        raise ValueError(_no_glyphs("the installed fonts have", fewest))
    return (regular + others)[0]


def own_font() -> str:
    """Return the path of DejaVu Sans, which comes with matplotlib."""
    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


def _missing(face: ft2font.FT2Font, needed: list[str]) -> list[str]:
    """Find the characters that a font would draw as a box, or not at all."""
    if not face.scalable:
        return needed  # bitmaps, such as color emoji, which matplotlib cannot draw
    glyphs = face.get_charmap()
    # Fonts of last resort have the same box for whole blocks of characters.
    boxes = [c for c in needed if glyphs.get(ord(c)) and glyphs[ord(c)] == glyphs.get(ord(c) + 1)]
    if 2 * len(boxes) > len(needed):
        return needed
    return [c for c in needed if not glyphs.get(ord(c))]


def _no_glyphs(fonts: str, missing: list[str]) -> str:
    shown = "".join(missing[:20]) + ("..." if len(missing) > 20 else "")
    return (
        f"{fonts} no glyph for {shown}; pass font=PATH with a font that has them, or write the "
        "page, which uses the browser's fonts, with lstm_jax.animation.page.save_html"
    )
