"""The native engine: an LSTM in C++ for CPUs, compiled on the machine that runs it.

`build()` compiles it, as `lstm-jax native` does. From then on, in this process and in later ones,
`implementation=None` uses it for every call that it supports. Importing the package compiles
nothing, and the environment variable `LSTM_JAX_NATIVE=0` turns the engine off.
"""

from lstm_jax.engines.native.compiler import Built as Built
from lstm_jax.engines.native.compiler import build as build
from lstm_jax.engines.native.compiler import build_once as build_once
from lstm_jax.engines.native.library import NativeError as NativeError
