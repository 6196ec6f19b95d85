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
# # Three gates and an additive path
#
# What do the gates of an LSTM do? This notebook sets them by hand, reads off what that does to the
# gradient, and then trains a network to see whether it finds the same solution. It takes about a
# minute.
#
# $$\begin{aligned}
# i_t &= \sigma(W_i [h_{t-1}, x_t] + b_i) & f_t &= \sigma(W_f [h_{t-1}, x_t] + b_f) \\
# g_t &= \tanh(W_g [h_{t-1}, x_t] + b_g) & o_t &= \sigma(W_o [h_{t-1}, x_t] + b_o) \\
# c_t &= f_t \odot c_{t-1} + i_t \odot g_t & h_t &= o_t \odot \tanh(c_t)
# \end{aligned}$$

# %%
import html
import os

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import lstm_jax
from lstm_jax import diagnostics, plots
from lstm_jax.animation import gate_animation_html

SHORT = bool(os.environ.get("LSTM_JAX_SHORT"))  # set by the tests
INK, BLUE, ORANGE, GREEN = "#211f1b", "#1f5fa8", "#d5762c", "#5aa582"

# %% [markdown]
# ## A memory cell by hand
#
# One unit, three inputs: a value, a signal to write it, and a signal to read it. Nothing is
# trained. The weights follow from three sentences:
#
# - the **input gate** opens when the write signal is 1, and lets the value in;
# - the **forget gate** closes at the same moment, so that the old value makes room;
# - the **output gate** opens when the read signal is 1, and shows what is stored.
#
# The columns of the kernels are ordered i, f, g, o.

# %%
kernel = jnp.array([
    # i    f   g   o
    [0.0, 0.0, 1.0, 0.0],  # the value reaches the candidate g
    [20.0, -20.0, 0.0, 0.0],  # write: i opens, f closes
    [0.0, 0.0, 0.0, 20.0],  # read: o opens
])  # fmt: skip
bias = jnp.array([-10.0, 10.0, 0.0, -10.0])  # at rest: i closed, f open, o closed
memory = lstm_jax.LSTMParams(kernel, jnp.zeros((1, 4)), bias)

STEPS = 40
value = np.random.default_rng(0).uniform(-1, 1, STEPS)
write, read = np.zeros(STEPS), np.zeros(STEPS)
write[[5, 22]] = 1
read[[12, 13, 30, 31, 32]] = 1
xs = jnp.asarray(np.stack([value, write, read], 1), jnp.float32)

start = lstm_jax.LSTMState(jnp.zeros(1), jnp.zeros(1))
_, traced = lstm_jax.trace(
    lstm_jax.lstm_step, memory, xs, start, gates=lstm_jax.lstm_gates
)  # fmt: skip
for step in (5, 12, 22, 31):
    print(f"step {step:2}: value {value[step]:+.2f}, c {traced.states.c[step, 0]:+.2f}, "
          f"h {traced.states.h[step, 0]:+.2f}")  # fmt: skip


# %%
def memory_cell(traced):
    """Draw the inputs, the gates and the state of the one unit."""
    figure = plots.new_figure(1, 3, size=(7.5, 1.8))
    above, middle, below = figure.axes
    steps = np.arange(STEPS)
    above.plot(steps, value, color=INK, lw=1, label="value")
    above.plot(steps[write > 0], value[write > 0], "o", color=BLUE, label="write")
    above.set_ylabel("input")
    for name, color in {"i": BLUE, "f": ORANGE, "o": GREEN}.items():
        middle.step(steps, getattr(traced.gates, name)[:, 0], color=color, where="mid", label=name)
    middle.set_ylabel("gates")
    below.plot(steps, traced.states.c[:, 0], color=INK, label="c, stored")
    below.step(steps, traced.states.h[:, 0], color=GREEN, where="mid", label="h, shown")
    below.set(ylabel="state", xlabel="step")
    for axes in figure.axes:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


memory_cell(traced)

