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
# # A paper's question, from the cell to the PDF
#
# Chang et al. (2019) propose a recurrent network whose gradients neither vanish nor explode,
# because its recurrent matrix is antisymmetric. Is that so? This notebook writes the cell, measures
# its Jacobians, its Lyapunov exponents and its fixed points beside those of other cells, trains all
# of them on a memory task, and puts the answer into a figure for a paper. It takes about two
# minutes. To ask the same of a cell of your own, change the cell.

# %%
import os
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import lstm_jax
from lstm_jax import diagnostics, plots

SHORT = bool(os.environ.get("LSTM_JAX_SHORT"))  # set by the tests
STEPS, IN, HIDDEN, ROWS = (30, 2, 6, 2) if SHORT else (200, 2, 32, 8)

# %% [markdown]
# ## The cell
#
# $$h_t = h_{t-1} + \varepsilon \tanh\bigl((W - W^\top - \gamma I)\, h_{t-1} + V x_t + b\bigr)$$
#
# The eigenvalues of $W - W^\top$ are imaginary: with a small step $\varepsilon$ the state turns,
# and neither grows nor shrinks much; $\gamma$ is a little friction. The parameters are those of a
# plain RNN, so its record and its initialization can be used again.

# %%
STEP_SIZE, FRICTION = 0.1, 0.01


def antisymmetric_step(params, state, x):
    turning = params.recurrent_kernel - params.recurrent_kernel.T
    h = state.h
    z = h @ turning - FRICTION * h + x @ params.input_kernel + params.bias
    return lstm_jax.RNNState(h + STEP_SIZE * jnp.tanh(z))


antisymmetric = lstm_jax.Cell(antisymmetric_step, lstm_jax.init_rnn, lstm_jax.zero_h)
CELLS = {
    "antisymmetric": antisymmetric,
    "tanh RNN": lstm_jax.rnn_cell(),
    "LSTM": lstm_jax.lstm_cell(),
}

key = jax.random.key(0)
xs = jax.random.normal(jax.random.key(1), (ROWS, STEPS, IN))
params = {name: cell.init(key, IN, HIDDEN) for name, cell in CELLS.items()}
zeros = {name: cell.zero(params[name], xs[0]) for name, cell in CELLS.items()}

# %% [markdown]
# ## Jacobians
#
# A gradient that travels back over `lag` steps is multiplied by as many Jacobians. `step_norms`
# looks at single steps, `product_spectrum` at their product, in logarithms, because the products
# leave the range of floats.

# %%
lags = jnp.unique(jnp.geomspace(1, STEPS, 4 if SHORT else 20).round().astype(int))
decay = {}
for name, cell in CELLS.items():
    single = diagnostics.step_norms(cell.step, params[name], xs[0], zeros[name])
    product = diagnostics.product_spectrum(
        cell.step, params[name], xs[0], zeros[name], k=1, lags=lags
    )
    bound = diagnostics.log_bound(single.log_spectral)[lags]
    decay[name] = (lags, product.log_spectral_norm, bound)
    print(f"{name:13} one step: norm {jnp.exp(single.log_spectral.mean()):.2f}; "
          f"{STEPS} steps: ln norm {product.log_spectral_norm[-1]:7.1f}")  # fmt: skip

plots.gradient_decay(decay)

# %% [markdown]
# Solid lines are the products, dashed lines the products of the norms. The gradient of the
# antisymmetric network arrives as it left. Those of the plain RNN and of the LSTM vanish, although
# no single step shrinks the luckiest direction by much.
#
# ## Lyapunov exponents
#
# They are the mean growth rates of perturbations, one for each dimension of the state. Where the
# largest is far below 0, the network forgets how it began; above 0 it is chaotic. `vmap` gives mean
# and spread over trajectories.


