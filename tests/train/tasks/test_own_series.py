"""A table of one's own from end to end, tiny: look, train, go on, forecast, evaluate."""

import csv
import io
import json
import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from flax import nnx
from rich.console import Console

from lstm_jax import cli
from lstm_jax.configs.series import config as recipe
from lstm_jax.errors import UserError
from lstm_jax.models import storage
from lstm_jax.models.forecaster import ForecasterConfig
from lstm_jax.models.storage import ModelError
from lstm_jax.train import fit, fitting
from lstm_jax.train.config import ConfigError, check
from lstm_jax.train.data.download import DataError
from lstm_jax.train.forecasts import panels
from lstm_jax.train.forecasts.panels import origins, words
from lstm_jax.train.scope import Scope
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.series.forecast import come, panel_for
from lstm_jax.train.tasks.series.look import look
from lstm_jax.train.tasks.series.outputs import judged

pytestmark = pytest.mark.usefixtures("compile_fast")
DAYS, AHEAD = 70, 6
MODEL = ForecasterConfig(hidden_features=3, output_dropout=0.1)
SMALL = {
    "epochs": 2, "window": 8, "horizon": 3, "season": 7, "batch": 16, "sample": 64, "log_every": 1,
    "model": MODEL,
}  # fmt: skip
COLUMNS = {"time": "day", "target": "units", "by": ("shop",), "known": ("price",)}
COLUMNS |= {"static": ("kind",)}


