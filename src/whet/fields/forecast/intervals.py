"""Intervals by split conformal prediction: as wide as the validation errors were, for each step and channel.

Vovk et al. 2005; Lei et al. 2018, arXiv:1604.04173, algorithm 2. They hold on average over windows that are like those of
the validation part; windows of a series overlap and its errors drift, so coverage on the test part is measured and told.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from whet.tasks.forecast import Futures, errors

LEVEL = 0.9
"""The share of values that an interval is to cover."""


def widths(y: Futures, p: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """(H, C) half widths in standard units: the ceil((n + 1) level)-th smallest absolute error, the largest at most."""
    off = np.abs(errors(y, p))  # (n, H, C)
    n = np.isfinite(off).sum(0)
    rank = np.clip(np.ceil((n + 1) * level).astype(int), 1, np.maximum(1, n)) - 1
    found: np.ndarray = np.take_along_axis(np.sort(off, 0), rank[None], 0)[0]  # NaN is sorted last
    return np.where(n > 0, found, np.nan).astype(np.float32)


def covered(y: Futures, p: np.ndarray, half: np.ndarray) -> np.ndarray:
    """(H, C): the share of the truth within the intervals; NaN where there is none."""
    off = np.abs(errors(y, p))
    known = np.isfinite(off)
    count = np.maximum(1, known.sum(0))
    return np.where(known.any(0), (known & (off <= half)).sum(0) / count, np.nan)


def as_array(said: Sequence[Sequence[float | None]]) -> np.ndarray:
    """Widths as they were written into task.json."""
    return np.asarray([[np.nan if v is None else v for v in row] for row in said], np.float32)


def as_lists(half: np.ndarray) -> list[list[float | None]]:
    """Widths as JSON can hold them."""
    return [[round(float(v), 6) if np.isfinite(v) else None for v in row] for row in half]
