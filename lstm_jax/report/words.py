"""Figures in words, for the sentences and the table of a report."""

from __future__ import annotations

import math


def since(lag: int | None, last: int) -> str:
    """Describe the lag from which something holds; None is not within the `last` lags."""
    return f"not within {last} steps" if lag is None else f"from lag {lag} on"


def power(ln: float) -> str:
    """Format e^ln, as a power of ten if it is very large or small."""
    if not math.isfinite(ln):
        return "unknown"
    if abs(ln) < math.log(1000):
        return f"{math.exp(ln):.2g}"
    return f"10^{round(ln / math.log(10)):d}".replace("-", "−")


def signed(value: float) -> str:
    """Format a number to three digits, with a true minus sign."""
    return f"{value:.3g}".replace("-", "−")


def percent(share: float) -> str:
    """Format a share as a percentage."""
    return f"{100 * share:.2g}%" if math.isfinite(share) else "an unknown share"


def duration(steps: float) -> str:
    """Format a timescale in steps, without the unit."""
    if not math.isfinite(steps):
        return "∞"
    return f"{steps:.1f}" if steps < 10 else f"{steps:.0f}"


def count(number: int, noun: str) -> str:
    """Format a number with a noun, in the plural unless the number is 1."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
