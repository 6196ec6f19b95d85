import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interop.cases import assert_identical, assert_runs_alike, load, make_cell, make_stack
from interop.peers import torch_case

from lstm_jax.cells import LSTMParams, LSTMState, RNNParams, RNNState, lstm_step, rnn_step
from lstm_jax.gated import GRUParams, GRUState, MGUParams, gru_step
from lstm_jax.interop import (
    Directions,
    from_torch,
    load_safetensors,
    save_safetensors,
    to_torch,
)

FIXTURES = [
    "torch_lstm", "torch_lstm_projected", "torch_lstm_unbiased", "torch_gru", "torch_rnn",
    "torch_rnn_relu",
]  # fmt: skip


@pytest.mark.parametrize("name", FIXTURES)
def test_runs_as_pytorch_does(name):
    case = load(name)
    layers = from_torch(case.weights)
    assert_runs_alike(layers, case)
    # A round trip is the same function: exact kernels, and sums of biases.
    back = to_torch(layers)
    assert set(back) == set(case.weights)
    for part in back:
        if part.startswith("weight"):
            assert_identical(back[part], case.weights[part])
    assert_identical(from_torch(back), layers)


@st.composite
def stacks(draw):
    cell = draw(st.sampled_from(["lstm", "gru", "rnn"]))
    hidden = draw(st.integers(2, 4))
    options = {"bias": draw(st.booleans())}
    if cell == "lstm":
        options["projection"] = draw(st.none() | st.integers(1, hidden - 1))
    return make_stack(
        cell,
        draw(st.integers(1, 4)),
        hidden,
        num_layers=draw(st.integers(1, 3)),
        bidirectional=draw(st.booleans()),
        dtype=draw(st.sampled_from(["float32", "float16", "bfloat16"])),
        **options,
    )


@settings(max_examples=40, deadline=None)
@given(stacks())
def test_a_round_trip_is_exact(layers):
    arrays = to_torch(layers)
    assert_identical(from_torch(arrays), layers)
    assert all(a.flags.writeable and a.flags.c_contiguous for a in arrays.values())


def test_float64_is_kept_under_x64(x64):
    layers = make_stack("lstm", 2, 3, dtype="float64")
    arrays = to_torch(layers)
    assert {a.dtype for a in arrays.values()} == {np.dtype("float64")}
    assert_identical(from_torch(arrays), layers)


def test_the_layout_is_as_documented():
    one = make_cell("lstm", 2, 3, projection=2)
    layers = (Directions(one, one), Directions(make_cell("lstm", 4, 3, projection=2), one))
    with pytest.raises(ValueError, match=r"input_kernel of layers\[1\] must have"):
        to_torch(layers)
    above = make_cell("lstm", 4, 3, projection=2)
    shapes = {k: a.shape for k, a in to_torch((Directions(one, one), Directions(above, above)))
              .items()}  # fmt: skip
    names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"]
    for k, width in ((0, 2), (1, 4)):
        expected = [(12, width), (12, 2), (12,), (12,), (2, 3)]
        for suffix in ("", "_reverse"):
            assert [shapes.pop(f"{name}_l{k}{suffix}") for name in names] == expected
    assert not shapes


def test_two_biases_are_summed_except_the_candidates():
    arrays = to_torch((make_cell("gru", 1, 2),))
    arrays["bias_ih_l0"] = np.array([1, 2, 3, 4, 5, 6], np.float32)
    arrays["bias_hh_l0"] = np.array([10, 20, 30, 40, 50, 60], np.float32)
    (layer,) = from_torch(arrays)
    assert isinstance(layer, GRUParams)
    np.testing.assert_array_equal(layer.bias, [11, 22, 33, 44, 5, 6])
    np.testing.assert_array_equal(layer.recurrent_bias, [50, 60])
    back = to_torch((layer,))
    np.testing.assert_array_equal(back["bias_ih_l0"], [11, 22, 33, 44, 5, 6])
    np.testing.assert_array_equal(back["bias_hh_l0"], [0, 0, 0, 0, 50, 60])

    arrays = to_torch((make_cell("rnn", 1, 2),))
    arrays["bias_hh_l0"] = np.array([0.5, 0], np.float32)
    (rnn,) = from_torch(arrays)
    assert isinstance(rnn, RNNParams)
    np.testing.assert_array_equal(rnn.bias, arrays["bias_ih_l0"] + [np.float32(0.5), 0])


