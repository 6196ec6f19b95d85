"""Windows over many series: nothing crosses a series or a split, and what is missing is masked."""

from dataclasses import replace

import numpy as np
import pytest

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.panel import One, Panel
from lstm_jax.train.data.panels.phases import clock_of
from lstm_jax.train.data.panels.prepare import last_known, prepare
from lstm_jax.train.data.panels.scaling import Fitted
from lstm_jax.train.data.panels.windows import split
from lstm_jax.train.data.scaler import Scaler

RNG = np.random.default_rng(0)
LENGTHS = (60, 45, 30)
SIZES = {"window": 6, "horizon": 3, "valid": 0.2, "test": 0.2, "least": 3, "predict": "change"}
WAYS = [
    {},
    {"read": "relative"},
    {"read": "change", "centered": False},
    {"predict": "return", "read": "relative"},
    {"predict": "level"},
]


def many(lengths=LENGTHS, *, seed=1, known=True, static=True):
    """Random walks above 0 of different heights, with a past-only and a known column."""
    rng = np.random.default_rng(seed)
    series = []
    for number, length in enumerate(lengths):
        steps = rng.normal(size=(length, 3 if known else 2))
        times = np.datetime64("2024-01-01", "s") + np.arange(length) * np.timedelta64(1, "D")
        values = 50 * (number + 1) + steps.cumsum(0)
        series.append(One((str(number),), times, values, (number % 2,) if static else ()))
    return Panel(
        name="walks", unit="", target="y", past=("x",), known=("z",) if known else (),
        by=("who",), static=("kind",) if static else (), levels=(("a",),) if static else (),
        series=tuple(series), step=None, sha256="",
    )  # fmt: skip


def with_missing(panel, place, rows, columns=0):
    one = panel.series[place]
    values = one.values.copy()
    values[rows, columns] = np.nan
    series = [*panel.series]
    series[place] = one._replace(values=values)
    return replace(panel, series=tuple(series))


# --- splits --------------------------------------------------------------------------------------


def test_a_split_has_a_gap_and_shares_or_numbers_of_rows():
    spans = split(100, 0.2, 10, gap=3)
    assert spans == {"train": range(64), "valid": range(67, 87), "test": range(90, 100)}
    assert split(100, 0.2, 0.0, gap=3)["valid"] == range(80, 100)
    assert split(100, 0.2, 0.0, gap=3)["train"] == range(77)
    short = split(20, 0.1, 0.1, least=5)
    assert [len(short[name]) for name in short] == [10, 5, 5]
    assert [len(part) for part in split(4, 0.1, 0.1, least=3).values()] == [0, 1, 3]


