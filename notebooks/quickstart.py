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
# # Quickstart
#
# From installation to a poem, and from a poem to a recurrent cell of your own, in two minutes on a
# laptop. No data are downloaded, and no accelerator is needed.
#
#     git clone https://github.com/lstm-jax/lstm_jax && cd lstm_jax
#     pip install ".[notebooks]"
#     jupyter lab notebooks

# %%
import os
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import lstm_jax
from lstm_jax import plots

SHORT = bool(os.environ.get("LSTM_JAX_SHORT"))  # set by the tests

# %% [markdown]
# ## A poem
#
# The package ships with a trained character model of Tang poems. It reads your characters and
# continues them. The same seed always writes the same poem.

# %%
poet = lstm_jax.load()
for poem in poet.generate("明月", num=1 if SHORT else 2, temperature=0.7, seed=1):
    print(poem)

# %% [markdown]
# It is an ordinary language model, so you can also ask what it expects next. A line of regulated
# verse has five or seven characters, and after five the model is fairly sure of a comma.

# %%
for character, probability in list(poet.next_characters("白日依山盡").items())[:3]:
    print(f"{character}  {probability:.2f}")

# %% [markdown]
# The notebook [poems](poems.ipynb) goes on from here. This one turns to what the poet is made of.
#
# ## An LSTM is a function
#
# `lstm` takes parameters and a sequence, time first, and returns the final state and the hidden
# state of every step. It keeps no state of its own, so `jax.jit`, `jax.grad` and `jax.vmap` work on
# it as on any other function.

# %%
key = jax.random.key(0)
params = lstm_jax.init_lstm(key, in_features=8, hidden_features=32)
xs = jax.random.normal(key, (100, 4, 8))  # 100 steps, 4 sequences, 8 features

final, hs = lstm_jax.lstm(params, xs)
gradient = jax.grad(lambda params: lstm_jax.lstm(params, xs)[1].sum())(params)
print("every h:", hs.shape, " last c:", final.c.shape)
print("gradient of the recurrent kernel:", gradient.recurrent_kernel.shape)

# %% [markdown]
# Sequences rarely have the same length. Pass `lengths`, and the padding reaches neither the results
# nor the gradients, whatever values are in it:

# %%
lengths = jnp.array([100, 70, 3, 0])
final, hs = lstm_jax.lstm(params, xs.at[70:, 1].set(jnp.nan), lengths=lengths)
print("finite:", bool(jnp.isfinite(hs).all()), " last valid h of row 2 is its final state:",
      bool(jnp.array_equal(hs[2, 2], final.h[2])))  # fmt: skip

# %% [markdown]
# ## A layer is a module
#
# The layers are Flax NNX modules. They own their parameters and read batches first, `(B, T, D)`.
# Options such as `num_layers`, `bidirectional`, `dropout` or `layer_norm` are keywords; the
# [reference](reference/layers.md) lists all of them.

# %%
layer = lstm_jax.LSTM(8, 32, num_layers=2, dropout=0.2, rngs=nnx.Rngs(0))
batch = jax.random.normal(key, (4, 100, 8))
state, hs = layer(batch)  # evaluation: no dropout
state, hs = layer(batch, state, key=key)  # training: a key turns dropout on, the state is carried
print(hs.shape)

# %% [markdown]
# ## Train it
#
# A small test of memory: the network reads thirty random numbers and must then say what the first
# one was. A model is a layer and a linear readout of its last hidden state.

# %%
HIDDEN, STEPS, BATCH = 16, 30, 64
UPDATES = 20 if SHORT else 600


class Recall(nnx.Module):
    """Read a sequence (B, T, 1) and predict one number for each row, (B,)."""

    def __init__(self, layer):
        self.layer = layer
        self.readout = nnx.Linear(HIDDEN, 1, rngs=nnx.Rngs(1))

    def __call__(self, xs):
        _, last = self.layer(xs, outputs="last")
        return self.readout(last)[:, 0]


