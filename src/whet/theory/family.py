"""One function under every scale and shift: what `shaping` and `tailoring` need of g(z) = gamma (f(alpha z + beta) + delta).

    h          f(alpha z + beta), z ~ N(0, 1)                      C'(1)    E g'^2: how one layer stretches small differences
    m, v       mean and variance of h                              C''(1)   E g''^2: how it bends the correlation
    Q, C       length and correlation map of one layer of g        Q'(1)    E z g g': how it stretches a deviation of the
               with sigma_w = 1, sigma_b = 0                                length from 1

Both ask the same: for each beta, how large may alpha be until g is as nonlinear as it should be (`largest`)? They differ in
how much that is, and in which beta they then take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import exp, isfinite, log

import numpy as np
from numpy.typing import NDArray

from whet.activations.scalar import Scalar
from whet.quadrature import gaussian_mean
from whet.theory.moments import Array, Moments
from whet.theory.roots import root

Z = np.linspace(-8, 8, 801)
WEIGHTS = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()
"""The trapezoid rule: exact to rounding for the means of smooth functions, and to some 1e-3 at a kink."""
CONSTANT = 1e-9
"""A standard deviation below this share of the mean is rounding: the function is constant there."""
BISECTIONS = 20
NEAR = 0.1
"""How near to a target, relative, a search in the fixed rule has to come to count as having met it."""


@dataclass(frozen=True)
class Shape:
    """z -> gamma (f(alpha z + beta) + delta), and what one layer of it does."""

    alpha: float
    beta: float
    gamma: float
    delta: float
    q_slope: float
    """Q'(1)."""
    c_slope: float
    """C'(1)."""

    def value(self, f: Callable[[Array], Array], x: Array) -> Array:
        """g(x), for `f` the function that was shaped."""
        return self.gamma * (f(self.alpha * x + self.beta) + self.delta)


@dataclass(frozen=True)
class Numbers:
    """What h is under N(0, 1), one number per alpha and beta."""

    mean: Array
    variance: Array
    slope_square: Array
    curve_square: Array
    value_slope: Array
    """E z h h'."""
    slope_mean: Array
    """E z h'."""


