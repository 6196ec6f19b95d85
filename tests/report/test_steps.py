"""A diagnosis of a step of one's own, from Python."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import lstm_jax as lj
from lstm_jax.report import QUICK, QUICK_QUESTIONS, ReportError, diagnose_step
from lstm_jax.report.questions import adjoints, lyapunov

pytestmark = pytest.mark.usefixtures("compile_fast")
T, B, D, H = 8, 3, 2, 4
XS = np.random.default_rng(0).normal(size=(T, B, D)).astype(np.float32)


class Leaky(NamedTuple):
    h: Array


def leaky(params, state, x):
    return Leaky(params["keep"] * state.h + x @ params["kernel"])


PARAMS = {"keep": jnp.float32(0.5), "kernel": jnp.ones((D, H))}


def loss(hs):
    return hs[-1].sum(-1)


def test_the_influence_and_the_exponent_of_a_leaky_integrator_are_known():
    """dL/dh_t = 0.5^(T - t) in each of H units, and every perturbation shrinks by ln 2 a step."""
    seen = diagnose_step(
        leaky, PARAMS, XS, Leaky(jnp.zeros(H)), loss, settings=QUICK,
        questions=(adjoints.QUESTION, lyapunov.QUESTION),
    )  # fmt: skip
    answer = seen.answers.to(adjoints.QUESTION)
    norms = answer.layers[0].h
    np.testing.assert_allclose(norms, 2 * 0.5 ** np.arange(len(norms)), rtol=1e-5)
    found = seen.answers.to(lyapunov.QUESTION)
    np.testing.assert_allclose(found.mean, np.log(0.5), rtol=1e-5)
    np.testing.assert_array_equal(found.curve[-1], found.mean)  # what is drawn is what is told


def test_a_quick_look_at_an_lstm_answers_in_a_table():
    params = lj.init_lstm(jax.random.key(0), D, H)
    state = lj.LSTMState(jnp.zeros(H), jnp.zeros(H))
    seen = diagnose_step(
        lj.lstm_step, params, XS, state, loss, gates=lj.lstm_gates, settings=QUICK,
        questions=QUICK_QUESTIONS, name="mine", source="Made up.",
    )  # fmt: skip
    said = str(seen)
    assert [line.split("  ")[0] for line in said.splitlines()] == [
        "loss", "influence", "decay", "timescales", "memory",
    ]  # fmt: skip
    figures = seen.figures()
    assert figures["model"]["name"] == "mine"
    assert figures["rows"]["source"] == "Made up."
    assert figures["rows"]["losses"] == pytest.approx(
        np.asarray(loss(lj.lstm(params, XS)[1])).tolist(), rel=1e-4
    )


@pytest.mark.parametrize(
    ("xs", "state", "said"),
    [
        (XS[:, 0], Leaky(jnp.zeros(H)), "xs must be (T, B, D), got shape (8, 2)"),
        (XS, {"a": jnp.zeros(H)}, "the state must have a field h, got a dict"),
        (
            XS[:3],
            Leaky(jnp.zeros(H)),
            "the sequences must have at least 4 steps",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(xs, state, said):
    with pytest.raises(ReportError, match=said.replace("(", r"\(").replace(")", r"\)")):
        diagnose_step(leaky, PARAMS, xs, state, loss)
