"""How far back a step is judged, and the windows themselves: views of the values, so that they cost no memory."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from whet.errors import UserError
from whet.families.anomaly_steps import AROUND, now
from whet.fields.anomaly.rows import Rows
from whet.tasks.detect import COLUMNS, SCORE

USUAL = 100
"""Steps that are judged together. On 20 generated series windows of 100 steps found more than ones of the series' own
period (AUC-PR in hindsight 0.57 against 0.47) and than ones of 50 (0.41)."""
PERIODS = (8, 300)
"""Steps between which a period is looked for."""
CLEAR = 0.3
"""Autocorrelation that a period has at least."""
SHARE = 8
"""A window is at most this part of the shortest series."""
LOOKED_AT = 20_000
"""Steps in which a period is looked for."""


def window_of(rows: Rows, asked: int | None) -> int:
    """Steps that are judged together: as asked, or `USUAL`, fewer in short series."""
    shortest = int(np.diff(rows.bounds).min())
    if asked is not None:
        if not 2 <= asked < shortest:
            raise UserError(
                f"--lookback {asked} does not fit series of {shortest:,} steps.", "Use 2 or more, and fewer."
            )
        return asked
    return max(2, min(USUAL, shortest // SHARE))


def period_of(x: np.ndarray) -> int:
    """The lag within `PERIODS` at which the autocorrelation has its highest peak; 0 where none is clear."""
    x = x[np.isfinite(x)][:LOOKED_AT]
    x = x - x.mean() if len(x) else x
    if len(x) < 3 * PERIODS[0] or not np.any(x):
        return 0
    power = np.abs(np.fft.rfft(x, 2 * len(x))) ** 2  # Wiener and Khinchin: circular, hence padded
    correlation = np.fft.irfft(power)[: len(x)] / float(x @ x)
    last = min(PERIODS[1], len(x) // 3)
    inner = correlation[PERIODS[0] - 1 : last + 1]
    peaks = np.flatnonzero((inner[1:-1] > inner[:-2]) & (inner[1:-1] >= inner[2:])) + 1
    if not len(peaks):
        return 0
    best = int(peaks[inner[peaks].argmax()])
    return best + PERIODS[0] - 1 if inner[best] >= CLEAR else 0


def in_hindsight(scores: np.ndarray, window: int) -> np.ndarray:
    """(n,) the mean score of the windows that contain each step of a series, of those that end at it or later.

    `scores` are those of the windows that end at each step: what can be said of it as soon as it is there.
    """
    total = np.concatenate([[0.0], np.cumsum(scores, dtype=np.float64)])
    ends = np.minimum(np.arange(len(scores)) + window, len(scores))
    found: np.ndarray = (total[ends] - total[:-1]) / (ends - np.arange(len(scores)))
    return found


def parted(said: np.ndarray, features: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) what a network says of windows as wholes, (n, 3) what `anomaly_steps.Steps` says in it, 0 where there is none."""
    single = said[:, COLUMNS + features :]
    if not single.shape[1]:
        return said[:, SCORE], np.zeros((len(said), 3))
    return said[:, SCORE] - now(single), single


def settled(single: np.ndarray, rows: np.ndarray, bounds: tuple[int, ...]) -> np.ndarray:
    """The same with nothing said in the first steps of each series: what stands before these are copies of the first one."""
    begun = rows - np.asarray(bounds)[np.searchsorted(bounds, rows, side="right") - 1]
    return np.where(begun[:, None] < AROUND - 1, 0.0, single)


def known_later(single: np.ndarray, window: int) -> np.ndarray:
    """(n,) how strange each step of a series is by itself, once the steps after it are there too; 0: nothing is said of it.

    single (n, 3): what `anomaly_steps.Steps` says of the windows that end at each step.
    """
    newest, between, still = single.T
    around = min(AROUND, window)
    delay = min(around // 2, len(single))
    found = np.concatenate([between[delay:], newest[len(single) - delay :]])
    ahead = np.concatenate([still, np.zeros(around - 1)])  # still is each of the steps that are looked at
    return np.maximum(found, np.lib.stride_tricks.sliding_window_view(ahead, around).max(1))


def windows(values: Tensor, bounds: tuple[int, ...], window: int) -> Tensor:
    """(rows and some between series, columns, window) of (rows, columns): the window that ends at each row.

    Before the first row of a series stand copies of it. See `places` for where each row's window is.
    """
    pieces = []
    for start, end in pairwise(bounds):
        if end > start:
            pieces += [values[start : start + 1].expand(window - 1, -1), values[start:end]]
    return torch.cat(pieces).unfold(0, window, 1)


def places(rows: np.ndarray, bounds: tuple[int, ...], window: int) -> np.ndarray:
    """(rows,) int64: where `windows` holds the windows that end at these rows."""
    series = np.searchsorted(bounds, rows, side="right") - 1
    found: np.ndarray = rows + series * (window - 1)
    return found