# %% [markdown]
# The cell ignores thirty-eight of the forty values. It keeps the other two until they are
# overwritten, and shows them only when asked. (What it stores is $\tanh$ of the value, and what it
# shows is $\tanh$ of that, so both are a little smaller.)
#
# ## The additive path
#
# In a plain recurrent network the old state goes through a matrix and a tanh in every step. In the
# LSTM, along the cell, it is multiplied by the forget gate and something is added:
#
# $$c_t = f_t \odot c_{t-1} + \ldots
# \qquad\Rightarrow\qquad
# \frac{\partial c_T}{\partial c_t} = \operatorname{diag}\Bigl(\prod_{s=t+1}^{T} f_s\Bigr)
# \quad\text{along the cell}$$
#
# No matrix, no squashing. `cell_jacobian` computes the product from the gates, in logarithms.
# Automatic differentiation agrees, once the other path, through h and the gates, is cut:

# %%
H, T = 16, 60
params = lstm_jax.init_lstm(jax.random.key(0), 4, H)
noise = jax.random.normal(jax.random.key(1), (T, 4))
zeros = lstm_jax.LSTMState(jnp.zeros(H), jnp.zeros(H))
cell_only = diagnostics.detach(lstm_jax.lstm_step, "h")


def last_cell(c):
    start = lstm_jax.LSTMState(jnp.zeros(H), c)
    return lstm_jax.scan(cell_only, params, noise, start)[0].c


def forget_gates(params):
    _, kept = lstm_jax.trace(
        lstm_jax.lstm_step, params, noise, zeros, gates=lstm_jax.lstm_gates
    )  # fmt: skip
    return kept.gates.f


product = jnp.exp(diagnostics.cell_jacobian(forget_gates(params))[-1])
jacobian = jax.jacobian(last_cell)(jnp.zeros(H))
print(f"diagonal to {jnp.abs(jnp.diag(jacobian) / product - 1).max():.0e}, "
      f"off the diagonal {jnp.abs(jacobian - jnp.diag(jnp.diag(jacobian))).max():.0e}")  # fmt: skip

# %% [markdown]
# So how long a unit remembers is a matter of its forget gate. If f is always the same, $1/e$ of the
# cell is left after $\tau = -1/\ln f$ steps. The bias of the forget gate sets where f begins.
# With 0 it is a half, and the network has forgotten before it has learned anything. This is why
# the package starts from 1, as Jozefowicz et al. (2015) advise, and why `chrono` spreads the biases
# when the dependencies are long.


# %%
def forget_biases():
    """Draw what is left of a cell against the lag, for several biases."""
    figure = plots.new_figure(size=(6.4, 3.7))
    axes = figure.axes[0]
    lags = np.arange(T + 1)
    for forget_bias, color in {0.0: "#9e2b2b", 1.0: ORANGE, 2.0: GREEN, 4.0: BLUE}.items():
        params = lstm_jax.init_lstm(jax.random.key(0), 4, H, forget_bias=forget_bias)
        forget = forget_gates(params)
        left = np.exp(diagnostics.cell_jacobian(forget)).mean(1)
        tau = float(np.median(diagnostics.timescales(forget)))
        axes.plot(lags, left, color=color, label=f"bias {forget_bias:g}: median τ {tau:.1f}")
    axes.set(xlabel="lag (steps)", ylabel="mean of ∏ f over the units", yscale="log",
             ylim=(1e-6, 1.5), title="What is left of a cell, before any training")  # fmt: skip
    axes.legend()
    return figure


forget_biases()

# %% [markdown]
# ## Does training find the same solution?
#
# Two units now learn the job of the memory cell from examples: values arrive, a few with a write
# signal, and after each step the network must say which value was written last. Nothing tells it
# what a gate is for. The forget bias is 4, because values have to be kept for a dozen steps.

# %%
UNITS = 2
UPDATES, LENGTH = (10, 20) if SHORT else (2000, 60)


class Latch(nnx.Module):
    """Read values and write signals (B, T, 2), and predict the value last written, (B, T)."""

    def __init__(self, rngs):
        self.lstm = lstm_jax.LSTM(2, UNITS, forget_bias=4.0, rngs=rngs)
        self.readout = nnx.Linear(UNITS, 1, rngs=rngs)

    def __call__(self, xs):
        return self.readout(self.lstm(xs)[1])[..., 0]


