"""ONNX's operators against its own test cases, onnxruntime, and its equations in NumPy."""

import importlib
from functools import partial
from itertools import product

import jax
import numpy as np
import pytest
from problems import assert_close

from lstm_jax.cells import LSTMParams, RNNParams
from lstm_jax.gated import GRUParams
from lstm_jax.interop.onnx import Recurrence, load, read_node, run

onnx = pytest.importorskip("onnx")

T, B, D, H = 3, 3, 2, 3
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
every_operator = pytest.mark.parametrize("operator", GATES)


def inputs_of(operator, direction="forward", *, seed=0, without=(), scale=1.0):
    """All inputs of an operator by name, except those in `without`."""
    rng = np.random.default_rng(seed)
    n, rows = DIRECTIONS[direction], GATES[operator] * H
    shapes = {"X": (T, B, D), "W": (n, rows, D), "R": (n, rows, H), "B": (n, 2 * rows)}
    shapes |= {"sequence_lens": None, "initial_h": (n, B, H)}
    if operator == "LSTM":
        shapes |= {"initial_c": (n, B, H), "P": (n, 3 * H)}
    drawn = {
        name: np.array([2, T, 1], np.int32)
        if shape is None
        else (scale * rng.normal(size=shape)).astype(np.float32)
        for name, shape in shapes.items()
    }
    return {name: None if name in without else array for name, array in drawn.items()}


def model_of(operator, arrays, *, stored=(), outputs=None, opset=22, **attributes):
    """A graph of one node; arrays that are None are left out, those in `stored` initializers."""
    names = [name if array is not None else "" for name, array in arrays.items()]
    while not names[-1]:
        names.pop()
    if outputs is None:
        outputs = ["Y", "Y_h", "Y_c"] if operator == "LSTM" else ["Y", "Y_h"]
    node = onnx.helper.make_node(operator, names, outputs, hidden_size=H, **attributes)
    given = {name: array for name, array in arrays.items() if array is not None}
    element = onnx.helper.np_dtype_to_tensor_dtype
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [
            onnx.helper.make_tensor_value_info(name, element(array.dtype), array.shape)
            for name, array in given.items()
            if name not in stored
        ],
        [
            onnx.helper.make_tensor_value_info(name, 1, [None] * (4 if name == "Y" else 3))
            for name in outputs
            if name
        ],
        [onnx.numpy_helper.from_array(given[name], name) for name in stored],
    )
    opsets = [onnx.helper.make_opsetid("", opset)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)


def ours(operator, arrays, **attributes):
    given = [array for array in arrays.values() if array is not None]
    return run(model_of(operator, arrays, **attributes), *given)


def onnxruntime_of(operator, arrays, **attributes):
    """Run it in onnxruntime, with swapped axes for layout=1, which it refuses."""
    ort = pytest.importorskip("onnxruntime")
    batch_first = attributes.pop("layout", 0)
    given = {name: array for name, array in arrays.items() if array is not None}
    if batch_first:
        for name in {"X", "initial_h", "initial_c"} & set(given):
            given[name] = given[name].swapaxes(0, 1)
    swapped = {name: given.get(name) for name in arrays}
    model = model_of(operator, swapped, **attributes).SerializeToString()
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    y, *finals = session.run(None, given)
    if batch_first:
        y, finals = y.transpose(2, 0, 1, 3), [final.swapaxes(0, 1) for final in finals]
    return [y, *finals]


# --- ONNX's equations, in NumPy and float64 ------------------------------------------------------


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


FUNCTIONS = {
    "Sigmoid": lambda x, a, b: sigmoid(x),
    "Tanh": lambda x, a, b: np.tanh(x),
    "Relu": lambda x, a, b: np.maximum(0, x),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: x if x >= 0 else a * x,
    "ThresholdedRelu": lambda x, a, b: x if x >= a else 0.0,
    "ScaledTanh": lambda x, a, b: a * np.tanh(b * x),
    "HardSigmoid": lambda x, a, b: min(max(a * x + b, 0), 1),
    "Elu": lambda x, a, b: x if x >= 0 else a * (np.exp(x) - 1),
    "Softsign": lambda x, a, b: x / (1 + abs(x)),
    "Softplus": lambda x, a, b: np.log(1 + np.exp(x)),
}
CONSTANTS = {
    "Affine": {"alpha": 0.7, "beta": -0.1},
    "LeakyRelu": {"alpha": 0.3},
    "ThresholdedRelu": {"alpha": 0.4},
    "ScaledTanh": {"alpha": 1.3, "beta": 0.6},
    "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
    "Elu": {"alpha": 0.6},
}
TEXTBOOK = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


