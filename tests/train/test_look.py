"""Open fields are chosen and reported; values that the user set are kept."""

import io
import json
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from lstm_jax.train import fit, fitting, problems
from lstm_jax.train.config import ConfigError, TrainConfig, check
from lstm_jax.train.look import Choice, Look, choose, is_open
from lstm_jax.train.problem import Problem


@dataclass(frozen=True)
class Sizes:
    width: int = 0
    dropout: float = 0.0


@dataclass(frozen=True)
class OwnConfig(TrainConfig):
    columns: tuple[str, ...] = ()
    window: int = 0
    model: Sizes = field(default_factory=Sizes)


CHOICES = [Choice("window", 24, "twice the season"), Choice("model.width", 32, "few rows")]


@pytest.mark.parametrize(
    ("value", "left"),
    [(0, True), (None, True), ("", True), ((), True), (False, False), (0.0, False), (3, False)],
)
def test_what_counts_as_left_open(value, left):
    assert is_open(value) is left


def test_what_was_left_open_is_filled_in():
    config, made = choose(OwnConfig(), CHOICES)
    assert (config.window, config.model.width) == (24, 32)
    assert made == tuple(CHOICES)


def test_what_a_user_said_stays():
    config, made = choose(OwnConfig(model=Sizes(width=5, dropout=0.5)), CHOICES)
    assert config == OwnConfig(window=24, model=Sizes(width=5, dropout=0.5))
    assert [choice.field for choice in made] == ["window"]


def test_a_look_names_the_option_that_changes_a_choice():
    look = Look(OwnConfig(), SimpleNamespace(), ("sales.csv: 300 rows",), tuple(CHOICES))
    assert look.say() == (
        "sales.csv: 300 rows\n"
        "chosen:\n"
        "  --window 24       twice the season\n"
        "  --model.width 32  few rows"
    )


@pytest.fixture
def toy(monkeypatch):
    def look(config, given):
        config, made = choose(config, CHOICES)
        return Look(config, SimpleNamespace(given=given), (f"{given} was looked at",), made)

    problem = Problem("toy", OwnConfig, look, "CharLM", lambda *_: ({}, ""))
    monkeypatch.setitem(problems.PROBLEMS, "toy", problem)


def test_what_is_seen_is_said_before_training(toy):
    out = io.StringIO()
    look = fitting.look_at(OwnConfig(), "a frame", console=Console(file=out, width=200))
    assert look.task.given == "a frame"
    assert out.getvalue().startswith("a frame was looked at\nchosen:\n  --window 24 ")


def test_a_value_that_cannot_be_is_refused_before_the_data_are_read(toy):
    with pytest.raises(ConfigError, match="--epochs must be at least 1"):
        fitting.look_at(OwnConfig(epochs=0), "a frame", console=Console(file=io.StringIO()))


def test_fit_refuses_a_field_that_does_not_exist():
    with pytest.raises(ConfigError, match="sine has no field 'windw'; did you mean 'window'"):
        fit.configured("sine", {"windw": 3})


def test_fit_takes_one_name_for_several_and_leaves_out_what_is_not_said():
    config = fit.configured("sine", {"inputs": "price", "window": None, "horizon": 3})
    assert (config.inputs, config.window, config.horizon) == (("price",), 50, 3)


def test_fit_converts_values_where_there_is_one_way():
    model = {"hidden_features": np.int64(9)}
    config = fit.configured("classify", {"test": 0, "valid": 0.2, "model": model, "epochs": 3})
    # An integer 0 would count as left open, and a part for testing would be chosen.
    assert (config.test, type(config.test)) == (0, float)
    assert (config.valid, config.epochs, config.model.hidden_features) == (0.2, 3, 9)
    assert config.model.pooling == "max"
    with pytest.raises(ConfigError, match="model has no field 'hiden_features'; did you mean"):
        fit.configured("classify", {"model": {"hiden_features": 3}})


@pytest.mark.parametrize(
    ("recipe", "values", "said"),
    [
        ("text", {"unit": "words"}, "--unit must be one of character, word, byte"),
        ("text", {"epochs": "3"}, "--epochs must be a whole number, got 3"),
        ("text", {"model": 64}, "--model must be a CharLMConfig, got 64"),
        ("classify", {"noise": "much"}, "--noise must be a number or None, got much"),
        ("series", {"optimizer": {"learning_rate": True}}, "--optimizer.learning-rate must be a n"),
    ],
)
def test_a_value_of_the_wrong_type_is_one_line(recipe, values, said):
    with pytest.raises(ConfigError) as refused:
        check(fit.configured(recipe, values))
    assert str(refused.value).startswith(said)


def test_a_resumed_run_keeps_what_was_chosen(toy, tmp_path):
    saved = OwnConfig(window=12, model=Sizes(width=32), epochs=3)
    (tmp_path / "config.json").write_text(json.dumps(problems.to_dict(saved)))
    given = OwnConfig(epochs=9)
    look = fitting.look_at(given, resumed=tmp_path, console=Console(file=io.StringIO()))
    assert look.config == OwnConfig(window=12, model=Sizes(width=32), epochs=9)
    assert [choice.field for choice in look.chose] == ["model.width"]
    look = fitting.look_at(replace(given, window=5), resumed=tmp_path, console=Console())
    assert look.config.window == 5  # what a user says is for `prepare` to refuse


def test_a_run_goes_where_nothing_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(fit.free_folder("text")) == "runs/text"
    for name in ("text", "text-2"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    assert str(fit.free_folder("text")) == "runs/text-3"
