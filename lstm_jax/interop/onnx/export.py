"""Export to ONNX, where each layer becomes one LSTM, GRU or RNN operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

import jax.numpy as jnp
import numpy as np

from lstm_jax.cells import TEXTBOOK, Activation, lstm_step, rnn_step
from lstm_jax.gated import gru_step
from lstm_jax.interop.onnx.format import OPERATORS
from lstm_jax.interop.onnx.graph import PLAIN, Graph, add_stack, directions_of, dtype_of
from lstm_jax.interop.parameters import Layer, Params
from lstm_jax.models.char_lm import CharLM
from lstm_jax.models.sequence_model import SequenceModel
from lstm_jax.named import bound, unbound
from lstm_jax.nn.layers import Recurrent

if TYPE_CHECKING:
    from onnx import ModelProto


class Variant(TypedDict):
    """Describe the properties of a cell that are not in its parameters, as in `export_layers`."""

    reset_after: bool
    activations: Sequence[str] | None


def export_layers(
    layers: Recurrent | Sequence[Layer | tuple[Params, Params]],
    *,
    reset_after: bool = True,
    activations: Sequence[str] | None = None,
    initial_state: bool = False,
    sequence_lens: bool = False,
    name: str = "lstm_jax",
) -> ModelProto:
    """Export a layer, or a stack of layers, as an ONNX model with symbolic T and B.

    Inputs, where layer k has n directions (1, or 2 if bidirectional):

        xs              (T, B, D)
        sequence_lens   (B,) int32, if requested
        h_k, c_k        (n, B, H), if requested: forward, then backward; c only for LSTMs

    Outputs:

        hs                      (T, B, n · H) of the top layer; zero from `sequence_lens` on
        final_h_k, final_c_k    (n, B, H)

    Args:
        layers: an `LSTM`, `GRU` or `RNN`, exported without dropout; or parameters, bottom first,
            each an `LSTMParams`, `GRUParams` or `RNNParams`, or a pair (forward, backward).
        reset_after: variant of a GRU, as in `gru_step`; ONNX's linear_before_reset. A layer knows
            its own, and its own activations.
        activations: ONNX's names of functions to use instead of σ and tanh in every layer: (gate,
            candidate, cell) of an LSTM, (gate, candidate) of a GRU, (activation,) of an RNN; among
            Sigmoid, Tanh, Relu, Softsign, Softplus.
        initial_state: whether the states are inputs; otherwise they are zero.
        sequence_lens: whether lengths are an input; otherwise all rows are T long.
        name: name of the graph.

    Returns:
        A checked `onnx.ModelProto`, with weights in the dtype of the parameters.

    Raises:
        ImportError: if onnx is not installed.
        TypeError: if the layers are neither.
        ValueError: if the operators do not support an option (projection, layer normalization,
            zoneout, ...), widths or dtypes do not fit, or an activation is unknown or missing.
    """
    graph = Graph(initial_state=initial_state, sequence_lens=sequence_lens)
    if isinstance(layers, Recurrent):
        if activations is not None or not reset_after:
            raise ValueError("reset_after and activations are those of the layer; do not pass them")
        layers, variant = of_module(layers, initial_state)
    else:
        variant = Variant(reset_after=reset_after, activations=activations)
    if not isinstance(layers, (tuple, list)) or hasattr(layers, "_fields"):
        raise TypeError(
            f"layers must be a tuple, bottom first, got one {type(layers).__name__}; for one layer "
            "pass (layer,)"
        )
    pairs = [directions_of(layer) for layer in layers]
    if not pairs:
        raise ValueError("there are no layers to export")
    dtype = dtype_of(pairs)
    graph.input("xs", dtype, ["T", "B", pairs[0][0].input_kernel.shape[0]])
    if sequence_lens:
        graph.input("sequence_lens", np.dtype(np.int32), ["B"])
    hs, width = add_stack(graph, "xs", pairs, dtype, **variant)
    graph.node("Identity", [hs], ["hs"])
    graph.output("hs", dtype, ["T", "B", width], first=True)
    return graph.model(name)


def export_char_lm(model: CharLM, *, name: str = "char_lm") -> ModelProto:
    """Export a `CharLM` as an ONNX model for a sampling loop that feeds the final state back in.

    Inputs: `ids` (B, T) int64; `h_k`, `c_k` (1, B, H) for every layer k, zeros before a text.
    Outputs: `logits` (B, T, V); `final_h_k`, `final_c_k` (1, B, H). B and T are symbolic.

    Args:
        model: the network, exported without dropout.
        name: name of the graph.

    Returns:
        A checked `onnx.ModelProto`.

    Raises:
        ImportError: if onnx is not installed.
        ValueError: if the operators do not support the layers, as in `export_layers`.
    """
    graph = Graph(initial_state=True, sequence_lens=False)
    layers, variant = of_module(model.lstm, True)
    pairs = [directions_of(layer) for layer in layers]
    embedding, projection, bias = (
        np.asarray(array[...]) for array in (model.embedding, model.projection, model.output_bias)
    )
    dtype = dtype_of(pairs, embedding, projection, bias)
    graph.input("ids", np.dtype(np.int64), ["B", "T"])
    # Stored once, as in the model: the softmax reads the transpose of the embedding.
    table = graph.constant("embedding", embedding)
    rows = graph.node("Gather", [table, "ids"], ["embedded"])
    xs = graph.node("Transpose", [rows], ["xs"], perm=[1, 0, 2])
    hs, _ = add_stack(graph, xs, pairs, dtype, **variant)
    features = graph.node("MatMul", [hs, graph.constant("projection", projection)], ["features"])
    columns = graph.node("Transpose", [table], ["embedding_transposed"], perm=[1, 0])
    scores = graph.node("MatMul", [features, columns], ["scores"])
    biased = graph.node("Add", [scores, graph.constant("output_bias", bias)], ["biased"])
    graph.node("Transpose", [biased], ["logits"], perm=[1, 0, 2])
    graph.output("logits", dtype, ["B", "T", embedding.shape[0]], first=True)
    return graph.model(name)


def export_sequence_model(
    model: SequenceModel,
    *,
    initial_state: bool = False,
    sequence_lens: bool = False,
    name: str = "sequence_model",
) -> ModelProto:
    """Export a `SequenceModel` as an ONNX model with symbolic B and T.

    Inputs: `xs` (B, T, D); if requested, `sequence_lens` (B,) int32, and the state before the
    sequences, `h_k` (1, B, H), and `c_k` of an LSTM, for every layer k. Outputs: `ys` (B, T, O),
    which is meaningless from `sequence_lens` on; with `initial_state` also `final_h_k` and
    `final_c_k`.

    Args:
        model: the network.
        initial_state: whether the state is an input and an output; otherwise it starts at zero.
        sequence_lens: whether lengths are an input; otherwise all rows are T long.
        name: name of the graph.

    Returns:
        A checked `onnx.ModelProto`, with weights in the dtype of the model.

    Raises:
        ImportError: if onnx is not installed.
        ValueError: if the operators do not support the layers, as in `export_layers`.
    """
    graph = Graph(
        initial_state=initial_state, sequence_lens=sequence_lens, final_state=initial_state
    )
    layers, variant = of_module(model.recurrent, initial_state)
    pairs = [directions_of(layer) for layer in layers]
    kernel, bias = (np.asarray(array[...]) for array in (model.output_kernel, model.output_bias))
    dtype = dtype_of(pairs, kernel, bias)
    graph.input("xs", dtype, ["B", "T", pairs[0][0].input_kernel.shape[0]])
    if sequence_lens:
        graph.input("sequence_lens", np.dtype(np.int32), ["B"])
    time_major = graph.node("Transpose", ["xs"], ["time_major"], perm=[1, 0, 2])
    hs, _ = add_stack(graph, time_major, pairs, dtype, **variant)
    product = graph.node("MatMul", [hs, graph.constant("output_kernel", kernel)], ["product"])
    biased = graph.node("Add", [product, graph.constant("output_bias", bias)], ["said"])
    graph.node("Transpose", [biased], ["ys"], perm=[1, 0, 2])
    graph.output("ys", dtype, ["B", "T", bias.shape[0]], first=True)
    return graph.model(name)


def of_module(layer: Recurrent, initial_state: bool) -> tuple[tuple[Layer, ...], Variant]:
    """Return the parameters of a layer without noise, and the variant of its cell."""
    unsupported = {
        "merge='sum'": layer.bidirectional and layer.merge != "concat",
        f"connections={layer.connections!r}": layer.connections is not None,
        # Without a key, zoneout takes a mean of old and new state, which no operator does.
        "zoneout": layer.noise.zoneout or layer.noise.cell_zoneout,
        "learned_initial, unless with initial_state=True": layer.initial and not initial_state,
        "dtype": layer.dtype is not None,
        "cell_dtype": layer.cell_dtype is not None,
    }
    for name, is_set in unsupported.items():
        if is_set:
            raise ValueError(
                f"ONNX's operators do not support {name} of the {type(layer).__name__}"
            )
    step = layer.base_cell.step
    kind = unbound(step)
    if kind not in (lstm_step, gru_step, rnn_step):
        raise TypeError(f"ONNX has no operator for {layer.base_cell.name}")
    functions: tuple[Activation, ...] = ()
    if kind is lstm_step:
        functions = tuple(bound(step, "activations", TEXTBOOK))
    elif kind is rnn_step:
        functions = (bound(step, "activation", jnp.tanh),)
    unknown = [function for function in functions if function not in PLAIN]
    if unknown:
        raise ValueError(
            f"ONNX does not support the activation {unknown[0]!r}; it supports "
            f"{', '.join(PLAIN.values())} from jax.nn and jax.numpy"
        )
    names = tuple(PLAIN[function] for function in functions)
    textbook = names in [operator.activations for operator in OPERATORS.values()]
    activations = names if names and not textbook else None
    reset_after = kind is not gru_step or bound(step, "reset_after", True)
    return layer.params, Variant(reset_after=reset_after, activations=activations)
