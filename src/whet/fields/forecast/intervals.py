"""Intervals by split conformal prediction: as wide as the validation errors were, for each step and channel.

    e (n, H, C)     absolute errors of validation windows       s (n, C)    how much a window swings, see `swings`

Half an interval is s times the ceil((n + 1) level)-th smallest e / s: wider where the look-back swings more than usual (Vovk
et al. 2005; Lei et al. 2018, arXiv:1604.04173, algorithm 2 and section 5.2). They hold on average over windows that are like
those of the validation part; windows overlap and errors drift, so coverage on the test part is measured and told.
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
    """(H, C): for a window that swings by 1; NaN where nothing is known."""
    usual: np.ndarray
    """(C,): the mean deviation of validation windows' look-backs; 0 of a run whose intervals are as wide everywhere."""
    level: float = LEVEL

    @classmethod
    def fit(cls, y: Futures, p: np.ndarray, past: Any, rows: Any, level: float = LEVEL) -> Intervals:
        """Of validation windows: what came, what was said, and their rows of the look-backs (windows, L, C)."""
        spread = deviations(past, rows)
        usual = np.maximum(spread.mean(0), np.finfo(np.float32).eps)
        return cls(widths(np.abs(errors(y, p)) / swings(spread, usual)[:, None], level), usual, level)

    def of(self, past: Any, rows: Any) -> np.ndarray:
        """(n, H, C) half widths in standard units of these rows of the look-backs (windows, L, C)."""
        if not self.usual.any():
            return np.broadcast_to(self.half, (len(rows), *self.half.shape))
        found: np.ndarray = self.half * swings(deviations(past, rows), self.usual)[:, None]
        return found

    def to_dict(self) -> dict[str, Any]:
        half = [[round(float(v), 6) if np.isfinite(v) else None for v in row] for row in self.half]
        return {"level": self.level, "half": half, "usual": [float(v) for v in self.usual]}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Intervals:
        rows: Sequence[Sequence[float | None]] = state["half"]
        half = np.asarray([[np.nan if v is None else v for v in row] for row in rows], np.float32)
        return cls(half, np.asarray(state.get("usual", [0.0] * half.shape[1])), state["level"])


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


def covered(y: Futures, p: np.ndarray, half: np.ndarray) -> np.ndarray:
    """(H, C): the share of the truth within intervals of these half widths (n, H, C); NaN where there is none."""
    off = np.abs(errors(y, p))
    known = np.isfinite(off)
    count = np.maximum(1, known.sum(0))
    return np.where(known.any(0), (known & (off <= half)).sum(0) / count, np.nan)
