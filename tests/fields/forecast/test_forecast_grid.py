"""Stamps as they come become a regular grid, and what was put right is counted."""

import numpy as np
import polars as pl
import pytest
from series_made import hours, loaded, table, wave

from whet.errors import DataError
from whet.fields.forecast.clock import Clock, Step, calendar_columns, features, find_step
from whet.fields.forecast.grid import Rows, filled, gridded


def days(*which: int) -> np.ndarray:
    return np.datetime64("2024-01-01", "us") + np.array(which) * np.timedelta64(1, "D")


def rows(stamps: np.ndarray, values: list[float]) -> Rows:
    return Rows("a", stamps, np.array(values, float)[:, None])


def test_unsorted_rows_come_into_order() -> None:
    found = gridded([rows(days(2, 0, 1), [2, 0, 1])])
    assert found.series[0].values[:, 0].tolist() == [0, 1, 2]
    assert found.counts.unsorted == 1


def test_doubled_stamps_are_averaged() -> None:
    found = gridded([rows(days(0, 1, 1, 2), [0, 1, 3, 5])])
    assert found.series[0].values[:, 0].tolist() == [0, 2, 5]
    assert found.counts.doubled == 1


def test_a_missing_value_of_a_doubled_stamp_is_left_out_of_its_mean() -> None:
    found = gridded([rows(days(0, 1, 1, 2), [0, np.nan, 3, 5])])
    assert found.series[0].values[:, 0].tolist() == [0, 3, 5]


def test_gaps_are_nan_and_counted_and_bridged_by_lines() -> None:
    found = gridded([rows(days(0, 1, 2, 5, 6), [0, 1, 2, 5, 6])])
    values = found.series[0].values
    assert found.counts.missing == 2
    assert np.isnan(values[3:5, 0]).all()
    assert filled(values)[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_irregular_stamps_move_to_the_nearest_step() -> None:
    stamps = days(0, 1, 2, 3, 4)
    stamps[2] += np.timedelta64(3, "h")
    found = gridded([rows(stamps, [0, 1, 2, 3, 4])])
    assert found.counts.irregular == 1
    assert found.series[0].values[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_the_ends_are_filled_with_the_nearest_value() -> None:
    column = np.array([[np.nan], [1.0], [np.nan], [3.0], [np.nan]])
    assert filled(column)[:, 0].tolist() == [1, 1, 2, 3, 3]


def test_months_are_one_step_whatever_their_length() -> None:
    firsts = np.array([f"2023-{m:02d}-01" for m in range(1, 13)], "datetime64[us]")
    lasts = np.array(["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"], "datetime64[us]")
    for stamps in (firsts, lasts):
        step = find_step([stamps])
        assert str(step) == "1 month"
        found = gridded([rows(stamps, list(range(len(stamps))))])
        assert found.counts.missing == 0
        assert found.series[0].clock.written(4) == [str(s)[:10] for s in stamps[:4]]


def test_years_and_quarters_have_names_too() -> None:
    assert str(find_step([np.array(["2020-01-01", "2021-01-01", "2022-01-01"], "datetime64[us]")])) == "1 year"
    assert str(find_step([np.array(["2020-01-01", "2020-04-01", "2020-07-01"], "datetime64[us]")])) == "3 months"
    assert str(find_step([days(0, 7, 14, 21, 28)])) == "1 week"


def test_stamps_without_a_step_are_refused() -> None:
    random = np.cumsum(np.random.default_rng(0).integers(1, 10**6, 200)) * 1000
    with pytest.raises(DataError, match="follow no step"):
        gridded([rows(random.astype("datetime64[us]"), list(range(200)))])


def test_a_clock_goes_on_behind_its_series() -> None:
    clock = Clock(int(days(0)[0].astype(np.int64)), Step(86_400_000_000, "time"))
    assert clock.later(31).written(1) == ["2024-02-01"]


def test_the_calendar_tells_the_day_the_week_and_after_two_years_the_year() -> None:
    step = Step(3_600_000_000, "time")
    clock = Clock(int(days(0)[0].astype(np.int64)), step)
    year = clock.ticks(24 * 366)
    assert features(year, step).shape == (24 * 366, 6)
    assert calendar_columns(year, step) == 4
    assert calendar_columns(clock.ticks(24 * 366 * 3), step) == 6
    np.testing.assert_allclose(features(year, step)[:24, :2], features(year, step)[24:48, :2], atol=1e-6)


def test_what_was_put_right_is_said() -> None:
    stamps = hours(300)
    del stamps[100:105]
    frame = pl.DataFrame({"when": stamps, "v": wave(295, 24)})
    frame = pl.concat([frame, frame.head(3)])
    said = " ".join(loaded(frame, time="when").said)
    assert "5 of 300 steps have no row: bridged by straight lines, and not scored." in said
    assert "3 rows share their time stamp with another: their means are taken." in said
    assert "came before an earlier one" in said


def test_filled_in_values_are_not_scored() -> None:
    values = wave(400, 24)
    values[380] = np.nan
    data = loaded(pl.DataFrame({"when": hours(400), "v": values}), time="when")
    truth = data.y[data.official["test"]].values
    assert np.isnan(truth).any()
    assert np.isfinite(data.x.panel.values).all()


def test_the_windows_are_views_of_one_array() -> None:
    panel = loaded(table(), time="when").x.panel
    past, _, calendar = panel.inputs()
    assert past.untyped_storage().nbytes() <= panel.values.nbytes
    assert calendar.untyped_storage().nbytes() <= panel.calendar.nbytes
    assert panel.target().untyped_storage().nbytes() <= panel.values.nbytes
    np.testing.assert_array_equal(past[5].numpy(), panel.values[5 : 5 + panel.lookback])
    ahead = panel.values[5 + panel.lookback :][: panel.horizon]
    np.testing.assert_array_equal(panel.target()[5].numpy(), ahead.ravel())
