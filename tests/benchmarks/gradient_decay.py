"""How gradients decay over 500 lags in RNN, GRU and LSTM, fresh and trained, on one picture.

    python tests/benchmarks/long_memory.py --task adding    # trains the networks, once
    python tests/benchmarks/gradient_decay.py

The networks are those of the adding problem at T=500, seed 0. For each, along four fresh sequences
of 500 steps: ln ‖∂s_T/∂s_{T-lag}‖_2, the spectral norm of the product of the step Jacobians over
the whole state, and beside it the bound, the sum of ln ‖J_t‖_2. Means over the four sequences.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from long_memory import HIDDEN, LIMITS, MODELS, RESULTS, Run, network
from machine import machine

from lstm_jax import GRUState, LSTMState, RNNState, gru_step, lstm_step, rnn_step
from lstm_jax.diagnostics import log_bound, product_spectrum, step_norms
from lstm_jax.plots import gradient_decay, new_figure
from lstm_jax.train.data import memory

STEPS, ROWS = 500, 4
CELLS = {"lstm": lstm_step, "gru": gru_step, "rnn": rnn_step}
LAGS = (1, 2, 5, 10, 20, 35, *range(50, STEPS + 1, 25))


def trained_run(model: str, work: Path) -> Run:
    """The run of a model on adding at T=500, seed 0."""
    kept = [json.loads(path.read_text()) for path in sorted(work.glob("adding-*.json"))]
    limit = LIMITS["adding"][STEPS]
    wanted = {"model": model, "steps": STEPS, "seed": 0, "limit": limit}
    [found] = [k for k in kept if all(k[name] == value for name, value in wanted.items())]
    return Run("adding", model, STEPS, 0, found["rate"], limit)


def curves(model: str, params, xs) -> dict:
    """ln of the product's norm at `LAGS`, and ln of the bound at the same lags."""
    step = CELLS[model.split()[0]]
    kind = {"lstm": LSTMState, "gru": GRUState, "rnn": RNNState}[model.split()[0]]
    state = kind(*(jnp.zeros(HIDDEN["adding"]) for _ in kind._fields))

    def one(row):
        spectrum = product_spectrum(step, params, row, state, k=1, lags=LAGS, method="dense")
        return spectrum.log_spectral_norm, step_norms(step, params, row, state).log_spectral

    norms, steps = jax.jit(partial(jax.lax.map, one))(xs)
    bound = jax.vmap(log_bound)(steps)[:, jnp.asarray(LAGS)]
    return {
        "truth": np.asarray(norms.mean(0)).tolist(),
        "bound": np.asarray(bound.mean(0)).tolist(),
    }


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("runs/long_memory"))
    work = parser.parse_args().work
    batch = memory.adding(np.random.default_rng(7), ROWS, STEPS)
    xs = jnp.asarray(batch.inputs[:, :STEPS])
    found: dict[str, dict] = {"at initialisation": {}, "after training": {}}
    for model in MODELS:
        run = trained_run(model, work)
        fresh = network(run, HIDDEN["adding"])
        graph, state = nnx.split(fresh, nnx.Param)
        found["at initialisation"][model] = curves(model, fresh.recurrent.params[0], xs)
        with np.load(work / Path(run.name).with_suffix(".npz")) as arrays:
            leaves = [arrays[name] for name in arrays.files]
        trained = nnx.merge(graph, jax.tree.unflatten(jax.tree.structure(state), leaves))
        found["after training"][model] = curves(model, trained.recurrent.params[0], xs)
        print(model, {when: round(c[model]["truth"][-1], 1) for when, c in found.items()})
    figure = new_figure(2)
    for axes, (when, models) in zip(figure.axes, found.items(), strict=True):
        lines = {
            name.replace("lstm", "LSTM,").replace("gru", "GRU").replace("rnn", "tanh RNN,"): (
                np.array(LAGS),
                np.array(curve["truth"]),
                np.array(curve["bound"]),
            )
            for name, curve in models.items()
        }
        gradient_decay(lines, title=when[0].upper() + when[1:], axes=axes)
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "gradient_decay.png", dpi=110)
    text = json.dumps({"machine": machine(), "lags": LAGS, "curves": found}, indent=1) + "\n"
    (RESULTS / "gradient_decay.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
