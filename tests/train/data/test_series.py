"""Series are read as they are or refused; no scaler, window or target crosses a split."""

import gzip
import hashlib
import math

import numpy as np
import pytest

from lstm_jax.train import sets
from lstm_jax.train.data import series
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels import windows
from lstm_jax.train.data.panels.prepare import prepare as prepare_panel
from lstm_jax.train.data.panels.scaling import Fitted
from lstm_jax.train.data.scaler import Scaler
from lstm_jax.train.data.series import Series
from lstm_jax.train.forecasts import baselines
from lstm_jax.train.forecasts import errors as forecasts
from lstm_jax.train.tasks.series.load import of_one

RNG = np.random.default_rng(0)
ROWS = 100
SPLIT = {"valid": 0.2, "test": 0.25}
SIZES = {"window": 6, "horizon": 3, **SPLIT}
WAYS = [
    {"predict": "level"},
    {"predict": "change", "calendar": (7.0, 30.0)},
    {"predict": "change", "read": "change", "centered": False},
    {"predict": "return", "read": "change"},
]


def prepare(found, **options):
    """One series made ready."""
    return prepare_panel(of_one(found), **options)


def walk(rows=ROWS, columns=("a", "b"), seed=1):
    """A random walk above 0."""
    steps = np.random.default_rng(seed).normal(size=(rows, len(columns)))
    return Series("walk", "°C", np.arange(rows), columns, 50 + steps.cumsum(0))


# --- the series ----------------------------------------------------------------------------------


def put(tmp_path, monkeypatch, name, text):
    """A package of its own that holds a file in the format of a real one, pinned as it is."""
    _, file, _ = series.FILES[name]
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if file.endswith(".gz") else text.encode())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(series.FILES, name, ("package", file, digest))
    monkeypatch.setattr(series, "package_folder", lambda package: tmp_path)
    return path


WEATHER = """date,precipitation,temp_max,temp_min,wind,weather
2012/01/01,0.0,12.8,5.0,4.7,drizzle
2012/01/02,10.9,10.6,2.8,4.5,rain
"""
STOCKS = """Ticker,Date,Close,Adj Close
AAPL,2004-08-18,30.0,10.0
AAPL,2004-08-19,30.0,11.0
AAPL,2004-08-20,30.0,12.0
FB,2004-08-19,1.0,1.0
GOOG,2004-08-19,100.0,100.0
GOOG,2004-08-20,108.0,108.0
IBM,2004-08-18,84.0,70.0
IBM,2004-08-20,85.0,71.0
MSFT,2004-08-18,27.0,20.0
MSFT,2004-08-19,27.0,20.0
MSFT,2004-08-20,27.0,21.0
"""
SENSOR = """time (UTC),temperature (celsius)
2016-02-15T00:00:00Z,4.1
2016-02-15T00:30:00Z,4.2
2016-02-15T02:00:00Z,4.5
"""


def test_weather_is_read_by_its_columns(tmp_path, monkeypatch):
    put(tmp_path, monkeypatch, "weather", WEATHER)
    found = series.load("weather", ("temp_max", "wind"))
    assert (found.columns, found.unit) == (("temp_max", "wind"), "°C")
    np.testing.assert_array_equal(found.values, [[12.8, 4.7], [10.6, 4.5]])
    assert found.times.tolist() == np.array(["2012-01-01", "2012-01-02"], "datetime64[D]").tolist()
    assert series.load("weather").columns == ("precipitation", "temp_max", "temp_min", "wind")


def test_stocks_are_of_the_days_that_all_asked_for_have(tmp_path, monkeypatch):
    put(tmp_path, monkeypatch, "stocks", STOCKS)
    found = series.load("stocks", ("MSFT", "AAPL"))
    np.testing.assert_array_equal(found.values, [[20, 10], [20, 11], [21, 12]])
    np.testing.assert_array_equal(series.load("stocks", ("GOOG",)).values, [[100], [108]])
    assert [str(day) for day in series.load("stocks").times] == ["2004-08-20"]