def equations(operator, arrays, *, direction="forward", layout=0, clip=np.inf, activations=None,
              input_forget=0, linear_before_reset=0):  # fmt: skip
    """The operator's specification, row by row and step by step."""
    n = DIRECTIONS[direction]
    given = {name: a if a is None else a.astype(np.float64) for name, a in arrays.items()}
    xs, lens = given["X"], given["sequence_lens"]
    starts = [given.get("initial_h"), given.get("initial_c")]
    if layout:
        xs = xs.swapaxes(0, 1)
        starts = [a if a is None else a.swapaxes(0, 1) for a in starts]
    starts = [np.zeros((n, B, H)) if a is None else a for a in starts]
    names = activations or TEXTBOOK[operator] * n
    each = len(names) // n

    def function(name):
        constants = CONSTANTS.get(name, {})
        one = np.vectorize(FUNCTIONS[name], otypes=[float])
        return lambda a: one(
            np.clip(a, -clip, clip), constants.get("alpha", 0), constants.get("beta", 0)
        )

    y, finals = np.zeros((T, n, B, H)), np.zeros((2, n, B, H))
    for d, row in product(range(n), range(B)):
        f, *others = [function(name) for name in names[d * each : (d + 1) * each]]
        W, R = given["W"][d], given["R"][d]
        Wb, Rb = np.zeros((2, len(W))) if given["B"] is None else np.split(given["B"][d], 2)
        h, c = starts[0][d, row], starts[1][d, row]
        order = list(range(T if lens is None else int(lens[row])))
        if direction == "reverse" or d == 1:
            order.reverse()
        for t in order:
            x = xs[t, row]
            if operator == "RNN":
                h = f(W @ x + R @ h + Wb + Rb)
            elif operator == "GRU":
                g = others[0]
                Wz, Wr, Wh = np.split(W, 3)
                Rz, Rr, Rh = np.split(R, 3)
                Wbz, Wbr, Wbh = np.split(Wb, 3)
                Rbz, Rbr, Rbh = np.split(Rb, 3)
                z = f(Wz @ x + Rz @ h + Wbz + Rbz)
                r = f(Wr @ x + Rr @ h + Wbr + Rbr)
                if linear_before_reset:
                    n_t = g(Wh @ x + r * (Rh @ h + Rbh) + Wbh)
                else:
                    n_t = g(Wh @ x + Rh @ (r * h) + Rbh + Wbh)
                h = (1 - z) * n_t + z * h
            else:
                g, squash = others
                zeros = np.zeros(3 * H)
                Pi, Po, Pf = np.split(zeros if given["P"] is None else given["P"][d], 3)
                zi, zo, zf, zc = np.split(W @ x + R @ h + Wb + Rb, 4)
                i = f(zi + Pi * c)
                forget = 1 - i if input_forget else f(zf + Pf * c)
                c = forget * c + i * g(zc)
                h = f(zo + Po * c) * squash(c)
            y[t, d, row] = h
        finals[:, d, row] = h, c
    if layout:
        y, finals = y.transpose(2, 0, 1, 3), finals.swapaxes(1, 2)
    return [y, *finals[: 2 if operator == "LSTM" else 1]]


def assert_same(actual, desired, tolerance=1e-5):
    assert len(actual) == len(desired)
    for name, a, d in zip(("Y", "Y_h", "Y_c"), actual, desired, strict=False):
        assert a.shape == d.shape
        assert_close(a, d, tolerance, name)


# --- the node test cases that ONNX ships ---------------------------------------------------------


def backend_cases():
    from onnx.backend.test.case import node

    for name in ("lstm", "gru", "rnn"):
        importlib.import_module(f"onnx.backend.test.case.node.{name}")
    kinds = set(GATES)
    return [c for c in node._NodeTestCases if c.model.graph.node[0].op_type in kinds]


CASES = backend_cases()


