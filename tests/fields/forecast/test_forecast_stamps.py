"""What a column of time stamps says: dates, zones, seconds, step numbers; and which column it is."""

import numpy as np
import polars as pl
import pytest
from series_made import hours, loaded, table, wave

from whet.errors import DataError
from whet.fields.forecast.stamps import read_stamps, time_column


def read(*values: object) -> tuple[list[str], list[str]]:
    said: list[str] = []
    stamps, known = read_stamps(pl.Series("t", list(values)), said)
    assert known.all()
    return [str(s) for s in stamps], said


def test_dates_in_many_forms_are_read() -> None:
    assert read("2024-01-31", "2024-02-01")[0] == ["2024-01-31T00:00:00.000000", "2024-02-01T00:00:00.000000"]
    assert read("31.01.2024 18:00", "01.02.2024 18:00")[0][0] == "2024-01-31T18:00:00.000000"
    assert read("2024-01", "2024-02")[0][1] == "2024-02-01T00:00:00.000000"
    assert read("2024-01-31T00", "2024-01-31T18")[0][1] == "2024-01-31T18:00:00.000000"
    assert read("2024-01-31T00Z", "2024-01-31T18+02:00")[0] == [
        "2024-01-31T00:00:00.000000",
        "2024-01-31T16:00:00.000000",
    ]


def test_stamps_of_two_zones_are_put_on_one_clock_and_that_is_said() -> None:
    found, said = read("2024-03-31T01:00:00+01:00", "2024-03-31T03:00:00+02:00")
    assert found == ["2024-03-31T00:00:00.000000", "2024-03-31T01:00:00.000000"]
    assert "2 time zones" in said[0]


def test_stamps_with_and_without_a_zone_are_refused() -> None:
    with pytest.raises(DataError, match="with and without a time zone"):
        read("2024-03-31T01:00:00+01:00", "2024-03-31T03:00:00")


def test_a_zone_of_the_column_is_turned_into_utc() -> None:
    column = pl.Series("t", ["2024-07-01 12:00"]).str.to_datetime().dt.replace_time_zone("Europe/Berlin")
    said: list[str] = []
    stamps, _ = read_stamps(column, said)
    assert str(stamps[0]) == "2024-07-01T10:00:00.000000"
    assert "read as UTC" in said[0]


def test_seconds_since_1970_are_recognised() -> None:
    assert read(1_700_000_000, 1_700_003_600)[0][0] == "2023-11-14T22:13:20.000000"
    assert read(1_700_000_000_000, 1_700_003_600_000)[0][0] == "2023-11-14T22:13:20.000000"


def test_step_numbers_stay_numbers() -> None:
    assert read(1, 2, 3)[0] == ["1.0", "2.0", "3.0"]


def test_no_dates_are_refused_with_what_was_seen() -> None:
    with pytest.raises(DataError, match="holds no dates \\('north', 'south'\\)"):
        read("north", "south")


def test_a_misspelt_time_column_answers_with_the_nearest() -> None:
    with pytest.raises(DataError, match="'when'"):
        time_column(table(), "wehn")


def test_the_only_column_with_dates_is_the_time() -> None:
    assert time_column(table(), None)[0] == "when"


def test_without_a_column_of_dates_the_user_is_asked() -> None:
    with pytest.raises(DataError, match="no column holds dates"):
        time_column(pl.DataFrame({"a": [1.5, 2.5], "b": [1, 2]}), None)


def test_local_hours_without_a_zone_may_be_doubled_in_autumn() -> None:
    stamps = hours(200)
    stamps.insert(50, stamps[49])
    data = loaded(pl.DataFrame({"when": stamps, "v": wave(201, 24)}), time="when")
    assert np.isfinite(data.x.panel.values).all()
