"""The gate animation, which shows every gate and state while a text is read character by character.

`gate_animation_html` returns a single page that needs only a browser: no network, no other file.
The browser draws the text in its own fonts, so any script can be shown.
`lstm_jax.plots.gif.save_gif` makes a GIF of the same panels.

The timescale τ of a unit is that of `lstm_jax.diagnostics.timescales`: after τ steps, 1/e of the
cell is left.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypedDict, Unpack, cast

import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from lstm_jax.animation.colors import KINDS, THEMES, color_map
from lstm_jax.animation.document import document
from lstm_jax.cells import LSTMGates, LSTMState
from lstm_jax.diagnostics.gates import timescales
from lstm_jax.files import write_whole
from lstm_jax.spelling import named_options

# The gates and states, in the order of the panels, with their ranges. The cell has no fixed range.
RANGES = {"f": (0, 1), "i": (0, 1), "o": (0, 1), "g": (-1, 1), "c": None, "h": (-1, 1)}
LEVELS = 65535  # two bytes per value, because the readout multiplies values

Order: TypeAlias = Sequence[int] | np.ndarray | Array
"""Indices of units, top row first."""


class PageOptions(TypedDict, total=False):
    """Declare the options of `gate_animation_html`, which describes them."""

    title: str
    lang: str
    layer_names: Sequence[str] | None
    order: Order | Sequence[Order | None] | None
    max_units: int
    fps: float


@dataclass(frozen=True)
class DrawnLayer:
    """Store the n units of a layer that are drawn, out of H, over T steps."""

    name: str
    units: np.ndarray
    """Indices of the drawn units, (n,), top row first."""
    timescales: np.ndarray
    """τ of each drawn unit, (n,), in steps; infinite if f was always 1."""
    total: int
    """H, the number of units in the layer."""
    values: dict[str, np.ndarray]
    """f, i, o, g, c, h of the drawn units, each (T, n)."""
    means: dict[str, np.ndarray]
    """Mean of f, i, o and mean magnitude of g, c, h over all H units, each (T,)."""
    cell_limit: float
    """Largest |c| of the drawn units; 1 if all are zero."""


def gate_animation_html(
    characters: Sequence[str],
    gates: LSTMGates | Sequence[LSTMGates],
    states: LSTMState | Sequence[LSTMState],
    *,
    title: str = "",
    lang: str = "",
    layer_names: Sequence[str] | None = None,
    order: Order | Sequence[Order | None] | None = None,
    max_units: int = 64,
    fps: float = 4.0,
) -> str:
    """Build a page that plays the gates and states of an LSTM at each character.

    Args:
        characters: T texts, the input of each step; "" is a start without a character.
        gates: i, f, g, o, each (T, H), from `lstm_jax.trace` with `gates=lstm_gates`; or one of
            these per layer, bottom first.
        states: h and c after each step, each (T, H); one per layer if `gates` are.
        title: shown above the text.
        lang: language of the text, such as "zh-Hant", by which browsers choose fonts.
        layer_names: one per layer.
        order: indices of units, top row first; units that are not listed are not drawn. One per
            layer if `gates` are. By default slowest first, by timescale.
        max_units: maximum number of units; if there are more, they are picked evenly from `order`.
        fps: initial number of characters per second, which the page can change.

    Returns:
        An HTML document. Values are rounded to 1/65535 of their range.

    Raises:
        ValueError: if there are no characters, shapes do not agree, or a value or a setting is out
            of range or not finite.
    """
    layers = drawn_layers(
        characters, gates, states, layer_names=layer_names, order=order, max_units=max_units
    )
    if not 0 < fps <= 60:
        raise ValueError(f"fps must be in (0, 60], got {fps}")
    if not re.fullmatch(r"[A-Za-z0-9-]*", lang):
        raise ValueError(f"lang must be a language tag such as zh-Hant, got {lang!r}")
    data = {
        "characters": list(characters),
        "fps": fps,
        "layers": [_layer_data(layer) for layer in layers],
        "maps": {
            theme: {
                kind: base64.b64encode(color_map(kind, theme).tobytes()).decode() for kind in KINDS
            }
            for theme in THEMES
        },
    }
    fields = {
        "title": html.escape(title or "Inside an LSTM"),
        "lang": lang,
        "text": html.escape("".join(characters)),
        "data": _script_json(data),
    }
    return document("lstm_jax.animation", "page.html", fields, allowed="script-src 'unsafe-inline'")


@named_options(PageOptions)
def save_html(
    path: str | Path,
    characters: Sequence[str],
    gates: LSTMGates | Sequence[LSTMGates],
    states: LSTMState | Sequence[LSTMState],
    **options: Unpack[PageOptions],
) -> None:
    """Write the page of `gate_animation_html` to a file, completely or not at all.

    Args:
        path: of the file; an existing file is replaced.
        characters, gates, states, **options: as in `gate_animation_html`.

    Raises:
        ValueError: as in `gate_animation_html`.
        OSError: if the file cannot be written.
    """
    write_whole(Path(path), gate_animation_html(characters, gates, states, **options))


def drawn_layers(
    characters: Sequence[str],
    gates: LSTMGates | Sequence[LSTMGates],
    states: LSTMState | Sequence[LSTMState],
    *,
    layer_names: Sequence[str] | None = None,
    order: Order | Sequence[Order | None] | None = None,
    max_units: int = 64,
) -> list[DrawnLayer]:
    """Check the arguments of `gate_animation_html` and choose the units to draw.

    Args:
        characters, gates, states, layer_names, order, max_units: as in `gate_animation_html`.

    Returns:
        One `DrawnLayer` per layer, bottom first.

    Raises:
        ValueError: as in `gate_animation_html`.
    """
    _check_characters(characters)
    if max_units < 1:
        raise ValueError(f"max_units must be at least 1, got {max_units}")
    if isinstance(gates, LSTMGates) != isinstance(states, LSTMState):
        raise ValueError(
            "gates and states must both be of one layer, or both be sequences over layers"
        )
    single = isinstance(gates, LSTMGates)
    gates_of = [gates] if isinstance(gates, LSTMGates) else list(gates)
    states_of = [states] if isinstance(states, LSTMState) else list(states)
    orders = [order] if single else [None] * len(gates_of) if order is None else list(order)
    order_of = cast("list[Order | None]", orders)
    if layer_names is None:
        layer_names = [f"Layer {index + 1}" for index in range(len(gates_of))]
    counts = [len(gates_of), len(states_of), len(order_of), len(layer_names)]
    if not counts[0] or len(set(counts)) > 1:
        raise ValueError(
            "every layer must have its gates, states, order and name, and there must be at least "
            f"one layer; got {counts[0]} gates, {counts[1]} states, {counts[2]} orders, "
            f"{counts[3]} names"
        )
    return [
        _drawn_layer(len(characters), *layer, max_units)
        for layer in zip(layer_names, gates_of, states_of, order_of, strict=True)
    ]


def position(name: str, values: np.ndarray, cell_limit: float) -> np.ndarray:
    """Compute the positions of values on their color map.

    The cell is drawn by √|c|, because a few units count up to ten or more while most stay below
    one, and would vanish on a linear scale.

    Args:
        name: f, i, o, g, c or h.
        values: of any shape.
        cell_limit: the largest |c|.

    Returns:
        Positions in [0, 1], in the shape of the values.
    """
    if name == "c":
        values = np.sign(values) * np.sqrt(np.abs(values) / cell_limit)
    return values if RANGES[name] == (0, 1) else (1 + values) / 2


def _check_characters(characters: Sequence[str]) -> None:
    if len(characters) == 0:
        raise ValueError("characters must hold one string per step and at least one, got none")
    for index, character in enumerate(characters):
        if not isinstance(character, str):
            raise ValueError(f"characters[{index}] must be a string, got {character!r}")
        if any("\ud800" <= symbol <= "\udfff" for symbol in character):
            raise ValueError(f"characters[{index}] has a lone surrogate: {character!r}")


def _drawn_layer(
    steps: int, name: str, gates: LSTMGates, state: LSTMState, order: Order | None, max_units: int
) -> DrawnLayer:
    fields = gates._asdict() | state._asdict()
    arrays = {key: _checked(f"{key} of {name!r}", key, fields[key], steps) for key in RANGES}
    total = arrays["f"].shape[1]
    for key, array in arrays.items():
        if array.shape[1] != total:
            raise ValueError(
                f"{key} of {name!r} must have the {total} units that f has, got {array.shape[1]}"
            )
    taus = np.asarray(timescales(arrays["f"]))
    if order is None:
        order = np.argsort(-taus, kind="stable")
    order = np.asarray(order)
    valid = order.ndim == 1 and order.size and np.issubdtype(order.dtype, np.integer)
    if not valid or order.min() < 0 or order.max() >= total or len(set(order)) < order.size:
        raise ValueError(f"order of {name!r} must be distinct unit indices in [0, H={total})")
    if order.size > max_units:
        order = order[np.rint(np.linspace(0, order.size - 1, max_units)).astype(int)]
    values = {key: array[:, order] for key, array in arrays.items()}
    return DrawnLayer(
        name=name,
        units=order,
        timescales=taus[order],
        total=total,
        values=values,
        # The gates are not negative, so their mean magnitude is their mean.
        means={key: np.abs(array).mean(axis=1) for key, array in arrays.items()},
        cell_limit=float(np.abs(values["c"]).max()) or 1.0,
    )


def _checked(label: str, key: str, array: ArrayLike, steps: int) -> np.ndarray:
    array = np.asarray(array).astype(np.float32)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(
            f"{label} must be (T, H), got shape {array.shape}; choose one row of a batch"
        )
    if array.shape[0] != steps:
        raise ValueError(f"{label} has {array.shape[0]} steps, but there are {steps} characters")
    if not np.isfinite(array).all():
        raise ValueError(f"{label} must be finite, but has infinite or NaN values")
    bounds = RANGES[key]
    if bounds and not (bounds[0] <= array.min() and array.max() <= bounds[1]):
        raise ValueError(
            f"{label} must be in [{bounds[0]}, {bounds[1]}], got {array.min():.4g} to "
            f"{array.max():.4g}; is it a different array?"
        )
    return array


def _layer_data(layer: DrawnLayer) -> dict[str, object]:
    return {
        "name": layer.name,
        "units": layer.units.tolist(),
        "timescales": [
            round(float(tau), 3) if np.isfinite(tau) else None for tau in layer.timescales
        ],
        "total": layer.total,
        "cellLimit": layer.cell_limit,
        "means": {key: np.round(mean, 4).tolist() for key, mean in layer.means.items()},
        "values": {
            key: _packed(array, *(RANGES[key] or (-layer.cell_limit, layer.cell_limit)))
            for key, array in layer.values.items()
        },
    }


def _packed(array: np.ndarray, low: float, high: float) -> str:
    """Encode as base64 of little-endian uint16, row by row: 0 is `low` and 65535 is `high`."""
    levels = np.rint((array.astype(np.float64) - low) * (LEVELS / (high - low)))
    return base64.b64encode(levels.astype("<u2").tobytes()).decode()


def _script_json(data: object) -> str:
    """Write JSON that cannot close the script element around it."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text)
