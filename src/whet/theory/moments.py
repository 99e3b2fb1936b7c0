"""What mean-field theory asks of a function: expectations of powers of f and f' under N(0, q).

f, f'    the function and its slope (almost everywhere)          x = sqrt(q) z, z ~ N(0, 1)
q        variance of what the function gets: the length          each expectation is computed once per q
"""

from __future__ import annotations

from collections.abc import Callable
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

    def fourth(self, q: float) -> Mean:
        """E f^4."""
        return self._of("ffff", q, lambda x: self.scalar.value(x) ** 4)

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

    def lifted(self, q: float) -> Mean:
        """E x f / q: equal to E f' (Stein's lemma) unless f jumps."""
        q = max(q, SMALLEST)
        return self._of("xf", q, lambda x: x * self.scalar.value(x) / q)

    def _of(self, what: str, q: float, f: Callable[[Array], Array]) -> Mean:
        q = max(float(q), SMALLEST)
        if (what, q) not in self._known:
            self._known[what, q] = gaussian_mean(f, std=sqrt(q), kinks=self.scalar.kinks)
        return self._known[what, q]
