"""Theta and exponential smoothing against the same written for one series, and on series that they must get right."""

import numpy as np
import pytest
from series_made import wave

from whet.fields.forecast.classic import ALPHAS, ets, seasonal_terms, smoothed, theta


def slow_smoothing(x: np.ndarray) -> tuple[float, float]:
    best = (np.inf, 0.0, 0.0)
    for alpha in ALPHAS:
        level, loss = x[0], 0.0
        for value in x[1:]:
            loss += (value - level) ** 2
            level = alpha * value + (1 - alpha) * level
        best = min(best, (loss, level, alpha))
    return best[1:]


def test_smoothing_is_the_slow_one() -> None:
    x = np.random.default_rng(0).standard_normal((5, 40)).cumsum(1)
    level, alpha = smoothed(x)
    for i, row in enumerate(x):
        assert (level[i], alpha[i]) == pytest.approx(slow_smoothing(row))


def test_seasonal_terms_of_a_pure_season_are_that_season() -> None:
    season = np.array([1.0, -2.0, 3.0, -2.0])
    found = seasonal_terms(np.tile(season, 6)[None] + 5, 4)
    np.testing.assert_allclose(found[0], season, atol=1e-12)
    np.testing.assert_allclose(seasonal_terms(np.tile(season, 6)[None] + np.arange(24), 4)[0], season, atol=1e-12)


@pytest.mark.parametrize("method", [theta, ets])
def test_a_season_goes_on(method) -> None:  # type: ignore[no-untyped-def]
    x = np.tile([1.0, -2.0, 3.0, -2.0], 10)[None] + 7
    np.testing.assert_allclose(method(x[:, :30], 4, 10), x[:, 30:], atol=1e-6)


def test_theta_of_a_line_goes_on_with_about_half_its_slope() -> None:
    found = theta(np.arange(200.0)[None], 1, 3)[0]
    np.testing.assert_allclose(np.diff(found), 0.5, atol=1e-9)


def test_smoothing_follows_a_line_with_a_slope_that_fades() -> None:
    found = ets(np.arange(200.0)[None], 1, 20)[0]
    assert found[0] == pytest.approx(200, abs=1)
    assert 0 < found[-1] - found[0] < 19


def test_both_beat_the_last_value_on_a_noisy_season() -> None:
    x = np.stack([wave(132, 12, noise=0.2, seed=i) for i in range(10)])
    past, future = x[:, :120], x[:, 120:]
    naive = np.mean((past[:, -1:] - future) ** 2)
    for method in (theta, ets):
        assert np.mean((method(past, 12, 12) - future) ** 2) < 0.3 * naive


@pytest.mark.parametrize("method", [theta, ets])
def test_a_look_back_of_a_few_steps_is_enough(method) -> None:  # type: ignore[no-untyped-def]
    assert np.isfinite(method(np.array([[1.0, 2.0]]), 12, 3)).all()
    assert np.isfinite(method(np.array([[1.0]]), 12, 3)).all()