# %%
def exponents(name, params, k):
    """Return the k largest exponents along every row, (B, k)."""

    def along(xs):
        spectrum = diagnostics.lyapunov_spectrum(
            CELLS[name].step, params, xs, zeros[name], k=k, burn_in=STEPS // 5
        )
        return spectrum.exponents

    return jax.jit(jax.vmap(along))(xs)


spectra = {name: exponents(name, params[name], HIDDEN) for name in CELLS}
for name, found in spectra.items():
    print(f"{name:13} λ1 {found[:, 0].mean():+.3f} ± {found[:, 0].std():.3f}, "
          f"λ{HIDDEN} {found[:, -1].mean():+.3f}")  # fmt: skip


# %%
def spectra_of(spectra, axes=None):
    """Draw the mean exponents of each cell, with the spread over trajectories."""
    axes = plots.new_figure().axes[0] if axes is None else axes
    colors = {"antisymmetric": "#9e2b2b", "tanh RNN": "#d5762c", "LSTM": "#1f5fa8"}
    for name, found in spectra.items():
        places = np.arange(1, found.shape[1] + 1)
        axes.errorbar(places, found.mean(0), found.std(0), color=colors[name], lw=1.2, label=name)
    axes.axhline(0, color="#b5afa3", lw=1)
    axes.set(xlabel="index", ylabel="exponent (nats a step)", title="Lyapunov exponents")
    axes.legend()
    return axes.figure


spectra_of(spectra)

# %% [markdown]
# ## Fixed points
#
# Where would the network rest if nothing more came in? `fixed_points` searches from many states at
# once, and returns the eigenvalues of the Jacobian at each end point. Eigenvalues inside the unit
# circle pull back, those outside push away, and those on it let the state drift or turn.

# %%
starts = lstm_jax.RNNState(jax.random.normal(jax.random.key(2), (4 if SHORT else 32, HIDDEN)))
quiet = jnp.zeros(IN)
points = {
    name: diagnostics.fixed_points(CELLS[name].step, params[name], quiet, starts)
    for name in ("antisymmetric", "tanh RNN")
}
for name, found in points.items():
    size = jnp.abs(found.eigenvalues[int(jnp.argmin(found.speeds))])
    print(f"{name:13} slowest point moves {found.speeds.min():.0e}; its |eigenvalues| lie in "
          f"[{size.min():.3f}, {size.max():.3f}]; all points within "
          f"{jnp.linalg.norm(found.states.h, axis=1).max():.3f} of the origin")  # fmt: skip

plots.fixed_points(points["antisymmetric"])

# %% [markdown]
# At rest the two networks look alike: the fresh matrix of the plain RNN is orthogonal, so its
# eigenvalues lie on the circle as well. It forgets only while it is driven, because inputs push it
# to where tanh is flat. Exponents along a trajectory see that, and fixed points do not.
#
# ## Does it matter?
#
# The task is to remember: after a hundred random numbers, say what the first one was. All cells
# have the same width, optimizer and examples.

# %%
LENGTH = 20 if SHORT else 100
UPDATES = 10 if SHORT else 1000


class Recall(nnx.Module):
    """Read (B, T, 1) and predict the first number, (B,)."""

    def __init__(self, layer):
        self.layer = layer
        self.readout = nnx.Linear(HIDDEN, 1, rngs=nnx.Rngs(1))

    def __call__(self, xs):
        return self.readout(self.layer(xs, outputs="last")[1])[:, 0]


def learning_curve(layer):
    """Train with Adam on fresh examples, and return the loss of every update."""
    graph, params = nnx.split(Recall(layer))
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(3e-3))

    @jax.jit
    def update(carry, key):
        params, state = carry
        xs = jax.random.uniform(key, (32, LENGTH, 1), minval=-1)

        def loss(params):
            return jnp.mean((nnx.merge(graph, params)(xs) - xs[:, 0, 0]) ** 2)

        value, gradient = jax.value_and_grad(loss)(params)
        changes, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, changes), state), value

    keys = jax.random.split(jax.random.key(3), UPDATES)
    return np.asarray(jax.lax.scan(update, (params, optimizer.init(params)), keys)[1])


