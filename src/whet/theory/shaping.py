"""How much of a function's bend a deep, narrow network bears, and the scale and shift that leave it that much.

    g(z) = gamma (f(alpha z + beta) + delta)     z ~ N(0, 1), with gamma and delta such that E g = 0 and E g^2 = 1
    L, N     layers with the function in a row, and their width        a_k    Hermite coefficients of g: sum a_k^2 = 1
    C'(1)    sum k a_k^2 = E g'^2: stretch of small differences, 1 only for a line
    Q'(1)    E z g g': what one layer makes of a deviation of the length from 1
    v        variance of g^2 beyond its z^2 part: N orthonormal weights keep |z|^2 = N, so that only this is noise

Two limits. The depth: C'(1)^L is the stretch of the whole network, at most `stretch` (Martens et al. 2021, "Deep kernel
shaping", arXiv:2110.01765; they ask for 1.5 exactly). The width: each layer adds v / N to the variance of the
length and multiplies what came before by Q'(1)^2, so that its variance at the end is v / N (1 - Q'^2L) / (1 - Q'^2), at
most `noise`. For each beta the largest alpha within the first limit is taken; of those within the second, the one that
changes f the least, log(alpha)^2 + beta^2 + log(gamma)^2. Less stretch than allowed counts as a change too, by its log.

Unlike deep kernel shaping this does not ask for Q'(1) = 1. With Q'(1) < 1, which odd functions and those near an
inflection have, chance deviations of the length die out instead of adding up; at width 48 and depth 60 that decides.
That tanh with orthogonal weights fluctuates no more at depth 100 than at 20 was found by Day, Kahn & Roberts 2023,
arXiv:2310.07765.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, log, sqrt

import numpy as np

from whet.activations.scalar import Scalar
from whet.quadrature import gaussian_mean
from whet.theory.moments import Array

STRETCH = 2.0
"""C'(1)^L at most. Single runs on plain networks of depth 2 to 60 (digits, a checkerboard, spirals, a parity) showed no
clear difference between 1.5 and 3; at 1.25 shallow ones bent too little, from 7 on deep ones learned more slowly."""
NOISE = 0.05
"""Variance of the relative length at the end, at most: two examples of equal length then differ by a fifth or so."""
LEAST_STRETCH = 1e-4
"""Of the whole network, beyond 1: below it a function counts as one that can't be shaped."""

BETAS = np.linspace(-4, 4, 33)
ALPHAS = np.geomspace(1e-3, 30, 47)
BISECTIONS = 20
Z = np.linspace(-8, 8, 1601)
WEIGHTS = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()
"""The trapezoid rule: exact to rounding for smooth functions, and to 1e-4 at a kink, which is enough for a search."""


@dataclass(frozen=True)
class Shape:
    """z -> gamma (f(alpha z + beta) + delta), and what one layer of it does."""

    alpha: float
    beta: float
    gamma: float
    delta: float
    stretch: float
    """C'(1) of one layer."""
    length_slope: float
    """Q'(1) of one layer."""


def shape(scalar: Scalar, depth: int, width: int, *, stretch: float = STRETCH, noise: float = NOISE) -> Shape | None:
    """The scale and shift of a function for `depth` layers of `width` units; None if no scale makes it linear enough.

    Meant for orthogonal weights of gain 1, biases 0 and inputs of second moment 1; the layers' outputs then have
    mean 0 and second moment 1 again. A function that jumps, or is constant, has no shape.
    """
    grid = _measure(scalar, *(part.ravel() for part in np.meshgrid(ALPHAS, BETAS)))
    best, cost, halvings = None, np.inf, 0
    while (stretch - 1) / 2**halvings > LEAST_STRETCH and (halvings * log(2)) ** 2 < cost:
        excess = (1 + (stretch - 1) / 2**halvings) ** (1 / depth) - 1
        alphas, betas = _candidates(scalar, grid, excess)
        found = _measure(scalar, alphas, betas)
        change = np.log(alphas) ** 2 + betas**2 + np.log(found.deviation) ** 2 + (halvings * log(2)) ** 2
        change[~(found.length_noise(depth) <= noise * width)] = np.inf
        if np.min(change, initial=np.inf) < cost:
            i = int(np.argmin(change))
            best, cost = (float(alphas[i]), float(betas[i])), change[i]
        halvings += 1
    return best and _shape(scalar, *best)


