"""Small random problems that several test files share."""

from types import SimpleNamespace

import numpy as np

import lstm_jax as lj

CELLS = {
    "lstm": SimpleNamespace(
        step=lj.lstm_step, run=lj.lstm, Params=lj.LSTMParams, State=lj.LSTMState, gates=4
    ),
    "rnn": SimpleNamespace(
        step=lj.rnn_step, run=lj.rnn, Params=lj.RNNParams, State=lj.RNNState, gates=1
    ),
    "gru": SimpleNamespace(
        step=lj.gru_step, run=lj.gru, Params=lj.GRUParams, State=lj.GRUState, gates=3
    ),
}


def make_params(cell, D, H, *, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    gates = CELLS[cell].gates
    shapes = [(D, gates * H), (H, gates * H), (gates * H,)]
    if cell == "gru":
        shapes.append((H,))
    return CELLS[cell].Params(*(rng.normal(scale=0.7, size=s).astype(dtype) for s in shapes))


def make_state(cell, batch, H, *, seed=1, dtype=np.float64):
    rng = np.random.default_rng(seed)
    State = CELLS[cell].State
    return State(*(rng.normal(scale=0.7, size=(*batch, H)).astype(dtype) for _ in State._fields))


def make_xs(shape, *, seed=2, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def assert_close(actual, desired, tolerance, err_msg=""):
    np.testing.assert_allclose(
        np.asarray(actual).astype(np.float64), desired, rtol=tolerance, atol=tolerance,
        err_msg=err_msg,
    )  # fmt: skip