def test_the_cases_cover_what_they_should():
    nodes = [case.model.graph.node[0] for case in CASES]
    assert {node.op_type for node in nodes} == set(GATES)
    assert len(CASES) >= 18
    seen = {(a.name, str(onnx.helper.get_attribute_value(a))) for n in nodes for a in n.attribute}
    assert {("layout", "1"), ("direction", "b'reverse'"), ("direction", "b'bidirectional'")} <= seen


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_test_case_of_onnx(case):
    for inputs, outputs in case.data_sets:
        assert_same(jax.jit(partial(run, case.model))(*inputs), outputs)


# --- every combination of options ----------------------------------------------------------------

OPTIONAL = {
    "LSTM": ("B", "sequence_lens", "initial_h", "initial_c", "P"),
    "GRU": ("B", "sequence_lens", "initial_h"),
    "RNN": ("B", "sequence_lens", "initial_h"),
}
VARIANTS = {"LSTM": "input_forget", "GRU": "linear_before_reset"}


@pytest.mark.parametrize("direction", DIRECTIONS)
@every_operator
def test_every_combination_of_inputs_and_variants(operator, direction):
    flags = product([False, True], repeat=len(OPTIONAL[operator]))
    cases = list(product(flags, [0, 1] if operator in VARIANTS else [0]))
    assert len(cases) == {"LSTM": 64, "GRU": 16, "RNN": 8}[operator]
    if operator == "LSTM" and direction != "forward":
        # Half of them, in which every pair of options still meets in all four ways.
        cases = [case for case in cases if sum(case[0][:3]) % 2 == case[1]]
    for seed, (given, variant) in enumerate(cases):
        layout = (sum(given) + variant) % 2  # both, with whatever other option, at half the time
        pairs = zip(OPTIONAL[operator], given, strict=True)
        arrays = inputs_of(operator, direction, seed=seed, without=[n for n, g in pairs if not g])
        if layout:
            for name in ("X", "initial_h", "initial_c"):
                if arrays.get(name) is not None:
                    arrays[name] = arrays[name].swapaxes(0, 1)
        attributes = {"direction": direction, "layout": layout}
        if operator in VARIANTS:
            attributes[VARIANTS[operator]] = variant
        with jax.disable_jit():  # a Python loop over a few steps compiles nothing new
            actual = ours(operator, arrays, **attributes)
        assert_same(actual, equations(operator, arrays, **attributes))
        assert_same(actual, onnxruntime_of(operator, arrays, **attributes))


@every_operator
def test_compiled_with_everything(operator):
    arrays = inputs_of(operator, "bidirectional")
    model = model_of(operator, arrays, direction="bidirectional")
    actual = jax.jit(partial(run, model))(*arrays.values())
    assert_same(actual, equations(operator, arrays, direction="bidirectional"))
    y, h = np.asarray(actual[0]), np.asarray(actual[1])
    assert np.all(y[2:, :, 0] == 0)  # the row of length 2
    assert_close(h[0, 0], y[1, 0, 0], 1e-6)
    assert_close(h[1, 0], y[0, 1, 0], 1e-6)


def constants(names):
    """activation_alpha and activation_beta, in order, for the activations that have them."""
    values = {
        f"activation_{key}": [CONSTANTS[n][key] for n in names if key in CONSTANTS.get(n, {})]
        for key in ("alpha", "beta")
    }
    return {key: found for key, found in values.items() if found}


@pytest.mark.parametrize("name", FUNCTIONS)
@every_operator
def test_activations(operator, name):
    # The function under test comes last or alone, because an unbounded gate explodes.
    names = [*TEXTBOOK[operator][:-1], name]
    arrays = inputs_of(operator, scale=0.5)
    with jax.disable_jit():
        actual = ours(operator, arrays, activations=names, **constants(names))
    assert_same(actual, equations(operator, arrays, activations=names))
    expected = onnxruntime_of(operator, arrays, activations=names, **constants(names))
    assert_same(actual, expected)


