"""The length map: what becomes of the size of a signal from layer to layer.

    q              variance of a layer's pre-activations: the length        sigma_w^2 / fan_in   variance of the weights
    q -> Q(q)      sigma_w^2 E f(sqrt(q) z)^2 + sigma_b^2                   sigma_b^2            variance of the biases
    Q'(q)          sigma_w^2 E x f f' / q: below 1 at a fixed point, lengths come back to it

Poole et al. 2016, "Exponential expressivity in deep neural networks through transient chaos", arXiv:1606.05340.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import inf, isfinite, log

import numpy as np

from whet.theory.moments import SMALLEST, Moments
from whet.theory.roots import crossings

GRID = np.geomspace(1e-9, 1e9, 109).tolist()
"""Lengths at which the map is looked at for fixed points."""
NEUTRAL = 1e-9
"""A map this near to the identity, relative, keeps every length."""
MOST_STEPS = 2000


@dataclass(frozen=True)
class FixedPoint:
    """A length that a layer keeps."""

    q: float
    slope: float
    """Q'(q): the share of a small deviation that is left after a layer."""
    kind: str
    """"stable", "unstable", "half-stable" (it attracts from one side only), or "neutral" (every length is kept)."""

    @property
    def stable(self) -> bool:
        return self.kind in ("stable", "neutral")


def next_length(m: Moments, q: float, sigma_w: float, sigma_b: float) -> float:
    """Q(q); infinite where E f^2 does not exist or overflows."""
    if not isfinite(q):
        return inf
    square = m.square(q) if q > 0 else m.square(0.0)
    value = sigma_w**2 * square.value + sigma_b**2 if sigma_w else sigma_b**2
    return value if isfinite(value) else inf


def slope(m: Moments, q: float, sigma_w: float) -> float:
    """Q'(q)."""
    return sigma_w**2 * m.growth(q).value


def fixed_points(m: Moments, sigma_w: float, sigma_b: float) -> tuple[FixedPoint, ...]:
    """The lengths that a layer keeps, from 0 to 1e9, the smallest first; one, at q = 1, where it keeps all."""

    @cache
    def drift(log_q: float) -> float:
        after = next_length(m, float(np.exp(log_q)), sigma_w, sigma_b)
        return log(max(after, 1e-300)) - log_q if isfinite(after) else inf

    grid = [log(q) for q in GRID]
    if max(abs(drift(u)) for u in grid) < NEUTRAL:
        return (FixedPoint(1.0, 1.0, "neutral"),)
    found = [_described(m, 0.0, sigma_w, drift)] if _keeps_zero(m, sigma_b) else []
    found += [_described(m, float(np.exp(u)), sigma_w, drift) for u in crossings(drift, grid)]
    return tuple(found)


def _keeps_zero(m: Moments, sigma_b: float) -> bool:
    return sigma_b == 0 and bool(abs(m.scalar.value(np.zeros(1))[0]) < 1e-12)


def _described(m: Moments, q: float, sigma_w: float, drift: Callable[[float], float]) -> FixedPoint:
    """Stable or not is told by the map a little to either side, which also works where its slope is 1."""
    at = slope(m, max(q, SMALLEST), sigma_w)
    if q < SMALLEST:
        return FixedPoint(0.0, at, "stable" if drift(log(GRID[0])) < 0 else "unstable")
    below, above = drift(log(q) - 0.01), drift(log(q) + 0.01)
    if below > 0 > above:
        return FixedPoint(q, at, "stable" if at > -1 else "unstable")
    return FixedPoint(q, at, "unstable" if below < 0 < above else "half-stable")


def settled(m: Moments, sigma_w: float, sigma_b: float, start: float = 1.0) -> float:
    """The length that deep layers have when the first has `start`: a fixed point, 0, infinity, or nan if it cycles."""
    points = fixed_points(m, sigma_w, sigma_b)
    if points and points[0].kind == "neutral":
        return start
    q = start
    for _ in range(MOST_STEPS):
        after = next_length(m, q, sigma_w, sigma_b)
        if abs(after - q) <= 1e-13 * q or not isfinite(after):
            return after
        near = _headed_for(points, q, after)
        if near is not None:
            return near
        q = after
    return float("nan")


def _headed_for(points: tuple[FixedPoint, ...], q: float, after: float) -> float | None:
    """Where the way from q leads if it is a monotone approach: the next fixed point, or infinity; None if it may jump."""
    if after > q:
        ahead = [p for p in points if p.q > q]
        if not ahead:
            return inf
        goal = min(ahead, key=lambda p: p.q)
        return goal.q if after <= goal.q and goal.slope >= 0 else None
    behind = [p for p in points if p.q < q]
    if not behind:
        return None
    goal = max(behind, key=lambda p: p.q)
    return goal.q if after >= goal.q and goal.slope >= 0 else None
