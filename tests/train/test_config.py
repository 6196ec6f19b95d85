"""A configuration is checked field by field, and is the same after a round trip through JSON."""

import json
import math
from dataclasses import asdict, fields, is_dataclass, replace

import pytest

from lstm_jax.configs import (
    adding,
    classify,
    copy,
    flipflop,
    order,
    sensor,
    sentiment,
    sine,
    smoke,
    sounds,
    speech,
    stocks,
    tang,
    weather,
)
from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.models.classifier import SequenceClassifierConfig
from lstm_jax.models.forecaster import ForecasterConfig
from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.train.config import ConfigError, OptimizerConfig, check
from lstm_jax.train.problems import load, save, to_dict
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.memory.config import FlossingConfig, MemoryConfig
from lstm_jax.train.tasks.series import config as series_config
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.sounds.config import SoundsConfig
from lstm_jax.train.tasks.text.config import TextConfig

INF, NAN = math.inf, math.nan
BAD = {
    "data_sha256": (),  # filled in where data are read
    "keep": (),
    "precision": ("half",),
    "epochs": (0, -1),
    "rows": (0,),
    "window": (0,),
    "min_count": (0,),
    "seed": (-1, 2**32),
    "log_every": (0,),
    "health_every": (-1,),
    "health_exponents": (-1,),
    "checkpoint_every": (-1,),
    "max_steps": (0, -3),
    "patience": (0, -1),
    "model.embedding_features": (0,),
    "model.hidden_features": (0, -8),
    "model.num_layers": (0,),
    "model.embedding_dropout": (-0.1, 1.0, NAN),
    "model.layer_dropout": (1.5,),
    "model.output_dropout": (INF,),
    "model.weight_dropout": (1.0,),
    "optimizer.learning_rate": (0.0, -1.0, INF, NAN),
    "optimizer.clip_norm": (0.0, NAN),
    "optimizer.b1": (1.0, -0.1),
    "optimizer.b2": (1.0, NAN),
    "optimizer.warmup_steps": (-1,),
    "optimizer.weight_decay": (-0.1, INF),
    "optimizer.final_fraction": (-0.1, 1.1, NAN),
    "optimizer.ema": (1.0, -0.1),
    "optimizer.name": ("sgd",),
}
BAD_MEMORY = {
    "steps": (23, 0),
    "batch": (0,),
    "sequences": (0, 50, 150),
    "stop_wrong": (-1,),
    "short_steps": (0,),
    "short_epochs": (-1,),
    "grow_epochs": (-1,),
    "flossing.exponents": (-1,),
    "flossing.before": (-1,),
    "flossing.every": (-1,),
    "model.hidden_features": (0,),
    "model.num_layers": (0,),
    "model.forget_bias": (INF, NAN),
    "model.max_timescale": (2.0, INF, NAN),
}
BAD_CLASSIFIER = {
    "validations": (0,),
    "consistency": (-0.1, INF, NAN),
    "model.embedding_features": (0,),
    "model.hidden_features": (0,),
    "model.num_layers": (-1,),
    "model.word_dropout": (1.0,),
    "model.input_dropout": (-0.1, NAN),
    "model.layer_dropout": (1.0,),
    "model.output_dropout": (2.0,),
}
BAD_SENTIMENT = {
    "words": (0, 63), "min_count": (0,), "longest": (-1,), "grams": (-1,),
    "noise": (-0.1, 1.1, NAN), "valid": (-0.1, 0.6, NAN), "test": (-0.1, 0.6),
} | BAD_CLASSIFIER  # fmt: skip
BAD_SOUNDS = {
    "rate": (0, 16_000),
    "longest": (0.01, 61.0, NAN),
    "window": (3, 51),
    "step": (0, 51),
    "bands": (7, 129),
    "valid": (-0.1, 0.6, NAN),
    "test": (-0.1, 0.6, NAN),
    "group_pattern": ("(", "no group"),
    "batch": (0,),
    "masks": (-1,),
    "warp": (-0.1, 0.6),
    "coloring": (-1.0, 31.0, float("nan")),
} | BAD_CLASSIFIER
BAD_SERIES = {
    "target": ("",),
    "inputs": (("wave",), ("a", "a")),
    "clock": (("month",),),
    "likelihood": ("normal",),
    "gap": (-1, 1),
    "sample": (-1, 1),
    "calendar": ((0.0,), (INF,)),
    "quantiles": ((0.5, 0.1), (0.0, 0.5, 0.9), (0.1, 0.4, 0.9), (0.1, 0.9), (NAN,)),
    "window": (0,),
    "horizon": (0, -1),
    "roll": (-1,),
    "season": (0,),
    "noise": (-0.1, INF, NAN),
    "valid": (0.0, 1.0, NAN),
    "test": (0.0, 0.9, NAN),
    "batch": (0,),
    "model.hidden_features": (0,),
    "model.num_layers": (0,),
    "model.layer_dropout": (1.0,),
    "model.output_dropout": (-0.1, NAN),
    "model.linear": (-1, 51),
    "model.odd": (True,),
}
GOOD = {
    "checkpoint_every": 0,
    "health_every": 0,
    "max_steps": 1,
    "patience": 1,
    "seed": 2**32 - 1,
    "model.layer_dropout": 0.99,
    "optimizer.final_fraction": 0.0,
    "optimizer.warmup_steps": 0,
    "optimizer.b1": 0.0,
}