@pytest.mark.parametrize("variant", [0, 1])
def test_activations_of_both_directions_consume_constants_in_order(variant):
    for operator, names in {
        "LSTM": ["HardSigmoid", "LeakyRelu", "Tanh", "Sigmoid", "ScaledTanh", "Elu"],
        "GRU": ["HardSigmoid", "ScaledTanh", "Sigmoid", "LeakyRelu"],
        "RNN": ["Affine", "Elu"],
    }.items():
        arrays = inputs_of(operator, "bidirectional", scale=0.5)
        attributes = {"direction": "bidirectional", "activations": names}
        if operator in VARIANTS:
            attributes[VARIANTS[operator]] = variant
        with jax.disable_jit():
            actual = ours(operator, arrays, **attributes, **constants(names))
        assert_same(actual, equations(operator, arrays, **attributes))
        assert_same(actual, onnxruntime_of(operator, arrays, **attributes, **constants(names)))


@pytest.mark.parametrize(
    ("name", "alpha", "beta"),
    [("LeakyRelu", 0.01, None), ("HardSigmoid", 0.2, 0.5), ("Elu", 1.0, None)],
)
def test_missing_constants_are_those_of_the_operator_of_that_name(name, alpha, beta):
    arrays = inputs_of("RNN")
    schema = onnx.defs.get_schema(name)
    assert schema.attributes["alpha"].default_value.f == np.float32(alpha)
    given = {"activation_alpha": [alpha]} | ({} if beta is None else {"activation_beta": [beta]})
    with jax.disable_jit():
        actual = ours("RNN", arrays, activations=[name])
        assert_same(actual, ours("RNN", arrays, activations=[name], **given), 1e-7)
    assert_same(actual, onnxruntime_of("RNN", arrays, activations=[name]))


def test_the_default_threshold_is_the_operators():
    # onnxruntime takes 0 where ONNX says "the same as of corresponding ONNX operators", 1.
    assert onnx.defs.get_schema("ThresholdedRelu").attributes["alpha"].default_value.f == 1
    arrays = inputs_of("RNN", scale=2.0)
    with jax.disable_jit():
        actual = ours("RNN", arrays, activations=["ThresholdedRelu"])[0]
    assert np.min(actual[actual != 0]) >= 1


@pytest.mark.parametrize("variant", [0, 1])
@every_operator
def test_clip_bounds_what_every_activation_reads(operator, variant):
    arrays = inputs_of(operator, scale=1.5)
    attributes = {VARIANTS[operator]: variant} if operator in VARIANTS else {}
    with jax.disable_jit():
        actual = ours(operator, arrays, clip=0.5, **attributes)
        free = ours(operator, arrays, **attributes)
    assert np.max(np.abs(actual[0] - free[0])) > 0.1
    expected = equations(operator, arrays, clip=0.5, **attributes)
    assert_same(actual, expected)
    if operator == "LSTM":
        # onnxruntime lets h read an unbounded c (onnxruntime#27224): compare where c stays inside.
        assert np.max(np.abs(expected[2])) > 0.5
        arrays = {n: a * np.float32(0.2) if n == "initial_c" else a for n, a in arrays.items()}
        attributes["clip"] = 3.0
        with jax.disable_jit():
            actual = ours(operator, arrays, **attributes)
            free = equations(operator, arrays, **{**attributes, "clip": np.inf})
        assert np.max(np.abs(actual[0] - free[0])) > 1e-4
    else:
        attributes["clip"] = 0.5
    assert_same(actual, onnxruntime_of(operator, arrays, **attributes))


def test_coupled_gates_of_another_function_than_sigmoid():
    names = ["HardSigmoid", "Tanh", "Tanh"]
    attributes = {"activations": names, "input_forget": 1}
    for without in [("P",), ()]:
        arrays = inputs_of("LSTM", without=without)
        with jax.disable_jit():
            actual = ours("LSTM", arrays, **attributes, **constants(names))
        assert_same(actual, equations("LSTM", arrays, **attributes))
        assert_same(actual, onnxruntime_of("LSTM", arrays, **attributes, **constants(names)))


@every_operator
def test_an_empty_sequence_returns_its_state(operator):
    arrays = inputs_of(operator) | {"sequence_lens": np.array([2, 0, 1], np.int32)}
    with jax.disable_jit():
        y, *finals = ours(operator, arrays)
    assert np.all(np.asarray(y)[:, :, 1] == 0)
    for name, final in zip(("initial_h", "initial_c"), finals, strict=False):
        assert np.array_equal(final[:, 1], arrays[name][:, 1])


