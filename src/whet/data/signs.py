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
    t, y = (x[known] - low) / (high - low), y[known]
    y = y[:, y.std(0) > 0]
    y = (y - y.mean(0)) / y.std(0)
    curve = np.polynomial.legendre.legvander(2 * t - 1, 3)
    rest = y - curve @ np.linalg.lstsq(curve, y, rcond=None)[0]
    gains = []
    for waves in np.arange(1.0, WAVES + 0.5, 0.5):
        both = np.stack([np.sin(2 * np.pi * waves * t), np.cos(2 * np.pi * waves * t)], 1)
        both = both - curve @ np.linalg.lstsq(curve, both, rcond=None)[0]
        fitted = both @ np.linalg.lstsq(both, rest, rcond=None)[0]
        gains.append((fitted**2).mean(0).max(initial=0.0))
    chance = 2 * np.log(2 * WAVES * y.shape[1]) / len(t) if y.shape[1] else 0.0
    return float(max(0.0, max(gains) - chance))
