"""LSTMs in JAX: pure gate equations under `jax.lax.scan`, and what grows from them.

Notation, everywhere in the package:

    T time steps · B batch · D input features · H hidden features · E embedding · V vocabulary
    gates in the order i, f, g, o: input, forget, candidate, output
    state in the order h, c: hidden, cell

    i_t = σ(W_i [h_{t-1}, x_t] + b_i)        f_t = σ(W_f [h_{t-1}, x_t] + b_f)
    g_t = tanh(W_g [h_{t-1}, x_t] + b_g)     o_t = σ(W_o [h_{t-1}, x_t] + b_o)
    c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t          h_t = o_t ⊙ tanh(c_t)

A cell is a pure function `new_state = step(params, state, x)`; `scan` runs it over time-major
inputs (T, ..., D). The NNX layers in `lstm_jax.layers` and models in `lstm_jax.models` own the
parameters, are batch-major (B, T, D), and call these functions. `load` brings a trained model.
"""

from lstm_jax.cells import (
    GRUParams,
    GRUState,
    LSTMGates,
    LSTMParams,
    LSTMState,
    RNNParams,
    RNNState,
    gru_step,
    lstm_gates,
    lstm_step,
    rnn_step,
)
from lstm_jax.functional import gru, lstm, rnn
from lstm_jax.initializers import chrono, init_gru, init_lstm, init_rnn
from lstm_jax.language_model import LanguageModel, ModelError, load
from lstm_jax.layers import GRU, LSTM, RNN
from lstm_jax.models import CharLM, CharLMConfig
from lstm_jax.recurrence import StackState, Trace, scan, stack, trace
from lstm_jax.sampling import sample
from lstm_jax.vocabulary import Vocabulary

__version__ = "0.1.0"

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "CharLM",
    "CharLMConfig",
    "GRUParams",
    "GRUState",
    "LSTMGates",
    "LSTMParams",
    "LSTMState",
    "LanguageModel",
    "ModelError",
    "RNNParams",
    "RNNState",
    "StackState",
    "Trace",
    "Vocabulary",
    "chrono",
    "gru",
    "gru_step",
    "init_gru",
    "init_lstm",
    "init_rnn",
    "load",
    "lstm",
    "lstm_gates",
    "lstm_step",
    "rnn",
    "rnn_step",
    "sample",
    "scan",
    "stack",
    "trace",
]
