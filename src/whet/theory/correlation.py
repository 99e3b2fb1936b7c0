"""The correlation map: what becomes of the likeness of two signals from layer to layer.

    c              correlation of two inputs' pre-activations, both of length q
    c -> C(c)      (sigma_w^2 E f(u) f(v) + sigma_b^2) / Q(q), u and v normal with variance q and correlation c
    a_n            Hermite coefficients of f(sqrt(q) z): E f(u) f(v) = sum a_n^2 c^n (Daniely et al. 2016,
                   arXiv:1602.05897, section 4), so that C is convex on [0, 1]
    C'(1)          chi = sigma_w^2 E f'^2

Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232, section 3.

The series ends after at most TERMS terms; what it leaves out is known, since sum a_n^2 = E f^2. Where that is too much (a
function with a kink, near c = 1) it is continued: in the angle arccos c the map of such a function is smooth, with known
value and curvature at 0. Where that does not fit either (steep functions) the pair is integrated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, cached_property
from math import acos, cos, pi, sin, sqrt

import numpy as np

from whet.quadrature import gaussian_mean, gaussian_pair_mean
from whet.theory.moments import SMALLEST, Array, Moments
from whet.theory.roots import root

Curve = Callable[[Array], Array]
TERMS = 800
GOOD = 1e-10
"""The share of E f^2 that the series may be wrong by,"""
FAIR = 1e-9
"""and the fit that continues it to c = 1."""
POINTS, WEIGHTS = np.polynomial.legendre.leggauss(16)
REACH = 12.0
WIDTHS = (0.25, 0.03)
"""Of panels; the second for steep functions."""
ANGLE = 0.17
"""arccos c above which the series of a function with a kink is good enough."""
COMPLETE = 1e-14
FIT = np.linspace(0.19, 0.45, 6)
BLOCK = 32
NO_KINKS = np.empty(0)


class Pair:
    """E f(u) f(v) for normal u and v of variance q and correlation c, as a function of c; `square` is E f^2 there."""

    def __init__(
        self, f: Curve, slope: Curve | None, q: float, kinks: tuple[float, ...], square: float, fair: float = FAIR
    ) -> None:
        self.square, self.fair = square, fair
        self.f, self.slope, self.std, self.kinks = f, slope, sqrt(max(q, SMALLEST)), kinks
        for width in WIDTHS:
            coefficients, square = _hermite(lambda z: f(self.std * z), np.array(kinks) / self.std, width)
            sound = abs(square - self.square) <= GOOD * self.square
            if sound:
                break
        self.squares = coefficients**2
        self.rest = max(self.square - float(self.squares.sum()), 0.0) if sound else np.inf

    def __call__(self, c: float) -> float:
        c = min(1.0, max(-1.0, c))
        if c == 1.0:
            return self.square
        if self._within(c):
            return self._series(c)
        if self.slope is not None and acos(c) <= ANGLE and self._near is not None:
            return self._fitted(acos(c), self._near)
        return self._direct(c)

    def _within(self, c: float) -> bool:
        return self.rest * abs(c) ** len(self.squares) <= GOOD * self.square

    def _series(self, c: float) -> float:
        return float(self.squares @ c ** np.arange(len(self.squares)))

    def _direct(self, c: float) -> float:
        return gaussian_pair_mean(self.f, self.f, c, (self.std, self.std), kinks=(self.kinks, self.kinks)).value

    @cached_property
    def _near(self) -> Array | None:
        """Coefficients of angle^3 .. angle^8 near angle 0, where f has kinks but does not jump; None if they do not fit.

        At angle 0 the value is E f^2 and the second derivative is known; from the series on, the rest is fitted.
        """
        if not self._within(cos(ANGLE)):
            return None
        gaps = [self._series(cos(a)) - self._fitted(a, np.zeros(6)) for a in FIT]
        found = np.linalg.solve(FIT[:, None] ** np.arange(3, 9), np.array(gaps))
        return found if abs(self._fitted(ANGLE, found) - self._series(cos(ANGLE))) <= self.fair * self.square else None

    def _fitted(self, angle: float, coefficients: Array) -> float:
        return self.square - self._curve * angle**2 / 2 + float(coefficients @ angle ** np.arange(3, 9))

    @cached_property
    def _curve(self) -> float:
        """Minus the second derivative by the angle at 0: q E f'^2."""
        slope = self.slope
        assert slope is not None
        return self.std**2 * gaussian_mean(lambda x: slope(x) ** 2, self.std, kinks=self.kinks).value