def examples(key, rows):
    """Draw inputs (B, T, 2) and targets (B, T): 0 until the first value is written."""
    keys = jax.random.split(key)
    values = jax.random.uniform(keys[0], (rows, LENGTH), minval=-1)
    writes = jax.random.bernoulli(keys[1], 0.08, (rows, LENGTH))
    latest = jax.lax.cummax(jnp.where(writes, jnp.arange(LENGTH), -1), axis=1)
    stored = jnp.take_along_axis(values, jnp.maximum(latest, 0), axis=1)
    return jnp.stack([values, writes], -1), jnp.where(latest < 0, 0, stored)


graph, trained = nnx.split(Latch(nnx.Rngs(0)))
optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2))


def error(params, xs, targets):
    return jnp.mean((nnx.merge(graph, params)(xs) - targets) ** 2)


@jax.jit
def update(carry, key):
    params, state = carry
    loss, gradient = jax.value_and_grad(error)(params, *examples(key, 64))
    changes, state = optimizer.update(gradient, state, params)
    return (optax.apply_updates(params, changes), state), loss


keys = jax.random.split(jax.random.key(1), UPDATES)
(trained, _), losses = jax.lax.scan(update, (trained, optimizer.init(trained)), keys)
print(f"mean squared error: {losses[0]:.3f} at first, {losses[-1]:.4f} after {UPDATES} updates")

# %% [markdown]
# `layer.trace` keeps every gate and every state. Compare the gates in steps with a write signal and
# in steps without one:

# %%
model = nnx.merge(graph, trained)
xs, targets = examples(jax.random.key(2), 64)
_, [kept] = model.lstm.trace(xs)
writes = np.asarray(xs[..., 1]) > 0
for unit in range(UNITS):
    for name in "ifo":
        gate = np.asarray(getattr(kept.gates, name))[..., unit]
        print(f"unit {unit}, {name}: {gate[writes].mean():.2f} with a write signal, "
              f"{gate[~writes].mean():.2f} without")  # fmt: skip


# %%
def gates_at_work(row=0):
    """Draw the input and forget gates of both units over one sequence, and the prediction."""
    figure = plots.new_figure(1, 3, size=(7.5, 1.7))
    steps = np.arange(LENGTH)
    for axes, name, title in zip(figure.axes, "if", ("input gate", "forget gate"), strict=False):
        for unit, color in enumerate((BLUE, ORANGE)):
            gate = np.asarray(getattr(kept.gates, name))[row, :, unit]
            axes.step(steps, gate, color=color, where="mid", label=f"unit {unit}")
        axes.set(ylabel=title, ylim=(-0.05, 1.05))
    below = figure.axes[2]
    below.step(steps, targets[row], color=INK, where="mid", label="last written")
    below.step(steps, model(xs[row : row + 1])[0], color=GREEN, where="mid", label="predicted")
    below.set(xlabel="step", ylabel="value")
    for axes in figure.axes:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        for step in steps[writes[row]]:
            axes.axvline(step, color="#b5afa3", lw=1, ls=":")
    return figure


gates_at_work()

# %% [markdown]
# Dotted lines mark the write signals. Training has found the same gates, but the two units share
# the work. One has a forget gate that stays near 1 and falls at each write signal: it stores the
# value. The other has an input gate that is nearly shut and opens at each write signal: it fetches
# the value, and hands it over through h in the next steps. We put both jobs into one unit. Training
# had no reason to.
#
# ## The animation
#
# The same sequence, played step by step: every gate, the candidate, the cell and the hidden state.
# The page needs nothing but a browser, and `lstm_jax.animation.save_html` writes it to a file.

# %%
characters = ["W" if wrote else "·" for wrote in writes[0]]
gates = jax.tree.map(lambda leaf: leaf[0], kept.gates)
states = jax.tree.map(lambda leaf: leaf[0], kept.states)
page = gate_animation_html(characters, [gates], [states], title="A latch, W = write")
if "get_ipython" in globals():
    from IPython.display import HTML, display

    frame = f'<iframe srcdoc="{html.escape(page)}" width="100%" height="620"></iframe>'
    display(HTML(f"<div>{frame}</div>"))
print(f"a page of {len(page) // 1024} KiB")

# %% [markdown]
# The notebook [gradients_through_time](gradients_through_time.ipynb) measures both paths of the
# gradient, along the cell and through the hidden state, in fresh and in trained networks.