def train(layer):
    """Train with Adam on fresh sequences, and return the loss of every update."""
    graph, params = nnx.split(Recall(layer))
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(3e-3))

    @jax.jit
    def update(carry, key):
        params, state = carry
        xs = jax.random.uniform(key, (BATCH, STEPS, 1), minval=-1)

        def loss(params):
            return jnp.mean((nnx.merge(graph, params)(xs) - xs[:, 0, 0]) ** 2)

        value, gradient = jax.value_and_grad(loss)(params)
        changes, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, changes), state), value

    keys = jax.random.split(jax.random.key(2), UPDATES)
    _, losses = jax.lax.scan(update, (params, optimizer.init(params)), keys)
    return np.asarray(losses)


losses = {"LSTM": train(lstm_jax.LSTM(1, HIDDEN, rngs=nnx.Rngs(0)))}
print(f"loss at first {losses['LSTM'][0]:.3f}, at last {losses['LSTM'][-1]:.4f}")

# %% [markdown]
# ## A cell of your own
#
# A cell is one function, `new_state = step(params, state, x)`, and a function that draws its
# parameters. The parameters can be any dataclass that JAX knows, and the state any NamedTuple with
# a field `h`. This cell is a leaky integrator. Every unit learns how much it keeps:
#
# $$h_t = k \odot h_{t-1} + (1 - k) \odot \tanh(x_t W_x + h_{t-1} W_h + b),
# \qquad k = \sigma(\text{keep})$$


# %%
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LeakyParams:
    """Kernels (D, H) and (H, H), bias (H,), and the logit of what each unit keeps, (H,)."""

    input_kernel: jax.Array
    recurrent_kernel: jax.Array
    bias: jax.Array
    keep: jax.Array


def init_leaky(key, in_features, hidden_features, *, dtype=None):
    rnn = lstm_jax.init_rnn(key, in_features, hidden_features, dtype=dtype)
    keep = jnp.linspace(0, 4, hidden_features, dtype=rnn.bias.dtype)
    return LeakyParams(rnn.input_kernel, rnn.recurrent_kernel, rnn.bias, keep)


def leaky_step(params, state, x):
    z = x @ params.input_kernel + state.h @ params.recurrent_kernel + params.bias
    keep = jax.nn.sigmoid(params.keep)
    return lstm_jax.RNNState(keep * state.h + (1 - keep) * jnp.tanh(z))


leaky = lstm_jax.Cell(leaky_step, init_leaky, lstm_jax.zero_h)

# %% [markdown]
# Everything that works with the LSTM now works with this cell: `lengths`, stacks, both directions,
# zoneout, recomputation, the diagnostics. `Recurrent` makes a layer of it.

# %%
losses["leaky"] = train(lstm_jax.Recurrent(leaky, 1, HIDDEN, rngs=nnx.Rngs(0)))
losses["tanh RNN"] = train(lstm_jax.RNN(1, HIDDEN, rngs=nnx.Rngs(0)))


# %%
def learning_curves(losses, window=20):
    """Draw the mean loss of each window of updates."""
    figure = plots.new_figure()
    axes = figure.axes[0]
    colors = {"LSTM": "#1f5fa8", "leaky": "#5aa582", "tanh RNN": "#d5762c"}
    for name, values in losses.items():
        means = values.reshape(-1, window).mean(1)
        axes.plot(window * np.arange(1, len(means) + 1), means, "o-", ms=3, color=colors[name],
                  label=name)  # fmt: skip
    axes.axhline(1 / 3, color="#6b665c", ls=":", label="always answering 0")
    axes.set(yscale="log", xlabel="updates", ylabel="mean squared error",
             title=f"What was the first of {STEPS} numbers?")  # fmt: skip
    axes.legend()
    return figure


learning_curves(losses)

# %% [markdown]
# ## Where to go next
#
# - [gates](gates.ipynb): what the three gates do, and why the cell's path is additive.
# - [your_data](your_data.ipynb): train on a text, a table or a folder of recordings.
# - [bring_your_weights](bring_your_weights.ipynb): models from PyTorch, Keras and ONNX, and back.
# - [gradients_through_time](gradients_through_time.ipynb) and [research](research.ipynb): measure
#   what a recurrent network does with its past.
