"""What a diagnosis found, in words: one sentence or two for each question, and a short table."""

from __future__ import annotations

import math
from typing import Any


def summary(results: dict[str, Any]) -> list[tuple[str, str]]:
    """Label and figure, one line each."""
    adjoints, jacobians, roads = results["adjoints"], results["jacobians"], results["roads"]
    lyapunov, context, texts = results["lyapunov"], results["context"], results["texts"]
    last = adjoints["lags"][-1]
    bound, truth = jacobians["ln_bound"][-1], jacobians["ln_singular_values"][-1][0]
    fold = lyapunov["e_folding"]
    return [
        ("perplexity", f"{texts['perplexity']:.4g} on these texts"),
        (
            "influence",
            f"below 1/e {_from(adjoints['influence_lag']['1/e'], last)}, "
            f"below 1 % {_from(adjoints['influence_lag']['1 %'], last)}",
        ),
        ("decay", _decay(adjoints)),
        (
            "product of Jacobians",
            f"norm {_number(truth)} over {jacobians['lags'][-1]} steps; "
            f"the step norms bound it by {_number(bound)}",
        ),
        (
            "Lyapunov exponent",
            f"{_signed(lyapunov['mean'][0])} ± {lyapunov['spread'][0]:.2g} nats a step"
            + (f" (1/|λ| = {fold:.3g} steps)" if fold else ""),
        ),
        (
            "cell road",
            f"alone it brings {_percent(roads['share_of_cell'][last])} of the gradient at lag "
            f"{last}; h alone {_hidden(roads)}",
        ),
        (
            "timescales",
            "; ".join(
                f"layer {number + 1}: median {_tau(layer['median_timescale'])}, slowest tenth from "
                f"{_tau(layer['slowest_tenth'])}"
                for number, layer in enumerate(results["gates"]["layers"])
            )
            + " steps",
        ),
        ("memory", _memory(context)),
    ]


def answers(results: dict[str, Any]) -> dict[str, str]:
    """Each question's answer in a sentence or two, by its name."""
    return {
        "adjoints": _say_adjoints(results["adjoints"]),
        "jacobians": _say_jacobians(results["jacobians"]),
        "lyapunov": _say_lyapunov(results["lyapunov"], len(results["texts"]["nats"])),
        "roads": _say_roads(results["roads"]),
        "gates": _say_gates(results["gates"]),
        "context": _say_context(results["context"]),
    }


def _say_adjoints(found: dict[str, Any]) -> str:
    last, left = found["lags"][-1], found["relative"][-1]
    e, percent = found["influence_lag"]["1/e"], found["influence_lag"]["1 %"]
    first = f"The influence of a state stays below 1/e of that at lag 0 {_from(e, last)}"
    second = f"below 1 % {_from(percent, last)}"
    text = f"{first}, and {second}. At lag {last}, {_percent(left)} of it is left."
    power, exponential = found["power_law"], found["exponential"]
    if power["r2"] is None:
        return text
    r2 = f"R² = {power['r2']:.3f} for the power law and {exponential['r2']:.3f} for the exponential"
    if power["r2"] > exponential["r2"]:
        slope = _signed(power["slope"])
        return f"{text} It falls as a power law would, about as lag^{slope} ({r2})."
    rate = _signed(exponential["slope"])
    return f"{text} It falls as an exponential would, by {rate} nats a step ({r2})."


def _say_jacobians(found: dict[str, Any]) -> str:
    steps, lag = found["ln_spectral"], found["lags"][-1]
    return (
        f"A single step stretches its steepest direction {math.exp(min(steps)):.3g} to "
        f"{math.exp(max(steps)):.3g} times. The product of {lag} steps stretches its own "
        f"{_number(found['ln_singular_values'][-1][0])} times, where the step norms only say that "
        f"it is no more than {_number(found['ln_bound'][-1])}; what it carries lies in few "
        f"directions (stable rank {found['stable_rank'][-1]:.2g})."
    )


