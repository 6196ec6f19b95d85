"""Tiny versions of the recipes from end to end: the same data, training, verdict and picture."""

import io
import json
from dataclasses import replace

import jax
import numpy as np
import pytest
from flax import nnx
from made_up import series_rows
from rich.console import Console

from lstm_jax import cli
from lstm_jax.configs import sensor, sine, stocks, weather
from lstm_jax.models import storage
from lstm_jax.models.forecaster import Forecaster, ForecasterConfig
from lstm_jax.train import loop
from lstm_jax.train.config import ConfigError, check
from lstm_jax.train.data import series
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.scaler import Scaler
from lstm_jax.train.forecasts import verdict as series_verdict
from lstm_jax.train.tasks.series import outputs as series_outputs
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.series.outputs import loss_of, make_predict
from lstm_jax.train.tasks.series.roll import make_roll
from lstm_jax.train.tasks.series.task import make_series_task

pytestmark = pytest.mark.usefixtures("compile_fast")
TINY = {
    "epochs": 2, "batch": 16, "window": 8, "season": 7, "log_every": 2, "health_every": 0,
    "max_steps": None, "patience": None,
}  # fmt: skip
RECIPES = {
    "sine": replace(
        sine.config, **TINY, roll=9, noise=0.1, model=ForecasterConfig(hidden_features=3)
    ),
    "weather": replace(
        weather.config, **TINY, model=replace(weather.config.model, hidden_features=3)
    ),
    "sensor": replace(
        sensor.config,
        **TINY,
        horizon=4,
        roll=4,
        model=replace(sensor.config.model, hidden_features=3, linear=8),
    ),
    "stocks": replace(stocks.config, **TINY, model=replace(stocks.config.model, hidden_features=3)),
}


@pytest.fixture(scope="module", autouse=True)
def generated():
    """Generated series in place of the real ones, and a shorter wave."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series, "rows_of", series_rows)
        patch.setattr(series, "SINE_STEPS", 120)
        yield


def run(folder, config, *, resume=False):
    said = io.StringIO()
    config = loop.prepare(folder, config, resume=resume, overwrite=False)
    result = loop.train(config, folder, console=Console(file=said))
    return result, said.getvalue()


@pytest.fixture(scope="module", params=RECIPES)
def trained(request, tmp_path_factory):
    """A recipe's name and the folder of its run; nobody writes there but a picture."""
    folder = tmp_path_factory.mktemp(request.param) / "run"
    return request.param, folder, *run(folder, RECIPES[request.param])


# --- the recipes ---------------------------------------------------------------------------------


def test_a_recipe_from_end_to_end(trained, capsys):
    name, folder, result, said = trained
    config = RECIPES[name]
    assert result.finished
    assert f"{name}: " in said
    assert said.count("validation MAE ") == 2
    with pytest.raises(SystemExit) as caught:
        cli.main(["evaluate", str(folder), "--json", "--plot"])
    assert caught.value.code == 0
    figures = json.loads(capsys.readouterr().out)
    rows = next(iter(figures["tables"].values()))
    assert list(rows) == ["lstm", "linear", "persistence", "seasonal"]
    assert rows["persistence"]["skill"] == 0
    assert all(row["rmse"] >= row["mae"] > 0 for row in rows.values())
    assert (figures["on"], figures["target"]) == (f"{name} test", config.target)
    assert ("interval" in figures) == bool(config.quantiles)
    assert (folder / "forecast.png").read_bytes().startswith(b"\x89PNG")


def test_the_card_and_the_description_hold_what_a_forecast_needs(trained):
    name, folder, result, _ = trained
    stored, config = storage.load(folder, "Forecaster"), RECIPES[name]
    ready = make_series_task(config).prepared
    assert stored.description["columns"] == [config.target, *config.inputs]
    scaler = Scaler(ready.scaler.mean[0], ready.scaler.scale[0])
    assert stored.description["scaler"] == scaler.to_dict()
    sizes = {key: stored.description[key] for key in ("window", "horizon", "outputs")}
    assert sizes == {
        "window": 8, "horizon": config.horizon, "outputs": len(config.quantiles) or 1
    }  # fmt: skip
    # The model that was kept is the one that was judged best.
    task, params = make_series_task(config), nnx.state(stored.network, nnx.Param)
    found = task.validator(stored.network)(params, 0)
    assert found.loss == pytest.approx(result.best_valid_loss, rel=1e-5)
    assert found.figures["valid_mae"] == pytest.approx(stored.card["valid_mae"], rel=1e-5)


