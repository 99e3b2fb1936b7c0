"""Metrics on numpy arrays, and how sure they are.

y   (n,) true class indices (int) or values (float)
p   (n, C) class probabilities, (n,) class indices, or (n,) predicted values
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from whet.errors import UnknownName
from whet.rng import generator

DRAWS = 10_000_000
"""Random numbers that a bootstrap may draw: keeps it near 0.2 s on one core."""
UNITS = 20_000
"""Rows above which a bootstrap resamples the means of random groups of rows rather than the rows."""


@dataclass(frozen=True)
class Metric:
    """A number that says how good predictions are."""

    name: str
    direction: str
    """"max" or "min"."""
    function: Callable[[Any, np.ndarray], float]
    rows: Callable[[Any, np.ndarray], np.ndarray] | None = None
    """(y, p) -> (n,), where the metric is the mean of one number per row; None: it isn't."""
    of_sets: bool = False
    """Whether it compares sets, which seem farther apart where rows are drawn twice: its interval is the spread of such
    draws, around the value itself."""

    def better(self, a: float, b: float) -> bool:
        """Whether `a` is strictly better than `b`; NaN is worse than anything."""
        if np.isnan(a) or np.isnan(b):
            return bool(np.isnan(b) and not np.isnan(a))
        return a > b if self.direction == "max" else a < b


def accuracy(y: np.ndarray, p: np.ndarray) -> float:
    """Share of rows whose most probable class is the true one."""
    return float((labels(p) == y).mean())


def labels(p: np.ndarray) -> np.ndarray:
    """(n,) class indices of probabilities (n, C); indices are given back as they are."""
    return p.argmax(1) if p.ndim == 2 else p


def log_loss(y: np.ndarray, p: np.ndarray) -> float:
    """Mean of -log of the true class's probability, in nats; a probability of 0 counts as the smallest float's step."""
    return float(_surprise(y, p).mean())


