"""Maps from look-back to horizon in closed form, one for all channels, of windows less their last value.

n   windows, counted for each channel       L   look-back       H   horizon
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from whet.families.series_linear import season
from whet.fields.forecast.panel import Panel

STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.0)
"""By which a map may be shrunk towards earlier seasons; the first one unless another is better by `CLEARLY`."""
CLEARLY = 0.03
"""Share of the error on validation windows: of ETTh1 one stretch spoke by up to 2 % against what the three before it were 3 to
5 % better with (docs/log.md)."""
AFFORDED = 2e9
"""Multiply-adds that summing may cost, and judging: less than a second. Six maps are solved beside that, L^3 / 3 + L^2 H
each: 8e9 together at a look-back of 1,440."""
FEWEST = 8
"""Windows of all channels, to solve maps on and to judge them by, below which the first strength stays."""
RIDGE = 1e-3
"""Of the plain map, relative to the mean square of its inputs."""
PIECE = 1000
"""Windows that are cut at a time."""


@dataclass(frozen=True)
class Sums:
    """What a map is solved from."""

    squares: np.ndarray
    """float64 (L, L): X'X."""
    products: np.ndarray
    """float64 (L, H): X'Y."""
    n: int

    def map(self) -> np.ndarray:
        """(L, H): least squares, a little shrunk towards the last value."""
        back = len(self.squares)
        shrink = RIDGE * np.trace(self.squares) / back + 1e-9 * self.n
        found: np.ndarray = np.linalg.solve(self.squares + shrink * np.eye(back), self.products)
        return found

    def map_near(self, start: np.ndarray, strength: float) -> np.ndarray:
        """(L, H): least squares, shrunk towards `start`, by a penalty in units of a window."""
        left = self.squares + strength * self.n * np.eye(len(self.squares))
        found: np.ndarray = start + np.linalg.solve(left, self.products - self.squares @ start)
        return found


def sums(panel: Panel, rows: np.ndarray) -> Sums:
    """Over these windows. Steps whose value is missing count as the last value."""
    back, ahead = panel.lookback, panel.horizon
    squares, products, n = np.zeros((back, back)), np.zeros((back, ahead)), 0
    for x, y in windows(panel, rows):
        y = np.where(np.isfinite(y), y, 0)
        squares += x.T @ x
        products += x.T @ y
        n += len(x)
    return Sums(squares, products, n)


def windows(panel: Panel, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(x (n, L), y (n, H)) of these windows, a piece at a time, less the look-back's last value; NaN for a missing step."""
    past, future = panel.inputs()[0].numpy(), panel.futures().values
    for at in range(0, len(rows), PIECE):
        some = rows[at : at + PIECE]
        x = past[some].transpose(0, 2, 1).reshape(-1, panel.lookback)
        y = future[some].transpose(0, 2, 1).reshape(-1, panel.horizon)
        yield x - x[:, -1:], y - x[:, -1:]


def error(panel: Panel, rows: np.ndarray, weights: np.ndarray) -> float:
    """The mean squared error of a map on these windows."""
    total, count = 0.0, 0
    for x, y in windows(panel, rows):
        missed = (x @ weights - y) ** 2
        total, count = total + float(np.nansum(missed)), count + int(np.isfinite(missed).sum())
    return total / max(1, count)


def chosen_strength(panel: Panel, train: np.ndarray, val: np.ndarray) -> float:
    """By how much a map of this panel is shrunk towards earlier seasons, as its validation windows say."""
    start = season(panel.lookback, panel.horizon, panel.season).double().numpy()
    each = panel.lookback * (panel.lookback + panel.horizon) * len(panel.channels)
    fitted, seen = spread(train, AFFORDED / each), spread(val, AFFORDED / (each * len(STRENGTHS)))
    if min(len(fitted), len(seen)) < FEWEST:
        return STRENGTHS[0]
    found = sums(panel, fitted)
    errors = {s: error(panel, seen, found.map_near(start, s) if s else found.map()) for s in STRENGTHS}
    best = min(STRENGTHS, key=lambda s: errors[s])
    return best if errors[best] < (1 - CLEARLY) * errors[STRENGTHS[0]] else STRENGTHS[0]


def spread(rows: np.ndarray, most: float) -> np.ndarray:
    """At most so many of the rows, evenly."""
    found: np.ndarray = rows[np.linspace(0, len(rows) - 1, min(len(rows), max(1, int(most)))).astype(np.int64)]
    return found
