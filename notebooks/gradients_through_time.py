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
# Why does an LSTM learn what a plain recurrent network cannot? Everybody knows the sentence: the
# gradient does not vanish along the cell. This notebook measures it: on fresh networks, then on a
# trained one. Ten minutes on a CPU.
#
# A recurrent network is a map from state to state, $s_t = F(s_{t-1}, x_t)$, and a gradient that
# travels back over `lag` steps is multiplied by a product of Jacobians:
#
# $$\frac{\partial s_T}{\partial s_{T-\text{lag}}} = J_T J_{T-1} \cdots J_{T-\text{lag}+1},
# \qquad J_t = \frac{\partial s_t}{\partial s_{t-1}}$$
#
# For an LSTM the state is $s = (h, c)$, both of it.

# %%
import io
import os

import jax
import jax.numpy as jnp

import lstm_jax
from lstm_jax import diagnostics, plots
from lstm_jax.animation import gate_animation_html

SHORT = bool(os.environ.get("LSTM_JAX_SHORT"))  # set by the tests
STEPS, D, H = (40, 4, 8) if SHORT else (500, 4, 32)


def show(figure):
    """A picture in a notebook; elsewhere it is drawn and dropped."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    if "get_ipython" in globals():
        from IPython.display import Image, display

        display(Image(buffer.getvalue()))
    return buffer.tell()


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
# The largest singular value of the product says how much the luckiest perturbation is amplified.
# It is computed in logarithms, with a QR decomposition every few steps: in plain float32, half an
# orthogonal matrix is exactly zero after 150 steps. The dashed lines multiply the norms of the
# single steps. That is the bound of many a proof, and as the picture shows, of little use.

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
show(plots.gradient_decay(curves))

# %% [markdown]
# The chrono initialisation (Tallec & Ollivier 2018) spreads the forget biases so that the units'
# timescales cover 1 to T steps. It is the difference between a network that must first learn to
# remember, and one that remembers and must learn what.

# %% [markdown]
# ## How much does the loss feel each past state?
#
# One reverse pass gives $\partial L/\partial h_t$ and $\partial L/\partial c_t$ for all t at
# once: zeros are added to every state, and the loss is differentiated with respect to them.


# %%
def last_hidden(states):
    return (states.h[-1] ** 2).sum()


step, params, state = CELLS["LSTM, forget bias 1"]
loss, adjoints = diagnostics.adjoints(step, params, xs, state, last_hidden)
norms = diagnostics.norms_by_lag(adjoints)
print(f"felt less than 1/e as much from lag {int(diagnostics.influence_lag(norms.h, 0.368))} on")
show(plots.adjoint_norms(norms))

# %% [markdown]
# ## Which road does it take?
#
# The gradient goes back along the cell, where it is multiplied by the forget gate alone, or
# through the hidden state and the gates. Cut one road, and see what the other carries
# (Kanuparthi et al. 2019).

# %%
roads = diagnostics.cell_and_hidden(step, params, xs, state, last_hidden)
by_lag = [jnp.hypot(*diagnostics.norms_by_lag(road)) for road in roads]  # h and c together
show(plots.roads(diagnostics.Roads(*by_lag)))

# %% [markdown]
# ## Chaos, contraction, or the edge?
#
# Lyapunov exponents are the mean growth rates of perturbations, over the full state. Over h alone
# they would be wrong: with a forget bias of 5 the cell keeps nearly everything and the first
# exponent is close to zero, while ∂h/∂h by itself suggests strong contraction.

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
# `lstm_jax` ships a model of Tang poems. What do its gates do while it reads a line? Most units
# forget within a character or two, some keep for the length of a poem.

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
# And the film of it: every gate, the candidate, the cell and the hidden state, character by
# character, in a page that needs nothing but a browser.

# %%
page = gate_animation_html(["", *text], gates, states, title="靜夜思", lang="zh-Hant")
if "get_ipython" in globals():
    import html

    from IPython.display import HTML, display

    frame = f'<iframe srcdoc="{html.escape(page)}" width="100%" height="900"></iframe>'
    display(HTML(frame))
print(f"a page of {len(page) // 1024} KiB")

# %% [markdown]
# `lstm-jax diagnose tang` asks all of these questions of the model on real text and writes a
# report. And `tests/benchmarks/long_memory.py` trains the four cells above on the tasks of
# Hochreiter & Schmidhuber (1997): what the first picture promises, training keeps.
