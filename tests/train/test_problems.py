"""A kind of problem is defined by one record, and the commands use nothing else."""

import importlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from types import SimpleNamespace

import pytest

from lstm_jax.models import storage
from lstm_jax.train import evaluate, problems, sets, tasks
from lstm_jax.train.batch import Batch, Epoch
from lstm_jax.train.config import ConfigError, TrainConfig
from lstm_jax.train.look import Look
from lstm_jax.train.problem import Problem
from lstm_jax.train.problems import PROBLEMS, from_dict, make_task, problem_of, to_dict
from lstm_jax.train.scope import Scope

FOLDERS = sorted(path.parent.name for path in Path(tasks.__path__[0]).glob("*/problem.py"))


def test_every_folder_with_a_record_is_listed():
    assert sorted(PROBLEMS) == FOLDERS
    for name in FOLDERS:
        module = importlib.import_module(f"lstm_jax.train.tasks.{name}.problem")
        assert getattr(module, name.upper()) is PROBLEMS[name]


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_record_names_what_there_is(name):
    problem = PROBLEMS[name]
    assert problem.name == name
    assert problem.config.__module__ == f"lstm_jax.train.tasks.{name}.config"
    assert problem.network in storage.KINDS
    assert problem_of(problem.config()) is problem
    for options, answer in problem.asks.values():
        names = [field.name for field in fields(options)]
        assert names[0] == "model"
        assert "json" in names
        assert answer.__doc__


def test_the_commands_know_what_the_records_say():
    assert set(sets.SETS) == {
        "tang", "shakespeare", "sentiment", "speech", "sine", "stocks", "weather", "sensor"
    }  # fmt: skip


@dataclass(frozen=True)
class ToyConfig(TrainConfig):
    size: int = 3


@pytest.fixture
def toy(monkeypatch):
    """Register a new kind of problem, as a third party would."""
    scopes = []
    problem = Problem(
        name="toy",
        config=ToyConfig,
        look=lambda config, given: Look(config, SimpleNamespace(size=config.size)),
        network="CharLM",
        evaluate=lambda stored, config, scope: scopes.append(scope) or ({"n": config.size}, "toy"),
    )
    monkeypatch.setitem(problems.PROBLEMS, "toy", problem)
    return scopes


def test_a_new_kind_takes_one_record(toy, monkeypatch, tmp_path):
    config = ToyConfig(size=4)
    assert to_dict(config)["kind"] == "toy"
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config
    problems.save(config, tmp_path / "config.json")
    assert problems.load(tmp_path / "config.json") == config
    assert make_task(config).size == 4
    description = {"kind": "CharLM", "card": {"config": to_dict(config)}}
    stored = storage.Stored(None, description)
    monkeypatch.setattr(storage, "load", lambda name: stored)
    options = evaluate.EvaluateOptions("run", split="valid", rows=7)
    assert evaluate.measure(options) == ({"model": "run", "n": 4}, "toy")
    assert toy[0] == Scope("valid", rows=7)
    with pytest.raises(storage.ModelError, match="--plot is for forecasters and classifiers"):
        evaluate.measure(evaluate.EvaluateOptions("run", plot=True))
    with pytest.raises(storage.ModelError, match="--dynamic is for language models only; run is"):
        evaluate.measure(evaluate.EvaluateOptions("run", dynamic=True))


def test_a_configuration_of_no_kind_is_refused():
    with pytest.raises(TypeError, match="whose configuration is a ToyConfig"):
        make_task(ToyConfig())
    with pytest.raises(ConfigError, match="unknown kind 'toy'; known kinds are text, memory"):
        from_dict({"kind": "toy"})


def test_an_epoch_makes_its_batches_when_they_are_asked_for():
    made = []
    epoch = Epoch(3, lambda index: made.append(index) or Batch(index, -index))
    assert len(epoch) == 3
    assert made == []
    assert epoch[2] == Batch(2, -2)
    assert [batch.inputs for batch in epoch] == [0, 1, 2]
    assert made == [2, 0, 1, 2]
    for index in (-1, 3):
        with pytest.raises(IndexError, match=rf"batch must be in \[0, 3\), got {index}"):
            epoch[index]