def test_a_missing_bias_among_others_is_zeros():
    below, above = make_cell("lstm", 2, 3, bias=False), make_cell("lstm", 3, 3)
    first, second = from_torch(to_torch((below, above)))
    np.testing.assert_array_equal(first.bias, np.zeros(12))
    assert_identical(second, above)
    (gru,) = from_torch(to_torch((make_cell("gru", 2, 3, candidate=False),)))
    np.testing.assert_array_equal(gru.recurrent_bias, np.zeros(3))


def test_ours_are_copies():
    arrays = to_torch((make_cell("rnn", 2, 3),))
    layers = from_torch(arrays)
    kept = np.array(layers[0].recurrent_kernel)
    for array in arrays.values():
        array[...] = 7
    np.testing.assert_array_equal(layers[0].recurrent_kernel, kept)


def test_a_state_dict_in_a_safetensors_file(tmp_path):
    from safetensors.numpy import load_file, save_file

    layers = make_stack("lstm", 2, 3, num_layers=2)
    save_file(to_torch(layers), tmp_path / "model.safetensors")
    assert_identical(from_torch(load_file(tmp_path / "model.safetensors")), layers)
    with pytest.raises(ValueError, match=r"from_torch\(safetensors"):
        load_safetensors(tmp_path / "model.safetensors")
    save_safetensors(tmp_path / "ours.safetensors", layers)
    with pytest.raises(ValueError, match=r"unexpected '0\.lstm\.bias'"):
        from_torch(load_file(tmp_path / "ours.safetensors"))


# --- single-step cells, wrappers, bfloat16 -------------------------------------------------------


def cell_arrays(cell, **options):
    """The arrays of a single-step cell, and their layer."""
    layers = make_stack(cell, 2, 3, **options)
    return {name.removesuffix("_l0"): a for name, a in to_torch(layers).items()}, layers


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["lstm", "gru", "rnn"]),
    st.booleans(),
    st.sampled_from(["float32", "float16", "bfloat16"]),
    st.sampled_from(["", "module.", "_orig_mod.", "module._orig_mod."]),
)
def test_a_single_step_cell_is_a_layer(cell, bias, dtype, wrapper):
    arrays, layers = cell_arrays(cell, bias=bias, dtype=dtype)
    assert not any("_l0" in name for name in arrays)
    assert_identical(from_torch({wrapper + name: a for name, a in arrays.items()}), layers)


@settings(max_examples=20, deadline=None)
@given(stacks(), st.sampled_from(["module.", "_orig_mod.", "_orig_mod.module."]))
def test_prefixes_of_wrappers_are_removed(layers, wrapper):
    arrays = to_torch(layers)
    assert_identical(from_torch({wrapper + name: a for name, a in arrays.items()}), layers)
    mixed = {(wrapper if k else "") + name: a for k, (name, a) in enumerate(arrays.items())}
    with pytest.raises(ValueError, match=f"unexpected '{wrapper}"):
        from_torch(mixed)


