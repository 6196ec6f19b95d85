"""The colors of gates and states, for light and dark pages."""

from __future__ import annotations

from typing import Literal

import numpy as np

Kind = Literal["gate", "signed"]
Theme = Literal["light", "dark"]
KINDS: tuple[Kind, ...] = ("gate", "signed")
THEMES: tuple[Theme, ...] = ("light", "dark")

# Anchors of the color maps, (lightness, chroma, hue in degrees) in OKLCh. Lightness is linear in
# the value, and zero has the color of the page: a closed gate is blank, an open one has full color.
ANCHORS: dict[tuple[Kind, Theme], list[tuple[float, float, float]]] = {
    ("gate", "light"): [(0.975, 0.008, 95), (0.64, 0.11, 235), (0.30, 0.13, 275)],
    ("gate", "dark"): [(0.24, 0.015, 265), (0.60, 0.12, 250), (0.96, 0.05, 200)],
    ("signed", "light"): [(0.38, 0.13, 262), (0.975, 0.008, 95), (0.38, 0.13, 28)],
    ("signed", "dark"): [(0.86, 0.10, 230), (0.24, 0.015, 265), (0.86, 0.11, 55)],
}


def color_map(kind: Kind, theme: Theme) -> np.ndarray:
    """Compute a color map of 256 colors.

    Args:
        kind: "gate" for [0, 1], or "signed" for a range symmetric about 0.
        theme: of the page.

    Returns:
        sRGB, uint8 (256, 3).
    """
    lightness, chroma, hue = np.array(ANCHORS[kind, theme]).T
    anchors = [lightness, chroma * np.cos(np.radians(hue)), chroma * np.sin(np.radians(hue))]
    at = np.linspace(0, 1, 256)
    lab = np.stack([np.interp(at, np.linspace(0, 1, len(a)), a) for a in anchors], axis=-1)
    # OKLab to linear sRGB (Ottosson 2020), then the transfer curve of sRGB.
    to_lms = [
        [1, 0.39633778, 0.21580376],
        [1, -0.10556135, -0.06385417],
        [1, -0.08948418, -1.2914855],
    ]
    to_rgb = [
        [4.0767417, -3.3077116, 0.2309699],
        [-1.268438, 2.6097574, -0.3413194],
        [-0.0041961, -0.7034186, 1.7076147],
    ]
    linear = np.clip((lab @ np.transpose(to_lms)) ** 3 @ np.transpose(to_rgb), 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255 * encoded).astype(np.uint8)