def test_the_tables_say_what_the_forecasts_are(trained):
    name, folder, *_ = trained
    config = RECIPES[name]
    found = series_verdict.forecast(storage.load(folder), config, "test")
    figures = series_verdict.measure(found)
    truth = found.ready.target[found.at + config.horizon]
    last = figures["tables"][f"{config.horizon} step{'s' * (config.horizon > 1)} ahead"]
    for which, row in last.items():
        wrong = np.abs(found.named[which][:, -1] - truth)
        assert row["mae"] == pytest.approx(wrong.mean())
        assert row["skill"] == pytest.approx(1 - wrong.mean() / last["persistence"]["mae"])
    against = [title for title in figures["tables"] if title.endswith("against the clean wave")]
    assert len(against) == (2 if name == "sine" else 0)
    titles = [title for title in figures["tables"] if title.startswith("all of ")]
    if name == "sensor":
        assert titles == ["all of 4 steps"]
        wrong = found.rolled - series_verdict.future(found.ready.target, found.at, 4)
        row = figures["tables"][titles[0]]["lstm, rolled"]
        assert row["rmse"] == pytest.approx(np.sqrt(np.mean(wrong**2)))
    else:
        assert [title.split(",")[0] for title in titles] == ["all of 9 steps rolled"] * len(against)
    if config.quantiles:
        low, high = found.quantiles[:, -1, 0], found.quantiles[:, -1, -1]
        held = ((low <= truth) & (truth <= high)).mean()
        assert figures["interval"]["coverage"] == pytest.approx(held)
        np.testing.assert_array_equal(found.named["lstm"], found.quantiles[..., 1])
    said = series_verdict.say(figures)
    assert ("MAPE" in said) == (name == "stocks")
    assert said.count("persistence") == len(figures["tables"])


def test_test_values_reach_neither_the_inputs_nor_the_verdict_of_training(monkeypatch):
    config = RECIPES["weather"]
    one = make_series_task(config)
    start = str(one.prepared.times[one.prepared.spans[0]["test"].start])
    spoilt = [
        {**row, **({"temp_max": 99.0, "wind": 7.0} if row["date"] >= start else {})}
        for row in series_rows("weather")
    ]
    monkeypatch.setattr(series, "rows_of", lambda name: spoilt)
    other = make_series_task(config)
    assert one.panel.sha256 != other.panel.sha256
    for number in range(2):
        batches = zip(one.epoch(number), other.epoch(number), strict=True)
        for a, b in batches:
            assert a.inputs.tobytes() == b.inputs.tobytes()
            assert a.targets.tobytes() == b.targets.tobytes()
    valid = (task.prepared.windows("valid")[:3] for task in (one, other))
    for a, b in zip(*valid, strict=True):
        assert a.tobytes() == b.tobytes()


def test_another_series_than_the_trained_one_is_refused(tmp_path, monkeypatch, capsys):
    folder, config = tmp_path / "run", replace(RECIPES["weather"], epochs=1)
    run(folder, config)
    monkeypatch.setattr(series, "rows_of", lambda name: series_rows(name)[:-1])
    with pytest.raises(SystemExit) as caught:
        cli.main(["evaluate", str(folder)])
    assert caught.value.code == 2
    assert "trained on other data than the weather installed here" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="different series"):
        run(folder, replace(config, epochs=2), resume=True)


# --- batches, losses, forecasts that read themselves ---------------------------------------------


def test_an_epoch_is_every_window_once_in_an_order_of_seed_and_number():
    task = make_series_task(RECIPES["weather"])
    windows = task.prepared.windows("train")
    seen = [row.tobytes() for batch in task.epoch(0) for row in batch.inputs]
    assert len(seen) == len(set(seen)) == len(windows.at) // 16 * 16
    assert set(seen) <= {row.tobytes() for row in windows.inputs}
    assert [row.tobytes() for batch in task.epoch(0) for row in batch.inputs] == seen
    assert task.epoch(1)[0].inputs.tobytes() != task.epoch(0)[0].inputs.tobytes()
    with pytest.raises(IndexError):
        task.epoch(0)[len(task.epoch(0))]
    few = make_series_task(replace(RECIPES["weather"], batch=1000)).epoch(0)
    assert [len(batch.targets) for batch in few] == [len(windows.at)]