layers = {
    name: lstm_jax.Recurrent(cell, 1, HIDDEN, rngs=nnx.Rngs(0)) for name, cell in CELLS.items()
}
curves = {name: learning_curve(layer) for name, layer in layers.items()}
for name, losses in curves.items():
    print(f"{name:13} loss at last {losses[-max(UPDATES // 20, 1) :].mean():.4f}")

# %% [markdown]
# ## A cure for the plain RNN?
#
# Engelken (2023) proposes gradient flossing: before training, push the largest Lyapunov exponents
# towards 0 by gradient descent on their squares. `diagnostics.flossing` is that loss, and it is
# differentiable in the parameters of any cell. Here it is for the plain RNN.


# %%
def floss(layer, count, updates):
    """Return a layer whose `count` largest Lyapunov exponents were pulled towards 0."""
    [params], cell = layer.params, layer.cell
    xs = jax.random.uniform(jax.random.key(4), (4, LENGTH, 1), minval=-1)
    start = cell.zero(params, xs[0])
    optimizer = optax.adam(1e-3)

    @jax.jit
    def update(params, state):
        def loss(params):
            along = jax.vmap(lambda xs: diagnostics.flossing(cell.step, params, xs, start, k=count))
            return along(xs).mean()

        value, gradient = jax.value_and_grad(loss)(params)
        changes, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, changes), state, value

    state, losses = optimizer.init(params), []
    for _ in range(updates):
        params, state, loss = update(params, state)
        losses.append(float(loss))
    print(f"sum of {count} squared exponents: {losses[0]:.4f} at first, {losses[-1]:.4f} at last")
    return lstm_jax.RNN.from_params((params,))


flossed = floss(layers["tanh RNN"], 2 if SHORT else 16, 3 if SHORT else 150)
curves["tanh RNN, flossed"] = learning_curve(flossed)
print(f"loss at last {curves['tanh RNN, flossed'][-max(UPDATES // 20, 1) :].mean():.4f}")

# %% [markdown]
# ## The figure
#
# The functions of `lstm_jax.plots` draw into axes that they are given. Saved as PDF or SVG, a
# figure keeps its text as text, in fonts that journals accept.


# %%
def learning(curves, axes):
    """Draw the mean loss of windows of updates."""
    colors = dict(zip(curves, ("#9e2b2b", "#d5762c", "#1f5fa8", "#efb98d"), strict=False))
    for name, losses in curves.items():
        means = losses.reshape(10 if SHORT else 40, -1).mean(1)
        updates = np.linspace(0, UPDATES, len(means) + 1)[1:]
        axes.plot(updates, means, color=colors[name], label=name)
    axes.axhline(1 / 3, color="#6b665c", ls=":", label="always answering 0")
    axes.set(xlabel="updates", ylabel="mean squared error", yscale="log",
             title=f"Recall after {LENGTH} steps")  # fmt: skip
    axes.legend(fontsize=8)


def answer():
    """Draw the four panels of the paper's figure."""
    figure = plots.new_figure(2, 2, size=(4.8, 3.6))
    first, second, third, fourth = figure.axes
    plots.gradient_decay(decay, axes=first)
    spectra_of(spectra, axes=second)
    plots.fixed_points(points["antisymmetric"], axes=third)
    learning(curves, fourth)
    return figure


figure = answer()
paper = Path(tempfile.mkdtemp()) / "antisymmetric.pdf"
figure.savefig(paper)
print(f"{paper.name}: {paper.stat().st_size // 1024} KiB")
answer()

# %% [markdown]
# So the paper is right about the gradients of a fresh network, and they help: after the same number
# of updates the antisymmetric network has begun to learn what the other two have not. But the
# matrix is one way among several. What the task needs is exponents near 0, and a plain RNN that was
# given them before training learns it best of all.