def changed(name, value, config=None):
    config = config or TextConfig()
    first, _, rest = name.partition(".")
    return replace(
        config, **{first: changed(rest, value, getattr(config, first)) if rest else value}
    )


def flat(config, prefix=""):
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            yield from flat(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}"


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in BAD.items() for v in vs])
def test_a_bad_value_is_one_line_that_names_the_flag(name, value):
    with pytest.raises(ConfigError) as caught:
        check(changed(name, value))
    message = str(caught.value)
    assert message.startswith(f"--{name.replace('_', '-')} must be ")
    assert message.endswith(f", got {value}")
    assert "\n" not in message


@pytest.mark.parametrize(("name", "value"), GOOD.items())
def test_values_at_their_bounds_are_good(name, value):
    check(changed(name, value))


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in BAD_MEMORY.items() for v in vs])
def test_a_bad_value_of_a_memory_run_names_the_flag(name, value):
    with pytest.raises(ConfigError) as caught:
        check(changed(name, value, MemoryConfig()))
    assert str(caught.value).startswith(f"--{name.replace('_', '-')} must be ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "name", "value"),
    [
        (config, name, value)
        for config, bad in (
            (ClassifyConfig(), BAD_SENTIMENT),
            (SoundsConfig(), BAD_SOUNDS),
            (SeriesConfig(), BAD_SERIES),
        )
        for name, values in bad.items()
        for value in values
    ],
)
def test_a_bad_value_of_other_runs_names_the_flag(config, name, value):
    with pytest.raises(ConfigError) as caught:
        check(changed(name, value, config))
    assert str(caught.value).startswith(f"--{name.replace('_', '-')} must be ")
    assert "\n" not in str(caught.value)


def test_what_only_some_problems_and_cells_can_have():
    check(MemoryConfig(problem="copy", steps=1, stop_wrong=None))
    with pytest.raises(ConfigError, match=r"--steps must be at least 20, got 19"):
        check(MemoryConfig(problem="order", steps=19))
    gru = SequenceModelConfig(cell="gru", max_timescale=100.0)
    with pytest.raises(ConfigError, match=r"--model\.max-timescale must be None for the gru"):
        check(MemoryConfig(model=gru))


def test_every_number_is_checked():
    # What is left is typed: a name of a data set, and a switch; or it is no user's to say.
    left = set(flat(TextConfig())) - set(BAD) - {"valid", "test"}  # for texts of one's own alone
    assert left == {
        "data",
        "file",
        "unit",
        "texts",
        "encoding",
        "stream",
        "model.variational",
        "model.connections",
    }
    left = set(flat(MemoryConfig())) - set(BAD) - set(BAD_MEMORY)
    assert left == {"problem", "model.cell", "model.unitary"}
    switches = {"model.bidirectional", "model.pooling"}
    left = set(flat(ClassifyConfig())) - set(BAD) - set(BAD_SENTIMENT)
    names = ("file", "valid_file", "test_file", "encoding", "inputs", "group", "unit")
    columns = ("label", "text", "tokens", "by", "time")
    assert left == {"data", "learn", "class_weights", *names, *columns, *switches}
    left = set(flat(SoundsConfig())) - set(BAD) - set(BAD_SOUNDS)
    columns = ("folder", "file", "path", "label", "group", "encoding")
    assert left == {"data", "left_out", "class_weights", "scale_groups", *columns, *switches}
    left = set(flat(SeriesConfig())) - set(BAD) - set(BAD_SERIES)
    of_own = set(series_config.OWN) - {"gap", "sample"}
    assert left == {"data", "predict", "read", *of_own}


RECIPES = [
    smoke, tang, adding, classify, copy, flipflop, order, sentiment, sounds, speech, sine, stocks,
    weather, sensor,
]  # fmt: skip


@pytest.mark.parametrize(
    "config", [TextConfig(), MemoryConfig(), *(recipe.config for recipe in RECIPES)]
)
def test_json_gives_back_the_same(config, tmp_path):
    check(config)
    save(config, tmp_path / "config.json")
    assert load(tmp_path / "config.json") == config
    stored = json.loads((tmp_path / "config.json").read_text())
    assert stored == json.loads(json.dumps(to_dict(config)))
    assert to_dict(config) == {"kind": to_dict(config)["kind"], **asdict(config)}
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


