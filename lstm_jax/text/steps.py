"""The step of a writing language model, by the network itself or over packed weights."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.typing import DTypeLike

from lstm_jax.cells import LSTMParams, LSTMState, lstm_pointwise, split_named
from lstm_jax.engines import choose
from lstm_jax.engines.native.product import Packed, multiply, pack
from lstm_jax.models.char_lm import CharLM
from lstm_jax.text.sampling import NextLogits

State: TypeAlias = tuple[LSTMState, ...]


class Writer(NamedTuple):
    """Store the function that the sampler calls, with its first argument.

    Attributes:
        next_logits: `(params, state, ids (B,)) -> (state, logits (B, V))`.
        params: its first argument.
    """

    next_logits: NextLogits[Any, State]
    params: Any


def writer(network: CharLM, unknown_id: int, state: State) -> Writer:
    """Prepare a network for writing.

    If the native engine can run, the weights are packed for it, in float16 if every one of them is
    exact in float16.

    Args:
        network: any character model.
        unknown_id: the symbol that is read but never written.
        state: the initial state, leaves (B, H).

    Returns:
        The function and the parameters for the sampler. Networks of the same structure share one
        function, so that it is compiled once.
    """
    graph, params = nnx.split(network)
    if not _is_for_native(network, state):
        return Writer(next_logits(graph, unknown_id), params)
    weights = Weights(
        network.embedding[...],
        network.lstm.params,
        network.projection[...],
        network.output_bias[...],
    )
    return Writer(_packed_step, _packed(_Same(weights), unknown_id))


@functools.lru_cache(maxsize=32)
def next_logits(graph: nnx.GraphDef[CharLM], unknown_id: int) -> NextLogits[nnx.State, State]:
    """Build the function that the sampler calls, cached because each function is compiled once.

    Args:
        graph: of the network.
        unknown_id: the symbol that is read but never written.

    Returns:
        A function of the network's parameters.
    """

    def run(params: nnx.State, state: State, ids: Array) -> tuple[State, Array]:
        state, logits = nnx.merge(graph, params).step(state, ids)
        return state, logits.at[..., unknown_id].set(-jnp.inf)

    return run


# --- over packed weights -------------------------------------------------------------------------


class Weights(NamedTuple):
    """Store the parameters of a `CharLM`."""

    embedding: Array
    layers: tuple[LSTMParams, ...]
    projection: Array
    output_bias: Array


class _PackedWeights(NamedTuple):
    embedding: Array  # not packed: single rows of it are read
    layers: tuple[Packed, ...]  # [W_x; W_h], for [x, h]
    options: tuple[LSTMParams, ...]  # the layers' other parameters
    projection: Packed
    output: Packed


def _packed_step(weights: _PackedWeights, state: State, ids: Array) -> tuple[State, Array]:
    """Compute one step, as `CharLM.step` does."""
    below, new = weights.embedding[ids], []
    for kernel, params, old in zip(weights.layers, weights.options, state, strict=True):
        z = multiply(jnp.concatenate([below, old.h], -1), kernel)
        new.append(lstm_pointwise(params, z, old))
        below = new[-1].h
    features = multiply(below, weights.projection)
    return tuple(new), multiply(features, weights.output)


class _Same:
    """Wrap weights so that they compare by identity, which is enough as arrays never change."""

    def __init__(self, weights: Weights):
        self.weights = weights
        self.ids = tuple(map(id, jax.tree.leaves(weights)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.ids == other.ids

    def __hash__(self) -> int:
        return hash(self.ids)


@functools.lru_cache(maxsize=1)
def _packed(same: _Same, unknown_id: int) -> _PackedWeights:
    """Pack the weights once for any number of texts."""
    weights = same.weights
    dtype = jnp.float16 if _fits_float16(weights) else jnp.float32
    return _pack(weights, unknown_id, dtype)


@jax.jit
def _fits_float16(weights: Weights) -> Array:
    """Return whether every weight matrix is finite and exact in float16."""
    kernels = [leaf for leaf in jax.tree.leaves(weights) if leaf.ndim == 2]
    halves = [kernel.astype(jnp.float16) for kernel in kernels]
    same = [
        (jnp.isfinite(half) & (half.astype(jnp.float32) == kernel)).all()
        for half, kernel in zip(halves, kernels, strict=True)
    ]
    return jnp.stack(same).all()


@functools.partial(jax.jit, static_argnames=("unknown_id", "dtype"))
def _pack(weights: Weights, unknown_id: int, dtype: DTypeLike) -> _PackedWeights:
    layers, options = [], []
    for params in weights.layers:
        (input_kernel, recurrent_kernel, bias), rest = split_named(params)
        layers.append(pack(jnp.concatenate([input_kernel, recurrent_kernel]), bias, dtype))
        options.append(rest)
    bias = weights.output_bias.at[unknown_id].set(-jnp.inf)
    return _PackedWeights(
        weights.embedding,
        tuple(layers),
        tuple(options),
        pack(weights.projection, None, dtype),
        pack(weights.embedding.T, bias, dtype),
    )


def _is_for_native(network: CharLM, state: State) -> bool:
    lstm = network.lstm
    if lstm.connections is not None or lstm.implementation not in (None, "native"):
        return False
    leaves = jax.tree.leaves((nnx.state(network), state))
    if not all(isinstance(leaf, Array) and len(leaf.devices()) == 1 for leaf in leaves):
        return False
    rows, *_ = state[0].h.shape
    xs = jnp.zeros((1, rows, 1), network.embedding[...].dtype)
    return not any(
        choose.obstacle("native", lstm.cell, params, xs, old, {})
        for params, old in zip(lstm.params, state, strict=True)
    )