BAD_CELLS = [
    ({"weight_hh": None}, "missing 'weight_hh'. Expected weight_ih, weight_hh, bias_ih"),
    ({"weight_ih": None}, "missing 'weight_ih'. Expected weight_ih, weight_hh, bias_ih"),
    ({"bias_hh": None}, "missing 'bias_hh'"),
    ({"other": np.zeros(3)}, "unexpected 'other'"),
    ({"weight_ih": np.zeros(12)}, r"weight_ih must be \(G·H, D\), got shape \(12,\)"),
    ({"weight_hh": np.zeros((6, 3))}, r"weight_hh .*G is 4 for an LSTM.*\(6, 3\)"),
    ({"bias_hh": np.zeros(9)}, r"bias_hh must be \(G·H,\) = \(12,\), got shape \(9,\)"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_CELLS, ids=[m for _, m in BAD_CELLS])
def test_refuses_arrays_of_a_cell_by_their_names(changes, message):
    arrays = cell_arrays("lstm")[0] | changes
    with pytest.raises(ValueError, match=message):
        from_torch({name: a for name, a in arrays.items() if a is not None})


@pytest.mark.parametrize("cell", ["LSTMCell", "GRUCell", "RNNCell"])
def test_a_live_cell_steps_alike(cell):
    torch = pytest.importorskip("torch")
    module = getattr(torch.nn, cell)(2, 3)
    (params,) = from_torch(torch.nn.DataParallel(module).state_dict())
    rng = np.random.default_rng(0)
    x, h, c = (rng.normal(size=(4, n)).astype(np.float32) for n in (2, 3, 3))
    step, state = {
        "LSTMCell": (lstm_step, LSTMState(h, c)),
        "GRUCell": (gru_step, GRUState(h)),
        "RNNCell": (rnn_step, RNNState(h)),
    }[cell]
    theirs = [torch.from_numpy(leaf) for leaf in state]
    with torch.no_grad():
        expected = module(torch.from_numpy(x), theirs if len(theirs) > 1 else theirs[0])
    new = step(params, state, x)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for ours, desired in zip(new, expected, strict=True):
        np.testing.assert_allclose(ours, desired.numpy(), rtol=1e-5, atol=1e-6)
    module.load_state_dict(
        {k.removesuffix("_l0"): torch.from_numpy(v) for k, v in to_torch((params,)).items()}
    )
    assert_identical(from_torch(module.state_dict()), (params,))


@pytest.mark.parametrize("lies", ["as it is", "transposed", "strided", "late"])
def test_bfloat16_of_pytorch_is_read_exactly(lies, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.flax import load_file
    from safetensors.torch import save_file

    def laid(tensor):
        if lies == "transposed":
            return tensor.T.contiguous().T if tensor.ndim == 2 else tensor
        if lies == "strided":
            return torch.stack([tensor, tensor], -1)[..., 0]
        return torch.cat([tensor[:1], tensor])[1:] if lies == "late" else tensor

    layers = make_stack("lstm", 2, 3, num_layers=2, dtype="bfloat16")
    wide = {name: torch.from_numpy(a.astype(np.float32)) for name, a in to_torch(layers).items()}
    state = {name: laid(tensor.bfloat16()) for name, tensor in wide.items()}
    assert_identical(from_torch(state), layers)
    save_file({name: t.contiguous() for name, t in state.items()}, tmp_path / "f.safetensors")
    assert_identical(from_torch(load_file(tmp_path / "f.safetensors")), layers)


# --- errors --------------------------------------------------------------------------------------


def altered(**changes):
    """The arrays of a bidirectional stack of two LSTMs, with some replaced or (None) removed."""
    arrays = to_torch(make_stack("lstm", 2, 3, num_layers=2, bidirectional=True))
    arrays |= {name: array for name, array in changes.items() if array is not None}
    return {name: array for name, array in arrays.items() if changes.get(name, array) is not None}


BAD_ARRAYS = [
    ({}, "missing 'weight_ih_l0', 'weight_hh_l0'"),
    ({"lstm.weight_ih_l0": np.zeros((12, 2))}, "unexpected 'lstm.weight_ih_l0'.*removeprefix"),
    (altered(weight_hh=np.zeros(1)), "PyTorch: unexpected 'weight_hh'. Expected weight_ih_l0, "),
    (altered(weight_hh_l1=None), "missing 'weight_hh_l1'"),
    (altered(weight_ih_l1=None), "missing 'weight_ih_l1'"),
    (altered(bias_hh_l0_reverse=None), "missing 'bias_hh_l0_reverse'"),
    (altered(weight_hr_l0=np.zeros((2, 3))), "missing 'weight_hr_l0_reverse'"),
    (altered(weight_ih_l0=np.zeros((12, 2), int)), "weight_ih_l0.*floating point, got dtype int"),
    (altered(weight_ih_l0=np.zeros(12)), r"weight_ih_l0 must be \(G·H, D\), got shape \(12,\)"),
    (altered(weight_hh_l0=np.zeros((6, 3))), r"weight_hh_l0 .*G is 4 for an LSTM.*\(6, 3\)"),
    (altered(weight_ih_l1=np.zeros((12, 3))), r"weight_ih_l1 must be \(G·H, D\) = \(12, 6\)"),
    (altered(bias_hh_l1=np.zeros(9)), r"bias_hh_l1 must be \(G·H,\) = \(12,\), got shape \(9,\)"),
    ([np.zeros((12, 2))], "expected a dictionary of arrays, got list"),
    ({"weight_ih_l0": np.zeros((12, 2)), "weight_hh_l0": np.zeros((12, 3)),
      "weight_hr_l0": np.zeros(3)}, r"weight_hr_l0 must be \(P, H\)"),
    ({"weight_ih_l0": np.zeros((12, 2)), "weight_hh_l0": np.zeros((12, 3)),
      "weight_hr_l0": np.zeros((2, 3))}, r"weight_hh_l0 must be \(G·H, P\) = \(12, 2\)"),
]  # fmt: skip


@pytest.mark.parametrize(("arrays", "message"), BAD_ARRAYS, ids=[m for _, m in BAD_ARRAYS])
def test_refuses_arrays(arrays, message):
    with pytest.raises(ValueError, match=message):
        from_torch(arrays)


lstm, rnn = make_cell("lstm", 2, 3), make_cell("rnn", 3, 3)
wide = make_cell("lstm", 3, 4)
BAD_LAYERS = [
    ((), "at least one layer"),
    (lstm, r"got one LSTMParams; for one layer pass \(layer,\)"),
    (Directions(lstm, lstm), "got one Directions"),
    ((MGUParams(jnp.ones((2, 6)), jnp.ones((3, 6))),), "PyTorch supports LSTMParams.*MGUParams"),
    ((lstm, rnn), r"same cell, got RNNParams in layers\[1\] and LSTMParams in"),
    ((lstm, wide), r"same width, .* \(4, None\) in layers\[1\] and \(3, None\)"),
    ((lstm, lstm), r"input_kernel of layers\[1\] must have 3 rows.*\(2, 12\)"),
    ((Directions(lstm, lstm), lstm), r"either all layers are Directions, or none; layers\[1\]"),
    ((make_cell("lstm", 2, 3, projection=3),), "fewer features than H = 3, got 3"),
    ((LSTMParams(jnp.ones((2, 12)), jnp.ones((3, 12)), peephole=jnp.ones((3, 3))),),
     r"not support peepholes: layers\[0\].peephole must be None"),
    ((LSTMParams(jnp.ones((2, 9)), jnp.ones((3, 9))),), "not support coupled gates"),
    ((LSTMParams(jnp.ones((2, 12)), jnp.ones((3, 12)), jnp.ones(9)),), r"bias must .*\(9,\)"),
    ((GRUParams(jnp.ones((2, 9)), jnp.ones((3, 8))),), "recurrent_kernel must have shape"),
    ((RNNParams(jnp.ones(2), jnp.ones((3, 3))),), "input_kernel must have two axes"),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "message"), BAD_LAYERS, ids=[m for _, m in BAD_LAYERS])
def test_refuses_layers(layers, message):
    with pytest.raises(ValueError, match=message):
        to_torch(layers)


# --- against the framework -----------------------------------------------------------------------

LIVE = [
    ("LSTM", {"num_layers": 2, "bidirectional": True, "proj": 2, "lengths": [1, 4, 3]}),
    ("LSTM", {"num_layers": 3, "bias": False}),
    ("GRU", {"num_layers": 2, "bidirectional": True}),
    ("GRU", {"bias": False, "lengths": [4, 2, 2]}),
    ("RNN", {"num_layers": 2, "activation": "relu"}),
    ("RNN", {"bidirectional": True}),
]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("cell", "options"), LIVE)
def test_live(cell, options, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    D, H = int(rng.integers(1, 9)), int(rng.integers(3, 9))
    case = torch_case(cell, D, H, seed=seed, **options)
    layers = from_torch(case.weights)
    assert_runs_alike(layers, case)

    module = getattr(torch.nn, cell)(
        D,
        H,
        num_layers=options.get("num_layers", 1),
        bidirectional=options.get("bidirectional", False),
        bias=options.get("bias", True),
        **({"proj_size": options["proj"]} if "proj" in options else {}),
    )
    assert list(module.state_dict()) == list(to_torch(layers))
    module.load_state_dict({k: torch.from_numpy(v) for k, v in to_torch(layers).items()})
    assert_identical(from_torch(module.state_dict()), layers)