# --- the graph around the node -------------------------------------------------------------------


def test_run_works_under_jax_transformations(x64):
    arrays = inputs_of("LSTM", "reverse")
    rest = [a.astype(np.float64) if a.dtype == np.float32 else a for a in arrays.values()]
    model = model_of("LSTM", arrays, direction="reverse")

    def loss(W):
        y, _, c = run(model, rest[0], W, *rest[2:])
        return (y**2).sum() + c.sum()

    gradient = jax.jit(jax.grad(loss))(rest[1])

    def textbook(W):
        y, _, c = equations("LSTM", arrays | {"W": W}, direction="reverse")
        return (y**2).sum() + c.sum()

    towards = np.random.default_rng(3).normal(size=rest[1].shape)
    numerical = textbook(rest[1] + 1e-6 * towards) - textbook(rest[1] - 1e-6 * towards)
    assert_close((gradient * towards).sum(), numerical / 2e-6, 1e-7)


def test_stored_weights_may_be_left_out_or_passed():
    arrays = inputs_of("GRU", without=("sequence_lens", "initial_h"))
    expected = equations("GRU", arrays)
    model = model_of("GRU", arrays, stored=("W", "R", "B"))
    with jax.disable_jit():
        assert_same(run(model, arrays["X"]), expected)
        element = onnx.TensorProto.FLOAT
        for name in ("W", "R", "B"):  # as an input with a default
            shape = arrays[name].shape
            model.graph.input.append(onnx.helper.make_tensor_value_info(name, element, shape))
        assert_same(run(model, arrays["X"]), expected)
        other = inputs_of("GRU", seed=1, without=("sequence_lens", "initial_h"))
        given = [other[name] for name in ("X", "W", "R", "B")]
        assert_same(run(model, *given), equations("GRU", other))


def test_weights_in_constant_nodes_and_a_model_on_disk(tmp_path):
    arrays = inputs_of("RNN", without=("sequence_lens", "initial_h"))
    model = model_of("RNN", arrays, stored=("W", "R", "B"))
    for tensor in model.graph.initializer:
        constant = onnx.helper.make_node("Constant", [], [tensor.name], value=tensor)
        model.graph.node.insert(0, constant)
    model.graph.ClearField("initializer")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, tmp_path / "rnn.onnx")
    expected = equations("RNN", arrays)
    with jax.disable_jit():
        assert_same(run(tmp_path / "rnn.onnx", arrays["X"]), expected)
        assert_same(run(str(tmp_path / "rnn.onnx"), arrays["X"]), expected)


@pytest.mark.parametrize(
    ("outputs", "kept"), [(["", "Y_h"], [1]), (["Y"], [0]), (["", "", "Y_c"], [2])]
)
def test_outputs_that_the_node_omits_are_left_out(outputs, kept):
    arrays = inputs_of("LSTM")
    with jax.disable_jit():
        actual = ours("LSTM", arrays, outputs=outputs)
    desired = equations("LSTM", arrays)
    assert len(actual) == 1
    assert_close(actual[0], desired[kept[0]], 1e-5)


@every_operator
def test_weights_come_as_parameters_with_a_step(operator):
    arrays = inputs_of(operator, "bidirectional")
    node = model_of(operator, arrays, direction="bidirectional").graph.node[0]
    weights = {name: arrays[name] for name in ("W", "R", "B", "P") if name in arrays}
    forward, backward = read_node(node, weights)
    assert isinstance(forward, Recurrence)
    kind = {"LSTM": LSTMParams, "GRU": GRUParams, "RNN": RNNParams}[operator]
    assert type(forward.params) is type(backward.params) is kind
    assert (forward.reverse, backward.reverse) == (False, True)
    ours_first = {"LSTM": "i", "GRU": "r", "RNN": "h"}[operator]
    theirs = {"LSTM": "iofg", "GRU": "zrn", "RNN": "h"}[operator].index(ours_first)
    block = arrays["W"][1, theirs * H : (theirs + 1) * H].T
    assert np.array_equal(backward.params.input_kernel[:, :H], block)
    if operator == "LSTM":
        P_i, P_o, P_f = np.split(arrays["P"][0], 3)
        assert np.array_equal(forward.params.peephole, [P_i, P_f, P_o])


