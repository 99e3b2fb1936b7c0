"""What of the data bears on the choice of an activation function: zeros, signs, tails, waves. Training rows only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from whet.data.core import Data

ROWS = 5_000
"""Rows that are looked at."""
COLUMNS = 50
"""Columns in which waves are looked for, and classes for which they are."""
WAVES = 16
"""The most full waves over a column's range that are looked for."""
BINS = 8 * WAVES
FEW = 200
"""Rows below which a wave can't be told from chance."""


@dataclass(frozen=True)
class Signs:
    """Shares in [0, 1]. Pixels count as they are stored: never negative, without tails or waves."""

    zeros: float = 0.0
    """Of all numbers, those that are exactly zero."""
    negative: float = 0.0
    """Of all numbers, those below zero."""
    tails: float = 0.0
    """Excess kurtosis of the numeric columns, their median; a normal distribution has 0, Laplace's 3."""
    wave: float = 0.0
    """Of the target's variance, what waves over one column explain beyond a cubic curve; the best column's."""
    waved: str = ""
    """That column."""


def signs(data: Data, train: np.ndarray) -> Signs:
    """The signs in these rows of the data; none for what has no numbers."""
    rows = train[:: max(1, -(-len(train) // ROWS))]
    if isinstance(data.x, np.ndarray):
        return Signs(zeros=float((data.x[rows] == 0).mean())) if len(rows) else Signs()
    x = {s.name: s.cast(pl.Float64).to_numpy() for s in data.x[rows] if s.dtype.is_numeric()}
    x = {name: column for name, column in x.items() if np.isfinite(column).sum() > 2}
    if not x:
        return Signs()
    seen = np.concatenate([column[np.isfinite(column)] for column in x.values()])
    wave, waved = max((_wave(column, targets(data, rows)), name) for name, column in list(x.items())[:COLUMNS])
    return Signs(
        zeros=float((seen == 0).mean()),
        negative=float((seen < 0).mean()),
        tails=float(np.median([_excess_kurtosis(column[np.isfinite(column)]) for column in x.values()])),
        wave=wave,
        waved=waved if wave > 0 else "",
    )


def targets(data: Data, rows: np.ndarray) -> np.ndarray:
    """(rows, targets): the values, or a 0/1 column for each class."""
    y = data.y[rows]
    if data.goal == "regress":
        return y[:, None].astype(np.float64)
    return (y[:, None] == np.arange(min(len(data.classes), COLUMNS))).astype(np.float64)


def _excess_kurtosis(x: np.ndarray) -> float:
    centred = x - x.mean()
    variance = (centred**2).mean()
    return float((centred**4).mean() / variance**2 - 3) if variance > 0 else 0.0


def _wave(x: np.ndarray, y: np.ndarray) -> float:
    """R^2 of cubic curve and the best wave, less the R^2 of the curve alone, and less what chance would give."""
    known = np.isfinite(x)
    low, high = (x[known].min(), x[known].max()) if known.any() else (0.0, 0.0)
    if known.sum() < FEW or high <= low or np.unique(x[known][:FEW]).size < 8:
        return 0.0
    y = y[known]
    y = y[:, y.std(0) > 0]
    y = (y - y.mean(0)) / y.std(0)
    count, mean = _binned((x[known] - low) / (high - low), y)
    root = np.sqrt(count / count.sum())[:, None]  # weighted least squares: bins count as many rows as they hold
    t = (np.arange(BINS) + 0.5) / BINS
    curve = root * np.polynomial.legendre.legvander(2 * t - 1, 3)
    rest = root * mean - _fitted(curve, root * mean)
    gains = []
    for waves in np.arange(1.0, WAVES + 0.5, 0.5):
        both = root * np.stack([np.sin(2 * np.pi * waves * t), np.cos(2 * np.pi * waves * t)], 1)
        gains.append((_fitted(both - _fitted(curve, both), rest) ** 2).sum(0).max(initial=0.0))
    chance = 2 * np.log(2 * WAVES * y.shape[1]) / len(y) if y.shape[1] else 0.0
    return float(max(0.0, max(gains) - chance))


def _binned(t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows in each bin of [0, 1], the mean of y there): a fit to few bins costs nothing, however many rows there are."""
    place = np.minimum((t * BINS).astype(int), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    total = (
        np.stack([np.bincount(place, column, minlength=BINS) for column in y.T], 1) if y.size else np.zeros((BINS, 0))
    )
    return count, total / np.maximum(count, 1)[:, None]


def _fitted(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What least squares on x says of y."""
    fitted: np.ndarray = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return fitted
