"""Without the extra, one line says what is missing and how to install it."""

import subprocess
import sys

import pytest

from lstm_jax.interop import onnx as interop


@pytest.mark.parametrize(
    "call",
    [
        lambda: interop.run("model.onnx"),
        lambda: interop.load("model.onnx"),
        lambda: interop.export_layers(()),
    ],
    ids=["run", "load", "export_layers"],
)
def test_without_onnx_the_error_tells_what_to_install(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'^the package onnx .*pip install "lstm_jax\[onnx\]"$'):
        call()


def test_the_module_is_imported_without_onnx():
    program = "import sys; sys.modules['onnx'] = None; import lstm_jax.interop.onnx"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
