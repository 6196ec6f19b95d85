"""Models, checkpoints and runs that older versions wrote are read and resumed unchanged.

`tests/before` holds a stopped run of every kind, made by the code of commit c330247. expected.json
has what that code logged after resuming, and the outputs of its models. `tests/before/own` holds
runs of version 0.1.0 on users' data, made by `tests/before/make.py`.
"""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from killing import commands
from made_up import sentiment_data, speech_data
from rich.console import Console

import lstm_jax
from lstm_jax import cli
from lstm_jax.models import storage
from lstm_jax.train import loop, problems
from lstm_jax.train.data import sentiment, speech

BEFORE = Path(__file__).parents[1] / "before"
EXPECTED = json.loads((BEFORE / "expected.json").read_text(encoding="utf-8"))
KINDS = ["text", "memory", "series", "sentiment", "speech"]


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    monkeypatch.setattr(sentiment, "load", sentiment_data)
    monkeypatch.setattr(speech, "load", speech_data)


def inputs(kind):
    rng = np.random.default_rng(0)
    ids = np.arange(2, 12).reshape(2, 5)
    shape = {"memory": (2, 9, 2), "series": (2, 10, 1), "speech": (2, 9, 40)}
    if kind == "text":
        return ids
    return ids % 8 if kind == "sentiment" else rng.normal(size=shape[kind]).astype("f4")


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_says_what_it_said(kind):
    network = storage.load(BEFORE / kind).network
    said = (network.last if kind == "memory" else network)(inputs(kind))
    said = said[1] if kind in ("text", "memory") else said
    np.testing.assert_allclose(said, EXPECTED[kind]["outputs"], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_goes_on_as_it_would_have(kind, tmp_path):
    folder = tmp_path / kind
    shutil.copytree(BEFORE / kind, folder)
    config = replace(problems.load(folder / "config.json"), max_steps=None)
    config = loop.prepare(folder, config, resume=True, overwrite=False)
    assert loop.train(config, folder, console=Console(file=io.StringIO())).finished
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    wanted = EXPECTED[kind]["metrics"]
    first = wanted[0]["step"]
    found = [
        {name: value for name, value in line.items() if not name.endswith("per_second")}
        for line in lines
        if line["step"] >= first
    ]
    assert [set(line) for line in found] == [set(line) for line in wanted]
    for line, expected in zip(found, wanted, strict=True):
        assert line == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("problem", ["text", "memory", "classify", "sounds", "series"])
def test_a_run_on_own_data_goes_on_where_the_data_lie_elsewhere(problem, tmp_path):
    data, folder = tmp_path / "moved", tmp_path / "run"
    data.mkdir()
    shutil.copytree(BEFORE / "own" / problem, folder)
    storage.load(folder)
    with pytest.raises(SystemExit) as end:
        cli.main([*commands(data)[problem], "--keep", "1", "--out", str(folder), "--resume"])
    assert end.value.code == 0
    wanted = json.loads((BEFORE / "own" / "expected.json").read_text(encoding="utf-8"))[problem]
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    found = [
        {name: value for name, value in line.items() if not name.endswith("per_second")}
        for line in lines
        if line["step"] >= wanted[0]["step"]
    ]
    for line, expected in zip(found, wanted, strict=True):
        assert line == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_the_released_model_says_what_it_said():
    poet = lstm_jax.load("tang-2026-11")
    said = EXPECTED["tang"]
    np.testing.assert_allclose(poet.score("明月松間照，清泉石上流。"), said["score"], atol=2e-5)
    assert poet.generate("春", num=2, temperature=0.7, seed=1) == said["texts"]
