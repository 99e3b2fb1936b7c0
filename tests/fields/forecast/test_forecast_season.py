"""Seasons, trends and wandering levels are told from each other."""

import numpy as np
from series_made import wave

from whet.fields.forecast.season import autocorrelation, centred_mean, find_season, strengths, wanders


def test_a_season_of_the_calendar_is_found() -> None:
    found = find_season([wave(600, 24, noise=0.3)], (24, 168))
    assert (found.length, found.by) == (24, "calendar")


def test_a_week_above_the_days_is_found_where_there_is_one() -> None:
    hours = np.arange(24 * 7 * 20)
    weekend = (hours // 24) % 7 >= 5
    random = np.random.default_rng(0)
    plain = 10 * np.sin(2 * np.pi * hours / 24) + random.standard_normal(len(hours))
    assert find_season([plain], (24, 168)).cycle == 24
    found = find_season([plain * np.where(weekend, 0.6, 1.0)], (24, 168))
    assert (found.length, found.cycle) == (24, 168)


def test_a_season_without_a_calendar_is_found_by_its_peak() -> None:
    found = find_season([wave(600, 37, noise=0.2)], ())
    assert abs(found.length - 37) <= 1
    assert found.by == "autocorrelation"


def test_a_long_wave_in_much_noise_is_found() -> None:
    assert find_season([wave(3650, 365, noise=0.7)], (7, 365)).length == 365


def test_a_trend_hides_no_season() -> None:
    assert find_season([wave(240, 12, slope=0.3)], (12,)).length == 12


def test_noise_and_random_walks_have_no_season() -> None:
    random = np.random.default_rng(0)
    for seed in range(5):
        noise = random.standard_normal(1000)
        assert find_season([noise], (24, 168)).length == 1, seed
        assert find_season([noise.cumsum()], (24, 168)).by != "calendar", seed


def test_the_autocorrelation_is_the_slow_one() -> None:
    x = wave(50, 7)
    centred = x - x.mean()
    slow = [centred[k:] @ centred[: len(x) - k] / (centred @ centred) for k in range(26)]
    np.testing.assert_allclose(autocorrelation(x), slow, atol=1e-10)


def test_the_centred_mean_is_the_slow_one() -> None:
    x = wave(40, 6)
    for width in (5, 6):
        found = centred_mean(x[None], width)[0]
        half = width // 2
        weights = np.ones(5) / 5 if width == 5 else np.array([0.5, 1, 1, 1, 1, 1, 0.5]) / 6
        for i in range(half, len(x) - half):
            np.testing.assert_allclose(found[i], weights @ x[i - half : i + half + 1])


def test_strengths_tell_trend_and_season() -> None:
    trend, season = strengths(wave(240, 12, noise=0.1), 12)
    assert season > 0.9
    assert trend < 0.3
    assert strengths(wave(240, 12, noise=0.1, slope=0.1), 12)[0] > 0.9


def test_a_random_walk_wanders_and_noise_does_not() -> None:
    noise = np.random.default_rng(1).standard_normal(1000)
    assert wanders(noise) < 0.463 < wanders(noise.cumsum())
