"""Every recipe trains at a small size, with every choice that its configuration allows."""

import importlib
import io
import json
import math
import pkgutil
import types
from dataclasses import fields, is_dataclass, replace
from typing import Literal, Union, get_args, get_origin, get_type_hints

import jax
import jax.numpy as jnp
import made_up
import pytest
from rich.console import Console

from lstm_jax import configs
from lstm_jax.train import loop
from lstm_jax.train.config import ConfigError, check
from lstm_jax.train.data import sentiment, series, shakespeare, speech, synthetic, tang
from lstm_jax.train.data.download import DataError
from lstm_jax.train.tasks.classify import task as classify_tasks
from lstm_jax.train.tasks.memory import task as memory_tasks
from lstm_jax.train.tasks.text import task as text_tasks

pytestmark = pytest.mark.usefixtures("compile_fast")
RECIPES = {
    name: importlib.import_module(f"lstm_jax.configs.{name}").config
    for name in sorted(module.name for module in pkgutil.iter_modules(configs.__path__))
}
# What is in a user's own data decides on their sizes: they have tests of their own.
RECIPES = {n: c for n, c in RECIPES.items() if getattr(c, "data", "") != "own"}
SERIES = ("sensor", "sine", "stocks", "weather")
TEXTS = ("shakespeare", "smoke", "tang")
STEPS = 2
# What makes a run small. A kind of problem that has other sizes adds them.
SMALL = {
    "epochs": 1, "log_every": 1, "health_every": 1, "checkpoint_every": 0, "max_steps": STEPS,
    "rows": 2, "batch": 8, "sequences": 16, "words": 256, "steps": 24,
    "window": 6, "horizon": 2, "roll": 0, "season": 5,
    "embedding_features": 3, "hidden_features": 3,
}  # fmt: skip
# What a field that may be None is set to where it is.
GIVEN = {
    "max_steps": 1, "patience": 1, "stop_wrong": 3, "max_timescale": 50.0, "left_out": "ada",
    "unit": "word", "class_weights": "none", "noise": 0.1, "valid": 0.1, "test": 0.1,
    "encoding": "latin-1", "longest": 1.0, "stream": True, "connections": "residual",
}  # fmt: skip


def made_small(config):
    """Return a configuration with small sizes but the same choices."""
    changed = {name: value for name, value in SMALL.items() if hasattr(config, name)}
    for field in fields(config):
        if is_dataclass(getattr(config, field.name)):
            changed[field.name] = made_small(getattr(config, field.name))
    if hasattr(config, "bands"):
        del changed["window"]  # of sounds it is milliseconds, and no size
    if hasattr(config, "linear"):
        changed["linear"] = min(config.linear, SMALL["window"])
    return replace(config, **changed)


def choices(config):
    """Yield `(name, configuration)` with one field changed: every switch, name and option."""
    hints = get_type_hints(type(config))
    for field in fields(config):
        value, hint = getattr(config, field.name), hints[field.name]
        if is_dataclass(value):
            for name, inner in choices(value):
                yield f"{field.name}.{name}", replace(config, **{field.name: inner})
            continue
        if field.name == "data_sha256":  # no choice: what is read fills it in
            continue
        others = set()
        if hint is bool:
            others = {not value}
        elif get_origin(hint) is Literal:
            others = {*get_args(hint)} - {value}
        elif get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
            others = {GIVEN[field.name]} if value is None else {None}
        for other in sorted(others, key=str):
            yield f"{field.name}={other}", replace(config, **{field.name: other})


def all_choices():
    for recipe, full in RECIPES.items():
        yield from (((recipe, name), config) for name, config in choices(made_small(full)))
    # A timescale is for one cell alone: the others are a choice of a recipe without it.
    plain = made_small(RECIPES["adding"])
    plain = replace(plain, model=replace(plain.model, max_timescale=None))
    for name, config in choices(plain):
        if "cell" in name:
            yield ("adding", f"model.max_timescale=None {name}"), config


