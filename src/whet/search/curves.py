"""Learning curves as a Gaussian process: from all points seen so far to where every curve ends, and how sure that is.

As in freeze-thaw (Swersky, Snoek and Adams 2014, arXiv:1406.3896) a curve is where it ends, which depends on its
parameters, plus what fades on the way; here also what drifts, and what all curves share. It is solved exactly: callers
keep the points few.

| symbol | meaning | shape |
| --- | --- | --- |
| x | parameters in the unit cube | (rows, width) |
| i, j | the rows of x that points belong to | (points,) |
| t, u | how far along the curve points lie, from 1 to END | (points,) |
| z | scores of the values, lower is better, see `normal_scores` | (points,) |
| k | how alike two rows are: Matern 3/2 of their distance | (rows, rows) |
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

END = 50.0
"""Where curves end; t is this share of the whole way, times END."""
WANDER = 1.5
"""Over so much of log t what drifts forgets where it was. Assumed."""
TINY = 1e-6
BORDER = 1e9
"""Larger than any quadratic form of scores: so one factorisation also solves for them."""
REACH = 0.25
"""Typical length scale of a column of x, for a width of 1; it grows with the square root of the width, as distances do."""


@dataclass(frozen=True)
class Shape:
    """What curves of this study are like. Standard deviations, in units of z; a row per thing that is learned."""

    theta: np.ndarray
    """(6 + width,) logarithms of `common`, `end`, `fade`, `drift` and `noise`, log-odds of `told`, logarithms of `reach`."""

    @property
    def common(self) -> float:
        """Of what all curves share."""
        return math.exp(self.theta[0])

    @property
    def end(self) -> float:
        """Of where curves end."""
        return math.exp(self.theta[1])

    @property
    def fade(self) -> float:
        """Of what vanishes as 1 / t."""
        return math.exp(self.theta[2])

    @property
    def drift(self) -> float:
        """Of what wanders along log t."""
        return math.exp(self.theta[3])

    @property
    def noise(self) -> float:
        """Of single points."""
        return math.exp(self.theta[4])

    @property
    def told(self) -> float:
        """The share of a curve's variance that its parameters explain; the rest is its own."""
        return 1 / (1 + math.exp(-self.theta[5]))

    @property
    def reach(self) -> np.ndarray:
        """(width,) how far apart in a column of x curves are still alike."""
        return np.exp(self.theta[6:])


TYPICAL = np.log([0.5, 1.0, 0.5, 0.3, 0.05, 4.5])
SPREAD = np.array([1.0, 0.7, 0.7, 0.7, 1.0, 1.0])
"""Mean and standard deviation of the prior over a shape's first six numbers; those of `reach` have 1. Assumed."""


def typical(width: int) -> Shape:
    """What is believed before any curve was seen."""
    return Shape(np.concatenate([TYPICAL, np.full(width, math.log(REACH * math.sqrt(width)))]))


