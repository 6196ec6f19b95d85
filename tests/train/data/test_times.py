"""Spacings are found, written, gone on with and counted as the calendar and the clocks have it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.clock import read_times
from lstm_jax.train.data.panels.spacing import find_step
from lstm_jax.train.data.panels.times import Step, read_step, to_utc, to_wall, zone_of
from lstm_jax.train.data.tables import read_table

START = np.datetime64("2023-11-15T10:30:00")
BERLIN = ZoneInfo("Europe/Berlin")
# How it is written, in words, its season, and the three times after START.
STEPS = [
    ("30s", "30 seconds", 120, ["2023-11-15T10:30:30", "2023-11-15T10:31", "2023-11-15T10:31:30"]),
    ("1min", "1 minute", 60, ["2023-11-15T10:31", "2023-11-15T10:32", "2023-11-15T10:33"]),
    ("30min", "30 minutes", 48, ["2023-11-15T11:00", "2023-11-15T11:30", "2023-11-15T12:00"]),
    ("1h", "1 hour", 24, ["2023-11-15T11:30", "2023-11-15T12:30", "2023-11-15T13:30"]),
    ("1d", "1 day", 7, ["2023-11-16T10:30", "2023-11-17T10:30", "2023-11-18T10:30"]),
    ("weekday", "weekday", 5, ["2023-11-16T10:30", "2023-11-17T10:30", "2023-11-20T10:30"]),
    ("1w", "1 week", 52, ["2023-11-22T10:30", "2023-11-29T10:30", "2023-12-06T10:30"]),
    ("1mo", "1 month", 12, ["2023-12-15T10:30", "2024-01-15T10:30", "2024-02-15T10:30"]),
    ("1q", "1 quarter", 4, ["2024-02-15T10:30", "2024-05-15T10:30", "2024-08-15T10:30"]),
    ("1y", "1 year", 1, ["2024-11-15T10:30", "2025-11-15T10:30", "2026-11-15T10:30"]),
]


def moments(*texts):
    return np.array(texts, "datetime64[s]")


def step_of(times, zone="", codes=None):
    times = np.asarray(times)
    return find_step(times, np.zeros(len(times), int) if codes is None else codes, zone)


@pytest.mark.parametrize(("every", "name", "season", "after"), STEPS)
def test_a_step_is_written_named_and_gone_on_with(every, name, season, after):
    step = read_step(every)
    assert (step.every, step.name, step.season) == (every, name, season)
    np.testing.assert_array_equal(step.after(START, 3), moments(*after))


@pytest.mark.parametrize("every", [row[0] for row in STEPS] + ["1mo-end", "2d", "7min", "6h"])
@pytest.mark.parametrize("zone", ["", "Europe/Berlin", "-03:30"])
def test_steps_count_back_what_they_went_forward(every, zone):
    step = read_step(every, zone)
    start = step.after(moments("2023-10-20T10:30")[0], 1)[0]
    times = step.after(start, 800 if every.endswith(("s", "n", "h")) else 40)
    assert (np.diff(times) > np.timedelta64(0, "s")).all()
    np.testing.assert_array_equal(step.between(start, times), np.arange(1, len(times) + 1))
    np.testing.assert_array_equal(step.add(start, step.between(start, times)), times)


@pytest.mark.parametrize("every", [row[0] for row in STEPS] + ["1mo-end", "2d", "7min", "6h", "1q"])
@pytest.mark.parametrize("zone", ["", "Europe/Berlin", "-03:30"])
def test_a_step_is_found_again_from_its_times(every, zone):
    step = read_step(every, zone)
    times = step.after(moments("2023-10-20T10:30")[0], 30)
    assert step_of(times, zone) == step
    assert step_of(np.delete(times, [4, 5, 11]), zone) == step


def test_month_ends_stay_month_ends():
    step = step_of(moments("2023-12-31", "2024-01-31", "2024-02-29"))
    assert (step.every, step.name) == ("1mo-end", "1 month (its last day)")
    following = moments("2024-03-31", "2024-04-30", "2024-05-31")
    np.testing.assert_array_equal(step.after(moments("2024-02-29")[0], 3), following)
    quarters = step_of(moments("2023-09-30", "2023-12-31", "2024-03-31"))
    assert (quarters.every, quarters.season) == ("1q-end", 4)


def test_a_31st_is_the_last_day_of_a_shorter_month():
    found = read_step("1mo").after(moments("2024-01-31")[0], 3)
    np.testing.assert_array_equal(found, moments("2024-02-29", "2024-03-31", "2024-04-30"))


def test_each_series_may_be_on_a_day_of_the_month_of_its_own():
    times = moments("2024-01-01", "2024-02-01", "2024-03-01", "2024-01-15", "2024-02-15")
    assert step_of(times, codes=np.array([0, 0, 0, 1, 1])) == Step(1, "month")


def test_days_without_weekends_are_weekdays_only_where_a_weekend_was_passed():
    week = [f"2024-01-0{day}" for day in (1, 2, 3, 4, 5, 8, 9)]
    assert step_of(moments(*week)) == Step(1, "weekday")
    assert step_of(moments(*week[:5])) == Step(86_400, "second")
    assert step_of(moments(*week, "2024-01-13")) == Step(86_400, "second")


def test_row_numbers_have_steps_too():
    assert step_of([1, 2, 3, 7]) == Step(1, "row")
    assert step_of([10, 20, 40, 50]) == Step(10, "row") == read_step("10")
    np.testing.assert_array_equal(Step(10, "row").after(np.int64(50), 2), [60, 70])
    assert step_of([5]) is None


def test_a_day_is_a_day_when_clocks_change_and_an_hour_an_hour():
    midnights = to_utc(moments("2024-03-30", "2024-03-31", "2024-04-01"), "Europe/Berlin")
    np.testing.assert_array_equal(np.diff(midnights).astype(int), [24 * 3600, 23 * 3600])
    step = step_of(midnights, "Europe/Berlin")
    assert step == read_step("1d", "Europe/Berlin")
    np.testing.assert_array_equal(
        to_wall(step.after(midnights[-1], 2), "Europe/Berlin"), moments("2024-04-02", "2024-04-03")
    )
    hours = moments("2024-03-30T22:00") + np.arange(6) * np.timedelta64(3600, "s")
    assert step_of(hours, "Europe/Berlin") == read_step("1h", "Europe/Berlin")


def test_walls_and_utc_agree_with_python():
    utc = [datetime(2024, 3, 31) + timedelta(minutes=17 * i) for i in range(300)]
    wall = [t.replace(tzinfo=ZoneInfo("UTC")).astimezone(BERLIN).replace(tzinfo=None) for t in utc]
    np.testing.assert_array_equal(to_wall(moments(*utc), "Europe/Berlin"), moments(*wall))
    np.testing.assert_array_equal(to_utc(moments(*wall), "Europe/Berlin"), moments(*utc))
    assert zone_of("+05:30").utcoffset(None) == timedelta(hours=5, minutes=30)


@pytest.mark.parametrize("text", ["1fortnight", "0h", "h1", "1d-end", "-1h", "1.5h", " ", "9" * 20])
def test_what_is_no_spacing_is_refused(text):
    expected = "--every must be a spacing such as 30s, 15min, 1h, 1d, weekday, 1w, 1mo"
    with pytest.raises(DataError, match=expected):
        read_step(text)


@pytest.mark.parametrize("name", ["Europe/Bonn", "../etc/passwd", "/", "+25:00", "a\0b", "Europe"])
def test_what_is_no_zone_is_refused(name):
    with pytest.raises(DataError, match=r"--zone must be the name of a time zone, such as"):
        zone_of(name)


# --- cells ---------------------------------------------------------------------------------------


def read(tmp_path, *cells, **options):
    path = tmp_path / "a.csv"
    path.write_text("t;x\n" + "".join(f'"{cell}";1\n' for cell in cells), encoding="utf-8")
    return read_times(read_table(path), "t", **options)


# Cells, and what they are in UTC; each is written again as it came.
CELLS = [
    (["2024-03-01", "2024-03-02"], ["2024-03-01", "2024-03-02"]),
    (["2024/03/01", "2024/03/02"], ["2024-03-01", "2024-03-02"]),
    (["2024.03.01"], ["2024-03-01"]),
    (["2024-03"], ["2024-03-01"]),
    (["2024-03-01T12:30"], ["2024-03-01T12:30"]),
    (["2024-03-01 12:30:05"], ["2024-03-01T12:30:05"]),
    (["2024-03-01T12:30:05Z"], ["2024-03-01T12:30:05"]),
    (["2024-03-01T12:30:05+02:00"], ["2024-03-01T10:30:05"]),
    (["2024-03-01 12:30-03:30"], ["2024-03-01T16:00"]),
    (["13/02/2024", "01/03/2024"], ["2024-02-13", "2024-03-01"]),
    (["01/02/2024 05:30", "02/13/2024 06:00"], ["2024-01-02T05:30", "2024-02-13T06:00"]),
    (["1999", "2000"], ["1999-01-01", "2000-01-01"]),
    (["20240301", "20240302"], ["2024-03-01", "2024-03-02"]),
    (["1709251200"], ["2024-03-01"]),
    (["1709251200000"], ["2024-03-01"]),
]


@pytest.mark.parametrize(("cells", "times"), CELLS)
def test_times_are_read_and_written_as_they_came(tmp_path, cells, times):
    found = read(tmp_path, *cells)
    np.testing.assert_array_equal(found.times, moments(*times))
    assert [str(cell) for cell in found.form.write(found.times)] == cells


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("2024-3-1 9:05", "2024-03-01T09:05"),
        ("2024-03-01T12:30:05.123456789", "2024-03-01T12:30:05"),
        ("2024-03-01 12:30 +0200", "2024-03-01T10:30"),
        ("2024-03-01 12:30 UTC", "2024-03-01T12:30"),
    ],
)
def test_times_are_read_in_other_forms_too(tmp_path, cell, time):
    np.testing.assert_array_equal(read(tmp_path, cell).times, moments(time))


def test_what_was_taken_for_granted_is_said(tmp_path):
    assert read(tmp_path, "1999").notes == ["t is read as years"]
    assert read(tmp_path, "1709251200").notes == ["t is read as seconds since 1970-01-01 in UTC"]
    for cell, words, moment in (
        ("202402", "year and month without separators", "2024-02-01"),
        ("2024022913", "year, month, day and hour without separators", "2024-02-29T13:00"),
        ("202402291345", "year, month, day, hour and minute without", "2024-02-29T13:45"),
        ("1709251200000000", "microseconds since 1970-01-01 in UTC", "2024-03-01T00:00"),
        ("1709251200000000000", "nanoseconds since 1970-01-01 in UTC", "2024-03-01T00:00"),
    ):
        found = read(tmp_path, cell)
        assert words in found.notes[0]
        np.testing.assert_array_equal(found.times, moments(moment))
        assert [str(written) for written in found.form.write(found.times)] == [cell]
    note = f"t has the day first, as {tmp_path}/a.csv, line 3 shows"
    assert read(tmp_path, "01/02/2024", "13/02/2024").notes == [note]


def test_months_of_a_frame_with_missing_cells_are_floats(tmp_path):
    table = read_table(pd.DataFrame({"t": [202401.0, 202402.0]}))
    found = read_times(table, "t")
    np.testing.assert_array_equal(found.times, moments("2024-01-01", "2024-02-01"))


def test_other_whole_numbers_are_row_numbers(tmp_path):
    assert read(tmp_path, "202412", "202413").form.kind == "row"  # there is no month 13
    found = read(tmp_path, "3", "1", "2")
    np.testing.assert_array_equal(found.times, [3, 1, 2])
    assert (found.times.dtype, found.form.write(found.times)) == (np.int64, [3, 1, 2])


def test_a_pattern_says_how_times_are_written(tmp_path):
    found = read(tmp_path, "1. 3. 2024", "02. 03. 2024", pattern="%d. %m. %Y")
    np.testing.assert_array_equal(found.times, moments("2024-03-01", "2024-03-02"))
    assert found.form.write(found.times) == ["01. 03. 2024", "02. 03. 2024"]


def test_a_zone_is_that_of_times_without_an_offset_and_of_answers(tmp_path):
    found = read(tmp_path, "2024-07-01 12:00", "2024-12-01 12:00", zone="Europe/Berlin")
    np.testing.assert_array_equal(found.times, moments("2024-07-01T10:00", "2024-12-01T11:00"))
    assert found.form.write(found.times) == ["2024-07-01 12:00", "2024-12-01 12:00"]
    aware = read(tmp_path, "2024-07-01T12:00+00:00", "2024-12-01T12:00+00:00", zone="Europe/Berlin")
    texts = ["2024-07-01T14:00+02:00", "2024-12-01T13:00+01:00"]
    assert aware.form.write(aware.times) == texts


def test_times_of_several_offsets_are_answered_in_utc(tmp_path):
    found = read(tmp_path, "2024-07-01T12:00+02:00", "2024-12-01T12:00+01:00")
    assert found.form.write(found.times) == ["2024-07-01T10:00+00:00", "2024-12-01T11:00+00:00"]
    (note,) = found.notes
    assert note.startswith("t has 2 offsets from UTC: forecasts will be in UTC unless --zone names")


def test_an_hour_that_comes_twice_is_the_first_and_known(tmp_path):
    found = read(tmp_path, "2024-10-27 01:30", "2024-10-27 02:30", zone="Europe/Berlin")
    np.testing.assert_array_equal(found.times, moments("2024-10-26T23:30", "2024-10-27T00:30"))
    np.testing.assert_array_equal(found.later, [0, 3600])


REFUSED = [
    (["2024-03-01", ""], {}, "line 3: t is empty, but every row needs a time"),
    (["2024-03-01", "soon"], {}, "line 3: t must be a time such as 2024-03-01 or .*, got 'soon'"),
    (["2024-02-30"], {}, "line 2: t must be a time such as .*, got '2024-02-30'"),
    (["2024-03-01", "01/03/2024"], {}, "line 3: t must be a time such as .*, got '01/03/2024'"),
    (["01/02/2024", "2024-03-01"], {}, "line 3: t must be a time such as .*, got '2024-03-01'"),
    (["2024-03-01", "7"], {}, "line 3: t must be a time such as .*, got '7'"),
    (["1.5", "2.5"], {}, "line 2: t must be a time such as .*, got '1.5'"),
    (["2024-03-01T25:00"], {}, "line 2: t must be a time such as .*, got '2024-03-01T25:00'"),
    (
        ["01/02/2024", "03/04/2024"],
        {},
        "line 2: t is '01/02/2024', and no row shows whether the day or the month comes first: set "
        "--time-format %d/%m/%Y or %m/%d/%Y",
    ),
    (
        ["13/02/2024", "02/13/2024"],
        {},
        "t has the day first in .*line 2, but the month first in .*line 3",
    ),
    (
        ["2024-03-01T10:00", "2024-03-01T10:00Z"],
        {},
        "line 2: t has no offset from UTC, but it has one in .*line 3: write all times",
    ),
    (
        ["2024-03-31 02:30"],
        {"zone": "Europe/Berlin"},
        "line 2: t is '2024-03-31 02:30', a time that the clocks of Europe/Berlin skip",
    ),
    (
        ["2024-03-01"],
        {"pattern": "%d.%m.%Y"},
        "t must be a time in the --time-format %d.%m.%Y",
    ),
    (["2024-03-01"], {"pattern": "%Q"}, "line 2: t must be a time in the --time-format %Q, got"),
    (["2024-03-01"], {"zone": "Mars"}, "--zone must be .*, got 'Mars'"),
    (["0001-01-01"], {"zone": "Asia/Tokyo"}, "line 2: t must be a time such as .*, got '0001"),
]


@pytest.mark.parametrize(("cells", "options", "expected"), REFUSED)
def test_what_is_no_time_is_refused_with_its_place(tmp_path, cells, options, expected):
    with pytest.raises(DataError, match=expected):
        read(tmp_path, *cells, **options)


def test_many_times_are_read_as_numpy_wrote_them(tmp_path):
    rng = np.random.default_rng(0)
    seconds = rng.integers(0, 4_000_000_000, 200)
    times = seconds.astype("datetime64[s]")
    cells = [str(time).replace("T", rng.choice(["T", " "])) for time in times]
    np.testing.assert_array_equal(read(tmp_path, *cells).times, times)