def _say_lyapunov(found: dict[str, Any], texts: int) -> str:
    first, spread = found["mean"][0], found["spread"][0]
    positive = sum(value > 0 for value in found["mean"])
    steps = found["times"][-1]
    figure = (
        f"λ₁ = {_signed(first)} ± {spread:.2g} nats a step over {_count(texts, 'text')} of "
        f"{_count(steps, 'step')}"
    )
    near = sum(first - value < 1 / steps for value in found["mean"][1:])
    settled = (
        f" {near:,} more of those computed lie within 1/{steps} of it: too near to be told apart "
        "in so many steps."
        if near
        else ""
    )
    if abs(first) <= spread or not first:
        return f"{figure}: not to be told from 0, the edge between the two.{settled}"
    fold = f"{found['e_folding']:.3g} steps"
    if first < 0:
        return (
            f"{figure}: contracting. Two runs over the same text meet, in the slowest direction by "
            f"a factor e in {fold}.{settled}"
        )
    return (
        f"{figure}: chaotic on these texts, {_count(positive, 'direction')} of those computed "
        f"growing. Two runs over the same text part by a factor e in {fold}.{settled}"
    )


def _say_roads(found: dict[str, Any]) -> str:
    last = found["lags"][-1]
    share, cosine = found["share_of_cell"][last], found["cosine_of_cell"][last]
    text = (
        f"At lag {last} the cell alone brings {_percent(share)} of the gradient's norm"
        + (
            f"; on the cells, its cosine with the whole gradient is {cosine:.2f}"
            if cosine is not None
            else ""
        )
        + "."
    )
    rate = found["hidden_rate"]
    fall = f"; it falls by {-rate:.2g} nats a step" if rate and rate < 0 else ""
    return f"{text} Through the hidden state alone arrives {_hidden(found)}{fall}."


def _hidden(found: dict[str, Any]) -> str:
    """What arrives through the hidden state alone at the longest lag, of all that does."""
    hidden, total = found["ln_through_hidden"][-1], found["ln_total"][-1]
    if hidden is None or total is None:
        return "less than float32 can hold"
    return f"{_number(hidden - total)} of it"


def _say_gates(found: dict[str, Any]) -> str:
    said = []
    for number, layer in enumerate(found["layers"]):
        forget = layer["saturated"]["f"]
        said.append(
            f"Layer {number + 1}: half of the cells fade to 1/e within "
            f"{_tau(layer['median_timescale'])} steps, the slowest tenth takes "
            f"{_tau(layer['slowest_tenth'])} and more; the forget gate is above 0.9 in "
            f"{_percent(forget['right'])} of all cases and below 0.1 in {_percent(forget['left'])}."
        )
    return " ".join(said)


def _say_context(found: dict[str, Any]) -> str:
    first, last = found["contexts"][0], found["contexts"][-1]
    return (
        f"With {_count(first, 'character')} read the loss is {found['nats'][0]:.2f} nats, with "
        f"{last} it is {found['nats'][-1]:.2f}, with everything {found['whole']:.2f}. It "
        f"remembers {_memory(found)}."
    )


def _memory(found: dict[str, Any]) -> str:
    length, tolerance = found["memory_length"], f"{found['tolerance']:g} nats"
    if length is None:
        last, left = found["contexts"][-1], found["gap"][-1]
        return (
            f"more than {_count(last, 'character')}: with so many, {left:.2g} nats are still "
            "missing to what it makes of everything"
        )
    return (
        f"{_count(length, 'character')}: with so many it is within {tolerance} of everything read"
    )


def _decay(found: dict[str, Any]) -> str:
    power, exponential = found["power_law"], found["exponential"]
    if power["r2"] is None:
        return "cannot be told"
    return (
        f"lag^{_signed(power['slope'])} (R² {power['r2']:.3f}), or "
        f"{_signed(exponential['slope'])} nats a step (R² {exponential['r2']:.3f})"
    )


def _from(lag: int | None, last: int) -> str:
    return f"not within {last} steps" if lag is None else f"from lag {lag} on"


def _number(ln: float | None, otherwise: str = "unknown") -> str:
    """e^ln, as a power of ten where it is large or small."""
    if ln is None:
        return otherwise
    if abs(ln) < math.log(1000):
        return f"{math.exp(ln):.2g}"
    return f"10^{round(ln / math.log(10)):d}".replace("-", "−")


def _signed(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _percent(share: float | None) -> str:
    return "an unknown share" if share is None else f"{100 * share:.2g} %"


def _tau(steps: float | None) -> str:
    return "endless" if steps is None else f"{steps:.1f}" if steps < 10 else f"{steps:.0f}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