class Curves:
    """The posterior of all curves, given points of some."""

    def __init__(self, shape: Shape, x: np.ndarray, i: np.ndarray, t: np.ndarray, z: np.ndarray) -> None:
        self._shape, self._i, self._t = shape, i, t
        self._alike = shape.told * matern(x / shape.reach) + (1 - shape.told) * np.eye(len(x))  # (rows, rows)
        cov = self._covariance(i, t, i, t)
        cov[np.diag_indices(len(i))] += shape.noise**2 + TINY
        self._inverse: np.ndarray | None = None
        bordered = np.block([[cov, z[:, None]], [z[None, :], np.full((1, 1), BORDER)]])
        root = np.linalg.cholesky(bordered)
        self._root, self._white = root[:-1, :-1], root[-1, :-1]  # (points, points), and its inverse times z

    def evidence(self) -> float:
        """The logarithm of the marginal likelihood, up to a constant."""
        return float(-0.5 * self._white @ self._white - np.log(np.diag(self._root)).sum())

    def ends(self, j: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(len(j),) means and standard deviations of where these rows' curves end."""
        end = np.full(len(j), END)
        w = self._whiten(self._covariance(self._i, self._t, j, end))  # (points, len(j))
        return w.T @ self._white, np.sqrt(np.maximum(self._own(end, end) - (w * w).sum(0), TINY))

    def lessons(self, j: np.ndarray, u: np.ndarray) -> np.ndarray:
        """(len(j),) standard deviation by which the mean of row j's end will move once its curve is seen at u."""
        rows, back = np.unique(j, return_inverse=True)
        end = np.full(len(rows), END)
        at_end = self._whiten(self._covariance(self._i, self._t, rows, end))[:, back]
        at_u = self._whiten(self._covariance(self._i, self._t, j, u))
        shared = self._own(u, end[back]) - (at_end * at_u).sum(0)
        seen = self._own(u, u) - (at_u * at_u).sum(0) + self._shape.noise**2
        return np.abs(shared) / np.sqrt(np.maximum(seen, TINY))

    def _covariance(self, i: np.ndarray, t: np.ndarray, j: np.ndarray, u: np.ndarray) -> np.ndarray:
        way = self._way(t[:, None], u[None, :])
        shape = self._shape
        return shape.common**2 * (1 + way) + self._alike[i[:, None], j[None, :]] * (shape.end**2 + way)

    def _own(self, t: np.ndarray, u: np.ndarray) -> np.ndarray:
        """The prior covariance of a curve's points at t with its points at u, one by one."""
        way = self._way(t, u)
        return self._shape.common**2 * (1 + way) + self._shape.end**2 + way

    def _way(self, t: np.ndarray, u: np.ndarray) -> np.ndarray:
        """What fades (Swersky et al., equation 6, alpha = 1) and what drifts (Ornstein and Uhlenbeck, in log t)."""
        apart = np.abs(np.log(t) - np.log(u))
        return self._shape.fade**2 / (t + u) + self._shape.drift**2 * np.exp(-apart / WANDER)

    def _whiten(self, a: np.ndarray) -> np.ndarray:
        if self._inverse is None:
            self._inverse = np.linalg.inv(self._root)
        return self._inverse @ a


def matern(x: np.ndarray) -> np.ndarray:
    """(rows, rows) Matern kernel, nu = 3/2, of scaled rows (Rasmussen and Williams 2006, equation 4.17)."""
    square = (x * x).sum(1)
    r = np.sqrt(3 * np.maximum(square[:, None] + square[None, :] - 2 * x @ x.T, 0))
    return (1 + r) * np.exp(-r)


def learned(
    shape: Shape, points: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tries: int, random: np.random.Generator
) -> Shape:
    """A shape under which `points` (x, i, t, z) are more probable, prior included: some steps uphill at random."""
    mean = typical(points[0].shape[1]).theta
    spread = np.concatenate([SPREAD, np.ones(len(mean) - len(SPREAD))])

    def height(theta: np.ndarray) -> float:
        return Curves(Shape(theta), *points).evidence() - 0.5 * float((((theta - mean) / spread) ** 2).sum())

    best, top = shape.theta, height(shape.theta)
    for turn in range(tries):
        step = (0.25, 0.6)[turn % 2] * spread * random.standard_normal(len(best))
        theta = np.clip(best + step * (random.random(len(best)) < 0.4), mean - 3 * spread, mean + 3 * spread)
        if (found := height(theta)) > top:
            best, top = theta, found
    return Shape(best)


def normal_scores(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The map from values to normal quantiles of their rank among `values`: neither scale nor outliers matter.

    NaN is as bad as the worst half of what is NaN. Equal values get equal scores; between known values it is linear.
    """
    sound = np.sort(values[np.isfinite(values)])
    if not len(sound):
        return lambda seen: np.zeros(np.shape(seen))
    scores = quantiles((np.arange(len(sound)) + 0.5) / len(values))
    knots, back, counts = np.unique(sound, return_inverse=True, return_counts=True)
    heights = np.bincount(back, scores) / counts
    broken = min(WORST, quantile((len(sound) + len(values)) / 2 / len(values)) if len(sound) < len(values) else WORST)

    def scored(seen: np.ndarray) -> np.ndarray:
        fine = np.isfinite(seen)
        return np.where(fine, np.minimum(np.interp(np.where(fine, seen, 0.0), knots, heights), broken), broken)

    return scored


def quantile(share: float) -> float:
    """Below it lies this share of the standard normal distribution."""
    return NormalDist().inv_cdf(share)


def quantiles(shares: np.ndarray) -> np.ndarray:
    inverse = NormalDist().inv_cdf
    return np.array([inverse(share) for share in shares.tolist()])


WORST = 1.5
"""Scores end here: how bad the bad ones are teaches little about the good ones. Assumed."""
