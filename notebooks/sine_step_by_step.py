# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A sine, step by step
#
# A wave is the smallest thing that an LSTM can learn. The network reads fifty values and predicts
# the next one. Then it reads its own prediction and predicts again, two hundred times. Everything
# runs on a laptop's CPU in seconds, and every step is here: no recipe, no command line.

# %%
import os

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from rich.progress import track

import lstm_jax
from lstm_jax import plots

SHORT = bool(os.environ.get("LSTM_JAX_SHORT"))  # set by the tests
WINDOW, HIDDEN, BATCH, ROLL = 50, 32, 32, 200
STEPS = 60 if SHORT else 800

# %% [markdown]
# ## The wave
#
# These are two thousand steps of $\sin(t / 10)$, about thirty periods of 63 steps. The first 1,600
# are for training; nothing is fitted to the last 400.

# %%
times = np.arange(2000)
wave = np.sin(times / 10).astype(np.float32)
train, test = wave[:1600], wave[1600:]


# %% [markdown]
# ## Windows
#
# Each window of fifty values is an input, and the value after it is its target. The windows are
# views, so no value is copied.


# %%
def windows(values):
    """Return inputs (N, 50, 1) and targets (N,)."""
    views = np.lib.stride_tricks.sliding_window_view(values, WINDOW)[:-1]
    return views[..., None], values[WINDOW:]


inputs, targets = windows(train)
print(inputs.shape, targets.shape)


# %% [markdown]
# ## The model
#
# An LSTM of 32 units reads the window, and a linear layer reads its last hidden state.


# %%
class Model(nnx.Module):
    """Predict the next value (B,) from a window (B, T, 1)."""

    def __init__(self, rngs):
        self.lstm = lstm_jax.LSTM(1, HIDDEN, rngs=rngs)
        self.readout = nnx.Linear(HIDDEN, 1, rngs=rngs)

    def __call__(self, xs):
        _, last = self.lstm(xs, outputs="last")
        return self.readout(last)[:, 0]


# %% [markdown]
# ## Training
#
# Adam minimizes the mean squared error, thirty-two random windows at a time. `update` is a pure
# function of the parameters and the optimizer's state, and is compiled once.

# %%
schedule = optax.cosine_decay_schedule(1e-2, STEPS, alpha=0.01)
optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))


def learn(inputs, targets, seed=0):
    """Train a model on windows."""
    graph, params = nnx.split(Model(nnx.Rngs(seed)))
    state, random = optimizer.init(params), np.random.default_rng(seed)

    @jax.jit
    def update(params, state, xs, ys):
        def loss(params):
            return jnp.mean((nnx.merge(graph, params)(xs) - ys) ** 2)

        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, value

    losses = []
    for _ in track(range(STEPS), "learning the wave"):
        rows = random.integers(len(targets), size=BATCH)
        params, state, value = update(params, state, inputs[rows], targets[rows])
        losses.append(value)
    print("loss:", *(f"{float(loss):.2g}" for loss in losses[:: STEPS // 5]), f"{losses[-1]:.2g}")
    return nnx.merge(graph, params)


model = learn(inputs, targets)

# %% [markdown]
# ## One step, and two hundred
#
# One step ahead is easy, because every input is true. When each prediction becomes an input, errors
# can grow. `lax.scan` moves the window along.


# %%
def roll(model, window, steps):
    """Predict (steps,) values after a window (50,), each from the predictions before it."""
    graph, params = nnx.split(model)

    @jax.jit
    def rolled(params, window):
        def step(window, _):
            value = nnx.merge(graph, params)(window[None, :, None])
            return jnp.concatenate([window[1:], value]), value[0]

        return jax.lax.scan(step, window, length=steps)[1]

    return np.asarray(rolled(params, window))


def rmse(values, truth):
    """Compute the root of the mean squared error."""
    return float(np.sqrt(np.mean((values - truth) ** 2)))


def picture(truth, one_step, alone, title):
    """Draw the truth and both kinds of prediction."""
    lines = {"one step ahead": one_step[:ROLL], "alone": alone}
    return plots.forecast_line(times[1600 + WINDOW :][:ROLL], truth[:ROLL], lines, title=title)


test_inputs, truth = windows(test)
one_step = np.asarray(jax.jit(model)(test_inputs))
alone = roll(model, test[:WINDOW], ROLL)
print(f"one step ahead: RMSE {rmse(one_step, truth):.4f}")
print(f"{ROLL} steps alone: RMSE {rmse(alone, truth[:ROLL]):.4f}")

# %%
picture(truth, one_step, alone, "sine")

# %% [markdown]
# ## With noise
#
# Now noise of standard deviation 0.1 is added to every value, in training and in the test. Noise
# cannot be predicted, so against the noisy values the error cannot fall below 0.1. Against the
# clean wave it can: the model averages over fifty values.

# %%
noisy = wave + 0.1 * np.random.default_rng(1).standard_normal(wave.shape).astype(np.float32)
model = learn(*windows(noisy[:1600]))
noisy_inputs, noisy_truth = windows(noisy[1600:])
one_step = np.asarray(jax.jit(model)(noisy_inputs))
alone = roll(model, noisy[1600:][:WINDOW], ROLL)
print(f"one step ahead: RMSE {rmse(one_step, noisy_truth):.3f} against the noisy values")
print(f"one step ahead: RMSE {rmse(one_step, truth):.3f} against the clean wave")
print(f"{ROLL} steps alone: RMSE {rmse(alone, truth[:ROLL]):.3f} against the clean wave")

# %%
picture(noisy_truth, one_step, alone, "sine and noise")

# %% [markdown]
# `lstm-jax train sine` does the same with a validation part and checkpoints, and compares the model
# with persistence and with a linear model. A sine is a linear recurrence, so on it the linear model
# is exact. On some real data, as in `lstm-jax train weather`, the LSTM beats it.
