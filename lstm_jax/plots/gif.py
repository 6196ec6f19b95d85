"""The gate animation as a GIF, drawn by matplotlib in a font that has the characters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import matplotlib.style
import numpy as np
from matplotlib import ft2font
from matplotlib.animation import PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lstm_jax.animation.colors import color_map
from lstm_jax.animation.page import DrawnLayer, Order, drawn_layers, position
from lstm_jax.cells import LSTMGates, LSTMState
from lstm_jax.files import written_whole
from lstm_jax.plots.drawing import FAINT, INK, SOFT
from lstm_jax.plots.fonts import find_font, own_font

MAX_FRAMES = 300  # a longer GIF takes minutes and many megabytes; the page has no such limit
DPI = 100
SIZE = (10.0, 7.4)  # inches
TEXT_LEFT, TEXT_BOTTOM = 0.035, 0.775  # fractions of the figure
LEADING = 1.5  # distance between lines of the text, in ems
SIGN = 0.5  # size of the signs for the start and for the end of a line, in ems
ACCENT, PAGE = "#b93a26", "#f9f7f2"
GATE_COLORS = {"f": "#1f5fa8", "i": "#b93a26", "o": "#4f7a1f"}
Move: TypeAlias = Callable[[int], None]
"""`move(step)`: updates a part of the picture to a step."""

TITLES = {
    "f": ("Forget gate", r"$f_t = \sigma(W_f\,[h_{t-1}, x_t] + b_f)$"),
    "i": ("Input gate", r"$i_t = \sigma(W_i\,[h_{t-1}, x_t] + b_i)$"),
    "o": ("Output gate", r"$o_t = \sigma(W_o\,[h_{t-1}, x_t] + b_o)$"),
    "g": ("Candidate", r"$g_t = \tanh(W_g\,[h_{t-1}, x_t] + b_g)$"),
    "c": ("Cell state", r"$c_t = f_t \odot c_{t-1} + i_t \odot g_t$"),
    "h": ("Hidden state", r"$h_t = o_t \odot \tanh(c_t)$"),
}


def save_gif(
    path: str | Path,
    characters: Sequence[str],
    gates: LSTMGates,
    states: LSTMState,
    *,
    title: str = "",
    font: str | Path | None = None,
    order: Order | None = None,
    max_units: int = 64,
    fps: float = 4.0,
) -> None:
    """Write the gate animation of one layer as a GIF with T frames, completely or not at all.

    Args:
        path: must end in .gif.
        characters, gates, states, title, order, max_units: as in
            `lstm_jax.animation.page.gate_animation_html`, for one layer.
        font: a font file that has the characters; by default one of the installed fonts.
        fps: characters per second, at most 50, because browsers slow down a faster GIF.

    Raises:
        ValueError: as in `gate_animation_html`, or if no font has the characters, or if there are
            more than 300 steps.
    """
    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise ValueError(f"the path of a GIF must end in .gif, got {path}")
    if not 0 < fps <= 50:
        raise ValueError(f"fps must be in (0, 50], got {fps}")
    if not isinstance(gates, LSTMGates):
        raise ValueError(
            "a GIF shows one layer; pass its LSTMGates and LSTMState, such as gates[-1]"
        )
    if len(characters) > MAX_FRAMES:
        raise ValueError(
            f"a GIF must have at most {MAX_FRAMES} steps, got {len(characters)}; write the page "
            "instead, with lstm_jax.animation.page.save_html"
        )
    [layer] = drawn_layers(characters, gates, states, order=order, max_units=max_units)
    text_font = find_font([*characters, title], font)
    # The user's style may name fonts that lack σ or ⊙.
    with matplotlib.style.context("default"):
        figure = Figure(figsize=SIZE, dpi=DPI, facecolor=PAGE)
        FigureCanvasAgg(figure)
        figure.text(
            TEXT_LEFT, 0.95, title, size=13, font=Path(text_font), color=INK, parse_math=False
        )
        move = [_draw_text(figure, characters, text_font, 0.93 if title else 0.97)]
        for index, name in enumerate(TITLES):
            corner = (0.05 + 0.32 * (index % 3), 0.535 - 0.285 * (index // 3))
            move.append(_draw_panel(figure, layer, name, corner))
        move.append(_draw_means(figure, layer))
        figure.text(TEXT_LEFT, 0.018, _rows(layer), size=8, color=SOFT)
        writer = _OnePalette(fps=fps)  # pyright: ignore[reportArgumentType]
        with written_whole(path) as partial, writer.saving(figure, str(partial), DPI):
            for step in range(len(characters)):
                for update in move:
                    update(step)
                writer.grab_frame()


class _OnePalette(PillowWriter):
    """Use one palette for all frames, so that unchanged parts cost nothing: a third of the size."""

    def finish(self) -> None:
        frames = [frame.convert("RGB") for frame in self._frames]
        palette = frames[-1].quantize(256, dither=0)  # the last frame contains all values
        self._frames = [frame.quantize(palette=palette, dither=0) for frame in frames]
        super().finish()


def _draw_text(figure: Figure, characters: Sequence[str], path: str, top: float) -> Move:
    """Write the text below `top`, a fraction of the height; return what moves its mark.

    The text has the largest size in which it fits. If none fits, only the lines around the current
    character are shown.
    """
    width, height = DPI * figure.get_size_inches()
    left, shown, em = TEXT_LEFT * width, 1, 0.0
    advances, lines = [], []
    for size in (30, 22, 15):
        em = size * DPI / 72
        shown = int((top - TEXT_BOTTOM) * height / (LEADING * em))
        advances = [_advance(character, path, size) for character in characters]
        lines = _lines(characters, advances, width - 2 * left)
        if len(lines) <= shown:
            break
    mark = Rectangle((0, 0), 1, 1, transform=None, color=ACCENT, linewidth=0)
    figure.add_artist(mark)
    places, texts = {}, {}
    for number, line in enumerate(lines):
        x = left
        for step in line:
            label, sign = _label(characters[step])
            font = Path(own_font() if sign else path)
            points = em * 72 / DPI * (SIGN if sign else 1)
            texts[step] = figure.text(
                x, 0, label, font=font, size=points, transform=None, parse_math=False
            )
            places[step] = (x, number)
            x += advances[step]

    slack = max(0, shown - len(lines)) * LEADING / 2  # centers a short text

    def move(now: int) -> None:
        first = min(max(places[now][1] - 1, 0), max(len(lines) - shown, 0))
        for step, text in texts.items():
            row = places[step][1] - first
            text.set_visible(0 <= row < shown)
            text.set_y(top * height - (1.1 + slack + LEADING * row) * em)
            text.set_color(PAGE if step == now else INK if step < now else FAINT)
        x, y = texts[now].get_position()
        mark.set_bounds(x - 2, y - 0.3 * em, max(advances[now] + 2, 6), 1.35 * em)

    return move


def _label(character: str) -> tuple[str, bool]:
    """Return the label of a character, and whether it is a small sign in matplotlib's own font."""
    signs = {"": "start", "\n": "↵", "\t": "⇥"}
    if character in signs:
        return signs[character], True
    return "".join(c if c.isprintable() else " " if c.isspace() else "·" for c in character), False


