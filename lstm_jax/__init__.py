"""LSTMs in JAX: the gate equations as pure functions, with layers, models and diagnostics on top.

Notation used throughout the package:

    T time steps · B batch · D input features · H hidden features · E embedding · V vocabulary
    gates in the order i, f, g, o: input, forget, candidate, output
    state in the order h, c: hidden, cell

    i_t = σ(W_i [h_{t-1}, x_t] + b_i)        f_t = σ(W_f [h_{t-1}, x_t] + b_f)
    g_t = tanh(W_g [h_{t-1}, x_t] + b_g)     o_t = σ(W_o [h_{t-1}, x_t] + b_o)
    c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t          h_t = o_t ⊙ tanh(c_t)

A cell is a pure function `new_state = step(params, state, x)`; `scan` runs it over time-major
inputs (T, ..., D). The NNX layers of `lstm_jax.nn` and the models of `lstm_jax.models` own their
parameters, are batch-major (B, T, D), and call these functions. `load` opens a trained model.
"""

from pathlib import Path

from lstm_jax.allocator import keep_memory
from lstm_jax.cells import (
    Affine,
    Cell,
    LSTMActivations,
    LSTMGates,
    LSTMNorm,
    LSTMParams,
    LSTMState,
    RNNParams,
    RNNState,
    lstm_gates,
    lstm_step,
    rnn_step,
    zero_h,
    zero_hc,
    zeros,
)
from lstm_jax.conv import ConvLSTMParams, conv_lstm_step, init_conv_lstm
from lstm_jax.errors import UserError
from lstm_jax.functional import (
    conv_lstm_cell,
    explain,
    gru,
    gru_cell,
    lstm,
    lstm_cell,
    mgu,
    mgu_cell,
    mogrifier_cell,
    rnn,
    rnn_cell,
    run,
)
from lstm_jax.gated import GRUParams, GRUState, MGUParams, gru_step, mgu_step
from lstm_jax.initializers import chrono, init_gru, init_lstm, init_mgu, init_rnn
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.classifier import SequenceClassifier, SequenceClassifierConfig
from lstm_jax.models.forecaster import Forecaster, ForecasterConfig
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.mogrifier import MogrifierParams, init_mogrifier, mogrifier_step
from lstm_jax.nn.layers import (
    GRU,
    LSTM,
    MGU,
    RNN,
    ConvLSTM,
    ConvLSTMCell,
    GRUCell,
    LSTMCell,
    MGUCell,
    RNNCell,
)
from lstm_jax.nn.recurrent import Recurrent
from lstm_jax.nn.steps import StepCell
from lstm_jax.padding import bucket, mask_of, pad, unpad
from lstm_jax.recurrence import StackState, Trace, scan, stack, trace
from lstm_jax.regularize import (
    activation_penalty,
    drop_state,
    drop_weights,
    temporal_activation_penalty,
    zoneout,
)
from lstm_jax.stacks import Around, Directions, Noise, run_layers, trace_layers
from lstm_jax.text.language import LanguageModel, ModelError, load
from lstm_jax.text.sampling import sample

__version__ = "0.1.0"

# An installed package has train/ and configs/ inside this folder. In a checkout they lie beside
# it, and Python run there imports the checkout.
if not (Path(__file__).parent / "train").is_dir():
    __path__.append(str(Path(__file__).parents[1]))

__all__ = [
    "GRU",
    "LSTM",
    "MGU",
    "RNN",
    "Affine",
    "Around",
    "Cell",
    "CharLM",
    "CharLMConfig",
    "ConvLSTM",
    "ConvLSTMCell",
    "ConvLSTMParams",
    "Directions",
    "Forecaster",
    "ForecasterConfig",
    "GRUCell",
    "GRUParams",
    "GRUState",
    "LSTMActivations",
    "LSTMCell",
    "LSTMGates",
    "LSTMNorm",
    "LSTMParams",
    "LSTMState",
    "LanguageModel",
    "MGUCell",
    "MGUParams",
    "ModelError",
    "MogrifierParams",
    "Noise",
    "RNNCell",
    "RNNParams",
    "RNNState",
    "Recurrent",
    "SequenceClassifier",
    "SequenceClassifierConfig",
    "SequenceModel",
    "SequenceModelConfig",
    "StackState",
    "StepCell",
    "Trace",
    "UserError",
    "Vocabulary",
    "activation_penalty",
    "bucket",
    "chrono",
    "conv_lstm_cell",
    "conv_lstm_step",
    "drop_state",
    "drop_weights",
    "explain",
    "gru",
    "gru_cell",
    "gru_step",
    "init_conv_lstm",
    "init_gru",
    "init_lstm",
    "init_mgu",
    "init_mogrifier",
    "init_rnn",
    "keep_memory",
    "load",
    "lstm",
    "lstm_cell",
    "lstm_gates",
    "lstm_step",
    "mask_of",
    "mgu",
    "mgu_cell",
    "mgu_step",
    "mogrifier_cell",
    "mogrifier_step",
    "pad",
    "rnn",
    "rnn_cell",
    "rnn_step",
    "run",
    "run_layers",
    "sample",
    "scan",
    "stack",
    "temporal_activation_penalty",
    "trace",
    "trace_layers",
    "unpad",
    "zero_h",
    "zero_hc",
    "zeros",
    "zoneout",
]