CASES = dict(all_choices())
COLUMNS = (DataError, "has no column")
RETURNS = (DataError, "are not positive, so it has no returns")
NO_FILE = (DataError, "^there are no data to learn from")
NO_FOLDER = (ConfigError, "^the recordings must be named by")
TIMESCALE = (ConfigError, "^--model.max-timescale must be None for the")
UNITARY = (ConfigError, "^--model.unitary must be False unless the cell is an lstm")
NO_TEXTS = (DataError, "^there are no texts to learn from: use --file")
NOT_OWN = (
    ConfigError,
    "^--(texts|encoding|stream|valid|test|unit|class-weights|noise|longest) must be left alone "
    "unless --data is own",
)
OF_OWN = (
    "texts=file",
    "texts=line",
    "texts=paragraph",
    "encoding=latin-1",
    "stream=True",
    "valid=0.1",
    "test=0.1",
)
ODD = (ConfigError, "^--model.odd must be False unless changes are predicted")
LIKELIHOODS = ("normal", "student-t", "negative-binomial")
REFUSED = {
    **{
        (recipe, f"model.cell={cell}"): TIMESCALE
        for recipe in ("adding", "order") for cell in ("gru", "rnn")
    },
    **dict.fromkeys(
        (
            ("copy", "model.cell=gru"), ("copy", "model.cell=rnn"),
            ("copy", "model.max_timescale=50.0"), ("adding", "model.unitary=True"),
            ("order", "model.unitary=True"),
        ),
        UNITARY,
    ),
    **{case: COLUMNS for case in CASES if case[1].startswith("data=") and case[0] in SERIES},
    **{(recipe, "data=own"): NO_TEXTS for recipe in TEXTS},
    **{(recipe, "data=own"): (DataError, "^--file must name the table") for recipe in SERIES},
    **{
        case: (ConfigError, "^--resample must be left alone unless --data is own")
        for case in CASES if case[1].startswith("resample=") and case[0] in SERIES
    },
    **{(recipe, "predict="): (ConfigError, "^--predict must be one of") for recipe in SERIES},
    **{
        (recipe, f"likelihood={name}"): (ConfigError, "^--likelihood must be none without")
        for recipe in ("sensor", "sine") for name in LIKELIHOODS
    },
    **{
        (recipe, "likelihood=negative-binomial"): (ConfigError, "^--predict must be one of level")
        for recipe in ("stocks", "weather")
    },
    ("sine", "read=relative"): (ConfigError, "^--read must be level or change if levels"),
    ("sensor", "read=relative"): ODD,
    **{(recipe, choice): NOT_OWN for recipe in TEXTS for choice in OF_OWN},
    **{
        ("sentiment", choice): NOT_OWN
        for choice in ("unit=word", "class_weights=none", "noise=0.1", "valid=0.1", "test=0.1")
    },
    **{("speech", choice): NOT_OWN for choice in ("longest=None", "valid=0.1", "test=0.1")},
    ("sentiment", "data=own"): NO_FILE,
    ("speech", "data=own"): NO_FOLDER,
    ("sensor", "predict=level"): ODD,
    ("sensor", "read=level"): ODD,
    ("sine", "model.odd=True"): ODD,
    ("weather", "model.odd=True"): ODD,
    ("sensor", "predict=return"): RETURNS,  # the made-up one freezes
    ("sine", "predict=return"): RETURNS,
    ("weather", "predict=return"): RETURNS,
}  # fmt: skip
ALLOWED = {case: config for case, config in CASES.items() if case not in REFUSED}


@pytest.fixture(scope="module", autouse=True)
def generated():
    """Use made-up data of every kind, and short validations."""
    verses = synthetic.verses
    loaded = {
        tang: made_up.tang_data(), shakespeare: made_up.shakespeare_data(),
        sentiment: made_up.sentiment_data(), speech: made_up.speech_data(),
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for module, data in loaded.items():
            patch.setattr(module, "load", lambda data=data: data)
        patch.setattr(synthetic, "verses", lambda count, *, seed: verses(2, seed=seed))
        patch.setattr(series, "rows_of", made_up.series_rows)
        patch.setattr(series, "SINE_STEPS", 120)
        patch.setattr(memory_tasks, "AT_ONCE", 4)
        patch.setattr(memory_tasks, "TESTED", 4)
        yield


def of_zeros(leaf):
    """Return zeros of a shape; booleans are True, which means that all is well."""
    return jnp.full(leaf.shape, leaf.dtype == bool, leaf.dtype)


def traced(make):
    """Trace programs as usual, but return zeros of the right shapes instead of compiling them."""

    def made(*args, **options):
        program = make(*args, **options)

        def call(*args):
            shapes = jax.eval_shape(program, *args)
            return jax.tree.map(of_zeros, shapes)

        return call

    return made


@pytest.fixture
def uncompiled(monkeypatch):
    """Skip compilation, which takes most of a short run's time and rarely fails."""
    for module, name in (
        (loop, "make_update"), (loop, "make_health"), (text_tasks, "make_scorer"),
        (memory_tasks, "make_judge"), (classify_tasks, "make_reader"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, traced(getattr(module, name)))


def run(config, folder):
    """Train, and return the steps in health.jsonl."""
    loop.prepare(folder, config, resume=False, overwrite=False)
    result = loop.train(config, folder, console=Console(file=io.StringIO()))
    lines = [json.loads(line) for line in (folder / "health.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, result.step + 1))
    return result, lines


def expect_steps(config, folder):
    result, lines = run(config, folder)
    assert result.step >= 1
    assert math.isfinite(result.best_valid_loss or 0.0)
    both_ways = getattr(config.model, "bidirectional", False)
    for line in lines:
        assert len(line["adjoint"]) == (0 if both_ways else config.model.num_layers)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_trains(recipe, tmp_path):
    check(RECIPES[recipe])
    expect_steps(made_small(RECIPES[recipe]), tmp_path / "run")


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("case", ALLOWED, ids=" ".join)
def test_a_recipe_trains_with_every_choice(case, tmp_path):
    expect_steps(ALLOWED[case], tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("case", ALLOWED, ids=" ".join)
def test_a_recipe_trains_with_every_choice_compiled(case, tmp_path):
    expect_steps(ALLOWED[case], tmp_path / "run")


@pytest.mark.parametrize("case", REFUSED, ids=" ".join)
def test_a_choice_that_cannot_be_is_refused_in_one_line(case, tmp_path):
    kind, said = REFUSED[case]
    with pytest.raises(kind, match=said) as caught:
        run(CASES[case], tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_a_listener_that_reads_one_way_has_lags(tmp_path):
    """Check a model without an initial state of its own: the task provides that of its layers."""
    config = made_small(RECIPES["speech"])
    config = replace(config, model=replace(config.model, bidirectional=False))
    _, lines = run(config, tmp_path / "run")
    for line in lines:
        assert len(line["adjoint"]) == config.model.num_layers
        assert all(sum(layer["h"]) > 0 for layer in line["adjoint"])