class Family:
    """h for all alpha and beta, measured in a fixed rule (many at once, for a search) or adaptively (for the result).

    `method` is "tat" where nonlinear means C''(1), else C'(1) - 1.
    """

    def __init__(self, scalar: Scalar, method: str = "dks") -> None:
        self.scalar, self.method = scalar, method

    @cached_property
    def kinked(self) -> bool:
        return Moments(self.scalar).bends

    @np.errstate(all="ignore")
    def quick(self, alphas: Array, betas: Array | float) -> Numbers:
        """The fixed rule. Slopes are differences of values, so that a jump, and what is too steep for it, is seen as steep."""
        h = self.scalar.value(alphas[:, None] * Z + np.reshape(betas, (-1, 1)))  # (candidate, node)
        mean = h @ WEIGHTS
        h = h - mean[:, None]
        variance = h**2 @ WEIGHTS
        d = np.gradient(h, Z, axis=1)
        curve = np.gradient(d, Z, axis=1) if self.method == "tat" else np.zeros_like(h)
        return Numbers(
            mean,
            np.where(variance > (CONSTANT * mean) ** 2, variance, np.nan),
            d**2 @ WEIGHTS,
            curve**2 @ WEIGHTS,
            (Z * h * d) @ WEIGHTS + mean * (d @ (Z * WEIGHTS)),
            d @ (Z * WEIGHTS),
        )

    @np.errstate(all="ignore")
    def length_variance(self, alphas: Array, betas: Array) -> Array:
        """The variance of g^2 beyond its z^2 part, for g of mean 0 and variance 1."""
        h = self.scalar.value(alphas[:, None] * Z + betas[:, None])
        h = h - (h @ WEIGHTS)[:, None]
        bent = h**2 / (h**2 @ WEIGHTS)[:, None] - 1
        square = Z**2 - 1
        bent -= (bent * square @ WEIGHTS)[:, None] / 2 * square
        return bent**2 @ WEIGHTS

    def exact(self, alpha: float, beta: float) -> Numbers:
        """Adaptive quadrature."""
        value, slope, curve = self.scalar.value, self.scalar.slope, self.scalar.curvature

        def e(f: Callable[[Array], Array]) -> float:
            return gaussian_mean(f, std=alpha, mean=beta, kinks=self.scalar.kinks).value

        mean = e(value)
        numbers = (
            mean,
            e(lambda x: (value(x) - mean) ** 2),
            e(lambda x: slope(x) ** 2) * alpha**2,
            e(lambda x: curve(x) ** 2) * alpha**4 if self.method == "tat" else 0.0,
            e(lambda x: (x - beta) * value(x) * slope(x)),
            e(lambda x: (x - beta) * slope(x)),
        )
        return Numbers(*(np.array([n]) for n in numbers))

    def shape(self, alpha: float, beta: float, branch: int = 1) -> Shape:
        """The member at alpha and beta, by adaptive quadrature."""
        n = self.exact(alpha, beta)
        gamma, delta = (float(part[0]) for part in self.scale(n, branch))
        q_slope, c_slope = float(self.q_slope(n, branch)[0]), gamma**2 * float(n.slope_square[0])
        return Shape(alpha, beta, gamma, delta, q_slope, c_slope)

    @np.errstate(all="ignore")
    def bend(self, n: Numbers) -> Array:
        """E h'^2 / Var h - 1: zero for a line only."""
        return n.slope_square / n.variance - 1

    @np.errstate(all="ignore")
    def excess(self, n: Numbers) -> Array:
        """How nonlinear g is: C'(1) - 1, or C''(1)."""
        return n.curve_square / n.slope_square if self.method == "tat" else self.bend(n)

    def scale(self, n: Numbers, branch: int = 1) -> tuple[Array, Array]:
        """Gamma and delta: for E g = 0 and E g^2 = 1; of "tat" for E g^2 = 1 and E g'^2 = 1, with the sign of E g open."""
        if self.method == "tat":
            offset = branch * np.sqrt(np.maximum(n.slope_square - n.variance, 0))
            return 1 / np.sqrt(n.slope_square), offset - n.mean
        return 1 / np.sqrt(n.variance), -n.mean

    def q_slope(self, n: Numbers, branch: int = 1) -> Array:
        gamma, delta = self.scale(n, branch)
        return gamma**2 * (n.value_slope + delta * n.slope_mean)

    def largest(self, target: float, alphas: Array, betas: Array) -> tuple[Array, Array]:
        """For each beta the largest alpha up to which g is no more nonlinear than `target`: where first it becomes so, or the
        last one tried; and the betas that have one."""
        ends = [_last(self.excess(self.quick(alphas, beta)) <= target) for beta in betas]
        reached = np.array([i for i in ends if i is not None], dtype=np.int64)
        betas = np.array([beta for beta, i in zip(betas, ends, strict=True) if i is not None])
        low, high = alphas[reached], alphas[np.minimum(reached + 1, len(alphas) - 1)]
        for _ in range(BISECTIONS):
            middle = np.sqrt(low * high)
            fits = self.excess(self.quick(middle, betas)) <= target
            low, high = np.where(fits, middle, low), np.where(fits, high, middle)
        return low, betas

    def settled(self, target: float, alpha: float, beta: float) -> float:
        """The alpha near the given one at which g is as nonlinear as it should be, by adaptive quadrature."""

        def short(log_alpha: float) -> float:
            return float(self.excess(self.exact(exp(log_alpha), beta))[0] / target - 1)

        low = high = log(alpha)
        if not isfinite(short(low)):
            return alpha
        for _ in range(40):
            if short(low) > 0:
                low -= 0.05
            elif short(high) < 0:
                high += 0.05
            else:
                break
        return exp(root(short, low, high, tolerance=1e-10))


def _last(fits: NDArray[np.bool_]) -> int | None:
    """The last place of the first stretch that fits."""
    ends = np.flatnonzero(fits & ~np.append(fits[1:], False))
    return int(ends[0]) if len(ends) else None
