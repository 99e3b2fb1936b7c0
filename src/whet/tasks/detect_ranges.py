"""Metrics for windows of anomalies in a series: the volume under the surface (VUS), and the score of NAB.

labels   (n,) bool, in time order
scores   (n,) float, the higher the stranger
l        steps by which a window's label reaches beyond its ends, fading
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

REACHES = 9
"""Values of l, evenly from 0 to the largest, over which a volume is averaged."""
PROBATION, PROBATION_ROWS = 0.15, 750
"""Of a series NAB leaves this share at its start unscored, and no more rows than these."""
HIT, MISS, FALSE_ALARM = 1.0, 1.0, 0.11
"""NAB's standard profile: what a window found, a window missed and a false alarm weigh."""


def runs(labels: np.ndarray) -> np.ndarray:
    """(windows, 2) int64: the first row of each run of True, and the first after it."""
    edges = np.diff(np.concatenate([[0], labels.astype(np.int8), [0]]))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], 1)


# -- VUS (Paparrizos et al. 2022, PVLDB 15(11), section 4) ----------------------------------------------------------


def vus(labels: np.ndarray, scores: np.ndarray, reach: int) -> tuple[float, float]:
    """(VUS-ROC, VUS-PR): the range-aware areas, averaged over `REACHES` values of l from 0 to `reach`."""
    lengths = np.unique(np.linspace(0, reach, REACHES).round().astype(int))
    areas = np.asarray([range_areas(labels, scores, int(l)) for l in lengths])  # noqa: E741
    return float(areas[:, 0].mean()), float(areas[:, 1].mean())


def extended(labels: np.ndarray, l: int) -> np.ndarray:  # noqa: E741
    """Labels in [0, 1]: 1 inside windows, sqrt(1 - distance / l) up to l / 2 steps outside."""
    found = labels.astype(np.float64)
    for distance in range(1, l // 2 + 1):
        fading = np.sqrt(1 - distance / l)
        for start, end in runs(labels):
            for row in (start - distance, end - 1 + distance):
                if 0 <= row < len(found):
                    found[row] = max(found[row], fading)
    return found


def range_areas(labels: np.ndarray, scores: np.ndarray, l: int) -> tuple[float, float]:  # noqa: E741
    """(R-AUC-ROC, R-AUC-PR) with labels extended by l; recall also counts the share of windows that were touched."""
    soft = extended(labels, l)
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    flagged = ends + 1.0
    hits = np.cumsum(soft[order])[ends]
    positives = (labels.sum() + soft.sum()) / 2
    peaks = np.sort([-scores[a:b].max() for a, b in runs(soft > 0)])
    touched = np.searchsorted(peaks, -scores[order][ends], side="right") / len(peaks)
    recall = np.minimum(hits / positives, 1) * touched
    alarms = (flagged - hits) / max(1e-12, len(labels) - positives)
    precision = hits / flagged
    high, along = np.concatenate([[0], recall, [1]]), np.concatenate([[0], alarms, [1]])
    roc = np.sum(np.diff(along) * (high[1:] + high[:-1]) / 2)
    return float(roc), float(np.sum(precision * np.diff(recall, prepend=0.0)))


# -- NAB (Lavin and Ahmad 2015, arXiv:1510.03336, section II) -------------------------------------------------------


def sigmoid(position: np.ndarray) -> np.ndarray:
    """The worth of a detection so far past a window's end, in widths of the window: 1 early, 0 at the end, -1 far behind."""
    return 2 / (1 + np.exp(5 * np.minimum(position, 3))) - 1


def worths(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n,) what the score of a series gains when a threshold falls below each row's score, from the highest row down.

    Of a window only the earliest detection counts: a row in it gains what it adds to those that are flagged before it.
    """
    gains = np.full(len(labels), -FALSE_ALARM)
    for start, end in runs(labels):
        past = np.arange(end, len(labels))
        gains[end:] = FALSE_ALARM * sigmoid((past - (end - 1)) / max(1, end - start - 1))
    for start, end in runs(labels):
        rows = np.arange(start, end)
        worth = HIT * sigmoid(-(end - rows) / (end - start)) / sigmoid(np.asarray(-1.0))
        order = np.argsort(-scores[start:end], kind="stable")
        best = np.maximum.accumulate(worth[order])
        gains[rows[order]] = np.diff(best, prepend=-MISS)
    gains[: probation(len(labels))] = 0.0
    return gains


def probation(rows: int) -> int:
    return min(int(PROBATION * rows), PROBATION_ROWS)


def nab(series: Sequence[tuple[np.ndarray, np.ndarray]], threshold: float | None = None) -> tuple[float, float]:
    """(the NAB score of (labels, scores) of all series, the one threshold it was reached with); the best one if None.

    Normalised: 0 is the detector that flags nothing, 100 the one that flags the first row of each window and no other.
    """
    windows = sum(len(runs(labels)) for labels, _ in series)
    scores = np.concatenate([s for _, s in series])
    gains = np.concatenate([worths(labels, s) for labels, s in series])
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    totals, levels = np.cumsum(gains[order])[ends], scores[order][ends]
    if threshold is None:
        at = int(totals.argmax())
        total, threshold = max(0.0, float(totals[at])), float(levels[at])
    else:
        above = int(np.searchsorted(-levels, -threshold, side="left"))  # flagged: above the threshold
        total = float(totals[above - 1]) if above else 0.0
    return (100 * total / ((HIT + MISS) * windows) if windows else float("nan")), threshold