def test_the_loss_is_squared_or_pinball():
    outputs, targets = np.array([[[1.0, 3.0]], [[0.0, 0.0]]]), np.array([[2.0], [-1.0]])
    np.testing.assert_allclose(loss_of(outputs, targets, ()), [1, 1])
    np.testing.assert_allclose(loss_of(outputs, targets, (0.1, 0.9)), [0.1, 0.5])


def test_a_prediction_does_not_hang_on_how_many_are_asked_for(monkeypatch):
    monkeypatch.setattr(series_outputs, "AT_ONCE", 4)
    model = Forecaster(2, 5, 3, 1, ForecasterConfig(3), rngs=nnx.Rngs(0))
    params = nnx.state(model, nnx.Param)
    inputs = np.random.default_rng(0).normal(size=(10, 5, 2)).astype(np.float32)
    predict = make_predict(model)
    np.testing.assert_allclose(predict(params, inputs), model(inputs), atol=1e-6)
    np.testing.assert_allclose(predict(params, inputs[:3]), model(inputs[:3]), atol=1e-6)


@pytest.mark.parametrize("name", ["sine", "sensor"])
def test_a_roll_reads_what_it_said(name):
    """Beside a loop that writes each forecast into the series and starts anew."""
    config = RECIPES[name]
    task = make_series_task(config)
    model, ready = task.model(nnx.Rngs(1)), task.prepared
    params = jax.tree.map(lambda p: p + 0.1, nnx.state(model, nnx.Param))
    nnx.update(model, params)
    at = ready.moments("test", 3)[:2]
    rolled = make_roll(model, ready, 3, 0)(params, at)
    assert rolled.shape == (2, 3)
    for row, found in zip(at, rolled, strict=True):
        target = ready.target.copy()
        for step in range(3):
            now = row + step
            columns = np.diff(target, prepend=target[0]) if config.read == "change" else target
            window = ready.scaler(columns[now - 7 : now + 1, None])[None]
            said = ready.target_scaler.inverse(model(window))[0, 0, 0]
            target[now + 1] = said + (target[now] if config.predict == "change" else 0)
            assert found[step] == pytest.approx(target[now + 1], abs=1e-4)


@pytest.mark.parametrize("likelihood", ["normal", "student-t"])
def test_a_distribution_is_evaluated_as_it_was_validated(likelihood, tmp_path):
    config = replace(RECIPES["weather"], likelihood=likelihood, quantiles=(0.1, 0.5, 0.9))
    run(tmp_path / "run", config)
    stored = storage.load(tmp_path / "run")
    figures = series_verdict.measure(series_verdict.forecast(stored, config, "valid"))
    [table] = figures["tables"].values()  # of one step, as in validation
    found = table["lstm"]
    assert found["mae"] == pytest.approx(stored.card["valid_mae"], rel=1e-4)
    assert found["rmse"] == pytest.approx(stored.card["valid_rmse"], rel=1e-4)


# --- what cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("weather --horizon 100000", "weather has 120 rows, 72 of them in train, but a window"),
        ("weather --target tmax", "weather has no column 'tmax'; its columns are precipitation"),
        (
            "weather --inputs wind temp_max",
            "--inputs must be different columns, without the target",
        ),
        ("weather --noise 0.1", "--noise must be at least 0 and finite, and 0 for data other"),
        ("weather --roll 5", "--roll must be 0 if there are other input columns"),
        ("sine --predict change --read relative", "--roll must be 0 if there are other input"),
        ("sine --likelihood normal --quantiles 0.1 0.5 0.9", "--roll must be 0 if there are other"),
        ("weather --quantiles 0.9 0.5 0.1", "--quantiles must be increasing in (0, 1), with 0.5"),
        ("weather --model.linear 15", "--model.linear must be from 0 to --window, 14, got 15"),
        ("sine --test 0.9", "--test must be below 1 - 0.15"),
        ("sine --model.odd", "--model.odd must be False unless changes are predicted"),
    ],
)
def test_a_mistake_is_one_line(flags, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["train", *flags.split(), "--out", str(tmp_path / "run")])
    assert caught.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_constant_series_is_refused(monkeypatch):
    still = [{**row, "temperature (celsius)": 4.0} for row in series_rows("sensor")]
    monkeypatch.setattr(series, "rows_of", lambda name: still)
    with pytest.raises(DataError, match="temperature is constant in the training part"):
        make_series_task(RECIPES["sensor"])


@pytest.mark.parametrize("config", [SeriesConfig(), *RECIPES.values()])
def test_the_recipes_can_be(config):
    check(config)
