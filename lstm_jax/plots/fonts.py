"""Fonts for texts of any script, judged by the characters that they have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib import font_manager, ft2font


def find_font(characters: Sequence[str], font: str | Path | None = None) -> str:
    """Find a font that has a glyph for every one of these characters.

    Fonts are judged by what they cover, not by their names. Whitespace and control characters are
    not drawn and need no glyph.

    Args:
        characters: texts.
        font: a font file; if None, matplotlib's own DejaVu Sans and then the installed fonts,
            upright regular ones first.

    Returns:
        The path of its file.

    Raises:
        ValueError: the file is no font, or no font has all of the characters.
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
            continue  # a broken file among the installed ones is not this caller's trouble
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
    """Give the path of DejaVu Sans, which comes with matplotlib."""
    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


def _missing(face: ft2font.FT2Font, needed: list[str]) -> list[str]:
    """The characters that a font would draw as a box, or not at all."""
    if not face.scalable:
        return needed  # bitmaps, such as coloured emoji, which matplotlib cannot draw
    glyphs = face.get_charmap()
    # Fonts of last resort give one and the same box to whole blocks of characters.
    stand_ins = [
        c for c in needed if glyphs.get(ord(c)) and glyphs[ord(c)] == glyphs.get(ord(c) + 1)
    ]
    if 2 * len(stand_ins) > len(needed):
        return needed
    return [c for c in needed if not glyphs.get(ord(c))]


def _no_glyphs(who: str, missing: list[str]) -> str:
    shown = "".join(missing[:20]) + ("..." if len(missing) > 20 else "")
    return (
        f"{who} no glyph for {shown}: pass font=PATH of a font that has, or make the page, which "
        "draws in the browser's fonts: lstm_jax.animation.page.save_html"
    )