CLASSIFIER = SequenceClassifierConfig(3, 4, 5, False, "mean", 0.1, 0.2, 0.3, 0.4)
SHARED = {
    "optimizer": OptimizerConfig(0.5, 6, 0.7, 0.8, 0.25, 0.75, 9.0, 0.95, "muon"),
    "epochs": 10, "seed": 11, "log_every": 12, "health_every": 13, "checkpoint_every": 14,
    "max_steps": 15, "patience": 16, "data_sha256": "17", "keep": 1,
    "precision": "bfloat16", "health_exponents": 18,
}  # fmt: skip


@pytest.mark.parametrize(
    "config",
    [
        TextConfig(
            "verses",
            CharLMConfig(3, 4, 5, 0.1, 0.2, 0.3, True, 0.4, "residual"),
            17,
            18,
            19,
            ("a.txt", "b.txt"),
            "word",
            "line",
            "latin-1",
            0.1,
            0.2,
            True,
            **SHARED,
        ),
        MemoryConfig(
            "order",
            30,
            SequenceModelConfig("gru", 3, 4, 0.5, 6.0, True),
            7,
            14,
            9,
            25,
            26,
            27,
            FlossingConfig(28, 29, 30),
            **SHARED,
        ),
        ClassifyConfig(
            CLASSIFIER,
            7,
            0.7,
            "own",
            *(f"{name}.csv" for name in ("all", "valid", "test")),
            "latin-1",
            *("stars", "review", "tokens", "walk", "t"),
            ("x", "y"),
            "writer",
            "character",
            2,
            30,
            "balanced",
            0.1,
            0.2,
            0.3,
            9,
            "phrases",
            99,
            **SHARED,
        ),
        SoundsConfig(
            CLASSIFIER,
            7,
            0.7,
            "own",
            *("folder", "file", "path", "label", "group", "(a)", "latin-1"),
            *(9000, 2.5, 33, 21, 41, 0.2, 0.3),
            *("balanced", 8, 9, 0.1, 2.0, True, "theo"),
            **SHARED,
        ),
        SeriesConfig(
            "own",
            *("file", "latin-1", "day", "%d", "Europe/Berlin", "1d", "last", "wind"),
            ("store",),
            ("rain",),
            ("price",),
            ("kind",),
            (3.0,),
            ("month",),
            "change",
            "change",
            (0.2, 0.5, 0.8),
            "normal",
            *(17, 18, 19, 20, 0.21, 0.22, 0.23, 25, 26),
            ForecasterConfig(3, 4, 0.1, 0.2, 5, True),
            24,
            **SHARED,
        ),
    ],
)
def test_every_field_survives_json(config, tmp_path):
    assert not {f.name for f in fields(config) if getattr(config, f.name) == f.default}
    save(config, tmp_path / "config.json")
    assert load(tmp_path / "config.json") == config


def test_a_run_that_names_no_kind_is_of_texts(tmp_path):
    values = asdict(TextConfig(rows=3))
    del values["health_every"]  # as it was before there were kinds, and health
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert load(tmp_path / "config.json") == TextConfig(rows=3)


@pytest.mark.parametrize("kind", ["sine", None, ["text"]])
def test_an_unknown_kind_is_refused(kind, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"kind": kind}))
    with pytest.raises(ConfigError, match=r"unknown kind .*; known kinds are text, memory"):
        load(tmp_path / "config.json")


@pytest.mark.parametrize("name", ["colour", "model.colour", "optimizer.colour"])
def test_a_field_that_does_not_exist_is_refused(name, tmp_path):
    values = asdict(TextConfig())
    inner = values[name.split(".")[0]] if "." in name else values
    inner["colour"] = "red"
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(ConfigError, match=f"has an unknown field {name}"):
        load(tmp_path / "config.json")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b'{"model": 3}'])
def test_what_is_no_configuration_is_one_line(content, tmp_path):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.json")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.json cannot be read"):
        load(tmp_path / "nowhere.json")


def test_what_is_to_be_chosen_may_be_left_open_for_own_data_alone():
    own = classify.config
    check(own)
    for name in ("epochs", "words", "validations", "min_count"):
        assert getattr(own, name) == 0
        with pytest.raises(ConfigError, match=f"^--{name.replace('_', '-')} must be "):
            check(replace(ClassifyConfig(), **{name: 0}))
    with pytest.raises(
        ConfigError, match=r"^--epochs must be at least 1, or 0 to choose it from the data"
    ):
        check(replace(own, epochs=-1))
