"""Plot how gradients decay over 500 lags in RNN, GRU and LSTM, before and after training.

    python tests/benchmarks/gradient_decay.py [--work runs/long_memory]

The networks were trained on the adding problem at T=500 with seed 0. For each network, the plot
shows ln ‖∂s_T/∂s_{T-lag}‖_2, where the norm is the spectral norm of the product of the step
Jacobians over the whole state, and its upper bound, the sum of ln ‖J_t‖_2. Both are means over four
fresh sequences of 500 steps. Networks that are not in --work are trained again.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from long_memory import HIDDEN, MODELS, Run, network, trained
from own_results import RESULTS
from runs import publish, runs_of

from lstm_jax import GRUState, LSTMState, RNNState, gru_step, lstm_step, rnn_step
from lstm_jax.diagnostics import log_bound, product_spectrum, step_norms
from lstm_jax.plots import gradient_decay, new_figure
from lstm_jax.train.data import memory

STEPS, ROWS = 500, 4
CELLS = {"lstm": lstm_step, "gru": gru_step, "rnn": rnn_step}
LAGS = (1, 2, 5, 10, 20, 35, *range(50, STEPS + 1, 25))


def trained_run(model: str) -> Run:
    """Return a model's run on the adding problem at T=500 with seed 0."""
    selection = {"task": "adding", "model": model, "steps": STEPS, "seed": 0}
    [found] = [row for row in runs_of("long_memory") if selection.items() <= row.items()]
    return Run(*(found[name] for name in Run._fields))


def curves(model: str, params, xs) -> dict:
    """Return ln of the norm of the product, and of its bound, at `LAGS`."""
    step = CELLS[model.split()[0]]
    kind = {"lstm": LSTMState, "gru": GRUState, "rnn": RNNState}[model.split()[0]]
    state = kind(*(jnp.zeros(HIDDEN["adding"]) for _ in kind._fields))

    def log_norms(row):
        spectrum = product_spectrum(step, params, row, state, k=1, lags=LAGS, method="dense")
        return spectrum.log_spectral_norm, step_norms(step, params, row, state).log_spectral

    norms, steps = jax.jit(partial(jax.lax.map, log_norms))(xs)
    bound = jax.vmap(log_bound)(steps)[:, jnp.asarray(LAGS)]
    return {
        "truth": np.asarray(norms.mean(0)).tolist(),
        "bound": np.asarray(bound.mean(0)).tolist(),
    }


def main() -> None:
    """Measure the networks and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("runs/long_memory"))
    work = parser.parse_args().work
    batch = memory.adding(np.random.default_rng(7), ROWS, STEPS)
    xs = jnp.asarray(batch.inputs[:, :STEPS])
    results: dict[str, dict] = {"at initialisation": {}, "after training": {}}
    for model in MODELS:
        run = trained_run(model)
        fresh = network(run, HIDDEN["adding"])
        graph, state = nnx.split(fresh, nnx.Param)
        results["at initialisation"][model] = curves(model, fresh.recurrent.params[0], xs)
        with np.load(trained(run, work)) as arrays:
            leaves = [arrays[name] for name in arrays.files]
        after = nnx.merge(graph, jax.tree.unflatten(jax.tree.structure(state), leaves))
        results["after training"][model] = curves(model, after.recurrent.params[0], xs)
        print(model, {when: round(c[model]["truth"][-1], 1) for when, c in results.items()})
    figure = new_figure(2)
    for axes, (when, models) in zip(figure.axes, results.items(), strict=True):
        lines = {
            name.replace("lstm", "LSTM,").replace("gru", "GRU").replace("rnn", "tanh RNN,"): (
                np.array(LAGS),
                np.array(curve["truth"]),
                np.array(curve["bound"]),
            )
            for name, curve in models.items()
        }
        gradient_decay(lines, title=when[0].upper() + when[1:], axes=axes)
    publish("gradient_decay", {"lags": LAGS, "curves": results}, "")
    figure.savefig(RESULTS / "gradient_decay.png", dpi=110)


if __name__ == "__main__":
    main()
