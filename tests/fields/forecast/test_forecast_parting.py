"""Parts follow in time: windows may look back over a border, and never forecast across one."""

import numpy as np
import polars as pl
import pytest
from series_made import hours, loaded, table, wave

from whet.errors import DataError
from whet.fields.forecast.parting import MOST_NUMBERS, look_back, thinned


def spans(data: object) -> dict[str, tuple[int, int]]:
    """The steps that the forecasts of each part's windows touch: from, to."""
    panel = data.x.panel  # type: ignore[attr-defined]
    parts = data.official  # type: ignore[attr-defined]
    back, ahead = panel.lookback, panel.horizon
    return {name: (int(rows.min()) + back, int(rows.max()) + back + ahead) for name, rows in parts.items()}


def test_forecasts_of_a_part_stay_inside_it() -> None:
    found = spans(loaded(table(500), time="when", lookback=48))
    assert found["train"][1] <= found["val"][0]
    assert found["val"][1] <= found["test"][0]
    assert found["test"] == (400, 500)


def test_the_windows_are_those_of_the_standard_protocol() -> None:
    part = ["train"] * 8640 + ["val"] * 2880 + ["test"] * 2880 + [""] * 3020
    frame = table(17420, 1, split=part)
    for horizon, windows in ((96, 2785), (720, 2161)):
        data = loaded(frame, horizon, time="when", lookback=336, split="split")
        assert len(data.official["test"]) == windows
        assert len(data.official["val"]) == windows
        assert len(data.official["train"]) == 8640 - 336 - horizon + 1
        assert spans(data)["test"] == (11520, 14400)
        raw = frame["v0"].to_numpy()[:8640]
        np.testing.assert_allclose(data.y.units.mean, raw.mean())
        np.testing.assert_allclose(data.y.units.std, raw.std())
        assert len(data.x.panel.values) == 14400


def test_windows_never_reach_into_another_series() -> None:
    frame = pl.concat([table(300, 1).with_columns(pl.lit(n).alias("site")) for n in ("a", "b", "c")])
    data = loaded(frame, time="when", series="site")
    panel = data.x.panel
    for rows in data.official.values():
        last = rows + panel.lookback + panel.horizon - 1
        first_series, last_series = (np.searchsorted(panel.bounds, r, "right") for r in (rows, last))
        np.testing.assert_array_equal(first_series, last_series)


def test_scales_are_those_of_the_training_part() -> None:
    values = wave(500, 24)
    values[400:] += 100.0
    data = loaded(pl.DataFrame({"when": hours(500), "v": values}), time="when", lookback=48)
    train = values[: data.x.more["spans"][0][0, 1]]
    np.testing.assert_allclose(data.y.units.mean[0, 0], train.mean())
    assert data.x.panel.values[450, 0] > 50


def test_a_holdout_is_the_test_part() -> None:
    data = loaded(table(400).head(350), time="when", holdout=table(400).tail(50), lookback=48)
    assert spans(data)["test"] == (350, 400)


def test_parts_in_another_order_are_refused() -> None:
    frame = table(400, split=["test"] * 100 + ["train"] * 300)
    with pytest.raises(DataError, match="don't follow in time"):
        loaded(frame, time="when", split="split")


def test_the_look_back_follows_season_horizon_and_length() -> None:
    assert look_back([14_400], 96, 24, channels=7)[0] == 336
    assert look_back([14_400], 720, 24, channels=7)[0] == 720
    assert look_back([3_652], 12, 365)[0] < 70  # many weights for one channel
    assert look_back([144], 12, 12)[0] == 24  # two seasons
    assert look_back([40], 1, 1)[0] < 8
    assert look_back([4_800], 24, 24, cycle=168)[0] == 192  # a day more than a week
    assert look_back([2_400], 24, 24, cycle=168)[0] == look_back([2_400], 24, 24)[0]  # too few weeks
    assert look_back([400, 10, 10, 10], 12, 24) == look_back([430], 12, 24)  # short ones don't shorten it


def test_a_series_that_is_too_short_says_what_is_needed() -> None:
    with pytest.raises(DataError, match=r"has 50 steps; a look-back of 48 and a horizon of 12 .* need 84"):
        loaded(table(50), time="when", lookback=48)


def test_short_series_among_long_ones_are_told() -> None:
    frame = pl.concat([table(n, 1).with_columns(pl.lit(f"s{n}").alias("site")) for n in (30, 300, 301)])
    data = loaded(frame, time="when", series="site", lookback=48)
    assert any("1 of 3 series have no whole training window" in s for s in data.said)
    assert len(data.official["test"]) > 0


def test_windows_are_left_out_evenly_where_their_forecasts_would_fill_the_memory() -> None:
    parts = {name: np.arange(1000) for name in ("train", "val", "test")}
    same, said = thinned(parts, 1000)
    assert [len(rows) for rows in same.values()] == [1000] * 3
    assert not said
    fewer, said = thinned(parts, MOST_NUMBERS["val"] // 250)
    assert [len(rows) for rows in fewer.values()] == [1000, 250, 500]
    assert "every 4. of the val windows and every 2. of the test windows" in said
