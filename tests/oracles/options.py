"""The options of the cells, one unit at a time: NumPy in float64, with loops instead of matrices.

Parameters are mappings from `oracles.cells.as_params`; a missing name means that the cell does not
have that parameter.
"""

import numpy as np
from oracles.cells import sigmoid


def normalized(values, scale, shift=None):
    values = np.array(values)
    out = scale * (values - values.mean()) / np.sqrt(values.var() + 1e-5)
    return out if shift is None else out + shift


def pre_activations(params, h, x):
    from_x = [sum(x[d] * params["input_kernel"][d, k] for d in range(len(x)))
              for k in range(params["input_kernel"].shape[1])]  # fmt: skip
    from_h = [sum(h[p] * params["recurrent_kernel"][p, k] for p in range(len(h)))
              for k in range(params["recurrent_kernel"].shape[1])]  # fmt: skip
    if "norm" in params:
        from_x = normalized(from_x, params["norm"]["input_scale"])
        from_h = normalized(from_h, params["norm"]["recurrent_scale"])
    z = np.array(from_x) + np.array(from_h)
    return z + params["bias"] if "bias" in params else z


def lstm_step(params, state, x, gate=sigmoid, candidate=np.tanh, cell=np.tanh):
    h, c = state
    units = len(c)
    z = pre_activations(params, h, x)
    names = ["f", "g", "o"] if len(z) == 3 * units else ["i", "f", "g", "o"]
    at = {name: block * units for block, name in enumerate(names)}
    peepholes = dict(zip([n for n in names if n != "g"], params.get("peephole", []), strict=False))
    new_c, o = np.zeros(units), np.zeros(units)
    for j in range(units):
        seen = {name: row[j] for name, row in peepholes.items()}
        f = gate(z[at["f"] + j] + seen.get("f", 0) * c[j])
        i = gate(z[at["i"] + j] + seen.get("i", 0) * c[j]) if "i" in at else 1 - f
        new_c[j] = f * c[j] + i * candidate(z[at["g"] + j])
        o[j] = gate(z[at["o"] + j] + seen.get("o", 0) * new_c[j])
    shown = new_c
    if "norm" in params:
        shown = normalized(new_c, params["norm"]["cell_scale"], params["norm"]["cell_shift"])
    h = o * cell(shown)
    if "projection" in params:
        h = np.array([sum(h[j] * params["projection"][j, p] for j in range(units))
                      for p in range(params["projection"].shape[1])])  # fmt: skip
    return h, new_c


def gru_before_step(params, state, x):
    """Compute a step of the GRU of the paper, whose reset gate comes before the product."""
    (h,) = state
    units = len(h)
    W, U = params["input_kernel"], params["recurrent_kernel"]
    b = params.get("bias", np.zeros(3 * units))
    new = np.zeros(units)
    gates = {}
    for block, name in enumerate(("r", "z")):
        columns = [block * units + j for j in range(units)]
        gates[name] = np.array([sigmoid(x @ W[:, k] + h @ U[:, k] + b[k]) for k in columns])
    for j in range(units):
        k = 2 * units + j
        n = np.tanh(x @ W[:, k] + b[k] + (gates["r"] * h) @ U[:, k])
        new[j] = (1 - gates["z"][j]) * n + gates["z"][j] * h[j]
    return (new,)


def mgu_step(params, state, x):
    (h,) = state
    units = len(h)
    W, U = params["input_kernel"], params["recurrent_kernel"]
    b = params.get("bias", np.zeros(2 * units))
    f = np.array([sigmoid(x @ W[:, j] + h @ U[:, j] + b[j]) for j in range(units)])
    new = np.zeros(units)
    for j in range(units):
        k = units + j
        n = np.tanh(x @ W[:, k] + b[k] + (f * h) @ U[:, k])
        new[j] = (1 - f[j]) * h[j] + f[j] * n
    return (new,)
