"""What mean-field theory asks of a function: expectations of powers of f and f' under N(0, q).

f, f'    the function and its slope (almost everywhere)          x = sqrt(q) z, z ~ N(0, 1)
q        variance of what the function gets: the length          each expectation is computed once per q
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from whet.activations.scalar import Scalar
from whet.quadrature import Mean, gaussian_mean

Array = NDArray[np.float64]
SMALLEST = 1e-12
"""Lengths below this are taken for it: the limits at q = 0 are reached to within a millionth."""


class Moments:
    """Expectations of one function, remembered; each is a `Mean`, value and error."""

    def __init__(self, scalar: Scalar) -> None:
        self.scalar = scalar
        self._known: dict[tuple[str, float], Mean] = {}

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
        return self._of("xfd", q, lambda x: x * self.scalar.value(x) * self.scalar.slope(x) / q)

    @cached_property
    def jumps(self) -> bool:
        """Whether the value itself jumps somewhere: then E f'^2 is infinite, whatever the slope says elsewhere."""
        return _jumps(self.scalar.value, self.scalar.slope, self.scalar.kinks)

    @cached_property
    def bends(self) -> bool:
        """Whether the slope jumps somewhere: then E f''^2 is infinite."""
        return _jumps(self.scalar.slope, self.scalar.curvature, self.scalar.kinks)

    def _of(self, what: str, q: float, f: Callable[[Array], Array]) -> Mean:
        q = max(float(q), SMALLEST)
        if (what, q) not in self._known:
            self._known[what, q] = gaussian_mean(f, std=sqrt(q), kinks=self.scalar.kinks)
        return self._known[what, q]


def _jumps(curve: Callable[[Array], Array], slope: Callable[[Array], Array], kinks: tuple[float, ...]) -> bool:
    """Stein's lemma, E (x - mean) f / var = E f', holds unless f jumps; asked off centre, where jumps do not cancel."""
    std, mean = 3.0, 0.7
    lifted = gaussian_mean(lambda x: (x - mean) * curve(x) / std**2, std, mean, kinks)
    plain = gaussian_mean(slope, std, mean, kinks)
    return not abs(lifted.value - plain.value) <= 1e-7 * (1 + abs(plain.value)) + lifted.error + plain.error
