"""A table becomes even series with NaN for what is missing, and what was found is said."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from made_up import own_series

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.answers import answer_columns
from lstm_jax.train.data.panels.load import load_panel, read_new
from lstm_jax.train.data.panels.panel import drop_short, seen
from lstm_jax.train.data.panels.times import Step
from lstm_jax.train.data.tables import frame_like, read_table

DAYS = [date(2024, 1, 1) + timedelta(days=i) for i in range(40)]
STORES = {"day": [str(day) for day in DAYS] * 2, "store": ["Bonn"] * 40 + ["Ulm"] * 40}
STORES["y"] = [i % 7 for i in range(40)] + [10 + i % 7 for i in range(40)]
STORES["price"] = [i / 2 for i in range(80)]
STORES["open"] = ["yes", "no"] * 40
STORES["kind"] = ["city"] * 40 + ["town"] * 40
ROLES = {"time": "day", "by": ("store",), "inputs": ("price",), "known": ("open",)}
ROLES["static"] = ("kind",)


def csv(tmp_path, columns, name="sales.csv"):
    """Writes columns as a CSV file."""
    path = tmp_path / name
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(map(str, row)) for row in [tuple(columns), *rows]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def load(tmp_path, columns, **roles):
    """Loads columns from a CSV file: the panel, what was said, and the choices by their fields."""
    panel, said, choices = load_panel(own_series(csv(tmp_path, columns), **roles))
    return panel, said, {choice.field: choice for choice in choices}


def refused(tmp_path, columns, **roles):
    """Why columns are refused, without the path of their file."""
    with pytest.raises(DataError) as caught:
        load_panel(own_series(csv(tmp_path, columns), **roles))
    return str(caught.value).replace(f"{tmp_path}/", "")


def series(times, values):
    return {"day": list(map(str, times)), "y": list(values)}


def shuffled(columns, order):
    return {name: [cells[i] for i in order] for name, cells in columns.items()}


# --- many series ---------------------------------------------------------------------------------


def test_a_table_of_many_series_becomes_a_panel(tmp_path):
    panel, said, choices = load(tmp_path, STORES, **ROLES)
    assert panel.columns == ("y", "price", "open")
    assert (panel.past, panel.known, panel.by, panel.static) == (
        ("price",), ("open",), ("store",), ("kind",),
    )  # fmt: skip
    assert [one.key for one in panel.series] == [("Bonn",), ("Ulm",)]
    assert [one.static for one in panel.series] == [(1,), (2,)]
    assert panel.levels == (("city", "town"),)
    for at, one in enumerate(panel.series):
        rows = slice(40 * at, 40 * at + 40)
        np.testing.assert_array_equal(one.times, np.array(DAYS, "datetime64[s]"))
        expected = [STORES["y"][rows], STORES["price"][rows], [1.0, 0.0] * 20]
        np.testing.assert_array_equal(one.values, np.transpose(expected))
    assert panel.step == Step(86_400, "second")
    assert panel.sha256 == read_table(tmp_path / "sales.csv").sha256
    assert said == [
        f"{tmp_path}/sales.csv: 80 rows, 2 series by store, of 40 to 40 steps, median 40",
        "day from 2024-01-01 to 2024-02-09, one row every day",
    ]
    assert [(c.field, c.value) for c in choices.values()] == [
        ("every", "1d"), ("season", 7), ("horizon", 7),
    ]  # fmt: skip
    assert choices["season"].why == "a week, with one row every day"


def test_names_may_be_separated_by_commas_unless_a_column_has_the_whole_name(tmp_path):
    panel, _, _ = load(tmp_path, STORES, time="day", by=("store,kind",), known=("price, open",))
    assert (panel.by, panel.known) == (("store", "kind"), ("price", "open"))
    assert panel.series[1].key == ("Ulm", "town")
    assert panel.title(panel.series[1].key) == "store=Ulm, kind=town"
    both = {"y": [1, 2, 4], '"a,b"': [3, 4, 5]}
    assert load(tmp_path, both, inputs=("a,b",))[0].past == ("a,b",)


def test_the_order_of_rows_does_not_matter_and_is_said(tmp_path):
    order = np.random.default_rng(0).permutation(80)
    order = order[np.argsort([STORES["store"][i] for i in order], kind="stable")]
    expected, _, _ = load(tmp_path, STORES, **ROLES)
    found, said, _ = load(tmp_path, shuffled(STORES, order), **ROLES)
    for one, other in zip(found.series, expected.series, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    assert "sorted the rows by time in 2 of 2 series" in said


def test_without_times_rows_are_numbered_within_each_series(tmp_path):
    mixed = shuffled(STORES, [i // 2 + 40 * (i % 2) for i in range(80)])
    panel, said, choices = load(tmp_path, mixed, by=("store",))
    for one in panel.series:
        np.testing.assert_array_equal(one.times, np.arange(40))
    np.testing.assert_array_equal(panel.series[1].values[:, 0], STORES["y"][40:])
    assert panel.step is None
    assert said[1] == "rows are numbered in the order of the table, because --time is not set"
    assert said[2] == "not used: day, price, open, kind"
    assert {field: choice.value for field, choice in choices.items()} == {"season": 1, "horizon": 4}


def test_short_series_are_left_out_and_said(tmp_path):
    panel, _, _ = load(tmp_path, shuffled(STORES, range(50)), **ROLES)
    kept, said = drop_short(panel, 20)
    assert [one.key for one in kept.series] == [("Bonn",)]
    assert said == ["left out 1 series of fewer than 20 rows, such as store=Ulm"]
    assert drop_short(panel, 10) == (panel, [])
    expected = "the longest series, store=Bonn, has 40 rows, but at least 41 are needed: use a sma"
    with pytest.raises(DataError, match=expected):
        drop_short(panel, 41)


def test_a_column_that_changes_within_a_series_is_not_static(tmp_path):
    columns = {**STORES, "kind": ["city"] * 79 + ["town"]}
    assert refused(tmp_path, columns, **ROLES) == (
        "sales.csv, line 81: kind is 'town', but 'city' in line 42 of the same series "
        "(store=Ulm): use --known or --inputs, not --static, for a column that changes"
    )


def test_yes_and_no_are_numbers_and_other_texts_are_not(tmp_path):
    columns = {**STORES, "open": ["yes", "no"] * 39 + ["", "maybe"]}
    assert refused(tmp_path, columns, **ROLES) == (
        "sales.csv, line 81: open must be yes or no as in the rows before, got 'maybe': correct "
        "it, or leave it empty if it is not known"
    )
    assert refused(tmp_path, STORES, time="day", by=("store",), inputs=("kind",)) == (
        "sales.csv, line 2: kind must be a finite number, got 'city': correct it, or leave it "
        "empty if it is not known"
    )


# --- times ---------------------------------------------------------------------------------------


def test_steps_without_a_row_become_missing_and_are_said(tmp_path):
    kept = [i for i in range(40) if i not in (3, 10, 11, 12)]
    panel, said, _ = load(tmp_path, series([DAYS[i] for i in kept], kept), time="day")
    (one,) = panel.series
    np.testing.assert_array_equal(one.times, np.array(DAYS, "datetime64[s]"))
    expected = np.where(np.isin(np.arange(40), kept), np.arange(40.0), np.nan)
    np.testing.assert_array_equal(one.values[:, 0], expected)
    assert said[1:] == [
        "4 steps without a row, treated as missing; the longest gap has 3 steps and starts at "
        "2024-01-11",
        "day from 2024-01-01 to 2024-02-09, one row every day",
        "y is missing in 4 of 40 steps (10.0%)",
    ]


def test_missing_targets_are_counted_by_series(tmp_path):
    columns = {**STORES, "y": [*STORES["y"][:30], "", "NA", *STORES["y"][32:]]}
    columns["price"] = [*STORES["price"][:79], ""]
    _, said, _ = load(tmp_path, columns, **ROLES)
    assert said[2:] == [
        "y is missing in 2 of 80 steps (2.5%), most in store=Bonn: 2 of 40",
        "price is missing in 1 of 80 steps (1.2%), most in store=Ulm: 1 of 40",
    ]


def test_duplicated_times_are_refused_with_both_places(tmp_path):
    columns = series([*DAYS[:5], DAYS[1]], range(6))
    assert refused(tmp_path, columns, time="day") == (
        "sales.csv, line 7: day repeats '2024-01-02' from line 3: drop one of the rows, combine "
        "them with --resample mean, last or sum, or distinguish series by more columns with --by"
    )
    again = {**STORES, "day": [*STORES["day"][:79], STORES["day"][41]]}
    assert refused(tmp_path, again, **ROLES).startswith(
        "sales.csv, line 81: day repeats '2024-01-02' of store=Ulm from line 43: drop one of the "
    )


def test_irregular_times_are_refused_with_the_place_and_what_would_help(tmp_path):
    columns = series([*DAYS[:5], "2024-01-06 07:00"], range(6))
    assert refused(tmp_path, columns, time="day") == (
        "sales.csv, line 7: day is '2024-01-06 07:00', which does not fit one row every day from "
        "'2024-01-01' in line 2: resample the rows with --resample mean, last or sum, or set "
        "another spacing with --every"
    )


@pytest.mark.parametrize(
    ("how", "expected"),
    [("mean", [1.5, np.nan, 4.0, 7.0]), ("last", [2, np.nan, 4.0, 8]), ("sum", [3, np.nan, 4, 14])],
)
def test_irregular_times_are_resampled_where_asked(tmp_path, how, expected):
    times = ["01-01 05:00", "01-01 22:00", "01-03 01:00", "01-04 00:00", "01-04 23:59", "01-03 02"]
    columns = series([f"2024-{t}:00"[:16] for t in times], [1, 2, 4, 6, 8, ""])
    panel, said, _ = load(tmp_path, columns, time="day", every="1d", resample=how)
    (one,) = panel.series
    np.testing.assert_array_equal(one.times, np.array(DAYS[:4], "datetime64[s]"))
    np.testing.assert_array_equal(one.values[:, 0], expected)
    assert f"resampled to 1 day by the {how}" in "".join(said)


@pytest.mark.parametrize("how", ["mean", "last", "sum"])
@pytest.mark.parametrize("every", ["1h", "1d", "1w", "1mo", "1mo-end", "1q", "weekday"])
def test_resampling_is_what_a_slow_loop_gives(tmp_path, how, every):
    rng = np.random.default_rng(3)
    seconds = np.sort(rng.choice(200 * 24 * 6, 150, replace=False)) * 600
    times = np.datetime64("2024-01-10T00:00:00") + seconds * np.timedelta64(1, "s")
    y = np.where(rng.random(150) < 0.2, np.nan, rng.integers(0, 9, 150))
    columns = {"day": times, "y": ["" if np.isnan(v) else v for v in y], "x": range(150)}
    roles = {"time": "day", "every": every, "resample": how, "inputs": ("x",)}
    panel, _, _ = load(tmp_path, columns, **roles)
    bins = {}
    for at, moment in enumerate(times.tolist()):
        bins.setdefault(slow_bin(every, moment), []).append(at)
    (one,) = panel.series
    assert set(bins) <= set(one.times.tolist())
    for moment, values in zip(one.times.tolist(), one.values, strict=True):
        rows = bins.get(moment, [])
        there = [y[at] for at in rows if not np.isnan(y[at])]
        wanted = [SLOWLY[how](there) if there else np.nan]
        wanted.append(np.nan if not rows else rows[-1] if how == "last" else np.mean(rows))
        np.testing.assert_allclose(values, wanted)


SLOWLY = {"mean": np.mean, "last": lambda values: values[-1], "sum": np.sum}


def slow_bin(every, moment):
    """The beginning of the step that a moment falls into; weekends count for the Monday after."""
    day = datetime(moment.year, moment.month, moment.day)
    if every == "1h":
        return day + timedelta(hours=moment.hour)
    if every == "1d":
        return day
    if every == "1w":
        return day - timedelta(days=day.weekday())
    if every == "weekday":
        return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)
    month = day.month - 1 - (day.month - 1) % (3 if every == "1q" else 1)
    first = datetime(day.year, month + 1, 1)
    if every == "1mo-end":
        return (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return first


def test_months_quarters_weekdays_and_years_are_found(tmp_path):
    months = [f"{2020 + m // 12}-{m % 12 + 1:02}-01" for m in range(48)]
    for times, name, season in [
        (months, "1 month", 12),
        ([m[:7] for m in months], "1 month", 12),
        (months[::3], "1 quarter", 4),
        (range(1970, 2020), "1 year", 1),
        ([np.busday_offset("2024-01-01", i, roll="forward") for i in range(30)], "weekday", 5),
        ([DAYS[0] + timedelta(days=7 * i) for i in range(120)], "1 week", 52),
    ]:
        panel, _, choices = load(tmp_path, series(times, range(len(times))), time="day")
        assert (panel.step.name, choices["season"].value) == (name, season)
        assert panel.form.write(panel.series[0].times) == [
            t if isinstance(t, int) else str(t) for t in times
        ]


def test_whole_numbers_are_row_numbers_and_their_gaps_are_missing(tmp_path):
    panel, said, choices = load(tmp_path, series([3, 4, 6], [1, 2, 3]), time="day")
    np.testing.assert_array_equal(panel.series[0].times, [3, 4, 5, 6])
    np.testing.assert_array_equal(panel.series[0].values[:, 0], [1, 2, np.nan, 3])
    assert (panel.step, "day holds row numbers from 3 to 6" in said) == (None, True)
    assert "every" not in choices
    np.testing.assert_array_equal(panel.after(np.int64(6), 2), [7, 8])
    tens, _, choices = load(tmp_path, series([10, 20, 40], [1, 2, 3]), time="day")
    assert (len(tens.series[0].times), choices["every"].value) == (4, "10")


def test_a_clock_put_back_gives_both_hours_and_one_put_forward_none(tmp_path):
    local = [datetime(2024, 10, 27, 0) + timedelta(hours=h) for h in (0, 1, 2, 2, 3, 4)]
    roles = {"time": "day", "zone": "Europe/Berlin"}
    panel, said, _ = load(tmp_path, series(local, range(6)), **roles)
    (one,) = panel.series
    hours = np.datetime64("2024-10-26T22:00:00") + np.arange(6) * np.timedelta64(1, "h")
    np.testing.assert_array_equal(one.times, hours)
    np.testing.assert_array_equal(one.values[:, 0], range(6))
    assert said[1] == (
        "2 rows at an hour that occurs twice in Europe/Berlin, when clocks are put back: a row "
        "counts for the first hour, a repeated row for the second"
    )
    local = [datetime(2024, 3, 31, 0) + timedelta(hours=h) for h in (0, 1, 2, 3)]
    assert refused(tmp_path, series(local, range(4)), **roles).startswith(
        "sales.csv, line 4: day is '2024-03-31 02:00:00', a time that the clocks of Europe/"
    )


def test_days_of_a_zone_have_the_length_that_they_have(tmp_path):
    days = [date(2024, 3, 25) + timedelta(days=i) for i in range(12)]
    panel, _, choices = load(tmp_path, series(days, range(12)), time="day", zone="Europe/Berlin")
    assert (panel.step.name, choices["zone"].value) == ("1 day", "Europe/Berlin")
    assert not np.isnan(panel.series[0].values).any()
    ahead = panel.form.write(panel.after(panel.series[0].times[-1], 2))
    assert ahead == ["2024-04-06", "2024-04-07"]
    utc = {"day": [f"{day}T00:00+0{1 + (day > date(2024, 3, 31))}:00" for day in days]}
    advice = "or set another spacing with --every, or the zone of the clock with --zone"
    assert refused(tmp_path, {**utc, "y": range(12)}, time="day").endswith(advice)
    panel, _, _ = load(tmp_path, {**utc, "y": range(12)}, time="day", zone="Europe/Berlin")
    assert panel.step.name == "1 day"


# --- what cannot be learned from -----------------------------------------------------------------

WEEK = series(DAYS[:7], range(7))
REFUSED = [
    ({**WEEK, "y": [3] * 7}, {}, "y is the same in every row: there is nothing to learn from it"),
    (
        {**STORES, "y": ["3"] * 80},
        {"by": ("store",)},
        "y is the same in each of 2 series: there is nothing to learn from it",
    ),
    ({**WEEK, "y": [""] * 7}, {}, "sales.csv: y has no value in any row"),
    ({**WEEK, "x": [""] * 7}, {"inputs": ("x",)}, "x has no value in any row: leave it out"),
    ({**WEEK, "y": [1, 2, "inf", 4, 5, 6, 7]}, {}, "line 4: y must be a finite number, got 'inf'"),
    ({**WEEK, "y": [1, 2, "red", 4, 5, 6, 7]}, {}, "line 4: y must be a finite number, got 'red'"),
    (series(DAYS[:1], [1]), {}, "sales.csv has only one row, but a series needs several: provide"),
    (
        {**WEEK, "s": range(7)},
        {"by": ("s",)},
        "has only one row of each series, but a series needs several: is --by the right column?",
    ),
    ({**WEEK, "s": ["a", ""] + ["a"] * 5}, {"by": ("s",)}, "line 3: s is empty, but --by needs"),
    (
        series([*DAYS[:7], "2524-01-01"], range(8)),
        {},
        "with one row every day, day would have",
    ),
    (WEEK, {"target": "z"}, "sales.csv has no column 'z': it has day, y"),
    (WEEK, {"target": ""}, "--target must name the column to forecast; .*sales.csv has day, y"),
    (WEEK, {"inputs": ("y",)}, "the column 'y' is named twice in --time, --target"),
    (WEEK, {"every": "often"}, "--every must be a spacing such as .*, got 'often'"),
    (WEEK, {"every": "10"}, "day must hold row numbers, because --every is 10, got dates or times"),
    (WEEK, {"zone": "Mars"}, "--zone must be the name of a time zone, .*, got 'Mars'"),
    (WEEK, {"time": "", "every": "1d"}, "--every needs --time, the column with the times"),
]


@pytest.mark.parametrize(("columns", "roles", "expected"), REFUSED)
def test_what_no_model_can_learn_from_is_refused(tmp_path, columns, roles, expected):
    with pytest.raises(DataError, match=expected):
        load(tmp_path, columns, **{"time": "day", **roles})


def test_one_constant_series_among_many_is_kept_and_said(tmp_path):
    _, said, _ = load(tmp_path, {**STORES, "y": [3] * 40 + STORES["y"][40:]}, **ROLES)
    assert "y is constant in 1 series: store=Bonn; kept, because 1 other series varies" in said


def test_a_series_without_any_target_is_left_out_and_said(tmp_path):
    panel, said, _ = load(tmp_path, {**STORES, "y": STORES["y"][:40] + [""] * 40}, **ROLES)
    assert [one.key for one in panel.series] == [("Bonn",)]
    assert "left out 1 series without any y: store=Ulm" in said


@pytest.mark.parametrize(
    ("rows", "season", "horizon", "why"),
    [
        (60, 12, 12, "one season"),
        (59, 12, 5, "a tenth of the median series, between 1 and 24"),
        (23, 1, 2, "a tenth of the median series, between 1 and 24"),
        (5, 1, 1, "a tenth of the median series, between 1 and 24"),
    ],
)
def test_season_and_horizon_follow_the_length(tmp_path, rows, season, horizon, why):
    months = [f"{2000 + m // 12}-{m % 12 + 1:02}" for m in range(rows)]
    _, _, choices = load(tmp_path, series(months, range(rows)), time="day")
    assert (choices["season"].value, choices["horizon"].value) == (season, horizon)
    assert choices["horizon"].why == why


def test_the_horizon_follows_a_season_that_was_named(tmp_path):
    columns = series(DAYS, range(40))
    for season, horizon in ((1, 4), (5, 5), (8, 8), (9, 4)):
        assert load(tmp_path, columns, time="day", season=season)[2]["horizon"].value == horizon


# --- frames --------------------------------------------------------------------------------------

LIBRARIES = [pd, pl, pa]


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_a_frame_with_datetimes_is_a_panel_and_so_are_its_answers(library, zone):
    tz = ZoneInfo(zone) if zone else None
    days = [datetime(2024, 3, 20, tzinfo=tz) + timedelta(days=i) for i in range(20)]
    y = [None if i == 4 else float(i) for i in range(20)]
    columns = {"day": days, "store": [7] * 20, "y": y}
    frame = pa.table(columns) if library is pa else library.DataFrame(columns)
    panel, _, choices = load_panel(own_series(time="day", by=("store",)), frame)
    (one,) = panel.series
    assert (one.key, panel.step.name) == (("7",), "1 day")
    np.testing.assert_array_equal(one.values[:, 0], [np.nan if v is None else v for v in y])
    assert [c.value for c in choices if c.field == "zone"] == ([zone] if zone else [])
    ahead = panel.after(one.times[-1], 2)
    answer = frame_like(answer_columns(panel, [(one.key, ahead, {"y": np.ones(2)})]), frame)
    assert type(answer) is type(frame)
    table = read_table(answer)
    assert table.names == ("day", "store", "y") or table.names == ("store", "day", "y")
    assert [datetime.fromisoformat(str(cell)) for cell in table.column("day")] == [
        datetime(2024, 4, 9, tzinfo=tz), datetime(2024, 4, 10, tzinfo=tz),
    ]  # fmt: skip
    assert (table.column("store"), table.column("y")) == ([7, 7], [1.0, 1.0])


def test_a_file_and_a_frame_are_the_same_panel(tmp_path):
    expected, _, _ = load(tmp_path, STORES, **ROLES)
    for frame in (pd.DataFrame(STORES), pl.DataFrame(STORES), pa.table(STORES)):
        panel, said, _ = load_panel(own_series(**ROLES), frame)
        assert said[0].startswith("the frame: 80 rows, 2 series")
        for one, other in zip(panel.series, expected.series, strict=True):
            assert (one.key, one.static) == (other.key, other.static)
            np.testing.assert_array_equal(one.times, other.times)
            np.testing.assert_array_equal(one.values, other.values)


def test_answers_are_columns_as_they_came(tmp_path):
    panel, _, _ = load(tmp_path, STORES, **ROLES)
    ahead = [panel.after(one.times[-1], 2) for one in panel.series]
    answers = [
        (one.key, times, {"y": [1, 2], "low": [0, 1]})
        for one, times in zip(panel.series, ahead, strict=True)
    ]
    assert answer_columns(panel, answers) == {
        "store": ["Bonn", "Bonn", "Ulm", "Ulm"],
        "day": ["2024-02-10", "2024-02-11"] * 2,
        "y": [1, 2, 1, 2],
        "low": [0, 1, 0, 1],
    }
    numbered, _, _ = load(tmp_path, {"y": [1, 2, 4]})
    answer = answer_columns(numbered, [((), np.array([3, 4]), {"y": [1, 2]})])
    assert answer == {"row": [3, 4], "y": [1, 2]}


# --- new files -----------------------------------------------------------------------------------

FUTURE = {**STORES, "y": [*STORES["y"][:77], "", "", ""], "kind": ["city"] * 40 + ["village"] * 40}


def test_rows_at_the_end_without_a_target_are_the_future(tmp_path):
    path = csv(tmp_path, FUTURE)
    config = own_series(path, **ROLES, every="1d")
    trained, said, _ = load_panel(config)
    assert [len(one.times) for one in trained.series] == [40, 37]
    assert said[-1] == (
        "left out 3 rows without y at the ends of series, which are assumed to be the future"
    )
    panel = read_new(config, (("city", "town"),), path)
    one = panel.series[1]
    assert (len(one.times), seen(one)) == (40, 37)
    np.testing.assert_array_equal(one.values[37:], [[np.nan, x, o] for x, o in zip(
        STORES["price"][77:], [0, 1, 0], strict=True)])  # fmt: skip
    assert [one.static for one in panel.series] == [(1,), (0,)]


def test_new_times_must_have_the_spacing_of_training(tmp_path):
    config = own_series(time="day", every="1d")
    weeks = csv(tmp_path, series(DAYS[::7], range(6)))
    assert len(read_new(config, (), weeks).series[0].times) == 36
    hours = csv(tmp_path, series([f"2024-01-01 {h:02}:00" for h in range(9)], range(9)))
    with pytest.raises(DataError, match=r"line 3: day is .* does not fit one row every day from"):
        read_new(config, (), hours)
    with pytest.raises(DataError, match="day must hold row numbers, because --every is 1, "):
        read_new(own_series(time="day"), (), hours)
    odd = csv(tmp_path, series([1, 3, 5], range(3)))
    assert len(read_new(own_series(time="day"), (), odd).series[0].times) == 5
    one = csv(tmp_path, series(DAYS[:1], [5]))
    assert len(read_new(config, (), one).series[0].times) == 1


def test_a_forecast_goes_on_from_series_that_have_a_target(tmp_path):
    config = own_series(**ROLES, every="1d")
    path = csv(tmp_path, {**STORES, "y": STORES["y"][:40] + [""] * 40})
    panel = read_new(config, (("city", "town"),), path)
    assert [one.key for one in panel.series] == [("Bonn",)]
    path = csv(tmp_path, {**STORES, "y": [""] * 80})
    with pytest.raises(DataError, match=r"y has no value in any row, but a forecast needs"):
        read_new(config, (("city", "town"),), path)
