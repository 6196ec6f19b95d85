"""Build an ONNX graph, with one node for each recurrent layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import jax
import numpy as np
from jax.typing import ArrayLike

from lstm_jax.interop.arrays import part_biases, reorder
from lstm_jax.interop.onnx.format import (
    ACTIVATIONS,
    ONNX_PEEPHOLE_ORDER,
    OPERATORS,
    PEEPHOLE_ORDER,
    onnx_package,
)
from lstm_jax.interop.parameters import OPTIONS, Layer, Params, arrays_of, is_coupled, to_numpy

if TYPE_CHECKING:
    from onnx import ModelProto

# The parameters of a layer's directions: one, or forward and backward.
Pair: TypeAlias = tuple[Params, ...]

# The newest version of the three operators. IR 10 came with it; runtimes that could run a model may
# refuse it if it declares a newer IR.
OPSET = 22
IR_VERSION = 10
DTYPES = ("float16", "bfloat16", "float32", "float64")
# The functions without constants, which a name describes completely.
PLAIN = {function: name for name, (function, constants) in ACTIVATIONS.items() if not constants}


class Graph:
    """Collect the nodes, inputs, outputs and constants of a graph."""

    def __init__(self, *, initial_state: bool, sequence_lens: bool, final_state: bool = True):
        self.onnx = onnx_package()
        self.final_state = final_state
        self.initial_state = initial_state
        self.sequence_lens = sequence_lens
        self.nodes, self.inputs, self.outputs, self.constants = [], [], [], []

    def input(self, name: str, dtype: np.dtype, shape: Sequence[int | str]) -> str:
        self.inputs.append(self._value(name, dtype, shape))
        return name

    def output(
        self, name: str, dtype: np.dtype, shape: Sequence[int | str], *, first: bool = False
    ) -> None:
        self.outputs.insert(0 if first else len(self.outputs), self._value(name, dtype, shape))

    def constant(self, name: str, array: np.ndarray) -> str:
        contiguous = np.ascontiguousarray(array)
        self.constants.append(self.onnx.numpy_helper.from_array(contiguous, name))
        return name

    def node(
        self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: object
    ) -> str:
        self.nodes.append(
            self.onnx.helper.make_node(operator, inputs, outputs, name=outputs[0], **attributes)
        )
        return outputs[0]

    def model(self, name: str) -> ModelProto:
        helper = self.onnx.helper
        graph = helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.constants)
        model = helper.make_model(
            graph,
            producer_name="lstm_jax",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        self.onnx.checker.check_model(model, full_check=True)
        return model

    def _value(self, name, dtype, shape):
        element = self.onnx.helper.np_dtype_to_tensor_dtype(dtype)
        return self.onnx.helper.make_tensor_value_info(name, element, shape)


def add_stack(
    graph: Graph,
    xs: str,
    layers: list[Pair],
    dtype: np.dtype,
    *,
    reset_after: bool,
    activations: Sequence[str] | None,
) -> tuple[str, int]:
    """Add layers that read `xs`, and return the name and the width of the top layer's hs."""
    width = layers[0][0].input_kernel.shape[0]
    for k, pair in enumerate(layers):
        operator, attributes, arrays = _node_of(k, pair, width, reset_after, activations)
        directions, hidden = len(pair), pair[0].recurrent_kernel.shape[0]
        state_names = OPERATORS[operator].state._fields
        shape = [directions, "B", hidden]
        inputs = dict.fromkeys(OPERATORS[operator].inputs, "")
        inputs["X"] = xs
        for name, array in arrays.items():
            inputs[name] = graph.constant(f"{name}_{k}", array)
        if graph.sequence_lens:
            inputs["sequence_lens"] = "sequence_lens"
        for name in state_names:
            if graph.initial_state:
                inputs[f"initial_{name}"] = graph.input(f"{name}_{k}", dtype, shape)
            if graph.final_state:
                graph.output(f"final_{name}_{k}", dtype, shape)
        names = list(inputs.values())
        while not names[-1]:
            names.pop()  # ONNX omits missing trailing inputs
        outputs = [f"Y_{k}", *(f"final_{name}_{k}" for name in state_names)]
        y = graph.node(operator, names, outputs, hidden_size=hidden, **attributes)
        width = directions * hidden
        xs = _flat(graph, k, y, width, directions)
    return xs, width


def _flat(graph: Graph, k: int, y: str, width: int, directions: int) -> str:
    """Add nodes that convert Y (T, directions, B, H) to (T, B, directions · H)."""
    if directions == 1:
        axis = graph.constant(f"axis_{k}", np.array([1]))
        return graph.node("Squeeze", [y, axis], [f"hs_{k}"])
    beside = graph.node("Transpose", [y], [f"beside_{k}"], perm=[0, 2, 1, 3])
    shape = graph.constant(f"shape_{k}", np.array([0, 0, width]))  # 0 keeps the axis
    return graph.node("Reshape", [beside, shape], [f"hs_{k}"])


