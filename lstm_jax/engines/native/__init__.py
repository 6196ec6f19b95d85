"""The native engine: an LSTM in C++ for CPUs, compiled on the machine that it runs on.

`build()` compiles it, as `lstm-jax native` does; from then on it is what `implementation=None`
takes where it can, in this process and in later ones. Nothing is compiled on import, and the
environment's `LSTM_JAX_NATIVE=0` turns it off.
"""

from lstm_jax.engines.native.compiler import Built as Built
from lstm_jax.engines.native.compiler import build as build
from lstm_jax.engines.native.compiler import build_once as build_once
from lstm_jax.engines.native.library import NativeError as NativeError