def test_a_missing_reading_is_the_one_before_it(tmp_path, monkeypatch):
    put(tmp_path, monkeypatch, "sensor", SENSOR)
    found = series.load("sensor", ("temperature",))
    np.testing.assert_array_equal(found.values[:, 0], [4.1, 4.2, 4.2, 4.2, 4.5])
    assert set(np.diff(found.times)) == {np.timedelta64(30, "m")}


def test_the_wave_is_a_sine_and_its_noise_a_function_of_the_seed():
    clean, noisy = series.load("sine"), series.load("sine", ("wave",), noise=0.1, seed=3)
    np.testing.assert_array_equal(clean.values[:, 0], np.sin(np.arange(2000) / 10))
    np.testing.assert_array_equal(noisy.clean, clean.values[:, 0])
    assert (noisy.values[:, 0] - noisy.clean).std() == pytest.approx(0.1, rel=0.05)
    assert noisy.sha256 == series.sine(0.1, 3).sha256 != series.sine(0.1, 4).sha256


def refusal(*arguments):
    with pytest.raises(DataError) as caught:
        series.load(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_column_is_named(tmp_path, monkeypatch):
    put(tmp_path, monkeypatch, "weather", WEATHER)
    said = refusal("weather", ("temp_max", "tmax"))
    assert said.startswith("weather has no column 'tmax'; its columns are precipitation, temp_max")


def test_a_value_that_is_no_number_is_named(tmp_path, monkeypatch):
    put(tmp_path, monkeypatch, "weather", WEATHER.replace("10.6", "nan"))
    assert "weather: temp_max is nan at 2012-01-02 (1 such values)" in refusal("weather")
    assert series.load("weather", ("wind",)).columns == ("wind",), "what is not read may be"


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(series.importlib.util, "find_spec", lambda name: None)
    said = refusal("sensor")
    assert said == (
        'the package bokeh_sampledata is not installed: pip install "lstm_jax[datasets]"'
    )


def test_another_file_than_the_pinned_one_is_refused(tmp_path, monkeypatch):
    path = put(tmp_path, monkeypatch, "weather", WEATHER)
    path.write_text(WEATHER.replace("12.8", "12.9"))
    assert "is not the pinned file" in refusal("weather")
    path.unlink()
    assert 'cannot be read' in refusal("weather")  # fmt: skip


def test_data_describes_a_series(tmp_path, monkeypatch):
    put(tmp_path, monkeypatch, "weather", WEATHER)
    figures, said = sets.describe("weather")
    assert figures["columns"]["wind"] == {"least": 4.5, "mean": pytest.approx(4.6), "most": 4.7}
    assert said.startswith("weather: 2 rows from 2012-01-01 to 2012-01-02\n")


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "rows", "first", "last"),
    [
        ("stocks", 2148, "2004-08-19", "2013-03-01"),
        ("weather", 1461, "2012-01-01", "2015-12-31"),
        ("sensor", 19249, "2016-02-15T00:00", "2017-03-22T00:00"),
    ],
)
def test_the_real_series(name, rows, first, last):
    found = series.load(name)
    assert (len(found.times), str(found.times[0]), str(found.times[-1])) == (rows, first, last)


@pytest.mark.corpus
def test_the_figures_of_persistence_that_others_measured_too():
    for name, column, share, at, mae in (
        ("weather", "temp_max", 0.25, 0, 2.24),
        ("sensor", "temperature", 0.2, 47, 0.247),
    ):
        ready = prepare(
            series.load(name, (column,)), predict="level", window=2, horizon=at + 1,
            valid=0.1, test=share,
        )  # fmt: skip
        rows = ready.moments("test")
        naive = baselines.persistence(ready.target, rows, at + 1)[:, at]
        assert np.abs(ready.target[rows + at + 1] - naive).mean() == pytest.approx(mae, abs=0.006)


# --- splits, scalers, windows --------------------------------------------------------------------


def test_splits_follow_one_another():
    splits = windows.split(101, 0.15, 0.2)
    assert list(splits) == ["train", "valid", "test"]
    assert [row for rows in splits.values() for row in rows] == list(range(101))
    assert [len(rows) for rows in splits.values()] == [66, 15, 20]