def _advance(character: str, path: str, size: float) -> float:
    """Compute the width of a character in pixels."""
    label, is_sign = _label(character)
    face = ft2font.FT2Font(own_font() if is_sign else path)
    face.set_size(size * (SIGN if is_sign else 1), DPI)
    width = sum(face.load_char(ord(c)).linearHoriAdvance for c in label) / 65536
    return width + (0.4 * size if is_sign else 0)


def _lines(characters: Sequence[str], advances: list[float], room: float) -> list[list[int]]:
    """Break a text into lines no wider than `room`, after a space if possible."""
    lines: list[list[int]] = []
    line: list[int] = []
    for step, character in enumerate(characters):
        if line and sum(advances[k] for k in [*line, step]) > room:
            blanks = [k for k in line if characters[k].isspace()]
            cut = line.index(blanks[-1]) + 1 if blanks else len(line)
            lines.append(line[:cut])
            line = line[cut:]
        line.append(step)
        if character == "\n":
            lines.append(line)
            line = []
    return [*lines, line] if line else lines


def _draw_panel(figure: Figure, layer: DrawnLayer, name: str, corner: tuple[float, float]) -> Move:
    """Draw the panel of a gate or a state; return the function that uncovers it up to a step."""
    steps, rows = layer.values[name].shape
    kind = "gate" if name in GATE_COLORS else "signed"
    places = position(name, layer.values[name], layer.cell_limit)
    colors = ListedColormap(color_map(kind, "light") / 255)
    axes = figure.add_axes((*corner, 0.215, 0.205))
    axes.imshow(
        places.T,
        cmap=colors,
        vmin=0,
        vmax=1,
        aspect="auto",
        interpolation="nearest",
        extent=(0, steps, rows, 0),
    )
    heading, equation = TITLES[name]
    figure.text(corner[0], corner[1] + 0.215, heading, size=9, weight="bold", color=INK)
    edge = corner[0] + 0.272
    figure.text(edge, corner[1] + 0.215, equation, size=9, color=INK, ha="right")
    ticks = np.unique(np.rint(np.linspace(0, rows - 1, 5)).astype(int))
    axes.set_yticks(ticks + 0.5, [_tau(float(layer.timescales[k])) for k in ticks])
    axes.set_xticks([])
    axes.tick_params(length=0, labelsize=7, labelcolor=SOFT, pad=2)
    limit = layer.cell_limit if name == "c" else 1
    ends = ["0 closed", "1 open"] if kind == "gate" else [f"−{limit:.1f}", f"{limit:.1f}"]
    ramp = figure.add_axes((corner[0], corner[1] - 0.016, 0.215, 0.007))
    ramp.imshow(np.arange(256)[None], cmap=colors, aspect="auto")
    ramp.axis("off")
    for x, side, end in zip((0, 0.215), ("left", "right"), ends, strict=True):
        figure.text(corner[0] + x, corner[1] - 0.034, end, size=7, color=SOFT, ha=side)
    if name == "c":
        note = "color by √|c|"
        figure.text(corner[0] + 0.1075, corner[1] - 0.034, note, size=7, color=SOFT, ha="center")
    cover = Rectangle((0, 0), steps, rows, color="white", linewidth=0)
    column = Rectangle((0, 0), 1, rows, fill=False, color=INK, linewidth=1.2, clip_on=False)
    axes.add_patch(cover)
    axes.add_patch(column)

    bars = figure.add_axes((corner[0] + 0.222, corner[1], 0.05, 0.205), facecolor=PAGE)
    bars.set(xlim=(0, 1), ylim=(rows, 0), xticks=[], yticks=[])
    zero = 0.0 if kind == "gate" else 0.5
    bars.axvline(zero, color=FAINT, linewidth=0.8)
    thickness = max(0.6, 0.7 * 0.205 * SIZE[1] * 72 / rows)
    lines = bars.hlines(np.arange(rows) + 0.5, zero, places[0], colors=SOFT, linewidth=thickness)
    for spine in [spine for part in (axes, bars) for spine in part.spines.values()]:
        spine.set(color=FAINT, linewidth=0.6)

    def move(now: int) -> None:
        cover.set_bounds(now + 1, 0, steps - now - 1, rows)
        column.set_x(now)
        lines.set_segments([[(zero, k + 0.5), (x, k + 0.5)] for k, x in enumerate(places[now])])

    return move


