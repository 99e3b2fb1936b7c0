"""What mean-field theory asks of a function: expectations of powers of f and f' under N(0, q).

f, f'    the function and its slope (almost everywhere)          x = sqrt(q) z, z ~ N(0, 1)
q        variance of what the function gets: the length          each expectation is computed once per q

An expectation of f(sqrt(q) z) is analytic in log q: its singularities, at Re(1 / q) = 0, are pi / 2 away from every real
log q. A polynomial of degree DEGREE in log q hence gives it over a decade of q to rounding error. An expectation over many
orders of magnitude within a decade, one that does not exist everywhere, and one whose polynomial does not converge, are
integrated at each q, and so is q = 1, from which facts are told.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import floor, log10, sqrt

import numpy as np
from numpy.typing import NDArray

from whet.activations.scalar import Scalar
from whet.quadrature import Mean, gaussian_mean, gaussian_means

Array = NDArray[np.float64]
SMALLEST = 1e-12
"""Lengths below this are taken for it: the limits at q = 0 are reached to within a millionth."""
DEGREE = 32
"""The remainder shrinks by 3.06 per degree: to 3e-16."""
PLACES = np.cos(np.pi * np.arange(DEGREE + 1) / DEGREE)
"""Chebyshev's points from -1 to 1, ends included, which decades share."""
SIGNS = (-1.0) ** np.arange(DEGREE + 1) * np.where(np.arange(DEGREE + 1) % DEGREE, 1.0, 0.5)
TO_COEFFICIENTS = np.linalg.inv(np.polynomial.chebyshev.chebvander(PLACES, DEGREE))
SETTLED = 1e-13
"""The last coefficients over the largest one."""
MOST = 1e10
"""Lengths from which on all are looked at one by one."""
ORDERS = 1e-4
"""Least over largest value of a decade that is interpolated: what is lost of the digits of the least."""


class Decade:
    """An expectation for the q of one decade: interpolated between `values` at PLACES (Berrut & Trefethen 2004)."""

    def __init__(self, values: Array, error: float) -> None:
        self.values, self.error = values, error

    @staticmethod
    def of(f: Callable[[Array], Array], exponent: int, kinks: tuple[float, ...]) -> Decade | None:
        """For q from 10^exponent to ten times that; None where q must be looked at one by one."""
        values, errors = gaussian_means(f, np.sqrt(10.0 ** (exponent + (1 + PLACES) / 2)), kinks)
        if not np.isfinite(errors).all() or np.abs(values).min() <= ORDERS * np.abs(values).max():
            return None
        size = np.abs(TO_COEFFICIENTS @ values)
        return Decade(values, float(errors.max())) if size[-4:].max() <= SETTLED * size.max() else None

    def __call__(self, share: float) -> Mean:
        """The expectation where log10 q has gone a share of the decade."""
        apart = 2 * share - 1 - PLACES
        if not apart.all():
            return Mean(float(self.values[apart == 0][0]), self.error)
        weights = SIGNS / apart
        return Mean(float(weights @ self.values / weights.sum()), self.error)


class Moments:
    """Expectations of one function, remembered; each is a `Mean`, value and error."""

    def __init__(self, scalar: Scalar) -> None:
        self.scalar = scalar
        self._known: dict[tuple[str, float], Mean] = {}
        self._decades: dict[tuple[str, int], Decade | None] = {}

    def mean(self, q: float) -> Mean:
        """E f."""
        return self._of("f", q, lambda x: self.scalar.value(x))

    def square(self, q: float) -> Mean:
        """E f^2."""
        return self._of("ff", q, lambda x: self.scalar.value(x) ** 2)

    def slope(self, q: float) -> Mean:
        """E f'."""
        return self._of("d", q, lambda x: self.scalar.slope(x))

    def slope_square(self, q: float) -> Mean:
        """E f'^2."""
        return self._of("dd", q, lambda x: self.scalar.slope(x) ** 2)

    def slope_fourth(self, q: float) -> Mean:
        """E f'^4."""
        return self._of("dddd", q, lambda x: self.scalar.slope(x) ** 4)

    def growth(self, q: float) -> Mean:
        """d E f^2 / d q = E x f(x) f'(x) / q; no second derivative is needed, so that kinks do no harm."""
        q = max(q, SMALLEST)
        value, error = self._of("xfd", q, lambda x: x * self.scalar.value(x) * self.scalar.slope(x))
        return Mean(value / q, error / q)

    @cached_property
    def jumps(self) -> bool:
        """Whether the value itself jumps somewhere: then E f'^2 is infinite, whatever the slope says elsewhere."""
        return _jumps(self.scalar.value, self.scalar.slope, self.scalar.kinks)

    @cached_property
    def bends(self) -> bool:
        """Whether the slope jumps somewhere: then E f''^2 is infinite."""
        return _jumps(self.scalar.slope, self.scalar.curvature, self.scalar.kinks)

    @cached_property
    def sides(self) -> tuple[float, float] | None:
        """The slopes on the right and left of 0 of a function that is straight on both sides, as relu is; else None."""
        x = np.linspace(-5.0, 5.0, 41)
        right, left = (float(v) for v in self.scalar.value(np.array([1.0, -1.0])))
        line = np.where(x > 0, right * x, -left * x)
        same = np.allclose(self.scalar.value(x), line, rtol=1e-12, atol=1e-14) and set(self.scalar.kinks) <= {0.0}
        return (right, -left) if same else None

    def _of(self, what: str, q: float, f: Callable[[Array], Array]) -> Mean:
        q = max(float(q), SMALLEST)
        if (what, q) not in self._known:
            self._known[what, q] = self._near(what, q, f) or gaussian_mean(f, std=sqrt(q), kinks=self.scalar.kinks)
        return self._known[what, q]

    def _near(self, what: str, q: float, f: Callable[[Array], Array]) -> Mean | None:
        """… from its decade, where that has been settled."""
        if q in (1.0, SMALLEST) or not q < MOST:
            return None
        exponent = floor(log10(q))
        if (what, exponent) not in self._decades:
            self._decades[what, exponent] = Decade.of(f, exponent, self.scalar.kinks)
        decade = self._decades[what, exponent]
        return decade(log10(q) - exponent) if decade else None


def _jumps(curve: Callable[[Array], Array], slope: Callable[[Array], Array], kinks: tuple[float, ...]) -> bool:
    """Stein's lemma, E (x - mean) f / var = E f', holds unless f jumps; asked off centre, where jumps do not cancel."""
    std, mean = 3.0, 0.7
    lifted = gaussian_mean(lambda x: (x - mean) * curve(x) / std**2, std, mean, kinks)
    plain = gaussian_mean(slope, std, mean, kinks)
    return not abs(lifted.value - plain.value) <= 1e-7 * (1 + abs(plain.value)) + lifted.error + plain.error