@pytest.mark.parametrize("way", WAYS)
def test_a_windows_targets_are_in_its_split_and_come_after_what_it_reads(way):
    ready = prepare(walk(), **SIZES, **way)
    seen = []
    for name, rows in ready.spans[0].items():
        inputs, targets, at, weights = ready.windows(name)
        assert weights is None
        assert inputs.shape == (len(at), 6, ready.features.shape[1])
        assert inputs.base is not None, "a view"
        for row in (0, len(at) - 1):
            np.testing.assert_array_equal(inputs[row], ready.features[at[row] - 5 : at[row] + 1])
            coming = np.arange(at[row] + 1, at[row] + 4)
            assert set(coming) <= set(rows)
            restored = ready.restore(targets[row : row + 1], at[row : row + 1])
            np.testing.assert_allclose(restored[0], ready.target[coming], rtol=1e-5)
        seen += [row + 1 for row in at]
    assert len(set(seen)) == len(seen) == len(ready.target) - 6 - 3 * 2


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_a_later_split_is_in_an_earlier_one(way):
    """Bit for bit: the scalers, what is read and aimed at, and the linear forecast."""
    whole = walk()
    for later in ("valid", "test"):
        start = windows.split(ROWS - (way.get("read") == "change"), **SPLIT)[later].start
        spoilt = whole.values.copy()
        spoilt[start + (way.get("read") == "change") :] *= RNG.uniform(
            2, 3, (ROWS - start - (way.get("read") == "change"), 2)
        )
        one, other = (
            prepare(whole._replace(values=v), **SIZES, **way) for v in (whole.values, spoilt)
        )
        assert one.scaler.to_dict() == other.scaler.to_dict()
        assert one.target_scaler.to_dict() == other.target_scaler.to_dict()
        for split in ("train", "valid") if later == "test" else ("train",):
            for a, b in zip(one.windows(split)[:3], other.windows(split)[:3], strict=True):
                assert a.tobytes() == b.tobytes()
        assert one.windows("test").inputs.tobytes() != other.windows("test").inputs.tobytes()
        if later == "test":
            a, b = (baselines.fit_linear(ready) for ready in (one, other))
            assert a.kernel.tobytes() == b.kernel.tobytes()
            assert a.penalty == b.penalty


