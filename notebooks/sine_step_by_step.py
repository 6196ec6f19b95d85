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
# The smallest thing that an LSTM can learn: a wave. It reads fifty values and says the next. Then
# it reads what it said, and says the next, two hundred times. Everything runs on a laptop's CPU in
# seconds, and every step of the way is here: no recipe, no command line.

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
# Two thousand steps of $\sin(t / 10)$: some thirty periods of 63 steps. The first 1,600 are for
# training; nothing is fitted to the last 400.

# %%
times = np.arange(2000)
wave = np.sin(times / 10).astype(np.float32)
train, test = wave[:1600], wave[1600:]


# %% [markdown]
# ## Windows
#
# Each window of fifty values is an input, and the value after it is its target. The windows are a
# view: no value is copied.


# %%
def windows(values):
    """Inputs (N, 50, 1) and targets (N,)."""
    views = np.lib.stride_tricks.sliding_window_view(values, WINDOW)[:-1]
    return views[..., None], values[WINDOW:]


inputs, targets = windows(train)
print(inputs.shape, targets.shape)


# %% [markdown]
# ## The model
#
# An LSTM of 32 units reads the window, and a linear layer reads the last hidden state. That is all.


# %%
class Model(nnx.Module):
    """A window (B, T, 1) -> the next value (B,)."""

    def __init__(self, rngs):
        self.lstm = lstm_jax.LSTM(1, HIDDEN, rngs=rngs)
        self.readout = nnx.Linear(HIDDEN, 1, rngs=rngs)

    def __call__(self, xs):
        _, last = self.lstm(xs, outputs="last")
        return self.readout(last)[:, 0]


# %% [markdown]
# ## Training
#
# Adam on the mean squared error, thirty-two windows at a time, in random order. `update` is a pure
# function of parameters and optimiser state, compiled once.

# %%
schedule = optax.cosine_decay_schedule(1e-2, STEPS, alpha=0.01)
optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))


def learn(inputs, targets, seed=0):
    """A model trained on windows."""
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
        chosen = random.integers(len(targets), size=BATCH)
        params, state, value = update(params, state, inputs[chosen], targets[chosen])
        losses.append(value)
    print("loss:", *(f"{float(loss):.2g}" for loss in losses[:: STEPS // 5]), f"{losses[-1]:.2g}")
    return nnx.merge(graph, params)


model = learn(inputs, targets)

# %% [markdown]
# ## One step, and two hundred
#
# One step ahead is easy: every input is true. Rolled, each forecast becomes an input, and errors
# can grow. `lax.scan` moves the window on.


# %%
def roll(model, window, steps):
    """(steps,) forecasts from a window (50,), each read in turn."""
    graph, params = nnx.split(model)

    @jax.jit
    def rolled(params, window):
        def step(window, _):
            said = nnx.merge(graph, params)(window[None, :, None])
            return jnp.concatenate([window[1:], said]), said[0]

        return jax.lax.scan(step, window, length=steps)[1]

    return np.asarray(rolled(params, window))


def rmse(values, truth):
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean((values - truth) ** 2)))


def show(truth, one_step, alone, title):
    """The picture, shown in a notebook."""
    lines = {"one step ahead": one_step[:ROLL], "alone": alone}
    with plots.default_style():
        figure = plots.forecast_line(
            times[1600 + WINDOW :][:ROLL], truth[:ROLL], lines, title=title
        )
        if "get_ipython" in globals():
            from IPython.display import display

            display(figure)


test_inputs, truth = windows(test)
one_step = np.asarray(jax.jit(model)(test_inputs))
alone = roll(model, test[:WINDOW], ROLL)
print(f"one step ahead: RMSE {rmse(one_step, truth):.4f}")
print(f"{ROLL} steps alone: RMSE {rmse(alone, truth[:ROLL]):.4f}")

# %%
show(truth, one_step, alone, "sine")

# %% [markdown]
# ## With noise
#
# Now every value has noise of standard deviation 0.1 on it, in training and in test. Nobody can
# say the next noise: against the noisy values 0.1 is the least error there is. Against the clean
# wave the model may do better than what it read, for it averages over fifty values.

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
show(noisy_truth, one_step, alone, "sine and noise")

# %% [markdown]
# What comes after the wave? `lstm-jax train sine` is this with a validation part, checkpoints and a
# table beside persistence and a linear model; a sine is a linear recurrence, and the linear model
# is exact. `lstm-jax train weather` is where it is beaten.