def chain(arrays, links, direction="forward"):
    """Two RNN nodes; the second reads the Y of the first through the nodes of `links`."""
    model = model_of("RNN", arrays, stored=("W", "R", "B"), outputs=["Y"], direction=direction)
    above = onnx.helper.make_node(
        "RNN", ["Y_flat", "W2", "R2"], ["Y2"], name="above", hidden_size=H
    )
    nodes = [
        onnx.helper.make_node(operator, [*names], [out], **attributes)
        for (operator, names, attributes), out in zip(
            links, [*(f"between_{k}" for k in range(len(links) - 1)), "Y_flat"], strict=True
        )
    ]
    model.graph.node.extend([*nodes, above])
    width = DIRECTIONS[direction] * H
    more = {"W2": np.ones((1, H, width), np.float32), "R2": np.zeros((1, H, H), np.float32)}
    more |= {"axis": np.array([1]), "shape": np.array([0, 0, width])}
    model.graph.initializer.extend([onnx.numpy_helper.from_array(a, n) for n, a in more.items()])
    return model


def test_a_chain_is_read_bottom_first():
    arrays = inputs_of("RNN", without=("sequence_lens", "initial_h"))
    (below,), (above,) = load(chain(arrays, [("Squeeze", ["Y", "axis"], {})]))
    assert np.array_equal(below.params.input_kernel, arrays["W"][0].T)
    assert np.array_equal(above.params.input_kernel, np.ones((H, H)))
    assert above.params.bias is None


@pytest.mark.parametrize(
    "links",
    [
        [("Squeeze", ["Y", "shape"], {})],
        [("Relu", ["Y"], {}), ("Squeeze", ["between_0", "axis"], {})],
        [("Transpose", ["Y"], {"perm": [0, 2, 1, 3]}), ("Reshape", ["between_0", "shape"], {})],
        [("Identity", ["X"], {})],
    ],
    ids=["axes", "relu", "transpose", "input"],
)
def test_nodes_that_are_not_a_chain_are_refused(links):
    arrays = inputs_of("RNN", without=("sequence_lens", "initial_h"))
    with pytest.raises(ValueError, match=r"RNN node 'above' does not read Y of the RNN node"):
        load(chain(arrays, links))


def test_both_directions_are_concatenated():
    arrays = inputs_of("RNN", "bidirectional", without=("sequence_lens", "initial_h"))
    right, wrong = [0, 2, 1, 3], [2, 0, 1, 3]
    for permutation, fits in ((right, True), (wrong, False)):
        transpose = ("Transpose", ["Y"], {"perm": permutation})
        model = chain(arrays, [transpose, ("Reshape", ["between_0", "shape"], {})], "bidirectional")
        if fits:
            assert [len(layer) for layer in load(model)] == [2, 1]
        else:
            with pytest.raises(ValueError, match="through: Transpose, Reshape"):
                load(model)


# --- errors --------------------------------------------------------------------------------------


def test_other_models_are_refused():
    arrays = inputs_of("RNN")
    model = model_of("RNN", arrays)
    given = list(arrays.values())
    with pytest.raises(TypeError, match=r"must be an onnx\.ModelProto or a path, got GraphProto"):
        run(model.graph, *given)
    model.graph.node.append(onnx.helper.make_node("Relu", ["Y"], ["Z"]))
    with pytest.raises(ValueError, match=r"one LSTM, GRU or RNN node, got: RNN, Relu"):
        run(model, *given)
    del model.graph.node[0]
    with pytest.raises(ValueError, match="operator Relu is not one of LSTM, GRU, RNN"):
        run(model, *given)
    with pytest.raises(ValueError, match="no LSTM, GRU or RNN node"):
        load(model)
    del model.graph.node[0]
    with pytest.raises(ValueError, match="RNN node, got: none"):
        run(model)
    model = model_of("RNN", arrays)
    model.graph.node[0].domain = "com.microsoft"
    with pytest.raises(ValueError, match=r"operator com\.microsoft\.RNN is not one of"):
        run(model, *given)
    with pytest.raises(ValueError, match=r"W, R, B of the RNN node '' is not stored"):
        load(model_of("RNN", arrays))