class Rectified:
    """`Pair` in closed form for a function of slope `right` above 0 and `left` below.

    Cho & Saul 2009, the arc-cosine kernel of degree 1.
    """

    def __init__(self, right: float, left: float, q: float, order: int) -> None:
        self.right, self.left, self.scale = right, left, q if order else 1.0
        self.kernel = _ramps if order else _steps
        self.square = self(1.0)

    def __call__(self, c: float) -> float:
        """E f(u) f(v) for order 1, E f'(u) f'(v) for order 0."""
        same, opposite = self.kernel(c), self.kernel(-c)
        sign = -1 if self.kernel is _ramps else 1
        return self.scale * ((self.right**2 + self.left**2) * same + sign * 2 * self.right * self.left * opposite)


def _ramps(c: float) -> float:
    """E relu(u) relu(v)."""
    angle = acos(min(1.0, max(-1.0, c)))
    return (sin(angle) + (pi - angle) * cos(angle)) / (2 * pi)


def _steps(c: float) -> float:
    """P(u > 0, v > 0)."""
    return (pi - acos(min(1.0, max(-1.0, c)))) / (2 * pi)


class CorrelationMap:
    """C at one length q, and its slope."""

    def __init__(self, m: Moments, q: float, sigma_w: float, sigma_b: float, fair: float = FAIR) -> None:
        self.fair = fair
        self.m, self.q, self.sigma_w, self.sigma_b = m, max(q, SMALLEST), sigma_w, sigma_b
        self.sides = m.sides
        self.pair = self._pair(1)
        self.length = sigma_w**2 * self.pair.square + sigma_b**2

    def __call__(self, c: float) -> float:
        return (self.sigma_w**2 * self.pair(c) + self.sigma_b**2) / self.length if self.length else 1.0

    def _pair(self, order: int) -> Pair | Rectified:
        if self.sides is not None:
            return Rectified(*self.sides, self.q, order)
        scalar = self.m.scalar
        if order:
            return Pair(scalar.value, scalar.slope, self.q, scalar.kinks, self.m.square(self.q).value, self.fair)
        return Pair(scalar.slope, None, self.q, scalar.kinks, self.m.slope_square(self.q).value)

    @cached_property
    def _slopes(self) -> Pair | Rectified:
        return self._pair(0)

    def slope(self, c: float) -> float:
        """C'(c), which at c = 1 is chi times q / Q(q)."""
        return self.sigma_w**2 * self.q * self._slopes(c) / self.length if self.length else 0.0

    def fixed_point(self, chaotic: bool) -> float:
        """The correlation that layers bring all inputs to: 1 in order, in chaos the one crossing below it."""
        if not chaotic:
            return 1.0
        if self(0.0) < 0:
            return root(lambda c: self(c) - c, -1.0, 0.0, 1e-12)
        return root(lambda c: self(c) - c, 0.0, 1 - 1e-9, 1e-12)


def _hermite(f: Curve, kinks: Array, width: float) -> tuple[Array, float]:
    """E f(z) h_n(z) for the first orthonormal Hermite polynomials, as many as matter, and E f^2; panels end at kinks."""
    z, weights = _panels(kinks, width)
    with np.errstate(all="ignore"):
        rooted = f(z) * _rooted_density(z)
        weighted = rooted * weights
    square = float(rooted @ weighted)
    found = np.empty(0)
    for rows in _common_rows() if np.array_equal(z, _panels(NO_KINKS, WIDTHS[0])[0]) else _rows(z):
        found = np.concatenate([found, rows @ weighted])
        if square - found @ found <= COMPLETE * square:
            break
    return found, square


def _panels(kinks: Array, width: float) -> tuple[Array, Array]:
    """Points and weights of an integral from -REACH to REACH."""
    edges = np.unique(np.concatenate([np.arange(-REACH, REACH + width / 2, width), kinks[np.abs(kinks) < REACH]]))
    half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    return (middle + half * POINTS).ravel(), (half * WEIGHTS).ravel()


def _rooted_density(z: Array) -> Array:
    """Its square is the density: half of that goes with each factor of an integral, so that none overflows."""
    rooted: Array = np.exp(-z * z / 4) / (2 * np.pi) ** 0.25
    return rooted


def _rows(z: Array) -> Iterator[Array]:
    """The polynomials times the rooted density, BLOCK of them at a time, (polynomial, point)."""
    before, here = np.zeros_like(z), _rooted_density(z)
    for start in range(0, TERMS, BLOCK):
        rows = np.empty((BLOCK, len(z)))
        for n in range(start, start + BLOCK):
            rows[n - start] = here
            before, here = here, (z * here - sqrt(n) * before) / sqrt(n + 1)
        yield rows


@cache
def _common_rows() -> tuple[Array, ...]:
    """Those of functions without kinks, or with one at 0: 10 MB."""
    return tuple(_rows(_panels(NO_KINKS, WIDTHS[0])[0]))
