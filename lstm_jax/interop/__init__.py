"""Weights to and from other frameworks, as plain dictionaries of arrays.

A `from_*` takes arrays as the framework nests them and gives our parameters; a `to_*` gives NumPy
arrays that the framework takes. The framework itself is not needed. There and back is exact:
ours -> theirs -> ours bit for bit, and theirs -> ours -> theirs is the same function, up to one
rounding where two biases become one sum. Two exceptions: a bias of None where theirs has one
comes back as zeros, and `to_haiku` says what an LSTM's forget bias costs there.

What a layout has no place for is a ValueError, and so is a name or a shape that does not fit.

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

`layer.params` is what the first kind takes, and `LSTM.from_params(layers)`, `GRU...`, `RNN...` is
the layer of what it gives; of the second kind, `LSTMCell.from_params(params)`, or one layer of
`LSTM.from_params((params,))`.

Arrays keep their dtype, but that JAX makes float64 to float32 unless x64 is enabled. Activations
are no weights: where a model has others than σ and tanh, pass them to the function that runs it.
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
