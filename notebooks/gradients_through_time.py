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
# # Gradients through time
#
# Why does an LSTM learn what a plain recurrent network cannot? The usual answer is that the
# gradient does not vanish along the cell. This notebook measures it, first on fresh networks and
# then on a trained one. It takes a few minutes on a CPU.
#
# A recurrent network is a map from state to state, $s_t = F(s_{t-1}, x_t)$, and a gradient that
# travels back over `lag` steps is multiplied by a product of Jacobians:
#
# $$\frac{\partial s_T}{\partial s_{T-\text{lag}}} = J_T J_{T-1} \cdots J_{T-\text{lag}+1},
# \qquad J_t = \frac{\partial s_t}{\partial s_{t-1}}$$
#
# For an LSTM the state is $s = (h, c)$, both parts together.

# %%
import html
import os

import jax
import jax.numpy as jnp

import lstm_jax
from lstm_jax import diagnostics, plots
from lstm_jax.animation import gate_animation_html

SHORT = bool(os.environ.get("LSTM_JAX_SHORT"))  # set by the tests
STEPS, D, H = (40, 4, 8) if SHORT else (500, 4, 32)

key = jax.random.key(0)
xs = jax.random.normal(jax.random.key(1), (STEPS, D))
zeros = jnp.zeros(H)
lstm_params = lstm_jax.init_lstm(key, D, H)
CELLS = {
    "tanh RNN, orthogonal": (
        lstm_jax.rnn_step,
        lstm_jax.init_rnn(key, D, H),
        lstm_jax.RNNState(zeros),
    ),
    "GRU": (lstm_jax.gru_step, lstm_jax.init_gru(key, D, H), lstm_jax.GRUState(zeros)),
    "LSTM, forget bias 1": (lstm_jax.lstm_step, lstm_params, lstm_jax.LSTMState(zeros, zeros)),
    "LSTM, chrono": (
        lstm_jax.lstm_step,
        lstm_jax.chrono(jax.random.key(2), lstm_params, STEPS),
        lstm_jax.LSTMState(zeros, zeros),
    ),
}

# %% [markdown]
# ## What survives the product?
#
# The largest singular value of the product is the most that any perturbation is amplified. It is
# computed in logarithms, with a QR decomposition every few steps, because in plain float32 the
# product of 150 matrices $\tfrac12 Q$, with Q orthogonal, is exactly zero. The dashed lines
# multiply the norms of the single steps. Many proofs use this bound, and as the picture shows, it
# is loose.

# %%
lags = jnp.unique(jnp.geomspace(1, STEPS, 5 if SHORT else 24).round().astype(int))
curves = {}
for name, (step, params, state) in CELLS.items():
    spectrum = diagnostics.product_spectrum(step, params, xs, state, k=1, lags=lags)
    bound = diagnostics.log_bound(diagnostics.step_norms(step, params, xs, state).log_spectral)[
        lags
    ]
    curves[name] = (lags, spectrum.log_spectral_norm, bound)
    print(f"{name:22} ln ‖∂s_T/∂s_0‖ = {spectrum.log_spectral_norm[-1]:8.1f}, "
          f"bound {bound[-1]:8.1f}")  # fmt: skip
plots.gradient_decay(curves)

# %% [markdown]
# The chrono initialization (Tallec & Ollivier 2018) spreads the forget biases so that the units'
# timescales cover 1 to T steps. Other networks must first learn to remember; this one remembers
# from the start and only has to learn what.

# %% [markdown]
# ## How much does the loss feel each past state?
#
# One reverse pass computes $\partial L/\partial h_t$ and $\partial L/\partial c_t$ for all t at
# once: zeros are added to every state, and the loss is differentiated with respect to them.


# %%
def last_hidden(states):
    return (states.h[-1] ** 2).sum()


