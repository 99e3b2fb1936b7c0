"""The shape of a function of one number, looked up on a grid: range, monotone, convex, steepness, symmetries.

The grid is dense near 0, has the kinks among its points and reaches 1e4; limits are looked for up to 1e8.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whet.activations.scalar import Scalar

Array = NDArray[np.float64]

FLAT = 1e-3
"""A slope that stays below this in size is saturated."""
FARTHEST = 1e4


class Shape:
    """The function on its grid; `side` is 1 to the right and -1 to the left."""

    def __init__(self, scalar: Scalar) -> None:
        self.scalar = scalar
        far = np.geomspace(20, FARTHEST, 500)
        beside = [k + d for k in scalar.kinks for d in (-1e-7, 0.0, 1e-7)]
        self.z = np.unique(np.concatenate([-far, np.linspace(-20, 20, 8001), far, beside]))
        self.f, self.slope = scalar.value(self.z), scalar.slope(self.z)

    def lowest(self, sign: int) -> tuple[float, bool]:
        """The infimum of sign * f, and whether it is taken on."""
        f = sign * self.f
        if not np.isfinite(f).any():
            return math.nan, False
        i = int(np.nanargmin(f))
        inner = self._refined(sign, i)
        tails = [self._tail(sign, side) for side in (-1, 1)]
        limit = min(tails)
        if inner < -1e6 and np.abs(self.z[i]) < 40:
            return -math.inf, False
        if limit < inner - 1e-6 * (1 + abs(inner)) or limit == -math.inf:  # the limit has six digits
            return limit, False
        flat = any(self._flat(side) for side in (-1, 1) if tails[side > 0] <= inner + 1e-9)
        interior = limit == math.inf or inner < limit - 1e-9 * (1 + abs(limit))
        return (inner if interior else limit) + 0.0, interior or flat or self._taken(sign, limit)

    def _refined(self, sign: int, i: int) -> float:
        low, high = self.z[max(i - 1, 0)], self.z[min(i + 1, len(self.z) - 1)]
        for _ in range(5):
            z = np.linspace(low, high, 41)
            f = sign * self.scalar.value(z)
            if not np.isfinite(f).any():
                break
            best = int(np.nanargmin(f))
            low, high = z[max(best - 1, 0)], z[min(best + 1, 40)]
        return float(min(np.nanmin(f), sign * self.f[i]))

    def _tail(self, sign: int, side: int) -> float:
        """The limit of sign * f towards one side; infinite where it grows or swings ever wider; for a swing that keeps its
        width the largest value."""
        v = sign * self.scalar.value(side * 10.0 ** np.arange(2.0, 9.0))
        if np.isnan(v).all():
            return math.inf
        v = v[~np.isnan(v)]
        if np.isinf(v[-1]):
            return float(v[-1])
        steps = np.diff(v)
        if np.all(np.abs(steps[1:]) <= 0.5 * np.abs(steps[:-1]) + 1e-9 * (1 + np.abs(v[2:]))):
            return _short(v[-1] + steps[-1] / 9)  # what is left of a series whose terms shrink tenfold
        if np.all(steps < 0) or np.all(steps > 0):
            return -math.inf if steps[-1] < 0 else math.inf
        windows = [sign * self.scalar.value(side * np.linspace(w, 3 * w, 3001)) for w in (30.0, 300.0, 3000.0)]
        lows = [float(np.nanmin(w)) for w in windows]
        return -math.inf if lows[2] < 1.5 * lows[1] < 2.25 * lows[0] < 0 else lows[2]

    def _flat(self, side: int) -> bool:
        """Whether the function is constant from its last kink on."""
        if not self.scalar.kinks:
            return False
        edge = max(self.scalar.kinks) if side > 0 else min(self.scalar.kinks)
        return bool(
            self.scalar.value(np.array([edge + side * 1e-6]))[0] == self.scalar.value(np.array([side * 1e4]))[0]
        )

    def _taken(self, sign: int, limit: float) -> bool:
        """Whether a limit is a value at some |x| <= 3, where nothing has underflown yet."""
        near = np.abs(self.z) <= 3
        return bool((sign * self.f[near] <= limit).any())

    def monotone(self) -> Literal["increasing", "decreasing", "constant"] | None:
        steps = np.diff(self.f[np.isfinite(self.f)])
        noise = 1e-12 * (1 + np.abs(self.f[np.isfinite(self.f)][1:]))
        rises, falls = bool((steps > noise).any()), bool((steps < -noise).any())
        if rises and falls:
            return None
        return "increasing" if rises else "decreasing" if falls else "constant"

    def convexity(self) -> Literal["convex", "concave", "linear"] | None:
        """By chords: a point in the middle lies below its chord where the function is convex there."""
        finite = np.isfinite(self.f)
        z, f = self.z[finite][::7], self.f[finite][::7]
        share = (z[1:-1] - z[:-2]) / (z[2:] - z[:-2])
        chord = f[:-2] + share * (f[2:] - f[:-2])
        gap = chord - f[1:-1]
        noise = 1e-10 * (1 + np.nanmax(np.abs(f[np.abs(z) <= 20])))
        above, below = bool((gap > noise).any()), bool((gap < -noise).any())
        if above and below:
            return None
        return "convex" if above else "concave" if below else "linear"

    def lipschitz(self) -> float:
        size = np.abs(self.slope[np.isfinite(self.slope)])
        far = np.abs(self.scalar.slope(np.array([-1e6, -1e8, 1e6, 1e8])))
        most = float(size.max(initial=0.0))
        if not np.isfinite(self.slope).all() or most > 1e6 or np.nanmax(far) > 1.5 * most:
            return math.inf
        i = int(np.nanargmax(np.abs(self.slope)))
        low, high = self.z[max(i - 1, 0)], self.z[min(i + 1, len(self.z) - 1)]
        return max(most, float(np.nanmax(np.abs(self.scalar.slope(np.linspace(low, high, 2001))))))

    def saturation(self, side: int) -> float | None:
        z, small = self.z[::side], np.abs(self.slope[::side]) < FLAT
        if not small[-1] or math.isinf(self._tail(1, side)):
            return None
        steep = np.flatnonzero(~small)
        if len(steep) == 0:
            return -side * math.inf
        return round(float(z[min(steep[-1] + 1, len(z) - 1)]), 3) + 0.0

    def mirrored(self, sign: int) -> bool:
        """Whether f(-x) = sign * f(x)."""
        z = np.linspace(0.013, 30, 1000)
        return _alike(self.scalar.value(-z), sign * self.scalar.value(z))

    def homogeneous(self) -> bool:
        z = np.linspace(-9.9, 9.9, 200)
        return _alike(self.scalar.value(3.7 * z), 3.7 * self.scalar.value(z))

    def sparsity(self) -> float:
        """The normal share of the stretches on which the function is exactly 0."""
        zero = (self.f[1:] == 0) & (self.f[:-1] == 0)
        cdf = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in self.z])
        return round(float(np.diff(cdf)[zero].sum()), 6)


def _alike(a: Array, b: Array) -> bool:
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True))


def _short(value: float) -> float:
    """The number without the rounding of the limit."""
    return round(float(value), 6) if abs(value) < 1e6 else float(value)