def test_scalers_are_of_the_training_rows():
    ready = prepare(walk(), predict="change", **SIZES)
    rows = ready.spans[0]["train"]
    np.testing.assert_allclose(ready.features[rows].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(ready.features[rows].std(0), 1, atol=1e-5)
    targets = ready.windows("train").targets
    assert targets.mean() == pytest.approx(0, abs=1e-5)
    assert targets.std() == pytest.approx(1, abs=1e-5)
    signs = prepare(walk(), predict="change", read="change", centered=False, **SIZES)
    assert not signs.scaler.mean.any()
    assert Scaler.from_dict(ready.scaler.to_dict())(walk().values).tobytes() == (
        ready.features.tobytes()
    )


def test_fitted_scalers_are_not_fitted_again():
    one, other = walk(seed=1), walk(seed=2)
    fitted = prepare(one, predict="level", **SIZES)
    again = prepare(
        other, predict="level", fitted=Fitted(fitted.scaler, fitted.target_scaler), **SIZES
    )
    assert again.scaler is fitted.scaler
    np.testing.assert_array_equal(again.features, fitted.scaler(other.values))


def test_the_calendar_is_a_phase():
    features = prepare(walk(), predict="level", calendar=(4.0,), **SIZES).features[:, 2:]
    np.testing.assert_allclose(features[:5, 0], [0, 1, 0, -1, 0], atol=1e-6)
    np.testing.assert_allclose(features[:5, 1], [1, 0, -1, 0, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("changed", "way", "said"),
    [
        ({"window": 70}, {}, "walk has 100 rows, 55 of them in train, but a window of 70"),
        ({"horizon": 21}, {}, "20 of them in valid, but a window of 6 and a horizon of 21 need"),
        ({}, {"values": np.ones((ROWS, 2))}, "a is constant in the training part (1)"),
        ({}, {"values": np.c_[np.arange(ROWS), np.zeros(ROWS)]}, "b is constant"),
        ({"predict": "return"}, {"values": -walk().values}, "values that are not positive"),
    ],
)
def test_a_series_that_does_not_do_is_one_line(changed, way, said):
    with pytest.raises(DataError) as caught:
        prepare(walk()._replace(**way), **{"predict": "level", **SIZES, **changed})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_line_is_constant_in_its_changes():
    line = Series("line", "", np.arange(ROWS), ("a",), np.arange(1.0, ROWS + 1)[:, None])
    with pytest.raises(DataError, match="a is constant"):
        prepare(line, predict="change", read="change", **SIZES)


# --- forecasts that cost nothing, and what a forecast is worth -----------------------------------


def test_persistence_and_season():
    target, at = np.arange(20.0), np.array([9, 12])
    np.testing.assert_array_equal(baselines.persistence(target, at, 2), [[9, 9], [12, 12]])
    np.testing.assert_array_equal(
        baselines.seasonal(target, at, 5, 4), [[6, 7, 8, 9, 6], [9, 10, 11, 12, 9]]
    )
    with pytest.raises(ValueError, match="row 9 must have a season of 11 rows before it"):
        baselines.seasonal(target, at, 1, 11)


def test_the_linear_baseline_finds_a_linear_rule():
    values = np.zeros(400)
    values[:2] = 1.0, 2.0
    noise = np.random.default_rng(0).normal(size=400)
    for t in range(2, 400):
        values[t] = 3 + 1.2 * values[t - 1] - 0.5 * values[t - 2] + 0.1 * noise[t]
    found = Series("rule", "", np.arange(400), ("a",), values[:, None])
    ready = prepare(found, predict="level", window=4, horizon=1, **SPLIT)
    linear = baselines.fit_linear(ready)
    kernel = linear.kernel[:, 0] * ready.target_scaler.scale[0] / ready.scaler.scale[0, 0]
    np.testing.assert_allclose(kernel, [0, 0, -0.5, 1.2], atol=0.12)
    inputs, _, at, _ = ready.windows("test")
    wrong = ready.restore(linear(inputs), at)[:, 0] - ready.target[at + 1]
    assert np.sqrt(np.mean(wrong**2)) == pytest.approx(0.1, rel=0.2)


def test_the_linear_baseline_is_least_squares():
    ready = prepare(walk(), predict="change", **SIZES)
    inputs, targets, *_ = ready.windows("train")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "PENALTIES", (0.0,))
        linear = baselines.fit_linear(ready)
    x = np.c_[inputs.reshape(len(inputs), -1).astype(float), np.ones(len(inputs))]
    expected, *_ = np.linalg.lstsq(x, targets.astype(float), rcond=None)
    np.testing.assert_allclose(linear.kernel, expected[:-1], atol=1e-6)
    np.testing.assert_allclose(linear.bias, expected[-1], atol=1e-6)


def test_errors():
    found = forecasts.errors(np.array([1.0, 2.0]), np.array([2.0, 0.0]))
    assert found == {"mae": 1.5, "rmse": math.sqrt(2.5), "mape": 100.0}
    assert "mape" not in forecasts.errors(np.array([0.0, 2.0]), np.zeros(2))
    assert forecasts.skill(1.5, 2.0) == 0.25
    truth = np.array([0.0, 1.0, 2.0, 3.0])
    assert forecasts.coverage(truth, truth - 1, np.array([0.0, 0.5, 2.0, 2.0])) == 0.5


def test_pinball_is_least_at_the_quantile():
    assert forecasts.pinball(1.0, np.array([0.0, 3.0]), (0.1, 0.9)).tolist() == (
        pytest.approx([0.1, 0.2])
    )
    truth, quantiles = RNG.normal(size=4000), (0.05, 0.5, 0.95)
    guesses = np.linspace(-2.5, 2.5, 101)
    losses = forecasts.pinball(truth[:, None], np.stack([guesses] * 3, -1), quantiles).mean(0)
    best = guesses[np.argmin(losses, axis=0)]
    np.testing.assert_allclose(best, np.quantile(truth, quantiles), atol=0.06)