def _draw_means(figure: Figure, layer: DrawnLayer) -> Move:
    """Draw the mean gates over the text; return the function that moves their mark."""
    axes = figure.add_axes((0.05, 0.065, 0.912, 0.105))
    steps = len(layer.means["f"])
    axes.set(xlim=(0, steps), ylim=(0, 1), xticks=[], yticks=[0, 1])
    axes.tick_params(length=0, labelsize=7, labelcolor=SOFT, pad=2)
    mark = axes.axvspan(0, 1, color=INK, alpha=0.12, linewidth=0)
    at = np.arange(steps) + 0.5
    lines = []
    for index, (name, color) in enumerate(GATE_COLORS.items()):
        axes.plot(at, layer.means[name], color=color, alpha=0.25, linewidth=1.5)
        lines += axes.plot(
            at, layer.means[name], color=color, linewidth=1.5, marker=".", markevery=[-1]
        )
        label = f"{TITLES[name][0].lower()}, mean"
        figure.text(0.05 + 0.13 * index, 0.178, label, size=8, color=color, weight="bold")
    for spine in axes.spines.values():
        spine.set(color=FAINT, linewidth=0.6)

    def move(now: int) -> None:
        mark.set_x(now)
        for line, name in zip(lines, GATE_COLORS, strict=True):
            line.set_data(at[: now + 1], layer.means[name][: now + 1])

    return move


def _rows(layer: DrawnLayer) -> str:
    drawn = len(layer.units)
    units = f"all {drawn} units" if drawn == layer.total else f"{drawn} of {layer.total} units"
    return (
        f"Rows: {units}; the number on the left is the timescale τ = −1 / mean(ln f) in steps. "
        "Bars: the current step."
    )


def _tau(tau: float) -> str:
    if np.isinf(tau):
        return "∞"
    return f"{tau:.1f}" if tau < 10 else f"{tau:.0f}" if tau < 1000 else f"{tau / 1000:.0f}k"
