"""Recurrent cells as in the literature: NumPy in float64, one row and one step at a time.

Nothing here is shared with the package except the names of the parameters. Every function takes a
mapping or a dataclass of arrays, and everything is a Python loop.
"""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def gate_matrix(params, block):
    """Return W, (H, H + D), which acts on [h, x], and b, for one column block of the kernels."""
    hidden = params["recurrent_kernel"].shape[0]
    columns = slice(block * hidden, (block + 1) * hidden)
    from_h = params["recurrent_kernel"][:, columns]
    from_x = params["input_kernel"][:, columns]
    return np.concatenate([from_h, from_x]).T, params["bias"][columns]


def lstm_gates(params, h, x):
    W_i, b_i = gate_matrix(params, 0)
    W_f, b_f = gate_matrix(params, 1)
    W_g, b_g = gate_matrix(params, 2)
    W_o, b_o = gate_matrix(params, 3)
    hx = np.concatenate([h, x])
    i = sigmoid(W_i @ hx + b_i)
    f = sigmoid(W_f @ hx + b_f)
    g = np.tanh(W_g @ hx + b_g)
    o = sigmoid(W_o @ hx + b_o)
    return i, f, g, o


def lstm_step(params, state, x):
    h, c = state
    i, f, g, o = lstm_gates(params, h, x)
    c = f * c + i * g
    h = o * np.tanh(c)
    return h, c


def rnn_step(params, state, x):
    (h,) = state
    W, b = gate_matrix(params, 0)
    return (np.tanh(W @ np.concatenate([h, x]) + b),)


def gru_step(params, state, x):
    (h,) = state
    W_r, b_r = gate_matrix(params, 0)
    W_z, b_z = gate_matrix(params, 1)
    r = sigmoid(W_r @ np.concatenate([h, x]) + b_r)
    z = sigmoid(W_z @ np.concatenate([h, x]) + b_z)
    W_n, b_n = gate_matrix(params, 2)
    hidden = len(h)
    U_n, W_n = W_n[:, :hidden], W_n[:, hidden:]
    n = np.tanh(W_n @ x + b_n + r * (U_n @ h + params["recurrent_bias"]))
    return ((1 - z) * n + z * h,)


STEPS = {"lstm": lstm_step, "rnn": rnn_step, "gru": gru_step}


def as_params(params):
    """Convert the package's dataclass to a mapping of float64 arrays."""
    arrays = {name: a for name, a in vars(params).items() if a is not None}
    return {name: np.asarray(a).astype(np.float64) for name, a in arrays.items()}


def batched_step(cell, params, state, x):
    """Apply `STEPS[cell]` row by row over any batch axes."""
    state = [np.asarray(s, np.float64) for s in state]
    out = [np.empty_like(s) for s in state]
    for row in np.ndindex(x.shape[:-1]):
        new = STEPS[cell](params, [s[row] for s in state], np.asarray(x[row], np.float64))
        for array, value in zip(out, new, strict=True):
            array[row] = value
    return tuple(out)


def run_row(cell, params, xs, state, *, initial, valid, resets, reverse):
    """Run one sequence (T, D), and return the final state, hs and the states after each step."""
    T = len(xs)
    order = range(T)
    if reverse:
        order = reversed(order)
    hs = [np.zeros_like(state[0]) for _ in range(T)]
    states = [None] * T
    for t in order:
        # Forward, a segment is entered at its first step; in reverse, at its last step, which is
        # the one before the first step of the next segment.
        enters = t + 1 < T and resets[t + 1] if reverse else resets[t]
        if enters:
            state = initial
        if valid[t]:
            state = STEPS[cell](params, state, xs[t])
            hs[t] = state[0]
        states[t] = state
    return state, hs, states


def run(
    cell, params, xs, state, *,
    initial=None, mask=None, lengths=None, resets=None, reverse=False,
):  # fmt: skip
    """Run a batch row by row.

    xs (T, ..., D); state and initial tuples of (..., H); mask and resets (T, ...); lengths (...).
    Returns the final state, hs (T, ..., H) and the states (T, ..., H) after each step.
    """
    xs = np.asarray(xs, np.float64)
    state = [np.asarray(s, np.float64) for s in state]
    T, batch = len(xs), xs.shape[1:-1]
    initial = [np.zeros_like(s) for s in state] if initial is None else initial
    initial = [np.broadcast_to(a, s.shape) for a, s in zip(initial, state, strict=True)]
    final = [np.empty_like(s) for s in state]
    hs = np.empty((T, *state[0].shape))
    states = [np.empty((T, *s.shape)) for s in state]
    for row in np.ndindex(batch):
        at = (slice(None), *row)
        valid = [True] * T
        for t in range(T):
            if mask is not None:
                valid[t] = valid[t] and bool(np.asarray(mask)[at][t])
            if lengths is not None:
                valid[t] = valid[t] and t < int(np.asarray(lengths)[row])
        starts = [False] * T if resets is None else [bool(r) for r in np.asarray(resets)[at]]
        last, row_hs, row_states = run_row(
            cell, params, xs[at], [s[row] for s in state], initial=[a[row] for a in initial],
            valid=valid, resets=starts, reverse=reverse,
        )  # fmt: skip
        for k in range(len(final)):
            final[k][row] = last[k]
            for t in range(T):
                states[k][(t, *row)] = row_states[t][k]
        for t in range(T):
            hs[(t, *row)] = row_hs[t]
    return tuple(final), hs, tuple(states)


def finite_differences(function, tree, step=1e-6):
    """Compute central differences of a scalar or array function of a list of arrays.

    Returns, for each array, the derivative of shape (*function's shape, *array's shape).
    """
    tree = [np.array(a, np.float64) for a in tree]
    shape = np.shape(function(*tree))
    out = []
    for array in tree:
        derivative = np.empty((*shape, *array.shape))
        for at in np.ndindex(array.shape):
            kept = array[at]
            array[at] = kept + step
            above = function(*tree)
            array[at] = kept - step
            below = function(*tree)
            array[at] = kept
            derivative[(..., *at)] = (np.asarray(above) - below) / (2 * step)
        out.append(derivative)
    return out
