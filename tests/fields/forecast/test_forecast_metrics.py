"""Metrics of forecasts against slow, obvious ones."""

import numpy as np
import pytest
from series_made import loaded, table

from whet.fields.forecast.intervals import Intervals, covered
from whet.tasks.forecast import GOAL, METRICS, Futures, Units, mase, mse, smape, stretches


@pytest.fixture
def future() -> Futures:
    """Two series, two channels, forty windows of three steps each, a value unknown."""
    random = np.random.default_rng(0)
    values = random.standard_normal((80, 3, 2))
    values[7, 1, 0] = np.nan
    units = Units(random.uniform(5, 9, (2, 2)), random.uniform(1, 2, (2, 2)), random.uniform(0.5, 1, (2, 2)))
    return Futures(values, np.repeat([0, 1], 40), units)


@pytest.fixture
def said(future: Futures) -> np.ndarray:
    return np.nan_to_num(future.values).reshape(80, 6) + np.random.default_rng(1).standard_normal((80, 6))


def test_squared_and_absolute_errors_leave_out_what_is_unknown(future: Futures, said: np.ndarray) -> None:
    off = (said.reshape(80, 3, 2) - future.values).ravel()
    off = off[np.isfinite(off)]
    assert len(off) == 479
    assert METRICS["mse"].function(future, said) == pytest.approx(np.mean(off**2))
    assert METRICS["mae"].function(future, said) == pytest.approx(np.mean(np.abs(off)))


def test_mase_and_smape_are_the_means_over_series_of_the_slow_ones(future: Futures, said: np.ndarray) -> None:
    scaled, percent = [], []
    for s in range(2):
        for c in range(2):
            p = said.reshape(80, 3, 2)[future.series == s][..., c].ravel()
            y = future.values[future.series == s][..., c].ravel()
            p, y = p[np.isfinite(y)], y[np.isfinite(y)]
            scaled.append(np.mean(np.abs(p - y)) / future.units.naive[s, c])
            p, y = (v * future.units.std[s, c] + future.units.mean[s, c] for v in (p, y))
            percent.append(np.mean(200 * np.abs(p - y) / (np.abs(p) + np.abs(y))))
    assert mase(future, said) == pytest.approx(np.mean(scaled))
    assert smape(future, said) == pytest.approx(np.mean(percent))


def test_the_seasonal_naive_forecast_of_the_training_part_has_a_mase_near_one() -> None:
    data = loaded(table(2000, 1), time="when", lookback=48)
    rows = data.official["train"]
    past = data.x.panel.inputs()[0].numpy()[rows]
    naive = past[:, -24:-12].reshape(len(rows), -1)
    assert METRICS["mase"].function(data.y[rows], naive) == pytest.approx(1.0, abs=0.03)


def test_a_perfect_forecast_costs_nothing(future: Futures) -> None:
    perfect = np.nan_to_num(future.values).reshape(80, 6)
    assert [m.function(future, perfect) for m in METRICS.values()] == [0, 0, 0, 0]


def test_stretches_of_windows_have_the_mean_of_all_of_them(future: Futures, said: np.ndarray) -> None:
    off = (said.reshape(80, 3, 2) - future.values) ** 2
    found = stretches(future, off)
    assert len(found) == 2 * 14
    assert found.mean() == pytest.approx(mse(future, said))


def test_neighbouring_windows_are_not_taken_for_independent_ones() -> None:
    units = Units(*(np.ones((1, 1)),) * 3)
    walk = np.random.default_rng(0).standard_normal(1000).cumsum()
    values = np.lib.stride_tricks.sliding_window_view(walk, 50)[..., None]
    future = Futures(values, np.zeros(len(values), int), units)
    rows = GOAL.row_losses(future, np.zeros((len(values), 50)), None)
    assert len(rows) == 20


def test_rows_of_the_truth_are_the_truth_of_the_rows(future: Futures, said: np.ndarray) -> None:
    rows = np.array([3, 50, 51])
    assert mse(future[rows], said[rows]) == pytest.approx(
        np.mean((said[rows] - future.values[rows].reshape(3, 6)) ** 2)
    )
    again = Futures.of(future.arrays())
    assert mse(again, said) == mse(future, said)


def test_intervals_cover_what_they_promise_on_windows_like_those_they_were_made_of() -> None:
    random = np.random.default_rng(0)
    units = Units(*(np.ones((1, 2)),) * 3)

    def made() -> Futures:
        return Futures(random.standard_normal((2000, 4, 2)) * np.arange(1, 5)[:, None], np.zeros(2000, int), units)

    seen, later, rows = made(), made(), np.arange(2000)
    past = random.standard_normal((2000, 9, 2))
    found = Intervals.fit(seen, np.zeros((2000, 8)), past, rows)
    again = Intervals.from_dict(found.to_dict())
    assert np.all(np.diff(found.half, axis=0) > 0)
    np.testing.assert_allclose(covered(later, *again.around(np.zeros((2000, 8)), past, rows)), 0.9, atol=0.03)


def test_intervals_are_wider_where_the_past_swings_more() -> None:
    """Errors grow with the swings of the look-back, which are small while intervals are made: they cover all the same."""
    random = np.random.default_rng(0)
    units = Units(*(np.ones((1, 1)),) * 3)

    def made(swing: float) -> tuple[Futures, np.ndarray]:
        past, came = (swing * random.standard_normal((2000, steps, 1)) for steps in (30, 3))
        return Futures(came, np.zeros(2000, int), units), past

    (seen, past), (later, wilder), rows = made(1.0), made(4.0), np.arange(2000)
    found = Intervals.fit(seen, np.zeros((2000, 3)), past, rows)
    assert covered(later, *found.around(np.zeros((2000, 3)), wilder, rows)).min() > 0.7
    assert covered(later, *found.around(np.zeros((2000, 3)), past, rows)).max() < 0.5


def test_a_still_past_promises_no_certainty() -> None:
    units = Units(*(np.ones((1, 1)),) * 3)
    future, past = Futures(np.ones((5, 1, 1)), np.zeros(5, int), units), np.zeros((5, 4, 1))
    assert np.isfinite(Intervals.fit(future, np.zeros((5, 1)), past, np.arange(5)).of(past, np.arange(5))).all()


def test_a_handful_of_windows_gives_the_widest_interval() -> None:
    units = Units(*(np.ones((1, 1)),) * 3)
    future = Futures(np.array([1.0, -3.0, 2.0]).reshape(3, 1, 1), np.zeros(3, int), units)
    past, rows = np.tile([[0.0], [2.0]], (3, 1, 1)), np.arange(3)  # each swings by 1
    assert Intervals.fit(future, np.zeros((3, 1)), past, rows).of(past, rows)[0, 0, 0] == pytest.approx(3)
