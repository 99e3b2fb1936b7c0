"""Intervals by split conformal prediction: as wide as the validation errors were, for each step and channel.

    e (n, H, C)     absolute errors of validation windows       s (n, C)    how much a window swings, see `swings`

Half an interval is s times the ceil((n + 1) level)-th smallest e / s: wider where the look-back swings more than usual (Vovk
et al. 2005; Lei et al. 2018, arXiv:1604.04173, algorithm 2 and section 5.2). A network that says quantiles knows itself where
it is less sure: e is then how far the truth lies outside its outer two, s is 1, and both are moved by that (Romano et al.
2019, Conformalized Quantile Regression, arXiv:1905.03222). Intervals hold on average over windows that are like those of the
validation part; windows overlap and errors drift, so coverage on the test part is measured and told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whet.tasks.forecast import Futures, errors

LEVEL = 0.9
"""The share of values that an interval is to cover."""
AT_ONCE = 2_000
"""Windows whose swings are measured together."""


@dataclass(frozen=True, eq=False)
class Intervals:
    """How sure a forecast is."""

    half: np.ndarray
    """(H, C): for a window that swings by 1; beyond the outer quantiles, where there are any; NaN where nothing is known."""
    usual: np.ndarray
    """(C,): the mean deviation of validation windows' look-backs; 0 where these say nothing of how sure a forecast is."""
    level: float = LEVEL

    @classmethod
    def fit(cls, y: Futures, p: np.ndarray, past: Any, rows: Any, level: float = LEVEL) -> Intervals:
        """Of validation windows: what came, what was said, and their rows of the look-backs (windows, L, C)."""
        if p.ndim == 3:
            low, high = ends(p, y.values.shape)
            return cls(widths(np.maximum(low - y.values, y.values - high), level), np.zeros(y.values.shape[2]), level)
        spread = deviations(past, rows)
        usual = np.maximum(spread.mean(0), np.finfo(np.float32).eps)
        return cls(widths(np.abs(errors(y, p)) / swings(spread, usual)[:, None], level), usual, level)

    def of(self, past: Any, rows: Any) -> np.ndarray:
        """(n, H, C) half widths in standard units of these rows of the look-backs (windows, L, C)."""
        if not self.usual.any():
            return np.broadcast_to(self.half, (len(rows), *self.half.shape))
        found: np.ndarray = self.half * swings(deviations(past, rows), self.usual)[:, None]
        return found

    def around(self, p: np.ndarray, past: Any, rows: Any) -> tuple[np.ndarray, np.ndarray]:
        """The ends (n, H, C) of the intervals of these forecasts, in standard units."""
        half = self.of(past, rows)
        low, high = ends(p, half.shape)
        return low - half, high + half

    def to_dict(self) -> dict[str, Any]:
        half = [[round(float(v), 6) if np.isfinite(v) else None for v in row] for row in self.half]
        return {"level": self.level, "half": half, "usual": [float(v) for v in self.usual]}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Intervals:
        rows: Sequence[Sequence[float | None]] = state["half"]
        half = np.asarray([[np.nan if v is None else v for v in row] for row in rows], np.float32)
        return cls(half, np.asarray(state.get("usual", [0.0] * half.shape[1])), state["level"])


def ends(p: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The outer quantiles (n, Q, H C), or the forecast (n, H C) twice, in this shape."""
    low, high = (p[:, 0], p[:, -1]) if p.ndim == 3 else (p, p)
    return low.reshape(shape), high.reshape(shape)


def deviations(past: Any, rows: Any) -> np.ndarray:
    """(n, C): standard deviations of look-backs, of which some are copied at a time."""
    pieces = [rows[at : at + AT_ONCE] for at in range(0, max(1, len(rows)), AT_ONCE)]
    return np.concatenate([np.asarray(past[piece], np.float64).std(1) for piece in pieces])


def swings(spread: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """(n, C): sqrt(spread^2 + usual^2), so that a still look-back promises no certainty."""
    return np.hypot(spread, usual)


def widths(off: np.ndarray, level: float) -> np.ndarray:
    """(H, C): the ceil((n + 1) level)-th smallest of (n, H, C), the largest at most."""
    n = np.isfinite(off).sum(0)
    rank = np.clip(np.ceil((n + 1) * level).astype(int), 1, np.maximum(1, n)) - 1
    found: np.ndarray = np.take_along_axis(np.sort(off, 0), rank[None], 0)[0]  # NaN is sorted last
    return np.where(n > 0, found, np.nan).astype(np.float32)


def covered(y: Futures, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(H, C): the share of the truth between these ends (n, H, C); NaN where there is none."""
    known = np.isfinite(y.values)
    count = np.maximum(1, known.sum(0))
    inside = known & (low <= y.values) & (y.values <= high)
    return np.where(known.any(0), inside.sum(0) / count, np.nan)
