"""Arrays that a model stores besides its weights are loaded, or refused by name."""

import copy
import pickle

import jax
import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from interop.onnx.test_load import (
    B,
    D,
    H,
    chain,
    equations,
    every_operator,
    inputs_of,
    model_of,
    ours,
)
from problems import assert_close

from lstm_jax.interop.onnx import load, read_node, run
from lstm_jax.interop.onnx.format import ACTIVATIONS
from lstm_jax.recurrence import scan

onnx = pytest.importorskip("onnx")

NUMBERS = ("value_float", "value_floats", "value_int", "value_ints")


def states_of(arrays):
    return [name for name in arrays if name.startswith("initial_")]


@settings(max_examples=25, deadline=None)
@drawn(
    st.sampled_from(["LSTM", "GRU", "RNN"]),
    st.sampled_from(["forward", "reverse", "bidirectional"]),
    st.sampled_from([0, 1]),
)
def test_stored_states_are_loaded(operator, direction, layout):
    arrays = inputs_of(operator, direction, without=("sequence_lens",))
    lying = dict(arrays)
    if layout:
        lying |= {name: arrays[name].swapaxes(0, 1) for name in states_of(arrays)}
    stored = [name for name in arrays if name not in ("X", "sequence_lens")]
    options = {"layout": 1} if layout else {}
    model = model_of(operator, lying, stored=stored, direction=direction, **options)
    (sides,) = load(model)
    expected = equations(operator, arrays, direction=direction)[0]
    for k, side in enumerate(sides):
        for name, leaf in side.state._asdict().items():
            np.testing.assert_array_equal(leaf, arrays[f"initial_{name}"][k])
        with jax.disable_jit():
            _, hs = scan(side.step, side.params, arrays["X"], side.state, reverse=side.reverse)
        assert_close(hs, expected[:, k], 1e-5)


@every_operator
def test_states_that_are_not_stored_are_up_to_the_caller(operator):
    arrays = inputs_of(operator, without=("sequence_lens",))
    weights = [name for name in ("W", "R", "B", "P") if name in arrays]
    ((side,),) = load(model_of(operator, arrays, stored=weights))
    assert side.state is None


@pytest.mark.parametrize("kept", ["initial_h", "initial_c"])
def test_a_single_stored_state_is_completed_with_zeros(kept):
    other = {"initial_h": "initial_c", "initial_c": "initial_h"}[kept]
    arrays = inputs_of("LSTM", without=("sequence_lens", other))
    stored = [name for name in arrays if arrays[name] is not None and name != "X"]
    ((side,),) = load(model_of("LSTM", arrays, stored=stored))
    wanted = {name: arrays[name] if name == kept else np.zeros((1, B, H)) for name in (kept, other)}
    for name, leaf in side.state._asdict().items():
        np.testing.assert_array_equal(leaf, wanted[f"initial_{name}"][0])


def test_unsupported_arrays_of_a_layer_are_named():
    arrays = inputs_of("LSTM", without=("sequence_lens",))
    model = model_of("LSTM", arrays, stored=("W", "R", "B", "P", "initial_h"))
    with pytest.raises(ValueError, match=r"initial_h .* is stored .* initial_c is an input of the"):
        load(model)
    arrays = inputs_of("RNN")
    with pytest.raises(ValueError, match=r"sequence_lens of the RNN node '' is stored in the mod"):
        load(model_of("RNN", arrays, stored=("W", "R", "B", "sequence_lens")))
    arrays = inputs_of("RNN", without=("sequence_lens", "B")) | {"initial_h": np.zeros((1, H))}
    node = model_of("RNN", arrays).graph.node[0]
    given = {name: arrays[name] for name in ("W", "R", "initial_h")}
    with pytest.raises(ValueError, match="initial_h of the RNN must have 3 axes"):
        read_node(node, given)


# --- Constant nodes ------------------------------------------------------------------------------


def constant(name, form, value):
    return onnx.helper.make_node("Constant", [], [name], **{form: value})


@pytest.mark.parametrize("form", ["value_int", "value_ints"])
@pytest.mark.parametrize("axis", [1, -3])
def test_axes_of_every_form_of_a_constant(form, axis):
    arrays = inputs_of("RNN", without=("sequence_lens", "initial_h"))
    model = chain(arrays, [("Squeeze", ["Y", "one"], {})])
    model.graph.node.insert(0, constant("one", form, axis if form == "value_int" else [axis]))
    assert len(load(model)) == 2


def test_numbers_of_a_constant_have_the_dtypes_of_onnx():
    from lstm_jax.interop.onnx.stored import NUMBERS as FORMS
    from lstm_jax.interop.onnx.stored import stored_arrays

    values = {"value_float": 0.5, "value_floats": [0.5, 2], "value_int": 3, "value_ints": [3, 4]}
    nodes = [constant(form, form, value) for form, value in values.items()]
    nodes.append(onnx.helper.make_node("Identity", ["value_ints"], ["again"]))
    graph = onnx.helper.make_graph(nodes, "g", [], [])
    stored = stored_arrays(graph)
    assert list(FORMS) == list(NUMBERS)
    assert stored.keys() == {*values, "again"}
    for form, value in values.items():
        np.testing.assert_array_equal(stored[form], value)
        assert stored[form].dtype == (np.float32 if "float" in form else np.int64)


def sparse(name, array):
    rows = np.flatnonzero(array)
    values = onnx.numpy_helper.from_array(array.reshape(-1)[rows], name)
    places = onnx.numpy_helper.from_array(rows.astype(np.int64), f"{name}_places")
    return onnx.helper.make_sparse_tensor(values, places, list(array.shape))


