from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interop.cases import assert_identical, make_cell, make_stack
from safetensors.numpy import load_file, save_file

from lstm_jax.cells import LSTMNorm, LSTMParams
from lstm_jax.gated import MGUParams
from lstm_jax.interop import Directions, load_safetensors, save_safetensors

H = 3
norm = LSTMNorm(*(jnp.arange(float(n)) for n in (12, 12, H, H)))
lstm = make_cell("lstm", 2, H)
coupled = LSTMParams(jnp.ones((2, 9)), jnp.ones((3, 9)), peephole=jnp.ones((2, 3)))
EVERYTHING = (
    Directions(replace(lstm, norm=norm, peephole=jnp.ones((3, H))), coupled),
    make_cell("lstm", 6, H, projection=2, dtype="bfloat16"),
    make_cell("gru", 2, H, dtype="float16"),
    make_cell("rnn", H, 4, bias=False),
    MGUParams(jnp.ones((4, 6)), jnp.ones((3, 6)), jnp.ones(6)),
)


def test_every_cell_option_and_dtype(tmp_path):
    path = tmp_path / "layers.safetensors"
    save_safetensors(path, EVERYTHING)
    assert_identical(load_safetensors(path), EVERYTHING)
    save_safetensors(str(path), (lstm,))  # over the old one
    assert_identical(load_safetensors(str(path)), (lstm,))
    assert [p.name for p in tmp_path.iterdir()] == ["layers.safetensors"]


def test_float64_is_kept_under_x64(tmp_path, x64):
    layers = make_stack("gru", 2, 3, dtype="float64")
    save_safetensors(tmp_path / "f", layers)
    assert_identical(load_safetensors(tmp_path / "f"), layers)


@settings(max_examples=20, deadline=None)
@given(
    cell=st.sampled_from(["lstm", "gru", "rnn"]),
    num_layers=st.integers(1, 12),
    bidirectional=st.booleans(),
    bias=st.booleans(),
)
def test_a_round_trip_is_exact(tmp_path_factory, cell, **options):
    path = tmp_path_factory.mktemp("layers") / "f"
    layers = make_stack(cell, 1, 2, **options)
    save_safetensors(path, layers)
    assert_identical(load_safetensors(path), layers)


def test_names_are_as_documented(tmp_path):
    save_safetensors(tmp_path / "f", (EVERYTHING[0], make_cell("gru", 6, 2)))
    names = set(load_file(tmp_path / "f"))
    assert {"0.forward.lstm.norm.cell_scale", "0.backward.lstm.peephole"} <= names
    assert {name for name in names if name.startswith("1")} == {
        f"1.gru.{part}" for part in ("input_kernel", "recurrent_kernel", "bias", "recurrent_bias")
    }


def altered(**changes):
    """The arrays of one LSTM with a `norm`, with some replaced or (None) removed; _ for dots."""
    parts = {"input_kernel": (2, 12), "recurrent_kernel": (3, 12), "bias": (12,)}
    arrays = {f"0.lstm.{part}": np.ones(shape, np.float32) for part, shape in parts.items()}
    arrays |= {f"0.lstm.norm.{part}": np.asarray(array) for part, array in vars(norm).items()}
    arrays |= {name.replace("__", "."): array for name, array in changes.items()}
    return {name: array for name, array in arrays.items() if array is not None}


some = np.ones((2, 12), np.float32)
BAD = [
    ({}, "contains no layers"),
    (altered(**{"1__lstm__bias": some}), "lstm: missing 'input_kernel', 'recurrent_kernel'"),
    (altered(**{"2__lstm__bias": some}), "missing '1'; unexpected '2'"),
    (altered(**{"0__lstm__input_kernel": None}), "missing 'input_kernel'"),
    (altered(**{"0__lstm__gain": some}), "unexpected 'gain'"),
    (altered(**{"0__gru__bias": some}), "must be one of lstm, gru, rnn, mgu, got"),
    ({"0": some}, "must be one of lstm.*got an array"),
    ({"0.lstm": some}, "lstm must contain arrays by name, got an array"),
    ({"0.forward.lstm.bias": some}, "missing 'backward'"),
    ({"0.forward": some, "0.backward": some}, "0.forward must be one of lstm.*got an array"),
    (altered(**{"0__lstm__norm__cell_shift": None}), "norm: missing 'cell_shift'"),
    (altered(**{"0__lstm__bias": some}), r"bias must have shape \(12,\) .*got \(2, 12\)"),
    (altered(**{"0__lstm__norm__input_scale": some}), r"norm.input_scale must .*\(2, 12\)"),
    (altered(**{"0__lstm__peephole": some}), r"peephole must have shape \(3, 3\)"),
    (altered(**{"0__lstm__projection": some[0]}), r"projection must be \(H, P\)"),
    (altered(**{"0__lstm__bias": None, "0__lstm__bias__x": some}), "bias must be an array"),
    (altered(**{"0__lstm__bias__x": some}), "lies below another array"),
    ({"weight_ih_l0": some}, r"unexpected 'weight_ih_l0'.*from_torch\(safetensors"),
    ({"0.lstm.norm": some, "0.lstm.input_kernel": some, "0.lstm.recurrent_kernel": some},
     "norm must contain arrays by name"),
]  # fmt: skip


@pytest.mark.parametrize(("arrays", "message"), BAD, ids=[m for _, m in BAD])
def test_refuses_files(tmp_path, arrays, message):
    save_file(arrays, tmp_path / "f")
    with pytest.raises(ValueError, match=message):
        load_safetensors(tmp_path / "f")


def test_refuses_a_damaged_file_and_a_missing_one(tmp_path):
    path = tmp_path / "f"
    save_safetensors(path, (lstm,))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="is not a complete safetensors file"):
        load_safetensors(path)
    with pytest.raises(FileNotFoundError):
        load_safetensors(tmp_path / "nothing")


def test_an_interrupted_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "f"
    save_safetensors(path, (lstm,))
    whole = Path.write_bytes

    def breaks_off(self, data):
        whole(self, data[:10])
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_bytes", breaks_off)
    with pytest.raises(OSError, match="no space left"):
        save_safetensors(path, EVERYTHING)
    assert_identical(load_safetensors(path), (lstm,))


def test_refuses_layers(tmp_path):
    path = tmp_path / "f"
    with pytest.raises(ValueError, match="got one LSTMParams"):
        save_safetensors(path, lstm)
    with pytest.raises(ValueError, match=r"layer 0 must be one of .*got dict"):
        save_safetensors(path, ({},))
    with pytest.raises(ValueError, match=r"layer 0.bias must .*got \(3,\)"):
        save_safetensors(path, (replace(lstm, bias=jnp.ones(3)),))
    assert not list(tmp_path.iterdir())
