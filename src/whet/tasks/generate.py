"""Generating: rows like the ones that were seen, judged as a set.

y   anything: what a row is compared with stands beside what was made in its place
p   (n, 2, F): features of what was made, and of the row itself

The Frechet distance is divided by the total variance of the rows' own features: 0 is the same set, and what is far from
all rows is above 1. It depends on the features, and for few rows it is too large: the same number of real rows against
other real rows says how large it is for a perfect generator.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from whet.tasks.goals import Goal
from whet.tasks.metrics import Metric

MADE, REAL = 0, 1
NEAREST = 3
"""The k of precision and recall, as in the paper."""
MOST_PAIRED = 2_000
"""Rows whose distances to each other are taken."""


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, covariance) of (n, F)."""
    x = np.asarray(x, np.float64)
    return x.mean(0), np.cov(x.T, ddof=0).reshape(x.shape[1], -1)


def frechet(y: Any, p: np.ndarray) -> float:
    """Heusel et al. 2017, arXiv:1706.08500, over the trace of the rows' covariance; inf where something is no number."""
    if not np.isfinite(p).all():
        return float("inf")
    (mean, cov), (wanted, spread) = moments(p[:, MADE]), moments(p[:, REAL])
    values, axes = np.linalg.eigh(spread)
    root = (axes * np.sqrt(values.clip(min=0))) @ axes.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov @ root).clip(min=0)).sum()
    distance = ((mean - wanted) ** 2).sum() + np.trace(cov) + np.trace(spread) - 2 * cross
    return float(max(0.0, distance) / max(1e-12, np.trace(spread)))


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, m) Euclidean, float64."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(squared.clip(min=0))


def covered(points: np.ndarray, by: np.ndarray) -> float:
    """The share of points that lie nearer to one of the others than its k-th neighbour among them does.

    Kynkaanniemi et al. 2019, arXiv:1904.06991.
    """
    k = min(NEAREST, len(by) - 1)
    radius = np.partition(distances(by, by), k, axis=1)[:, k]  # the nearest is the point itself
    return float((distances(points, by) <= radius).any(1).mean())


def precision(y: Any, p: np.ndarray) -> float:
    """How much of what was made lies among the rows."""
    return covered(p[:MOST_PAIRED, MADE], p[:MOST_PAIRED, REAL]) if np.isfinite(p).all() else 0.0


def recall(y: Any, p: np.ndarray) -> float:
    """How many of the rows lie among what was made."""
    return covered(p[:MOST_PAIRED, REAL], p[:MOST_PAIRED, MADE]) if np.isfinite(p).all() else 0.0


def energies(y: Any, p: np.ndarray, scale: Any = None) -> np.ndarray:
    """(n,) each row's part of the energy distance, which is twice their mean (Szekely & Rizzo 2013, Energy statistics)."""
    p = p[:MOST_PAIRED]
    if not np.isfinite(p).all():
        return np.full(len(p), np.inf)
    made, real = p[:, MADE], p[:, REAL]
    across = distances(made, real)
    within = distances(made, made).mean(1) + distances(real, real).mean(1)
    return np.asarray((across.mean(1) + across.mean(0) - within) / 2)


def features(said: Tensor, scale: Any) -> np.ndarray:
    """(n, 2, F) of pairs (n, 2, …), as the judge sees them; the numbers themselves where there is none."""
    found: np.ndarray = (said.flatten(2) if scale is None else scale.look(said)).numpy()
    return found


JUDGED = {
    "frechet": Metric("frechet", "min", frechet, of_sets=True),
    "precision": Metric("precision", "max", precision, of_sets=True),
    "recall": Metric("recall", "max", recall, of_sets=True),
}

GOAL = Goal("generate", "generation", JUDGED, "frechet", tuple(JUDGED), "own", features, energies)
