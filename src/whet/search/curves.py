"""Learning curves as a Gaussian process: from all points seen so far to where every curve ends, and how sure that is.

As in freeze-thaw (Swersky, Snoek and Adams 2014, arXiv:1406.3896) a curve is where it ends, plus what fades on the way.
Here both depend on the parameters and on each other, the curve may drift, and there is what all curves share. It is
solved exactly: callers keep the points few.

| symbol | meaning | shape |
| --- | --- | --- |
| x | parameters in the unit cube | (rows, width) |
| i, j | the rows of x that points belong to | (points,) |
| t, u | how far along the curve points lie, from 1 to END | (points,) |
| z | scores of the values, lower is better, see `normal_scores` | (points,) |
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
    """(8 + width,) logarithms of `common`, `end`, `fade`, `drift`, `noise` and `speed`, log-odds of `told`, the inverse
    hyperbolic tangent of `link`, logarithms of `reach`."""

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
        """Of what vanishes on the way, at t = 1."""
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
    def speed(self) -> float:
        """It vanishes as t to the power of minus this."""
        return math.exp(self.theta[5])

    @property
    def told(self) -> float:
        """The share of a curve's variance that its parameters explain; the rest is its own."""
        return 1 / (1 + math.exp(-self.theta[6]))

    @property
    def link(self) -> float:
        """The correlation of what vanishes with the end: below 0, who starts well ends badly."""
        return math.tanh(self.theta[7])

    @property
    def reach(self) -> np.ndarray:
        """(width,) how far apart in a column of x curves are still alike."""
        return np.exp(self.theta[8:])


TYPICAL = np.array([*np.log([1.0, 0.5, 0.6, 0.4, 0.05, 0.7]), 2.2, 0.0])
SPREAD = np.array([1.0, 0.7, 0.7, 0.7, 1.0, 0.5, 1.0, 0.7])
"""Mean and standard deviation of the prior over a shape's first numbers; those of `reach` have 1. Assumed."""


def typical(width: int) -> Shape:
    """What is believed before any curve was seen."""
    return Shape(np.concatenate([TYPICAL, np.full(width, math.log(REACH * math.sqrt(width)))]))


class Curves:
    """The posterior of all curves, given points of the first of them."""

    def __init__(self, shape: Shape, x: np.ndarray, i: np.ndarray, t: np.ndarray, z: np.ndarray) -> None:
        self._shape, self._i, self._t = shape, i, t
        scaled, seen = x / shape.reach, int(i.max()) + 1
        own = (1 - shape.told) * np.eye(seen, len(x))
        self._alike = shape.told * matern(scaled[:seen], scaled) + own  # (seen, rows)
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
        """(len(j),) means and standard deviations of where these rows' curves end, beside what all curves share."""
        end = np.full(len(j), END)
        w = self._whiten(self._of_its_own(j, end))  # (points, len(j))
        return w.T @ self._white, np.sqrt(np.maximum(self._variance(end, end) - (w * w).sum(0), TINY))

    def lessons(self, j: np.ndarray, u: np.ndarray) -> np.ndarray:
        """(len(j),) standard deviation by which the mean of row j's end will move once its curve is seen at u."""
        rows, back = np.unique(j, return_inverse=True)
        end = np.full(len(rows), END)
        at_end = self._whiten(self._of_its_own(rows, end))[:, back]
        at_u = self._whiten(self._covariance(self._i, self._t, j, u))
        both = self._variance(u, end[back]) - (at_end * at_u).sum(0)
        common = self._shape.common**2 * self._trend(u, u)
        seen = common + self._variance(u, u) - (at_u * at_u).sum(0) + self._shape.noise**2
        return np.abs(both) / np.sqrt(np.maximum(seen, TINY))

    def _of_its_own(self, j: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Covariance of the points with what is not shared at (j, u)."""
        return self._covariance(self._i, self._t, j, u, common=0.0)

    def _covariance(
        self, i: np.ndarray, t: np.ndarray, j: np.ndarray, u: np.ndarray, common: float | None = None
    ) -> np.ndarray:
        ts, row = np.unique(t, return_inverse=True)
        us, column = np.unique(u, return_inverse=True)
        common = self._shape.common if common is None else common
        found = self._variance(ts[:, None], us[None, :])[row][:, column]  # few are different
        found *= self._alike[i][:, j]
        if common:
            found += (common**2 * self._trend(ts[:, None], us[None, :]))[row][:, column]
        return found

    def _variance(self, t: np.ndarray, u: np.ndarray) -> np.ndarray:
        """The prior covariance of a curve's points at t with its points at u, beside what is shared."""
        shape, s, v = self._shape, t**-self._shape.speed, u**-self._shape.speed
        linked = shape.link * shape.end * shape.fade * (s + v)
        return shape.end**2 + linked + shape.fade**2 * s * v + shape.drift**2 * wandered(t, u)

    def _trend(self, t: np.ndarray, u: np.ndarray) -> np.ndarray:
        """The covariance of what all curves share, in units of its variance."""
        return 1 + (t * u) ** -self._shape.speed + wandered(t, u)

    def _whiten(self, a: np.ndarray) -> np.ndarray:
        if self._inverse is None:
            self._inverse = inverted(self._root)
        half = len(a) // 2  # above it the inverse's right half is zero
        return np.concatenate([self._inverse[:half, :half] @ a[:half], self._inverse[half:] @ a])


BLOCK = 48
"""Rows of a triangle that are inverted at once: the fastest of 32 to 96, for 120 to 460 rows."""


def inverted(lower: np.ndarray) -> np.ndarray:
    """The inverse of a lower triangular matrix, by halves: numpy knows none that makes use of the zeros."""
    if len(lower) <= BLOCK:
        return np.linalg.inv(lower)
    half = len(lower) // 2
    first, last = inverted(lower[:half, :half]), inverted(lower[half:, half:])
    found = np.zeros_like(lower)
    found[:half, :half], found[half:, half:] = first, last
    found[half:, :half] = -last @ (lower[half:, :half] @ first)
    return found


def wandered(t: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The correlation of what drifts (Ornstein and Uhlenbeck's process in log t)."""
    return np.exp(-np.abs(np.log(t) - np.log(u)) / WANDER)


def matern(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(rows of a, rows of b) Matern kernel, nu = 3/2, of scaled rows (Rasmussen and Williams 2006, equation 4.17)."""
    square = (a * a).sum(1)[:, None] + (b * b).sum(1)
    r = np.sqrt(3 * np.maximum(square - 2 * a @ b.T, 0))
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
