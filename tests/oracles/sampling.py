"""The filters of lstm_jax.text.filters, spelled out for one row with loops in float64."""

import math

import numpy as np


def filter_logits(logits, *, temperature, top_k=None, top_p=None):
    """Compute the log-probabilities (V,) of the symbols that may be drawn; the others get -inf."""
    logits = [float(x) for x in logits]
    # Largest first; ties go to the lower id.
    order = sorted(range(len(logits)), key=lambda v: (-logits[v], v))
    log_weights = np.full(len(logits), -np.inf)
    if temperature == 0:
        log_weights[order[0]] = 0.0
        return log_weights

    weight = {v: math.exp((logits[v] - logits[order[0]]) / temperature) for v in order}
    kept = order if top_k is None else order[:top_k]
    if top_p is not None and top_p < 1:
        total = math.fsum(weight[v] for v in kept)
        nucleus = []
        for v in kept:
            nucleus.append(v)
            if math.fsum(weight[u] for u in nucleus) >= top_p * total:
                break
        kept = nucleus
    total = math.fsum(weight[v] for v in kept)
    for v in kept:
        log_weights[v] = (logits[v] - logits[order[0]]) / temperature - math.log(total)
    return log_weights