@pytest.mark.parametrize("place", ["Constant", "initializer"])
def test_a_sparse_tensor_is_refused(place):
    arrays = inputs_of("RNN", without=("sequence_lens", "initial_h"))
    model = model_of("RNN", arrays, stored=("R", "B"))
    del model.graph.input[1]  # W
    if place == "Constant":
        node = onnx.helper.make_node("Constant", [], ["W"], sparse_value=sparse("W", arrays["W"]))
        model.graph.node.insert(0, node)
    else:
        model.graph.sparse_initializer.append(sparse("W", arrays["W"]))
    for read in (lambda: load(model), lambda: run(model, arrays["X"])):
        with pytest.raises(ValueError, match=r"W is a sparse tensor.*; store"):
            read()


def test_texts_and_computed_values_are_refused():
    arrays = inputs_of("RNN", without=("sequence_lens", "initial_h"))
    model = model_of("RNN", arrays, stored=("R", "B"))
    del model.graph.input[1]  # W
    model.graph.node.insert(0, constant("W", "value_string", "weights"))
    with pytest.raises(ValueError, match=r"W is a text \(value_string\)"):
        load(model)
    del model.graph.node[0]
    model.graph.node.insert(0, onnx.helper.make_node("Neg", ["V"], ["W"], name="minus"))
    with pytest.raises(ValueError, match="W is computed by the Neg node 'minus'"):
        load(model)


# --- activations ---------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [str.lower, str.upper, str.swapcase])
def test_activation_names_are_not_case_sensitive(change):
    arrays = inputs_of("LSTM", without=("sequence_lens",))
    names = ["Sigmoid", "Softsign", "Relu"]
    with jax.disable_jit():
        plain, other = (
            ours("LSTM", arrays, activations=given, input_forget=1)
            for given in (names, [change(name) for name in names])
        )
    for a, b in zip(plain, other, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len({name.lower() for name in ACTIVATIONS}) == len(ACTIVATIONS)


@every_operator
def test_loaded_layers_may_be_copied(operator):
    arrays = inputs_of(operator, "bidirectional", without=("sequence_lens",))
    node = model_of(operator, arrays, direction="bidirectional", clip=0.5).graph.node[0]
    given = {name: array for name, array in arrays.items() if name not in ("X", "sequence_lens")}
    sides = read_node(node, given)
    for made in (copy.deepcopy(sides), pickle.loads(pickle.dumps(sides))):
        for side, again in zip(sides, made, strict=True):
            assert again.step == side.step
            np.testing.assert_array_equal(again.params.input_kernel, side.params.input_kernel)


# --- nodes that are not a chain, and old nodes ---------------------------------------------------


def above_of(model):
    return next(node for node in model.graph.node if node.name == "above")


def test_the_error_explains_why_nodes_are_not_a_chain():
    arrays = inputs_of("RNN", without=("sequence_lens", "initial_h"))
    links = [("Squeeze", ["Y", "axis"], {})]

    beside = chain(arrays, links)
    above_of(beside).input[0] = "X"
    with pytest.raises(ValueError, match=r"but 'X', an input of the graph: .* not form a chain"):
        load(beside)

    states = chain(arrays, [("Squeeze", ["Y_h", "axis"], {})])
    states.graph.node[0].output.append("Y_h")
    with pytest.raises(ValueError, match=r"but its Y_h, the last state: .* not form a chain"):
        load(states)

    batch_first = chain(arrays, links)
    batch_first.graph.node[0].attribute.append(onnx.helper.make_attribute("layout", 1))
    with pytest.raises(ValueError, match="the RNN node '' has layout 1, but a chain must"):
        load(batch_first)

    computed = chain(arrays, links)
    above_of(computed).input[0] = "zeros"
    computed.graph.node.insert(0, constant("zeros", "value_float", 0.0))
    with pytest.raises(ValueError, match=r"but 'zeros', .*not form a chain"):
        load(computed)

    with pytest.raises(ValueError, match="layout 0, but through: Relu, Squeeze; expected"):
        load(chain(arrays, [("Relu", ["Y"], {}), ("Squeeze", ["between_0", "axis"], {})]))


def test_three_nodes_of_which_the_third_reads_the_first():
    arrays = inputs_of("RNN", without=("sequence_lens", "initial_h"))
    model = chain(arrays, [("Squeeze", ["Y", "axis"], {})])
    third = onnx.helper.make_node("RNN", ["Y_flat", "W2", "R2"], ["Y3"], name="third")
    model.graph.node.append(third)
    with pytest.raises(ValueError, match=r"'third' does not read Y of the RNN node 'above' .*'Y'"):
        load(model)


@pytest.mark.parametrize("options", [{}, {"output_sequence": 1}])
@every_operator
def test_older_operators_are_refused_by_their_opset(operator, options):
    arrays = inputs_of(operator, without=("sequence_lens", "initial_h", "initial_c"))
    stored = [name for name in ("W", "R", "B", "P") if name in arrays]
    model = model_of(operator, arrays, stored=stored, opset=6, **options)
    for read in (lambda: load(model), lambda: run(model, np.zeros((1, 1, D), np.float32))):
        with pytest.raises(ValueError, match=r"must have opset 7 or later, got opset 6"):
            read()
    if not options:
        assert load(model_of(operator, arrays, stored=stored, opset=7))