step, params, state = CELLS["LSTM, forget bias 1"]
loss, adjoints = diagnostics.adjoints(step, params, xs, state, last_hidden)
norms = diagnostics.norms_by_lag(adjoints)
print(f"the influence of h falls below 1/e at lag {int(diagnostics.influence_lag(norms.h, 0.368))}")
plots.adjoint_norms(norms)

# %% [markdown]
# ## Which path does it take?
#
# The gradient goes back along the cell, where it is multiplied by the forget gate alone, or through
# the hidden state and the gates. Cut one path, and see what the other carries (Kanuparthi et al.
# 2019).

# %%
roads = diagnostics.cell_and_hidden(step, params, xs, state, last_hidden)
by_lag = [jnp.hypot(*diagnostics.norms_by_lag(road)) for road in roads]  # h and c together
plots.roads(diagnostics.Roads(*by_lag))

# %% [markdown]
# ## Chaos, contraction, or the edge?
#
# Lyapunov exponents are the mean growth rates of perturbations of the full state. Over h alone they
# would be wrong: with a forget bias of 5 the cell keeps nearly everything and the first exponent is
# close to zero, while ∂h/∂h by itself suggests strong contraction.

# %%
keeper = lstm_jax.init_lstm(key, D, H, forget_bias=5.0)
spectrum = diagnostics.lyapunov_spectrum(
    lstm_jax.lstm_step, keeper, xs, lstm_jax.LSTMState(zeros, zeros)
)
jacobians = diagnostics.step_jacobians(
    lstm_jax.lstm_step, keeper, xs, lstm_jax.LSTMState(zeros, zeros)
)


def hidden_only(_, state, jacobian):
    return lstm_jax.RNNState(jacobian[:H, :H] @ state.h)


wrong = diagnostics.lyapunov_spectrum(hidden_only, None, jacobians, lstm_jax.RNNState(zeros), k=1)
print(f"λ₁ over (h, c): {spectrum.exponents[0]:.4f}; over h alone: {wrong.exponents[0]:.4f}")

# %% [markdown]
# ## A trained network: the poet
#
# `lstm_jax` ships with a model of Tang poems. What do its gates do while it reads a poem? Most
# units forget within a few characters, and some keep a value for the length of a poem.

# %%
poet = lstm_jax.load("tang")
text = "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。"
ids = jnp.array([poet.vocabulary.end_id, *poet.vocabulary.encode(text)])
below = poet.network.embedding[...][ids]
gates, states = [], []
for params in poet.network.lstm.params:
    start = lstm_jax.zero_hc(params, below)
    _, kept = lstm_jax.trace(lstm_jax.lstm_step, params, below, start, gates=lstm_jax.lstm_gates)
    gates.append(kept.gates)
    states.append(kept.states)
    below = kept.states.h
for index, layer in enumerate(gates):
    taus = diagnostics.timescales(layer.f)
    low, middle, high = jnp.percentile(taus, jnp.array([10, 50, 90]))
    print(f"layer {index + 1}: τ of 10%, 50%, 90% of the units: "
          f"{low:.1f}, {middle:.1f}, {high:.1f} characters")  # fmt: skip

# %% [markdown]
# The animation shows every gate, the candidate, the cell and the hidden state, character by
# character, in a page that needs only a browser. Here it has the 24 units of each layer that are
# spread evenly over the timescales.

# %%
page = gate_animation_html(
    ["", *text], gates, states, title="靜夜思", lang="zh-Hant", max_units=24
)  # fmt: skip
if "get_ipython" in globals():
    from IPython.display import HTML, display

    frame = f'<iframe srcdoc="{html.escape(page)}" width="100%" height="900"></iframe>'
    display(HTML(f"<div>{frame}</div>"))
print(f"a page of {len(page) // 1024} KiB")

# %% [markdown]
# `lstm-jax diagnose tang` asks all of these questions of the model on real text and writes a
# report. `tests/benchmarks/long_memory.py` trains the four cells above on the tasks of Hochreiter &
# Schmidhuber (1997), and what the first picture promises holds in training too.
