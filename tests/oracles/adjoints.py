"""The chain rule through an LSTM layer, written out backwards: NumPy in float64, step by step."""

import numpy as np
from oracles.cells import sigmoid


def forward(params, xs, state, resets):
    """hs (T, B, H), and for each step what `backward` needs; xs (T, B, D), resets (T, B)."""
    h, c = (np.asarray(s, np.float64) for s in state)
    hs, kept = [], []
    for x, reset in zip(xs, resets, strict=True):
        h, c = (np.where(reset[:, None], 0, s) for s in (h, c))
        z = x @ params["input_kernel"] + h @ params["recurrent_kernel"] + params["bias"]
        i, f, g, o = np.split(z, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        new = f * c + i * g
        kept.append((c, i, f, g, o, new))
        h, c = o * np.tanh(new), new
        hs.append(h)
    return np.array(hs), kept


def backward(params, kept, dhs, resets):
    """dL/dh_t and dL/dc_t for t = 0 ... T, (T + 1, B, H) each, and dL/dx, (T, B, D).

    `dhs` (T, B, H) is what L makes of each step's h by other ways than the next step.
    """
    dh_next = dc_next = np.zeros_like(dhs[0])
    adjoint_h, adjoint_c, dxs = [], [], []
    for (c, i, f, g, o, new), dh, reset in reversed(list(zip(kept, dhs, resets, strict=True))):
        dh = dh + dh_next
        adjoint_h.append(dh)
        adjoint_c.append(dc_next)
        dnew = dc_next + dh * o * (1 - np.tanh(new) ** 2)
        dz = np.concatenate(
            [
                dnew * g * i * (1 - i),
                dnew * c * f * (1 - f),
                dnew * i * (1 - g**2),
                dh * np.tanh(new) * o * (1 - o),
            ],
            axis=-1,
        )
        dxs.append(dz @ params["input_kernel"].T)
        # Where a segment starts, the state before it had no part in it.
        dh_next, dc_next = (
            np.where(reset[:, None], 0, d) for d in (dz @ params["recurrent_kernel"].T, dnew * f)
        )
    adjoint_h.append(dh_next)
    adjoint_c.append(dc_next)
    return tuple(np.array(found[::-1]) for found in (adjoint_h, adjoint_c, dxs))


def norms_by_lag(adjoint):
    """(T + 1,) from (T + 1, B, H): entry l belongs to the state l steps before the last."""
    return np.sqrt((adjoint**2).sum(axis=(1, 2)))[::-1]
