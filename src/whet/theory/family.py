"""One function under every scale and shift: what the equations of tailoring need of h = f(alpha x + beta).

Notation as in `whet.theory.tailoring`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np

from whet.activations.scalar import Scalar
from whet.quadrature import gaussian_mean
from whet.theory.moments import Array, Moments

PANELS = 24


@dataclass(frozen=True)
class Numbers:
    """What h is under N(0, 1), as numbers or as arrays over many alpha."""

    mean: Array
    variance: Array
    slope_square: Array
    curve_square: Array
    value_slope: Array
    """E x h h'."""
    slope_mean: Array
    """E x h'."""


class Family:
    """h for all alpha and beta, measured in a fixed rule (many alpha at once, for the search) or adaptively (the rest)."""

    def __init__(self, scalar: Scalar, method: str) -> None:
        self.scalar, self.method = scalar, method
        self.kinked = Moments(scalar).bends
        nodes, weights = np.polynomial.legendre.leggauss(16)
        edges = np.linspace(-9, 9, PANELS + 1)
        half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
        self.z = (middle + half * nodes).ravel()
        self.w = (half * weights).ravel() * np.exp(-(self.z**2) / 2) / sqrt(2 * pi)

    @np.errstate(all="ignore")
    def quick(self, alphas: Array, beta: float) -> Numbers:
        """The fixed rule: right to 1e-10 for smooth functions that are not steep, to some 1e-4 for others."""
        x = alphas[:, None] * self.z + beta
        h, d = self.scalar.value(x), alphas[:, None] * self.scalar.slope(x)
        curve = self._curve(x) * alphas[:, None] ** 2
        mean = h @ self.w
        return Numbers(
            mean,
            (h - mean[:, None]) ** 2 @ self.w,
            d**2 @ self.w,
            curve**2 @ self.w,
            (self.z * h * d) @ self.w,
            (self.z * d) @ self.w,
        )

    def exact(self, alpha: float, beta: float) -> Numbers:
        """Adaptive quadrature."""
        value, slope = self.scalar.value, self.scalar.slope

        def e(f: Callable[[Array], Array]) -> float:
            return gaussian_mean(f, std=alpha, mean=beta, kinks=self.scalar.kinks).value

        mean = e(value)
        numbers = (
            mean,
            e(lambda x: (value(x) - mean) ** 2),
            e(lambda x: slope(x) ** 2) * alpha**2,
            e(lambda x: self._curve(x) ** 2) * alpha**4,
            e(lambda x: (x - beta) * value(x) * slope(x)),
            e(lambda x: (x - beta) * slope(x)),
        )
        return Numbers(*(np.array([n]) for n in numbers))

    def _curve(self, x: Array) -> Array:
        if self.method == "dks":
            return np.zeros_like(x)
        return self.scalar.curvature(x)

    def bend(self, n: Numbers) -> Array:
        """E h'^2 / Var h - 1: zero for a line only."""
        with np.errstate(all="ignore"):
            return n.slope_square / n.variance - 1

    def excess(self, n: Numbers) -> Array:
        """How nonlinear g is, in the method's own terms: C'(1) - 1 of "dks", C''(1) of "tat"."""
        return n.curve_square / n.slope_square if self.method == "tat" else self.bend(n)

    def scale(self, n: Numbers, branch: int) -> tuple[Array, Array]:
        """Gamma and delta, which the conditions on Q(1) and C(0), or Q(1) and C'(1), fix."""
        if self.method == "tat":
            offset = branch * np.sqrt(np.maximum(n.slope_square - n.variance, 0))
            return 1 / np.sqrt(n.slope_square), offset - n.mean
        return 1 / np.sqrt(n.variance), -n.mean

    def q_slope(self, n: Numbers, branch: int) -> Array:
        gamma, delta = self.scale(n, branch)
        return gamma**2 * (n.value_slope + delta * n.slope_mean)
