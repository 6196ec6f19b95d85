"""The chain rule through an LSTM layer in reverse: NumPy in float64, step by step."""

import numpy as np
from oracles.cells import sigmoid


def forward(params, xs, state, resets):
    """Compute hs (T, B, H) from xs (T, B, D) and resets (T, B), and keep what `backward` needs."""
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
    """Compute dL/dh_t and dL/dc_t for t = 0 ... T, (T + 1, B, H) each, and dL/dx, (T, B, D).

    `dhs` (T, B, H) is the derivative with respect to each h, other than through the next step.
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
        # The state before the start of a segment does not affect it.
        dh_next, dc_next = (
            np.where(reset[:, None], 0, d) for d in (dz @ params["recurrent_kernel"].T, dnew * f)
        )
    adjoint_h.append(dh_next)
    adjoint_c.append(dc_next)
    return tuple(np.array(steps[::-1]) for steps in (adjoint_h, adjoint_c, dxs))


def norms_by_lag(adjoint):
    """Reduce (T + 1, B, H) to norms (T + 1,), where entry l is l steps before the last state."""
    return np.sqrt((adjoint**2).sum(axis=(1, 2)))[::-1]
