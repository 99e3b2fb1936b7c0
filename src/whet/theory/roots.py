"""Roots of a function of one number: where it crosses zero on a grid, and where it only touches it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import copysign, isfinite, sqrt

Real = Callable[[float], float]
CLOSE = 1e-3
"""A dip towards zero without a change of sign is looked at closely when it comes this near."""


def root(f: Real, low: float, high: float, tolerance: float = 1e-13, most: int = 100) -> float:
    """A root between two ends of opposite sign (Ridders 1979, A new algorithm for computing a single root)."""
    f_low, f_high = f(low), f(high)
    for _ in range(most):
        if f_low == 0 or f_high == 0 or abs(high - low) <= tolerance * max(abs(low), abs(high)):
            break
        middle = (low + high) / 2
        f_middle = f(middle)
        new = middle + (middle - low) * copysign(f_middle, f_middle * (f_low - f_high)) / sqrt(
            f_middle**2 - f_low * f_high
        )
        f_new = f(new)
        ends = sorted([(low, f_low), (middle, f_middle), (new, f_new), (high, f_high)])
        (low, f_low), (high, f_high) = next((a, b) for a, b in pairwise(ends) if (a[1] > 0) != (b[1] > 0) or b[1] == 0)
    return low if abs(f_low) < abs(f_high) else high


def crossings(f: Real, grid: Sequence[float], flat: float = 1e-9, tolerance: float = 1e-13) -> list[float]:
    """Every root that the grid shows: changes of sign, and dips whose bottom is within `flat` of zero; nan is no sign."""
    values = [f(x) for x in grid]
    found = []
    for i in range(len(grid) - 1):
        a, b = values[i], values[i + 1]
        if isfinite(a) and isfinite(b) and (a > 0) != (b > 0):
            found.append(root(f, grid[i], grid[i + 1], tolerance))
    for i in range(1, len(grid) - 1):
        before, here, after = (abs(v) for v in values[i - 1 : i + 2])
        same = (values[i - 1] > 0) == (values[i] > 0) == (values[i + 1] > 0)
        if same and here <= before and here <= after and here < CLOSE:
            bottom = _bottom(lambda x: abs(f(x)), grid[i - 1], grid[i + 1])
            if abs(f(bottom)) < flat:
                found.append(bottom)
    return sorted(found)


def _bottom(f: Real, low: float, high: float, steps: int = 60) -> float:
    """The lowest point between two ends, by golden sections."""
    golden = (5**0.5 - 1) / 2
    a, b = high - golden * (high - low), low + golden * (high - low)
    f_a, f_b = f(a), f(b)
    for _ in range(steps):
        if f_a < f_b:
            high, b, f_b = b, a, f_a
            a = high - golden * (high - low)
            f_a = f(a)
        else:
            low, a, f_a = a, b, f_b
            b = low + golden * (high - low)
            f_b = f(b)
    return (low + high) / 2
