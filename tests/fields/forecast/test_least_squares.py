"""Maps in closed form: the linear baseline, and how much is to be drawn to earlier seasons."""

from dataclasses import replace

import numpy as np
import pytest
from series_made import loaded, wave

from whet.fields.forecast.least_squares import CLEARLY, STRENGTHS, chosen_strength, error, sums
from whet.fields.forecast.panel import Panel


def panel(*columns: np.ndarray) -> tuple[Panel, np.ndarray, np.ndarray]:
    """(the panel, training windows, validation windows) of these channels, a day of 24 steps ahead."""
    data = loaded(np.stack(columns, 1), horizon=24, lookback=72)
    return replace(data.x.panel, season=24), data.official["train"], data.official["val"]


def test_a_law_is_found_exactly() -> None:
    known, train, val = panel(wave(900, 24, noise=0.0))
    assert error(known, val, sums(known, train).map()) < 1e-3


@pytest.mark.parametrize(("steps", "trend", "clear"), [(400, 0.0, False), (2_400, 4.0, True)])
def test_series_are_drawn_to_their_season_unless_that_is_clearly_worse(steps: int, trend: float, clear: bool) -> None:
    """Under a law that a season's mean can't say, a strong pull towards it was 44 % worse than least squares."""
    slow = trend * np.sin(2 * np.pi * np.arange(steps) / 300)
    known, train, val = panel(wave(steps, 24, noise=2.0) + slow)
    assert (chosen_strength(known, train, val) < STRENGTHS[0]) == clear


def test_the_first_strength_stays_where_others_are_hardly_better(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = iter([1.0, 1.0 - CLEARLY / 2, *[1.0] * (len(STRENGTHS) - 2)])
    monkeypatch.setattr("whet.fields.forecast.least_squares.error", lambda *_: next(errors))
    assert chosen_strength(*panel(wave(900, 24))) == STRENGTHS[0]


@pytest.mark.parametrize(("windows", "chosen"), [(7, False), (8, True)])
def test_the_first_strength_stays_where_few_windows_are_afforded(
    windows: int, chosen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """862 channels and a look-back of 1,440 left one window to solve a map on, and one to judge six strengths by."""
    slow = 4 * np.sin(2 * np.pi * np.arange(2_400) / 300)
    known, train, val = panel(wave(2_400, 24, noise=2.0) + slow)
    each = known.lookback * (known.lookback + known.horizon) * len(known.channels)
    monkeypatch.setattr("whet.fields.forecast.least_squares.AFFORDED", each * len(STRENGTHS) * windows)
    seen = []
    monkeypatch.setattr("whet.fields.forecast.least_squares.error", lambda *_: seen.append(1) or 1.0 - 0.1 * len(seen))
    assert (chosen_strength(known, train, val) < STRENGTHS[0]) == chosen