# --- what is read and foretold -------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_window_is_of_one_series_and_its_targets_of_one_split(way):
    """Beside a loop over each series alone."""
    panel, options = many(), {**SIZES, **way}
    ready = prepare(panel, **options)
    shorter = int(options.get("read") == "change")
    starts = np.cumsum([0, *(n - shorter for n in LENGTHS)])
    for name in ("train", "valid", "test"):
        expected = []
        for number, length in enumerate(LENGTHS):
            part = split(length - shorter, 0.2, 0.2, least=3)[name]
            first = max(part.start, 6) - 1
            expected += [starts[number] + row for row in range(first, part.stop - 3)]
        found = ready.windows(name)
        assert found.at.tolist() == expected
        assert found.weights is None
        for row in (0, len(found.at) // 2, len(found.at) - 1):
            place = ready.owner[found.at[row]]
            at = found.at[row] - starts[place]
            values = panel.series[place].values[shorter:]
            y = values[:, 0]
            restored = ready.restore(found.targets[row : row + 1], found.at[row : row + 1])[0]
            np.testing.assert_allclose(restored, y[at + 1 : at + 4], rtol=1e-5)
            read = found.inputs[row]
            assert read.shape == (6 + 3, 5)  # y, x | z, the flag | the code
            if options.get("read") == "relative":
                level = np.log(y) if options["predict"] == "return" else y
                scale = ready.target_scaler.scale[place]
                np.testing.assert_allclose(
                    read[:6, 0], (level[at - 5 : at + 1] - level[at]) / scale, atol=2e-5
                )
            assert not read[6:, :2].any(), "nothing of the future but what is known"
            z = values[:, 2] if not shorter else np.diff(panel.series[place].values[:, 2])
            np.testing.assert_allclose(
                read[:, 2] * ready.scaler.scale[place, 2] + ready.scaler.mean[place, 2],
                z[at - 5 : at + 4], rtol=1e-5, atol=1e-5,
            )  # fmt: skip
            assert read[:, 3].tolist() == [0] * 6 + [1] * 3
            assert (read[:, 4] == place % 2).all()


@pytest.mark.parametrize("way", WAYS)
def test_rows_after_a_splits_end_change_nothing_before(way):
    panel, options = many(known=False), {**SIZES, **way}
    spoilt = []
    for one in panel.series:
        stop = split(len(one.times), 0.2, 0.2, least=3)["train"].stop
        values = one.values.copy()
        values[stop:] = RNG.uniform(1, 1000, values[stop:].shape)
        values[-1] = np.nan
        spoilt.append(one._replace(values=values))
    a, b = (prepare(p, **options) for p in (panel, replace(panel, series=tuple(spoilt))))
    assert a.scaler.mean.tobytes() == b.scaler.mean.tobytes()
    assert a.scaler.scale.tobytes() == b.scaler.scale.tobytes()
    assert a.target_scaler.scale.tobytes() == b.target_scaler.scale.tobytes()
    assert a.masked == b.masked == ()
    shift = int(options.get("read") == "change")  # a difference more is in the first part
    for one, other in zip(a.windows("train")[:3], b.windows("train")[:3], strict=True):
        assert one[: -3 * shift or None].tobytes() == other[: -3 * shift or None].tobytes()


def test_scalers_are_of_each_series_training_rows():
    panel = many()
    ready = prepare(panel, **SIZES)
    for place, one in enumerate(panel.series):
        rows = one.values[: split(len(one.times), 0.2, 0.2, least=3)["train"].stop]
        np.testing.assert_allclose(ready.scaler.mean[place], rows.mean(0))
        np.testing.assert_allclose(ready.scaler.scale[place], rows.std(0))
        aims = [rows[t + 1 : t + 4, 0] - rows[t, 0] for t in range(5, len(rows) - 3)]
        assert ready.target_scaler.scale[place, 0] == pytest.approx(np.std(aims))


def test_a_constant_series_among_others_has_the_scale_in_the_middle():
    panel = many((60, 60, 60))
    values = panel.series[1].values.copy()
    values[:, 0] = 7.0
    flat = replace(
        panel, series=(panel.series[0], panel.series[1]._replace(values=values), panel.series[2])
    )
    ready = prepare(flat, **SIZES)
    others = ready.target_scaler.scale[[0, 2], 0]
    assert ready.target_scaler.scale[1, 0] == pytest.approx(np.median(others))
    at = ready.moments("test")[ready.owner[ready.moments("test")] == 1]
    np.testing.assert_allclose(ready.restore(ready.aims(at), at), 7)
    with pytest.raises(DataError, match="y is constant in the training part"):
        prepare(replace(flat, series=flat.series[1:2]), **SIZES)


def test_a_column_that_differs_between_series_alone_is_scaled_over_all():
    panel = many()
    series = tuple(
        one._replace(values=np.c_[one.values[:, :2], np.full(len(one.times), 10.0 * place)])
        for place, one in enumerate(panel.series)
    )
    ready = prepare(replace(panel, series=series), **SIZES)
    assert (ready.scaler.scale[:, 2] > 1).all()
    assert ready.scaler.mean[:, 2].tolist() == [0, 10, 20]


# --- what is missing -----------------------------------------------------------------------------


def test_the_last_known_value_stands_for_a_missing_one():
    values = np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, np.nan], [4.0, 3.0]])
    np.testing.assert_array_equal(last_known(values), [[np.nan, 1], [2, 1], [2, 1], [4, 3]])


def test_missing_targets_are_masked_and_what_is_read_says_so():
    panel = with_missing(many(known=False, static=False), 0, [10, 11])
    ready = prepare(panel, **SIZES, read="relative")
    assert ready.masked == (0,)
    windows = ready.windows("train")
    [row] = np.flatnonzero(windows.at == 9)
    assert windows.weights[row].tolist() == [0, 0, 1]
    assert windows.targets[row, :2].tolist() == [0, 0]
    [row] = np.flatnonzero(windows.at == 11)
    # y, x and the mask: row 9 stands in the rows 10 and 11, and is what changes are to.
    assert windows.inputs[row, :, 2].tolist() == [0, 0, 0, 0, 1, 1]
    assert windows.inputs[row, 3:, 0].tolist() == [0, 0, 0]
    restored = ready.restore(windows.targets[row][None], windows.at[row : row + 1])[0]
    np.testing.assert_allclose(restored, panel.series[0].values[12:15, 0], rtol=1e-5)