def _node_of(
    k: int, pair: Pair, width: int, reset_after: bool, activations: Sequence[str] | None
) -> tuple[str, dict[str, object], dict[str, np.ndarray]]:
    """Return operator, attributes and arrays of one layer; `pair` has its one or two directions."""
    kinds = {_kind(k, params, width, reset_after) for params in pair}
    hidden = {params.recurrent_kernel.shape[0] for params in pair}
    if len(kinds) > 1 or len(hidden) > 1:
        raise ValueError(
            f"the directions of layer {k} differ in their cell, hidden features or coupling of "
            "gates; one ONNX operator needs two of the same kind"
        )
    ((operator, coupled),) = kinds
    attributes: dict[str, object] = {}
    if len(pair) == 2:
        attributes["direction"] = "bidirectional"
    if operator == "GRU":
        attributes["linear_before_reset"] = int(reset_after)
    if coupled:
        attributes["input_forget"] = 1
    if activations is not None:
        attributes["activations"] = _names(operator, coupled, activations) * len(pair)
    sides = [_arrays(operator, params) for params in pair]
    for name in {name for side in sides for name in side}:  # one direction may have no bias
        like = next(side[name] for side in sides if name in side)
        for side in sides:
            side.setdefault(name, np.zeros_like(like))
    return operator, attributes, {n: np.stack([side[n] for side in sides]) for n in sides[0]}


def _kind(k: int, params: Params, width: int, reset_after: bool) -> tuple[str, bool]:
    """Return `(operator, whether gates are coupled)`, after checking that ONNX supports them."""
    operator = next(name for name, known in OPERATORS.items() if type(params) is known.params)
    if params.input_kernel.shape[0] != width:
        raise ValueError(
            f"the input_kernel of layer {k} must have {width} rows, the features that it reads, "
            f"got shape {params.input_kernel.shape}"
        )
    arrays = arrays_of(params)
    if "recurrent_bias" in arrays and not reset_after:
        raise ValueError(f"layer {k} has a recurrent_bias, which needs reset_after=True")
    for option in ("projection", "norm.input_scale"):
        if option in arrays:
            raise ValueError(f"layer {k} has {OPTIONS[option]}, which ONNX's LSTM does not support")
    return operator, is_coupled(params)


def _names(operator: str, coupled: bool, activations: Sequence[str]) -> list[str]:
    expected = len(OPERATORS[operator].activations)
    if isinstance(activations, str) or len(activations) != expected:
        raise ValueError(
            f"activations must be {expected} names for the {operator}, got {activations!r}"
        )
    unknown = [name for name in activations if name not in PLAIN.values()]
    if unknown:
        raise ValueError(
            f"activations must be among {', '.join(PLAIN.values())}, got {', '.join(unknown)}"
        )
    if coupled and activations[0] != "Sigmoid":
        raise ValueError(
            f"coupled gates are exported by σ(-z) = 1 - σ(z), so they need Sigmoid, got "
            f"{activations[0]}"
        )
    return list(activations)


def _arrays(operator: str, params: Params) -> dict[str, np.ndarray]:
    """Return W (gates · H, D), R (gates · H, H), and if present B (2 · gates · H) and P (3H)."""
    ours, coupled = to_numpy(params), is_coupled(params)
    gates, onnx_gates = OPERATORS[operator].gates, OPERATORS[operator].onnx_gates

    def onnx(array: np.ndarray) -> np.ndarray:
        return reorder(_uncoupled(array) if coupled else array, gates, onnx_gates)

    arrays = {"W": onnx(ours["input_kernel"]).T, "R": onnx(ours["recurrent_kernel"]).T}
    if {"bias", "recurrent_bias"} & ours.keys():
        ours |= {"bias": onnx(ours["bias"])} if "bias" in ours else {}
        # The candidate, which has a separate bias on h, is also the last gate in ONNX's order.
        arrays["B"] = np.concatenate(part_biases(ours))
    if "peephole" in ours:
        rows = ours["peephole"].reshape(-1)
        if coupled:
            forget, output = np.split(rows, 2)
            rows = np.concatenate([-forget, np.zeros_like(forget), output])
        arrays["P"] = reorder(rows, PEEPHOLE_ORDER, ONNX_PEEPHOLE_ORDER)
    return arrays


def _uncoupled(array: np.ndarray) -> np.ndarray:
    """Convert columns f, g, o to columns i, f, g, o for ONNX's input_forget=1.

    We store f and use i = 1 - f. ONNX stores i, uses f = 1 - i and ignores the columns of f.
    Because σ(-z) = 1 - σ(z), the columns of the input gate are those of f, negated.
    """
    forget, candidate, output = np.split(array, 3, axis=-1)
    return np.concatenate([-forget, np.zeros_like(forget), candidate, output], axis=-1)


def directions_of(layer: Layer | tuple[Params, ...]) -> Pair:
    """Return the parameters of a layer's directions: one, or forward and backward."""
    pair = tuple(layer) if isinstance(layer, tuple) else (layer,)
    known = tuple(operator.params for operator in OPERATORS.values())
    for params in pair:
        if type(params) not in known:
            raise TypeError(
                "a layer must be LSTMParams, GRUParams or RNNParams, or a pair (forward, backward) "
                f"of them; ONNX has no operator for {type(params).__name__}"
            )
    if len(pair) not in (1, 2):
        raise TypeError(f"a layer must have one or two directions, got {len(pair)}")
    return pair


def dtype_of(layers: Iterable[Pair], *arrays: ArrayLike) -> np.dtype:
    """Return the common dtype of all arrays; raise a ValueError if ONNX does not support it."""
    leaves = [*jax.tree.leaves(layers), *arrays]
    dtypes = {str(np.asarray(leaf).dtype) for leaf in leaves}
    if len(dtypes) > 1 or not dtypes <= set(DTYPES):
        raise ValueError(
            f"the arrays must share one dtype of {', '.join(DTYPES)}; got "
            f"{', '.join(sorted(dtypes))}"
        )
    return np.asarray(leaves[0]).dtype
