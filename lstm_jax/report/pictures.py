"""The pictures of a diagnosis: `lstm_jax.plots` put together from the dictionary of its results."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from lstm_jax import plots
from lstm_jax.cells import LSTMState
from lstm_jax.diagnostics import (
    GateHistogram,
    LyapunovSpectrum,
    ProductSpectrum,
    Roads,
    Saturation,
    StepNorms,
)
from lstm_jax.recurrence import StackState

DPI = 160
LARGEST_SVG = 300_000  # bytes; where there are many marks, pixels are smaller
GATE_NAMES = {"i": "Input gate i", "f": "Forget gate f", "g": "Candidate g", "o": "Output gate o"}


def files(results: dict[str, Any]) -> dict[str, bytes]:
    """PNG of every picture, and SVG of those that are small, by file name."""
    found = {}
    with plots.default_style():
        for name, draw in PICTURES.items():
            figure = draw(results[QUESTION.get(name, name)], results)
            found[f"{name}.png"] = _saved(figure, "png")
            figure.set_layout_engine("none")  # it stands
            vector = _saved(figure, "svg")
            if len(vector) <= LARGEST_SVG:
                found[f"{name}.svg"] = vector
    return found


def adjoints(found: dict[str, Any], results: dict[str, Any]) -> Any:
    """Influence by lag, and the adjoint norms of each layer."""
    figure = plots.new_figure(2)
    band = _array(found["low"]), _array(found["high"])
    plots.influence(_array(found["relative"]), band=band, axes=figure.axes[0])
    layers = [LSTMState(_array(layer["h"]), _array(layer["c"])) for layer in found["layers"]]
    plots.adjoint_norms(StackState(layers), axes=figure.axes[1])
    return figure


def units(found: dict[str, Any], results: dict[str, Any]) -> Any:
    """The adjoint of every group of units, one panel for each layer."""
    figure = plots.new_figure(len(found["units"]))
    for number, (layer, axes) in enumerate(zip(found["units"], list(figure.axes), strict=True)):
        options = {
            "timescales": _array(layer["timescale"]),
            "quantity": "|∂L/∂c| / ‖∂L/∂s‖ at lag 0",
        }
        plots.unit_adjoints(_array(layer["rms"]), axes=axes, **options)
        _retitle(axes, f"Layer {number + 1}: adjoint of the cells")
    return figure


def jacobians(found: dict[str, Any], results: dict[str, Any]) -> Any:
    """Step norms, the product's spectrum, and the bound beside the truth."""
    figure = plots.new_figure(3, size=(4.0, 3.5))
    steps = StepNorms(_array(found["ln_spectral"]), _array(found["ln_frobenius"]))
    none = _array([None] * len(found["lags"]))
    values, norms = _array(found["ln_singular_values"]), _array(found["ln_product_frobenius"])
    spectrum = ProductSpectrum(_array(found["lags"]), values, norms, none)
    first = results["settings"]["steps"] - results["settings"]["lags"] + 1
    plots.step_norms(steps, first=first, axes=figure.axes[0])
    plots.product_spectrum(spectrum, axes=figure.axes[1])
    plots.product_bound(spectrum, _array(found["ln_bound"]), axes=figure.axes[2])
    return figure


def lyapunov(found: dict[str, Any], results: dict[str, Any]) -> Any:
    """The spectrum over the texts, and its convergence."""
    figure = plots.new_figure(2)
    plots.lyapunov_exponents(_array(found["exponents"]), axes=figure.axes[0])
    curve, spread = _array(found["curve"]), _array(found["curve_spread"])
    spectrum = LyapunovSpectrum(_array(found["mean"]), curve, _array(found["times"]))
    plots.lyapunov_convergence(spectrum, spread=spread, axes=figure.axes[1])
    return figure


def roads(found: dict[str, Any], results: dict[str, Any]) -> Any:
    """The three roads by lag."""
    names = ("ln_total", "ln_through_cell", "ln_through_hidden")
    figure = plots.new_figure(size=(6.4, 4.2))
    plots.roads(Roads(*(np.exp(_array(found[name])) for name in names)), axes=figure.axes[0])
    return figure


def gates(found: dict[str, Any], results: dict[str, Any]) -> Any:
    """Histograms above; saturation and timescales below."""
    figure = plots.new_figure(4, 2, size=(3.4, 3.1))
    layers = {f"layer {number + 1}": layer for number, layer in enumerate(found["layers"])}
    for (gate, title), axes in zip(GATE_NAMES.items(), figure.axes[:4], strict=True):
        shares = {
            name: GateHistogram(**_arrays(layer["histograms"][gate]))
            for name, layer in layers.items()
        }
        plots.gate_histograms(shares, title=title, axes=axes)
    for gate, axes in zip("ifo", figure.axes[4:7], strict=True):
        sides = {
            name: Saturation(**_arrays(layer["saturation"][gate])) for name, layer in layers.items()
        }
        plots.saturation(sides, title=f"{GATE_NAMES[gate]}: saturation", axes=axes)
    # A timescale that is None was endless.
    taus = {n: np.nan_to_num(_array(la["timescales"]), nan=np.inf) for n, la in layers.items()}
    plots.timescales(taus, axes=figure.axes[7])
    return figure


def context(found: dict[str, Any], results: dict[str, Any]) -> Any:
    """The loss against the context."""
    figure = plots.new_figure(2)
    contexts = found["contexts"]
    plots.context_loss(
        contexts,
        _array(found["nats"]),
        whole=found["whole"],
        memory=found["memory_length"],
        marks=results["adjoints"]["influence_lag"],
        axes=figure.axes[0],
    )
    plots.context_gap(
        contexts,
        _array(found["gap"]),
        errors=_array(found["gap_error"]),
        tolerance=found["tolerance"],
        axes=figure.axes[1],
    )
    return figure


PICTURES = {
    "adjoints": adjoints,
    "units": units,
    "jacobians": jacobians,
    "lyapunov": lyapunov,
    "roads": roads,
    "gates": gates,
    "context": context,
}
QUESTION = {"units": "adjoints"}
"""The question that a picture of another name belongs to."""


def _array(values: Any) -> Any:
    return np.array(values, np.float64)  # None becomes NaN, which is not drawn


def _arrays(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _array(values) for name, values in fields.items()}


def _retitle(axes: Any, title: str) -> None:
    axes.set_title(title, loc="left", size=10, weight="bold", color=plots.INK)


def _saved(figure: Any, kind: str) -> bytes:
    buffer = io.BytesIO()
    # Without the date, the same figures give the same file.
    figure.savefig(buffer, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()
