"""Figures in words, as the sentences and the table of a report put them."""

from __future__ import annotations

import math


def since(lag: int | None, last: int) -> str:
    """Say from which lag on something holds, None being not within the `last` lags seen."""
    return f"not within {last} steps" if lag is None else f"from lag {lag} on"


def power(ln: float) -> str:
    """Say e^ln, as a power of ten where it is large or small."""
    if not math.isfinite(ln):
        return "unknown"
    if abs(ln) < math.log(1000):
        return f"{math.exp(ln):.2g}"
    return f"10^{round(ln / math.log(10)):d}".replace("-", "−")


def signed(value: float) -> str:
    """Write a number to three digits, with a minus that is one."""
    return f"{value:.3g}".replace("-", "−")


def percent(share: float) -> str:
    """Say a share of one in per cent."""
    return f"{100 * share:.2g} %" if math.isfinite(share) else "an unknown share"


def duration(steps: float) -> str:
    """Say a timescale, in steps without their name."""
    if not math.isfinite(steps):
        return "endless"
    return f"{steps:.1f}" if steps < 10 else f"{steps:.0f}"


def count(number: int, noun: str) -> str:
    """Say how many, the noun in its plural where they are not one."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
