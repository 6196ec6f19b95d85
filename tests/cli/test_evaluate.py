"""`lstm-jax evaluate`: what it prints."""

import json
import re

import numpy as np
import pytest

from lstm_jax.text.language import load

pytestmark = pytest.mark.usefixtures("compile_fast")


def test_evaluate_judges_a_sequence_model_by_fresh_sequences(adder, call):
    code, out, err = call("evaluate", adder)
    assert (code, err) == (0, "")
    assert re.fullmatch(r"adding test, T = 24: 2,\d+ of 2,560 held-out .* loss 0\.\d+\n", out)
    code, out, err = call("evaluate", adder, "--split", "valid", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["on"], found["steps"], found["sequences"]) == ("adding valid", 24, 2560)
    assert 1000 < found["wrong"] < 2560


def test_evaluate_prints_json(model, call, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("\ufeffabc\n\n  hag x\nabba\n", encoding="utf-8")
    code, out, err = call("evaluate", model, "--file", file, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    expected = [load(model).score(text) for text in ("abc", "hag x", "abba")]
    assert found["on"] == str(file)
    assert found["model"] == str(model)
    assert found["texts"] == 3
    assert found["symbols"] == 15
    assert found["unknown"] == 2, "the space and the x; not a byte order mark"
    nats = -float(np.concatenate(expected).mean(dtype=np.float64))
    assert found["nats_per_symbol"] == pytest.approx(nats, rel=1e-5)
    assert found["perplexity"] == pytest.approx(np.exp(nats), rel=1e-5)


def test_evaluate_says_what_it_measured(model, call, few_verses):
    code, out, err = call("evaluate", model, "--split", "valid", "--rows", 3)
    assert (code, err) == (0, "")
    assert out.startswith("verses valid: perplexity ")
    assert "nats per symbol) over 192 symbols of 4 texts" in out
    assert "unknown characters" in out
    assert out.count("\n") == 1