def test_another_number_of_inputs_is_refused():
    arrays = inputs_of("RNN", without=("sequence_lens", "initial_h"))
    given = [arrays[name] for name in ("X", "W", "R", "B")]
    with pytest.raises(ValueError, match=r"takes 4 inputs \(X, W, R, B\); got 3"):
        run(model_of("RNN", arrays), *given[:3])
    model = model_of("RNN", arrays, stored=("B",))
    model.graph.input.append(onnx.helper.make_tensor_value_info("B", 1, [1, 2 * H]))
    with pytest.raises(ValueError, match=r"3 inputs \(X, W, R\), or 4 with B; got 2"):
        run(model, *given[:2])
    del model.graph.input[1]
    with pytest.raises(ValueError, match="W is neither an input nor stored"):
        run(model, given[0], given[2])


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("X", (T, D), r"X of the LSTM must have 3 axes, got shape \(3, 2\)"),
        ("X", (T, B, 5), "X must have 2 features to fit W of the LSTM, got 5"),
        ("W", (1, 3 * H, D), r"W of the LSTM must have shape \(1, 12, 2\), got \(1, 9, 2\)"),
        ("W", (4 * H, D), r"W of the LSTM must have 3 axes"),
        ("R", (2, 4 * H, H), r"R of the LSTM must have shape \(1, 12, 3\)"),
        ("R", (1, 20, 5), "hidden_size of the LSTM is 3, but R has shape"),
        ("B", (1, 4 * H), r"B of the LSTM must have shape \(1, 24\), got \(1, 12\)"),
        ("P", (1, 2 * H), r"P of the LSTM must have shape \(1, 9\)"),
        ("initial_h", (B, H), "initial_h of the LSTM must have 3 axes"),
        ("initial_c", (1, 1, H), r"initial_c of the LSTM must have shape \(1, 3, 3\)"),
    ],
)
def test_shapes_are_named(name, shape, message):
    arrays = inputs_of("LSTM") | {name: np.zeros(shape, np.float32)}
    with pytest.raises(ValueError, match=message):
        ours("LSTM", arrays)


def test_lengths_of_another_shape_are_refused():
    arrays = inputs_of("GRU") | {"sequence_lens": np.array([1, 2], np.int32)}
    with pytest.raises(ValueError, match=r"sequence_lens of the GRU must have shape \(3,\)"):
        ours("GRU", arrays)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"activations": ["Swish"]}, "activation 'Swish' is not among Sigmoid, Tanh"),
        ({"activations": ["Tanh", "Tanh"]}, "of the forward RNN must be 1 names, got 2"),
        ({"activations": ["Affine"]}, "Affine has no default alpha and beta; set activation_al"),
        ({"activations": ["ScaledTanh"], "activation_alpha": [1.0]}, "no default beta; set"),
        ({"activation_alpha": [1.0]}, "activation_alpha has 1 more values"),
        ({"direction": "sideways"}, "direction must be one of forward, reverse, bidirectional"),
        ({"layout": 2}, "layout must be 0 or 1, got 2"),
        ({"input_forget": 1}, "RNN node has the attribute input_forget, which is not among"),
    ],
)
def test_attributes_are_checked(attributes, message):
    with pytest.raises(ValueError, match=message):
        ours("RNN", inputs_of("RNN"), **attributes)


def test_weights_that_the_operator_lacks_are_refused():
    arrays = inputs_of("GRU")
    node = model_of("GRU", arrays).graph.node[0]
    weights = {name: arrays[name] for name in ("W", "R")}
    with pytest.raises(ValueError, match="the GRU has no weights 'P'"):
        read_node(node, weights | {"P": np.zeros((1, 3 * H), np.float32)})
    with pytest.raises(ValueError, match="the GRU node needs R"):
        read_node(node, {"W": weights["W"]})


@every_operator
@pytest.mark.parametrize("name", ["X", "initial_h", "W"])
def test_inputs_of_integers_are_refused_by_name(operator, name):
    arrays = inputs_of(operator)
    arrays[name] = arrays[name].astype(np.int32)
    given = [array for array in arrays.values() if array is not None]
    with pytest.raises(
        TypeError, match=rf"{name} must be floating point, got int32; pass {name}\.astype"
    ):
        run(model_of(operator, arrays), *given)