def _surprise(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    step = np.finfo(p.dtype if p.dtype.kind == "f" else np.float64).eps
    return -np.log(np.clip(p[np.arange(len(y)), y].astype(np.float64), step, 1))


def calibrated_surprise(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(n,) -log of the true class's probability, after the probabilities (n, C) were raised to the power 1/T that makes the
    mean the lowest: temperature scaling (Guo et al. 2017, eq. 9), on these rows. T lies between 1/20 and 20.
    """
    from scipy.optimize import minimize_scalar

    logs = np.log(np.clip(p, np.finfo(np.float32).tiny, None), dtype=np.float32)

    def surprise(log_t: float) -> np.ndarray:
        scaled = logs * np.float32(math.exp(-log_t))
        scaled -= scaled.max(1, keepdims=True)
        found: np.ndarray = np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(y)), y]
        return found.astype(np.float64)

    best = minimize_scalar(lambda t: surprise(t).mean(), bounds=(-math.log(20), math.log(20)), method="bounded")
    return surprise(float(best.x))


def auc(y: np.ndarray, p: np.ndarray) -> float:
    """Area under the ROC curve: of class 1 for two classes, else the mean over classes of one against the rest.

    Ties count half. Classes that don't occur, or are all there is, are left out; NaN if none is left.
    """
    if p.ndim == 1:
        return _binary_auc(y == 1, p)
    if p.shape[1] == 2:
        return _binary_auc(y == 1, p[:, 1])
    areas = [_binary_auc(y == c, p[:, c]) for c in range(p.shape[1])]
    known = [a for a in areas if not np.isnan(a)]
    return float(np.mean(known)) if known else float("nan")


def _binary_auc(positive: np.ndarray, score: np.ndarray) -> float:
    """The chance that a positive row scores higher than a negative one (Mann-Whitney)."""
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    _, group, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2
    return float((rank[group][positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def rmse(y: np.ndarray, p: np.ndarray) -> float:
    """Root of the mean squared error, in the target's unit."""
    return float(np.sqrt(np.mean(_difference(y, p) ** 2)))


def mae(y: np.ndarray, p: np.ndarray) -> float:
    """Mean absolute error, in the target's unit."""
    return float(np.mean(np.abs(_difference(y, p))))


def r2(y: np.ndarray, p: np.ndarray) -> float:
    """1 - squared error / variance: 1 is perfect, 0 is the mean's score. NaN if the target doesn't vary."""
    spread = float(np.sum((y - y.mean()) ** 2)) if len(y) else 0.0
    return 1 - float(np.sum(_difference(y, p) ** 2)) / spread if spread > 0 else float("nan")


def _difference(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.asarray(p, np.float64).reshape(len(y)) - y


METRICS = {
    m.name: m
    for m in (
        Metric("accuracy", "max", accuracy),
        Metric("auc", "max", auc),
        Metric("log_loss", "min", log_loss),
        Metric("rmse", "min", rmse),
        Metric("mae", "min", mae),
        Metric("r2", "max", r2),
    )
}


def metric(name: str) -> Metric:
    """The metric of that name. Raises UnknownName."""
    if name not in METRICS:
        raise UnknownName("metric", name, METRICS)
    return METRICS[name]


# -- intervals -----------------------------------------------------------------------------------------------------


def ci95(name: str, y: np.ndarray, p: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """`interval` of one of `METRICS`."""
    return interval(metric(name), y, p, seed=seed)


def interval(kind: Metric, y: np.ndarray, p: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a metric over the choice of test rows: Wilson for accuracy, else a seeded bootstrap.

    It says nothing about the spread between training seeds. (NaN, NaN) where the metric has no value.
    """
    if len(y) == 0 or np.isnan(kind.function(y, p)):
        return float("nan"), float("nan")
    name = kind.name
    if name == "accuracy" and y.ndim == 1:
        return wilson(int((labels(p) == y).sum()), len(y))
    random = generator(seed, "ci95")
    if name == "auc":
        values = _auc_draws(y, p, random)
    elif name == "log_loss":
        values = _mean_draws(_surprise(y, p)[:, None], random)[:, 0]
    elif name == "mae":
        values = _mean_draws(np.abs(_difference(y, p))[:, None], random)[:, 0]
    elif name == "rmse":
        values = np.sqrt(_mean_draws(_difference(y, p)[:, None] ** 2, random)[:, 0])
    elif name == "r2":
        values = _r2_draws(y, p, random)
    elif kind.rows is not None:
        values = _mean_draws(kind.rows(y, p)[:, None], random)[:, 0]
    else:
        values = _row_draws(kind, y, p, random)
        values += (kind.function(y, p) - np.nanmedian(values)) if kind.of_sets else 0.0
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)


def wilson(right: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (Wilson 1927)."""
    z = 1.959963984540054
    share = right / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


PLAIN_DRAWS = 100
"""Resamples where each costs a whole metric."""


def _row_draws(kind: Metric, y: np.ndarray, p: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The metric of resampled rows."""
    picks = (random.integers(0, len(y), len(y)) for _ in range(PLAIN_DRAWS))
    return np.asarray([kind.function(y[rows], p[rows]) for rows in picks])


def _resamples(n: int) -> int:
    return int(np.clip(DRAWS // max(n, 1), 200, 1000))


def _mean_draws(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(resamples, k): the column means of `values` (n, k) over resampled rows."""
    units = _grouped(values, random)
    n = len(units)
    draws = np.empty((_resamples(n), values.shape[1]))
    block = max(1, 1_000_000 // n)
    for start in range(0, len(draws), block):
        rows = random.integers(0, n, (min(block, len(draws) - start), n), dtype=np.int32)
        for k in range(values.shape[1]):
            draws[start : start + len(rows), k] = np.take(units[:, k], rows).mean(1)
    return draws


def _grouped(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Many rows as the means of `UNITS` random groups: the spread of the mean is the same, the cost is not."""
    n = len(values)
    if n <= 2 * UNITS:
        return values
    size = n // UNITS
    order = random.permutation(n)[: size * UNITS]
    return values[order].reshape(UNITS, size, -1).mean(1)


def _r2_draws(y: np.ndarray, p: np.ndarray, random: np.random.Generator) -> np.ndarray:
    centred = y - y.mean()
    draws = _mean_draws(np.stack([_difference(y, p) ** 2, centred, centred**2], 1), random)
    spread = draws[:, 2] - draws[:, 1] ** 2
    return 1 - draws[:, 0] / np.where(spread > 0, spread, np.nan)


def _auc_draws(y: np.ndarray, p: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Areas under resampled curves; over more than two classes, the mean of the classes' own."""
    if p.ndim == 1:
        return _binary_auc_draws(y == 1, p, random)
    if p.shape[1] == 2:
        return _binary_auc_draws(y == 1, p[:, 1], random)
    classes = [c for c in range(p.shape[1]) if 0 < (y == c).sum() < len(y)]
    # The same resamples for each class: the classes' areas are not independent.
    seed = int(random.integers(0, 1 << 62))
    count = max(50, _resamples(len(y)) // len(classes))
    draws = [_binary_auc_draws(y == c, p[:, c], np.random.default_rng(seed), count) for c in classes]
    return np.asarray(np.nanmean(draws, 0))


def _binary_auc_draws(
    positive: np.ndarray, score: np.ndarray, random: np.random.Generator, count: int | None = None
) -> np.ndarray:
    """One sort for all resamples: each is a vector of how often every row was drawn."""
    n = len(score)
    values, group = np.unique(score, return_inverse=True)
    count = count or min(_resamples(n), max(50, DRAWS // (3 * n)))
    draws = np.empty(count)
    ones, zeros = group[positive], group[~positive]
    for i in range(count):
        n_ones = int(random.binomial(n, len(ones) / n))
        drawn_ones = np.bincount(ones[random.integers(0, len(ones), n_ones)], minlength=values.size)
        drawn_zeros = np.bincount(zeros[random.integers(0, len(zeros), n - n_ones)], minlength=values.size)
        below = np.cumsum(drawn_zeros) - drawn_zeros / 2
        pairs = n_ones * (n - n_ones)
        draws[i] = float(drawn_ones @ below) / pairs if pairs else np.nan
    return draws