def natural_gain(scalar: Scalar, depth: int, *, stretch: float = STRETCH) -> float | None:
    """1 / sqrt(E f^2) if `depth` layers of the function as it is stay apart and in reach of each other; else None.

    Beside the stretch this bounds what a mean does: inputs that were orthogonal have the correlation p = (E f)^2 / E f^2
    after one layer, and 1 - (1 - p)^L or more after L.
    """
    m, v = (float(part[0]) for part in _moments(scalar, np.ones(1), np.zeros(1)))
    found = _measure(scalar, np.ones(1), np.zeros(1))
    if not isfinite(m * v) or not found.stretch[0] ** depth <= stretch:
        return None
    apart = (v / (v + m * m)) ** depth
    return 1 / sqrt(v + m * m) if apart >= 1 / stretch else None


@dataclass(frozen=True)
class _Measured:
    """One number per candidate."""

    deviation: Array
    """1 / gamma."""
    stretch: Array
    length_slope: Array
    length_variance: Array
    """v of the module's notation."""

    def length_noise(self, depth: int) -> Array:
        """The variance of the length after `depth` layers, times the width."""
        rate = self.length_slope**2
        powers = rate[:, None] ** np.arange(depth)
        total: Array = np.nan_to_num(self.length_variance * powers.sum(1), nan=np.inf)
        return total


def _candidates(scalar: Scalar, grid: _Measured, excess: float) -> tuple[Array, Array]:
    """Alpha and beta: the function as it is, if it is linear enough; and the largest alpha that is, for each beta."""
    fits = (grid.stretch - 1 <= excess).reshape(len(BETAS), len(ALPHAS))
    reached = np.where(fits.all(1), len(ALPHAS) - 1, fits.argmin(1) - 1)
    betas, reached = BETAS[reached >= 0], reached[reached >= 0]
    alphas = _bisected(scalar, excess, betas, ALPHAS[reached], ALPHAS[np.minimum(reached + 1, len(ALPHAS) - 1)])
    if _measure(scalar, np.ones(1), np.zeros(1)).stretch[0] - 1 <= excess:
        alphas, betas = np.append(alphas, 1.0), np.append(betas, 0.0)
    return alphas, betas


def _bisected(scalar: Scalar, excess: float, betas: Array, low: Array, high: Array) -> Array:
    for _ in range(BISECTIONS):
        middle = np.sqrt(low * high)
        fits = _measure(scalar, middle, betas).stretch - 1 <= excess
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return low


@np.errstate(all="ignore")
def _moments(scalar: Scalar, alphas: Array, betas: Array) -> tuple[Array, Array]:
    y = scalar.value(alphas[:, None] * Z + betas[:, None])
    mean = y @ WEIGHTS
    return mean, (y - mean[:, None]) ** 2 @ WEIGHTS


@np.errstate(all="ignore")
def _measure(scalar: Scalar, alphas: Array, betas: Array) -> _Measured:
    """What g does, for each alpha and beta; NaN where f is not finite or is constant. The slope is taken from the
    values, so that a jump is seen as steep."""
    y = scalar.value(alphas[:, None] * Z + betas[:, None])  # (candidate, node)
    mean = y @ WEIGHTS
    g = y - mean[:, None]
    deviation = np.sqrt(g**2 @ WEIGHTS)
    g = g / np.where(deviation > 1e-9 * np.abs(mean), deviation, np.nan)[:, None]
    slope = np.gradient(g, Z, axis=1)
    curved = g**2 - 1
    square = Z**2 - 1
    curved -= (curved * square @ WEIGHTS)[:, None] / 2 * square
    return _Measured(deviation, slope**2 @ WEIGHTS, (g * slope * Z) @ WEIGHTS, curved**2 @ WEIGHTS)


def _shape(scalar: Scalar, alpha: float, beta: float) -> Shape:
    """With gamma, delta and the stretch from the adaptive rule."""
    mean = gaussian_mean(scalar.value, alpha, beta, scalar.kinks).value
    variance = gaussian_mean(lambda x: (scalar.value(x) - mean) ** 2, alpha, beta, scalar.kinks).value
    slope = gaussian_mean(lambda x: scalar.slope(x) ** 2, alpha, beta, scalar.kinks).value
    found = _measure(scalar, np.array([alpha]), np.array([beta]))
    return Shape(alpha, beta, 1 / sqrt(variance), -mean, alpha**2 * slope / variance, float(found.length_slope[0]))