def test_no_forecast_is_made_before_a_value_is_known_or_where_none_comes():
    panel = with_missing(many((40,), known=False, static=False), 0, [*range(8), *range(14, 17)])
    at = prepare(panel, **SIZES).windows("train").at.tolist()
    assert at[0] == 8
    assert 13 not in at
    assert {12, 14} < set(at)


def test_short_series_are_padded_on_the_left():
    panel = many((60, 20), known=False, static=False)
    ready = prepare(panel, **{**SIZES, "window": 10}, pad=5)
    assert ready.masked == (0,)
    begin = 60 + 5 + 5  # the second series' first row: both are padded
    windows = ready.windows("train")
    [row] = np.flatnonzero(windows.at == begin + 4)
    assert windows.inputs[row, :, 2].tolist() == [1] * 5 + [0] * 5
    first = windows.inputs[row, 5]
    np.testing.assert_array_equal(windows.inputs[row, :5, :2], np.tile(first[:2], (5, 1)))
    assert windows.at[ready.owner[windows.at] == 1].min() == begin + 4
    whole = prepare(panel, **{**SIZES, "window": 10})
    assert set(whole.owner[whole.moments("train")]) == {0}


def test_a_column_that_becomes_known_later_is_not_known_before():
    panel = many((60,), static=False)
    [series] = panel.series
    values = series.values.copy()
    values[:20, 1] = np.nan  # the column that is known in the past only
    ready = prepare(replace(panel, series=(series._replace(values=values),)), **SIZES)
    assert ready.masked == (1,)
    later = values.copy()
    later[20:, 1] += 7
    other = prepare(replace(panel, series=(series._replace(values=later),)), **SIZES)
    early = ready.inputs(np.arange(6, 20))[..., 1]
    np.testing.assert_array_equal(early, np.zeros_like(early))  # the mean
    np.testing.assert_array_equal(other.inputs(np.arange(6, 20))[..., 1], early)


def test_a_change_across_a_gap_is_marked_as_unknown():
    panel = many((60,), known=False, static=False)
    [series] = panel.series
    values = series.values.copy()
    values[10, 1] = np.nan
    ready = prepare(
        replace(panel, series=(series._replace(values=values),)), **SIZES, read="change"
    )
    assert ready.masked == (1,)
    # Row 9 of the changes is the one to row 10, and row 10 the one from it.
    window = ready.inputs(np.array([12]))[0]
    assert window[:, 2].tolist() == [0, 0, 1, 1, 0, 0]


def test_new_series_are_scaled_by_their_own_rows():
    panel = many()
    ready = prepare(panel, **SIZES)
    scaler, target = ready.scaler, ready.target_scaler
    mean, scale = scaler.mean.copy(), scaler.scale.copy()
    mean[1], scale[1] = np.nan, np.nan
    tm, ts = target.mean.copy(), target.scale.copy()
    tm[1], ts[1] = np.nan, np.nan
    again = prepare(panel, **SIZES, fitted=Fitted(Scaler(mean, scale), Scaler(tm, ts)))
    np.testing.assert_allclose(again.scaler.scale, ready.scaler.scale)
    np.testing.assert_allclose(again.target_scaler.mean, target.mean)


def test_returns_take_values_above_0():
    panel = many()
    values = panel.series[1].values.copy()
    values[3, 0] = 0
    bad = replace(panel, series=(panel.series[0], panel.series[1]._replace(values=values)))
    with pytest.raises(DataError, match="walks, 1 has values that are not positive, so it has no"):
        prepare(bad, **{**SIZES, "predict": "return"})


def test_counts_are_scaled_by_one_and_their_mean():
    panel = many(known=False, static=False)
    ready = prepare(panel, **{**SIZES, "predict": "level"}, counts=True)
    rows = panel.series[0].values[:36, 0]
    assert ready.target_scaler.scale[0, 0] == pytest.approx(1 + rows.mean())
    assert not ready.target_scaler.mean.any()


def test_the_clock_is_a_phase_of_the_year_the_week_and_the_day():
    times = np.array(["1970-01-05", "1970-01-05T06", "1970-07-01"], "datetime64[s]")
    found = clock_of(times, ("month", "weekday", "hour"))
    np.testing.assert_allclose(found[0, [1, 2, 4, 5]], [0, 0, 1, 1], atol=1e-9)  # a Monday, at 0
    np.testing.assert_allclose(found[1, [2, 5]], [1, 0], atol=1e-9)  # a quarter of a day
    np.testing.assert_allclose(found[2, [0, 3]], [0, -1], atol=1e-9)  # half of a year