def rows(days=DAYS, ahead=AHEAD):
    """Two shops with a week's pattern and prices, some days missing, and the next days' prices."""
    rng = np.random.default_rng(3)
    start, found = np.datetime64("2024-01-01"), []
    for shop, kind in (("A", "big"), ("B", "small")):
        for day in range(days + ahead):
            price = 2.0 + (day // 5) % 2
            units = 40 + 8 * math.sin(2 * math.pi * day / 7) - 5 * price + rng.normal()
            missing = day >= days or (shop == "B" and day in (20, 21))
            found.append(
                {
                    "day": str(start + np.timedelta64(day, "D")),
                    "shop": shop, "kind": kind, "price": price,
                    "units": None if missing else round(units, 3),
                }
            )  # fmt: skip
    return found


def written(path, table):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return written(tmp_path_factory.mktemp("own") / "sales.csv", rows())


def configured(table, **changed):
    return replace(recipe, file=str(table), **{**COLUMNS, **SMALL, **changed})


def trained(config, folder, given=None, *, resume=False):
    console = Console(file=io.StringIO(), width=200)
    found = fitting.look_at(config, given, console=console)
    fitting.train(found, folder, resume=resume, console=console)
    return found, console.file.getvalue()


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "mine"
    trained(configured(table), folder)
    return folder


def command(*arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main([*map(str, arguments)])
    return caught.value.code


# --- the look ------------------------------------------------------------------------------------


def test_the_recipe_leaves_open_what_the_look_chooses(table):
    check(replace(recipe, target="y"))
    with pytest.raises(ConfigError, match="--target must be the column to forecast"):
        check(recipe)
    open_one = replace(recipe, file=str(table), **COLUMNS)
    found = look(open_one)
    chosen = {choice.field: choice.value for choice in found.chose}
    assert chosen["season"] == chosen["horizon"] == 7
    assert chosen["window"] == chosen["model.linear"] == 14
    assert chosen["predict"] == "change"
    assert {"batch", "sample", "model.hidden_features"} < set(chosen)
    for field, value in chosen.items():
        assert value
        assert f"--{field.replace('_', '-')} {value}" in found.say()
    assert found.config.data_sha256 == found.task.panel.sha256
    assert found.config.file == str(table.resolve())
    again = look(found.config)
    assert again.config == found.config
    check(found.config)


def test_returns_are_chosen_where_the_spread_grows_with_the_height():
    days = np.arange(96)
    season = 1 + 0.3 * np.sin(2 * np.pi * days / 12)
    frame = {"units": 100 * np.exp(0.02 * days) * season}
    config = replace(recipe, target="units", season=12, horizon=6)
    assert look(config, pl.DataFrame(frame)).config.predict == "return"
    frame = {"units": 100 + days + 30 * season}
    assert look(config, pl.DataFrame(frame)).config.predict == "change"
    # A return needs positive values in every part.
    frame = {"units": np.where(days == 90, 0, 100 * np.exp(0.02 * days) * season)}
    assert look(config, pl.DataFrame(frame)).config.predict == "change"


def test_counts_are_forecast_as_levels():
    frame = pl.DataFrame({"y": np.random.default_rng(0).poisson(3, 200)})
    config = replace(recipe, target="y", likelihood="negative-binomial", season=7, horizon=3)
    found = fitting.look_at(config, frame, console=Console(file=io.StringIO()))
    assert (found.config.predict, found.config.read) == ("level", "level")
    assert "reads levels, because levels are predicted" in found.saw


def test_a_clock_needs_times():
    frame = pl.DataFrame({"t": np.arange(90), "y": np.sin(np.arange(90.0))})
    with pytest.raises(DataError, match="--clock needs dates or times, but t numbers the rows"):
        look(replace(recipe, time="t", target="y", clock=("hour",)), frame)


def test_a_clock_is_the_local_one():
    begin = np.datetime64("2024-03-29T00:00", "s")
    times = begin + np.arange(24 * 8) * np.timedelta64(1, "h")  # the clock changes on March 31
    rows = {"t": [f"{time}Z" for time in times], "y": np.sin(np.arange(len(times)))}
    config = replace(recipe, time="t", target="y", clock=("hour",), zone="Europe/Berlin",
                     season=24, horizon=2, window=24)  # fmt: skip
    features = look(config, pl.DataFrame(rows)).task.prepared.features
    noon = np.array([int(str(time)[11:13]) for time in times])
    winter, summer = times < np.datetime64("2024-03-31T01:00"), noon == 10
    phases = [features[(noon == 11) & winter], features[summer & ~winter]]
    np.testing.assert_allclose(phases[0][:, -3:-1].mean(0), phases[1][:, -3:-1].mean(0), atol=1e-5)


def test_dates_of_parquet_are_told_as_texts(tmp_path, capsys):
    frame = pl.DataFrame(rows()).with_columns(pl.col("day").str.to_date())
    frame.write_parquet(tmp_path / "sales.parquet")
    trained(configured(tmp_path / "sales.parquet", epochs=1), tmp_path / "run")
    assert command("forecast", tmp_path / "run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["forecast"]["day"][:2] == ["2024-03-11", "2024-03-12"]


def test_origins_of_many_series_stay_together():
    at = np.arange(50_000)  # five origins of 10,000 series
    chosen = panels.thinned(at, 5)
    assert len(chosen) == panels.MOST
    np.testing.assert_array_equal(chosen % 5, np.arange(len(chosen)) % 5)
    np.testing.assert_array_equal(chosen[::5] + 4, chosen[4::5])


def test_a_gap_is_left_where_there_is_room():
    frame = pl.DataFrame({"y": np.sin(np.arange(300)) + 0.01 * np.arange(300)})
    assert look(replace(recipe, target="y", horizon=4), frame).config.gap == 4
    assert look(replace(recipe, target="y", horizon=20), frame).config.gap == 0


def test_short_series_are_said_and_padded(tmp_path):
    found = look(configured(written(tmp_path / "short.csv", rows(17, 0)), window=12))
    assert found.task.prepared.pad == 6
    assert "some series are short: windows may begin before them" in found.say()
    with pytest.raises(DataError, match="the longest series has 6 rows, 0 of them for training"):
        look(configured(written(tmp_path / "shorter.csv", rows(6, 0))))


def test_values_that_do_not_do_are_named(tmp_path):
    spoilt = rows()
    spoilt[5]["price"] = 1e31
    with pytest.raises(DataError) as caught:
        look(configured(written(tmp_path / "large.csv", spoilt)))
    assert str(caught.value) == (
        "shop=A, 2024-01-06: price must be at most 1e+30 in size, got 1e+31"
    )
    counts = {"likelihood": "negative-binomial", "read": "level", "predict": "level"}
    with pytest.raises(DataError, match=r"shop=A, 2024-01-01: units must be a count, 0, 1, 2"):
        look(configured(written(tmp_path / "good.csv", rows()), **counts))


# --- the task ------------------------------------------------------------------------------------


def test_batches_are_a_function_of_seed_and_epoch(table):
    task = look(configured(table, sample=400)).task
    assert len(task.epoch(0)) == 400 // 16
    for a, b in zip(task.epoch(1), task.epoch(1), strict=True):
        assert a.inputs.tobytes() == b.inputs.tobytes()
        assert a.targets.tobytes() == b.targets.tobytes()
    assert task.epoch(0)[0].inputs.tobytes() != task.epoch(1)[0].inputs.tobytes()
    few = look(configured(table, sample=32)).task
    assert len(few.epoch(0)) == 2


@pytest.mark.parametrize("likelihood", ["none", "normal", "student-t", "negative-binomial"])
def test_what_stands_for_a_missing_target_changes_neither_loss_nor_gradient(likelihood):
    rng = np.random.default_rng(0)
    config = replace(recipe, likelihood=likelihood, predict="level")
    outputs = jnp.asarray(rng.normal(size=(4, 3, 3)), jnp.float32)
    weights = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [1, 1, 0]], np.float32)
    values = rng.integers(0, 5, size=(4, 3)).astype(np.float32)
    found = []
    for garbage in (0.0, 1e30, np.nan, -np.inf):
        targets = np.where(weights == 0, garbage, values)
        if likelihood != "none":
            targets = np.stack([targets, np.full((4, 3), 2.0)], -1)
        judge = jax.value_and_grad(lambda o, t=targets: judged(config, o, t, weights)[0])
        found.append(judge(outputs))
    for loss, gradient in found:
        assert loss == found[0][0]
        np.testing.assert_array_equal(gradient, found[0][1])
        assert np.isfinite(gradient).all()
    assert judged(config, outputs, targets, weights)[1] == pytest.approx(weights.sum() / 3)


def test_a_masked_loss_of_all_is_the_plain_one():
    rng = np.random.default_rng(0)
    outputs, targets = rng.normal(size=(5, 3, 3)), rng.normal(size=(5, 3))
    plain = judged(recipe, outputs, targets, None)
    masked = judged(recipe, outputs, targets, np.ones((5, 3)))
    np.testing.assert_allclose(plain, masked, rtol=1e-5)


def test_a_new_model_says_what_the_linear_forecast_says(table):
    found = look(configured(table))
    model = found.task.model(nnx.Rngs(0))
    ready = found.task.prepared
    at = ready.moments("valid")
    from lstm_jax.train.forecasts.baselines import fit_linear

    inputs = ready.inputs(at)
    linear = fit_linear(ready, 8)(inputs)
    said = np.asarray(model(inputs))
    assert (np.diff(said, axis=-1) >= 0).all()
    offsets = said[..., 1] - linear
    np.testing.assert_allclose(offsets, np.tile(offsets[:1], (len(at), 1)), atol=1e-4)


# --- from end to end -----------------------------------------------------------------------------


def test_training_goes_on_to_the_same_bits(table, run, tmp_path):
    folder = tmp_path / "run"
    config = configured(table)
    trained(replace(config, max_steps=5), folder)
    trained(config, folder, resume=True)
    weights = [(one / storage.WEIGHTS).read_bytes() for one in (folder, run)]
    assert weights[0] == weights[1]


def test_other_data_is_refused_on_resume(tmp_path):
    path = written(tmp_path / "sales.csv", rows())
    trained(configured(path, epochs=1), tmp_path / "run")
    written(path, rows()[1:])
    with pytest.raises(ConfigError, match="the data have changed since"):
        trained(configured(path), tmp_path / "run", resume=True)
    with pytest.raises(ModelError, match="is not the data that the model was trained on"):
        fit.load(tmp_path / "run").evaluate()


def test_a_forecast_is_a_table_and_a_picture(run, tmp_path, capsys):
    out = tmp_path / "next.csv"
    assert command("forecast", run, "--out", out) == 0
    assert "2 series, 3 steps each" in capsys.readouterr().out
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    found = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert list(found[0]) == ["shop", "day", "units", "units_0.1", "units_0.9"]
    assert [row["shop"] for row in found] == ["A"] * 3 + ["B"] * 3
    assert [row["day"] for row in found[:3]] == ["2024-03-11", "2024-03-12", "2024-03-13"]
    for row in found:
        assert float(row["units_0.1"]) <= float(row["units"]) <= float(row["units_0.9"])
    assert command("forecast", run, "--out", out) == 2
    assert "exists already: use --overwrite, or another --out" in capsys.readouterr().err
    # The picture would take the place of the table.
    assert command("forecast", run, "--out", tmp_path / "new.png") == 2
    assert "must end in .csv" in capsys.readouterr().err
    assert command("forecast", run, "--out", out, "--overwrite", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["forecast"]["units"] == pytest.approx([float(row["units"]) for row in found], 1e-5)


def test_a_forecast_is_what_the_model_says_of_the_last_window(run, table):
    opened = fit.load(run)
    found = opened.forecast()
    ready = look(configured(table)).task.prepared
    # What came is not known: the window's last row is the table's last with a target.
    panel = panel_for(opened.stored, opened.config)
    assert [len(one.times) for one in panel.series] == [DAYS + AHEAD] * 2
    at = np.array([spans["test"].stop for spans in ready.spans]) - 1
    for place, one in enumerate(panel.series):
        window = np.zeros((8 + 3, ready.features.shape[1]), np.float32)
        window[:8] = ready.features[at[place] - 7 : at[place] + 1]
        window[:8, 0] -= window[7, 0]
        prices = one.values[DAYS : DAYS + 3, 1]
        window[8:, 2] = (prices - ready.scaler.mean[place, 1]) / ready.scaler.scale[place, 1]
        window[8:, 3] = 1
        window[8:, 4] = one.static[0]
        said = ready.restore(np.asarray(opened.model(window[None])), at[place : place + 1])
        np.testing.assert_allclose(
            found["units"][3 * place : 3 * place + 3], said[0, :, 1], rtol=1e-4
        )


def test_steps_beyond_the_horizon_read_the_models_own_median(run, tmp_path, capsys):
    opened = fit.load(run)
    whole = opened.forecast(6)
    table = rows()
    first = opened.forecast(3)
    for row in table:
        if row["units"] is None:
            place = "AB".index(row["shop"]) * 3
            if row["day"] in first["day"][:3]:
                row["units"] = first["units"][place + first["day"][:3].index(row["day"])]
    path = written(tmp_path / "on.csv", table)
    again = opened.forecast(3, path)
    np.testing.assert_allclose(whole["units"][3:6], again["units"][:3], rtol=1e-4)
    assert command("forecast", run, "--steps", 6, "--out", tmp_path / "x.csv") == 0
    assert "beyond them it reads its own medians" in capsys.readouterr().err
    with pytest.raises(DataError, match="price must be known for each of the 7 steps, but shop=A"):
        opened.forecast(7)


def test_a_new_series_and_a_short_one(run, tmp_path):
    opened = fit.load(run)
    table = [{**row, "shop": "C"} for row in rows() if row["shop"] == "A"]
    path = written(tmp_path / "new.csv", table)
    assert opened.forecast(3, path)["shop"] == ["C"] * 3
    assert ", with 1 new series scaled by all their rows" in opened.evaluate(file=path)["on"]
    few = written(tmp_path / "few.csv", table[-AHEAD - 4 :])
    assert len(opened.forecast(3, few)["units"]) == 3, "a mask says that there is no more"


def test_a_model_that_knows_no_mask_takes_whole_windows(tmp_path):
    frame = pl.DataFrame({"y": np.sin(np.arange(90.0)) + 0.01 * np.arange(90)})
    config = replace(recipe, target="y", **{**SMALL, "epochs": 1})
    trained(config, tmp_path / "run", frame)
    opened = fit.load(tmp_path / "run", frame)
    with pytest.raises(
        DataError, match=r"has 5 rows with a y, but the model reads 8: provide more"
    ):
        opened.forecast(3, frame[:5])
    with pytest.raises(DataError, match="trained on a data frame, which is not saved"):
        fit.load(tmp_path / "run").forecast(3)
    with pytest.raises(DataError, match="a data frame, which is not saved; pass the data with"):
        fit.load(tmp_path / "run").evaluate()


@pytest.mark.parametrize("library", [pd, pl, pa], ids=["pandas", "polars", "arrow"])
def test_a_frame_in_is_a_frame_out(library, tmp_path):
    table = rows(40, 4)
    columns = {name: [row[name] for row in table] for name in table[0]}
    frame = pa.table(columns) if library is pa else library.DataFrame(columns)
    made = fit.series(
        frame, time="day", target="units", by="shop", known="price", static="kind",
        out=tmp_path / "run", **{**SMALL, "epochs": 1, "valid": 6, "test": 6},
    )  # fmt: skip
    found = made.forecast(4)
    assert type(found) is type(frame)
    found = nw.from_native(found)
    assert found.columns == ["shop", "day", "units", "units_0.1", "units_0.9"]
    assert found.shape == (8, 5)
    assert set(made.evaluate()["tables"]) == {"all of 3 steps"}
    assert len(made.plot(4).axes) == 2
    assert type(made.model).__name__ == "Forecaster"


# --- what it is worth ----------------------------------------------------------------------------


def test_evaluate_says_what_the_forecasts_are(run, table, capsys):
    opened = fit.load(run)
    found = panels.forecast(opened.stored, opened.config, Scope("test"))
    figures = opened.evaluate()
    [scores] = figures["tables"].values()
    assert list(scores) == ["lstm", "linear", "seasonal naive", "persistence"]
    units = {shop: [row["units"] for row in rows() if row["shop"] == shop] for shop in "AB"}
    for name, row in scores.items():
        mae, mase = [], []
        for place, shop in enumerate("AB"):
            own = found.ready.owner[found.at] == place
            starts = found.ready.spans[place]["train"].start
            truth = np.array(units[shop][:DAYS])
            train = truth[: len(found.ready.spans[place]["train"])].astype(float)
            wrong = [
                np.abs(found.named[name][i] - truth[found.at[i] - starts + 1 :][:3].astype(float))
                for i in np.flatnonzero(own)
            ]
            mae.append(np.mean(wrong))
            mase.append(np.mean(wrong) / np.nanmean(np.abs(train[7:] - train[:-7])))
        assert row["mae"] == pytest.approx(np.mean(mae), rel=1e-6)
        assert row["mase"] == pytest.approx(np.mean(mase), rel=1e-6)
    assert {figures["best"]["series"], figures["worst"]["series"]} == {"shop=A", "shop=B"}
    assert command("evaluate", run) == 0
    said = capsys.readouterr().out
    assert "the LSTM " in said
    for name in scores:
        assert f"\n  {name} " in said


def test_a_model_that_loses_is_called_that():
    table = {"lstm": {"mase": 1.03}, "linear": {"mase": 1.0}, "persistence": {"mase": 2.06}}
    table["seasonal naive"] = {"mase": 1.0301}
    assert words(table, "mase") == [
        "loses to linear by 3.0%", "beats persistence by 50.0%", "as good as seasonal naive"
    ]  # fmt: skip


def test_backtests_roll_the_origin(run, capsys):
    owner = np.repeat([0, 1, 2], [20, 9, 3])
    at = np.concatenate([np.arange(5, 15), np.arange(22, 29), np.arange(30, 32)])
    assert origins(at, owner, 3, 3).tolist() == [8, 11, 14, 22, 25, 28]
    assert origins(at[:10], owner, 3, 6).tolist() == [9, 10, 11, 12, 13, 14]
    with pytest.raises(DataError, match=r"--backtest must be at most 10, .* got 11; take fewer"):
        origins(at, owner, 3, 11)
    figures = fit.load(run).evaluate(backtest=2)
    assert [row["after"] for row in figures["origins"]][-1] == "mean"
    assert figures["forecasts"] == 4
    mean = np.mean([row["mae"] for row in figures["origins"][:2]])
    assert figures["origins"][-1]["mae"] == pytest.approx(mean)
    assert command("evaluate", run, "--backtest", 2) == 0
    assert "origins, without refitting" in capsys.readouterr().out


def test_evaluate_on_a_file_and_a_picture(run, tmp_path, capsys):
    path = written(tmp_path / "later.csv", rows(50, 0))
    assert command("evaluate", run, "--file", path, "--plot") == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{path}, units: 2 series, ")
    assert "linear" not in said
    assert (run / "forecast.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("likelihood", ["normal", "negative-binomial"])
def test_a_distribution_from_end_to_end(likelihood, table, tmp_path):
    counts = likelihood == "negative-binomial"
    changed = {"read": "level", "predict": "level"} if counts else {}
    path = table
    if counts:
        whole = [
            {**row, "units": None if row["units"] is None else round(row["units"])}
            for row in rows()
        ]
        path = written(tmp_path / "counts.csv", whole)
    config = configured(path, likelihood=likelihood, epochs=1, **changed)
    trained(config, tmp_path / "run")
    opened = fit.load(tmp_path / "run")
    found = opened.forecast(3)
    for low, point, high in zip(
        found["units_0.1"], found["units"], found["units_0.9"], strict=True
    ):
        assert low < point < high
        assert not counts or (low, point, high) == (round(low), round(point), round(high))
    assert 0 <= opened.evaluate()["interval"]["coverage"] <= 1


def test_a_test_part_may_be_left_out(table, tmp_path):
    found, said = trained(configured(table, test=0.0, epochs=1), tmp_path / "run")
    assert "there is no test part" in said
    assert not len(found.task.prepared.moments("test"))
    opened = fit.load(tmp_path / "run")
    with pytest.raises(DataError, match="use --split valid, or --file"):
        opened.evaluate()
    assert opened.evaluate("valid")["forecasts"] > 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"data": "sine", "known": ("z",)}, "--known must be left alone unless --data is own"),
        ({"likelihood": "normal", "quantiles": ()}, "--likelihood must be none without"),
        ({"likelihood": "negative-binomial"}, "--predict must be one of level"),
        ({"predict": "level"}, "--read must be level or change if levels are predicted"),
        ({"test": 0.9}, "--test must be below 1 - 0.15"),
        ({"test": 2.5}, "--test must be a share below 1, or a number of rows"),
        ({"clock": ("month",), "time": ""}, "--clock must be empty without --time"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(changed, said):
    base = SeriesConfig() if "data" in changed else replace(recipe, target="y", predict="change")
    with pytest.raises(ConfigError) as caught:
        check(replace(base, **changed))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_of_a_recipe_forecasts_no_table(tmp_path, capsys):
    sizes = {"window": 6, "season": 6, "model": MODEL, "batch": 512}
    trained(replace(SeriesConfig(), epochs=1, **sizes), tmp_path / "run")
    assert command("forecast", tmp_path / "run") == 2
    assert "must be trained on a table of your own, got a model of sine" in capsys.readouterr().err
    assert command("evaluate", tmp_path / "run", "--file", "x.csv") == 2
    assert (
        "--file does not apply to sine, which was not trained on files" in capsys.readouterr().err
    )
    assert command("evaluate", tmp_path / "run", "--backtest", 2) == 2
    assert "--backtest applies only to tables of your own" in capsys.readouterr().err


def test_no_picture_without_matplotlib(run, tmp_path, monkeypatch, capsys):
    from lstm_jax.train.tasks.series import forecast

    def missing(config, coming):
        raise ImportError("matplotlib is not installed")

    monkeypatch.setattr(forecast, "picture_of", missing)
    assert command("forecast", run, "--out", tmp_path / "next.csv") == 0
    err = capsys.readouterr().err
    assert "no picture: matplotlib is not installed" in err
    assert (tmp_path / "next.csv").exists()
    assert not (tmp_path / "next.png").exists()


def test_come_gives_history_and_future(run):
    opened = fit.load(run)
    coming = come(opened.stored, opened.config, panel_for(opened.stored, opened.config), 4)
    assert coming.values.shape == (2, 4, 3)
    for one, times in zip(coming.panel.series, coming.times, strict=True):
        assert len(one.times) == DAYS
        assert (np.diff([*one.times[-1:], *times]) == np.timedelta64(1, "D")).all()


CELLS = ("", "inf", "1e308", "-1e308", "1e-320", "nan", "x", "0", "-3", "1e12", "2024-01-01", "\0")


@pytest.mark.parametrize("seed", range(40))
def test_a_broken_table_is_refused_in_one_line_or_can_be_learned_from(seed, tmp_path):
    """Cells and rows are spoilt; what is left makes a task and a model of finite numbers."""
    rng = np.random.default_rng(seed)
    table = rows(int(rng.integers(3, 60)), 0)
    for _ in range(rng.integers(0, 4)):
        row = table[rng.integers(len(table))]
        row[rng.choice(["day", "shop", "kind", "price", "units"])] = rng.choice(CELLS)
    if seed % 4 == 0:
        name = rng.choice(["price", "units", "kind"])
        table = [{**row, name: rng.choice(CELLS[7:10]) if seed % 8 else "5"} for row in table]
    if seed % 5 == 0:
        table = [row for row in table if rng.random() > 0.2]
    likelihood = str(rng.choice(["none", "normal", "negative-binomial"]))
    level = {"read": "level", "predict": "level"} if likelihood == "negative-binomial" else {}
    config = replace(recipe, file=str(written(tmp_path / "t.csv", table)), **COLUMNS, **level)
    refused = ""
    try:
        task = look(replace(config, likelihood=likelihood)).task
    except UserError as error:
        refused = str(error)
    assert "\n" not in refused
    if refused:
        return
    batch = task.epoch(0)[0]
    assert np.isfinite(batch.inputs).all()
    assert np.isfinite(batch.targets).all()
    model = task.model(nnx.Rngs(0))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def test_a_column_that_is_constant_in_training_is_left_out_and_said():
    table = [{**row, "holiday": int(row["day"] > "2024-03-05")} for row in rows()]
    config = replace(recipe, **SMALL, **COLUMNS | {"known": ("price", "holiday")})
    found = look(config, pd.DataFrame(table))
    assert found.config.known == ("price",)
    assert "left out holiday, constant in the training part" in found.saw
    plain = look(replace(config, known=("price",)), pd.DataFrame(rows()))
    np.testing.assert_array_equal(found.task.epoch(0)[0].inputs, plain.task.epoch(0)[0].inputs)
