"""Conversion of weights to and from other frameworks, as plain dictionaries of arrays.

A `from_*` function converts arrays, nested as in the framework, to our parameters. A `to_*`
function returns NumPy arrays that the framework can load. The framework itself is not needed. A
round trip of our parameters is exact to the bit. A round trip of another framework's weights is the
same function, up to one rounding where two biases become one sum. There are two exceptions: a bias
of None comes back as zeros if the other framework always has a bias, and `to_haiku` may round an
LSTM's forget bias.

Options that a layout does not support raise a ValueError, as do names and shapes that do not fit.

    layouts of a whole stack: a tuple of layers, bottom first, each parameters or `Directions`
        from_torch, to_torch                  nn.LSTM, nn.GRU, nn.RNN
        from_keras, to_keras                  LSTM, GRU, SimpleRNN, Bidirectional
        from_cudnn, to_cudnn                  the flat vector of jax.experimental.rnn
        load_safetensors, save_safetensors    a file of our own parameters, with every option
    layouts of one cell: parameters
        from_linen, to_linen                  LSTMCell, OptimizedLSTMCell, GRUCell, SimpleCell
        from_nnx, to_nnx                      the same
        from_haiku, to_haiku                  hk.LSTM, hk.GRU, hk.VanillaRNN
        from_equinox, to_equinox              LSTMCell, GRUCell

The first kind converts `layer.params`, and `LSTM.from_params(layers)`, `GRU.from_params` or
`RNN.from_params` builds a layer of its result. For the second kind, use
`LSTMCell.from_params(params)`, or `LSTM.from_params((params,))` for one layer.

Arrays keep their dtype, except that JAX converts float64 to float32 unless x64 is enabled.
Activations are not weights: if a model uses others than σ and tanh, pass them to the function that
runs it.
"""

from lstm_jax.interop.cudnn import from_cudnn, to_cudnn
from lstm_jax.interop.equinox import from_equinox, to_equinox
from lstm_jax.interop.haiku import from_haiku, to_haiku
from lstm_jax.interop.keras import from_keras, to_keras
from lstm_jax.interop.linen import from_linen, to_linen
from lstm_jax.interop.nnx import from_nnx, to_nnx
from lstm_jax.interop.safetensors import load_safetensors, save_safetensors
from lstm_jax.interop.torch import from_torch, to_torch
from lstm_jax.stacks import Directions

__all__ = [
    "Directions",
    "from_cudnn",
    "from_equinox",
    "from_haiku",
    "from_keras",
    "from_linen",
    "from_nnx",
    "from_torch",
    "load_safetensors",
    "save_safetensors",
    "to_cudnn",
    "to_equinox",
    "to_haiku",
    "to_keras",
    "to_linen",
    "to_nnx",
    "to_torch",
]
