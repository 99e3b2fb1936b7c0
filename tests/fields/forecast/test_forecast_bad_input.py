"""Bad input in its own form: one clear line each."""

import numpy as np
import polars as pl
import pytest
from series_made import hours, loaded, table, wave

from whet.data.core import Roles
from whet.errors import DataError, UserError
from whet.fields import field

FIELD = field("series")


@pytest.mark.parametrize("horizon", [0, -3])
def test_a_horizon_of_no_steps_is_refused(horizon: int) -> None:
    with pytest.raises(UserError, match=f"--horizon {horizon} is no number of steps"):
        loaded(table(), horizon, time="when")


def test_a_forecast_without_a_horizon_asks_for_one() -> None:
    with pytest.raises(UserError, match="--horizon 24"):
        FIELD.load(table(), target=None, task="forecast", holdout=None, split=None, roles=Roles(time="when"))


def test_a_column_without_values_is_refused_as_a_target_and_left_out_otherwise() -> None:
    frame = table(none=[None] * 400)
    with pytest.raises(DataError, match="'none' has no value: all 400 are missing"):
        loaded(frame, time="when", target="none")
    data = loaded(frame, time="when")
    assert "none" not in data.x.panel.channels
    assert any("Without any value, and left out: 'none'" in s for s in data.said)


def test_a_column_without_values_holds_no_dates() -> None:
    """It was taken for a second column of time stamps, and --time was asked for."""
    empty = pl.Series("none", ["", "", None, "NA"] * 100)
    data = loaded(table().with_columns(empty))
    assert any("Time: column 'when'" in s for s in data.said)
    with pytest.raises(DataError, match="no column of numbers"):
        loaded(table(columns=0).with_columns(empty))


def test_a_text_column_is_no_target() -> None:
    with pytest.raises(DataError, match="'place' holds no numbers \\('here'"):
        loaded(table(place=["here"] * 400), time="when", target="place")


def test_a_misspelt_target_answers_with_the_nearest() -> None:
    with pytest.raises(DataError, match="Did you mean 'v1'"):
        loaded(table(), time="when", target="v11")


def test_a_constant_series_is_refused_and_a_constant_channel_told() -> None:
    with pytest.raises(DataError, match="is constant"):
        loaded(pl.DataFrame({"when": hours(300), "v": [3.0] * 300}), time="when")
    data = loaded(table(still=[3.0] * 400), time="when")
    assert [f.name for f in data.findings] == ["constant"]


def test_mixed_series_are_told_from_one_and_the_column_is_offered() -> None:
    frame = pl.concat([table(200, 1).with_columns(pl.lit(n).alias("site")) for n in ("a", "b")])
    with pytest.raises(DataError, match="--series site"):
        loaded(frame, time="when")


def test_infinite_numbers_count_as_missing() -> None:
    values = wave(300, 24)
    values[10] = np.inf
    data = loaded(pl.DataFrame({"when": hours(300), "v": values}), time="when")
    assert np.isfinite(data.x.panel.values).all()
    assert not data.x.panel.known[10, 0]


def test_many_gaps_are_a_finding() -> None:
    values = wave(300, 24)
    values[100:140] = np.nan
    data = loaded(pl.DataFrame({"when": hours(300), "v": values}), time="when")
    assert [f.name for f in data.findings] == ["gaps"]


@pytest.mark.parametrize("shape", [(3, 3, 3), (0,)])
def test_arrays_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="Series are"):
        loaded(np.zeros(shape))


def test_only_who_names_a_horizon_or_the_task_wants_a_forecast() -> None:
    assert FIELD.takes("x.csv", None, Roles(horizon=3))
    assert FIELD.takes("x.csv", "forecast", Roles())
    assert not FIELD.takes("x.csv", "anomaly", Roles(time="when", horizon=3))
    assert not FIELD.takes("x.csv", None, Roles(time="when", user="u", item="i"))
