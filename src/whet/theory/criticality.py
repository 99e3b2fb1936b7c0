"""The edge of chaos: initialisations at which gradients neither vanish nor explode; and the depths that others reach.

    chi      sigma_w^2 E f'(sqrt(q*) z)^2, at the length q* that layers keep: what a layer does to a squared gradient,
             and to a small difference of two inputs. Below 1: order, all inputs become alike and gradients vanish;
             above 1: chaos, near inputs part and gradients explode
    xi_q     depth over which a deviation of the length falls to 1 / e
    xi_c     depth over which a deviation of the correlation falls to 1 / e; about 6 xi_c layers can be trained
    xi_g     depth over which a squared gradient changes by e: 1 / |log chi|

Schoenholz et al. 2017, "Deep information propagation", arXiv:1611.01232, sections 3 (depth scales) and 4 (gradients).
Hayou et al. 2019, "On the impact of the activation function on deep neural networks training", arXiv:1902.06853,
section 3: every q is the fixed point of one sigma_w, so the edge is a root in q alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, isfinite, log, nan, sqrt

import numpy as np

from whet.theory.correlation import CorrelationMap
from whet.theory.lengths import GRID, NEUTRAL, settled, slope
from whet.theory.moments import SMALLEST, Moments
from whet.theory.roots import crossings

VISIBLE = 1e-7
"""A log chi that is no rounding error."""
LARGEST = 1e9
"""Taken for infinity where deep layers' signals grow without bound."""


@dataclass(frozen=True)
class Edge:
    """A point on the edge of chaos, or the reason why there is none."""

    sigma_b: float
    sigma_w: float | None
    q: float
    """The length that layers keep there; 0 if signals slowly fade, nan where there is no edge."""
    stable: bool
    """Whether layers come back to that length. An edge that they leave is of no use in deep networks."""
    reason: str = ""
    """Where sigma_w is None: why."""


@dataclass(frozen=True)
class DepthScale:
    """How far signals and gradients get."""

    phase: str
    """"ordered", "critical", "chaotic", or "divergent" where lengths grow without bound or never settle."""
    q: float
    """The length of deep layers."""
    c: float
    """The correlation of deep layers, whatever the inputs were."""
    chi: float
    xi_q: float
    xi_c: float
    xi_g: float

    @property
    def signal(self) -> float:
        """Depth scale of the signal, the same as xi_c."""
        return self.xi_c

    @property
    def gradient(self) -> float:
        """Depth scale of the gradient, the same as xi_g."""
        return self.xi_g


def chi(m: Moments, q: float, sigma_w: float) -> float:
    """What one layer at length q does to a squared gradient; infinite for a function that jumps, nan for q = nan."""
    if m.jumps or q != q:
        return inf if m.jumps else nan
    square = m.slope_square(min(q, LARGEST))
    return sigma_w**2 * square.value if isfinite(square.error) else inf


def edges(m: Moments, sigma_b: float) -> list[Edge]:
    """Every point of the edge of chaos at this sigma_b, by the length it keeps, the smallest first."""
    if m.jumps or m.slope_square(1.0).value == 0:
        return []
    grid, values = _excesses(m, sigma_b)
    seen = [i for i, v in enumerate(values) if abs(v) > VISIBLE]
    if not seen:  # any length will do: relu, a line
        return [Edge(sigma_b, 1 / sqrt(m.slope_square(1.0).value), 1.0, True)]
    from_zero = _meets_zero(m, sigma_b)
    first = seen[0] if from_zero else 0  # near 0 chi - 1 is 0 but for rounding
    found = [exp(u) for u in crossings(lambda u: _excess(m, exp(u), sigma_b), grid[first:])]
    return [_edge(m, sigma_b, q) for q in ([SMALLEST] if from_zero else []) + found]


def _excess(m: Moments, q: float, sigma_b: float) -> float:
    """log chi for the sigma_w that keeps length q; nan where there is none."""
    square = m.square(q).value
    ratio = (q - sigma_b**2) * m.slope_square(q).value / square if square else nan
    return log(ratio) if ratio > 0 and isfinite(ratio) else nan


def _excesses(m: Moments, sigma_b: float) -> tuple[list[float], list[float]]:
    """log q and log chi over the lengths that can be kept."""
    pairs = [(log(q), _excess(m, q, sigma_b)) for q in GRID if q > sigma_b**2 * (1 + 1e-9) and q < LARGEST / 2]
    kept = [(u, v) for u, v in pairs if isfinite(v)]
    return [u for u, _ in kept], [v for _, v in kept]


def _meets_zero(m: Moments, sigma_b: float) -> bool:
    """Whether signals that fade to 0 are on the edge at sigma_w = 1 / |f'(0)|."""
    at_zero, d = (float(c(np.zeros(1))[0]) for c in (m.scalar.value, m.scalar.slope))
    return sigma_b == 0 and abs(at_zero) < 1e-12 and abs(d) > 1e-12 and abs(_excess(m, GRID[0], 0.0)) < 1e-3


def _edge(m: Moments, sigma_b: float, q: float) -> Edge:
    sigma_w = 1 / sqrt(m.slope_square(q).value)
    if q == SMALLEST:
        fades = all(sigma_w**2 * m.square(start).value <= start * (1 + NEUTRAL) for start in (1e-4, 1.0))
        return Edge(sigma_b, sigma_w, 0.0, fades)
    return Edge(sigma_b, sigma_w, q, abs(slope(m, q, sigma_w)) <= 1 + 1e-9)


def edge(m: Moments, sigma_b: float) -> Edge:
    """The point of the edge to use: of the stable ones the largest length, which fades least; else the reason."""
    found = edges(m, sigma_b)
    stable = [e for e in found if e.stable]
    if stable:
        return max(stable, key=lambda e: (min(e.q, 1.0), -e.q))
    if found:
        return min(found, key=lambda e: abs(log(max(e.q, 1e-9))))
    return Edge(sigma_b, None, nan, False, _no_edge(m, sigma_b))


def _no_edge(m: Moments, sigma_b: float) -> str:
    if m.jumps:
        return "the function jumps: two inputs that are close are torn apart at every layer (chi is infinite)"
    if m.slope_square(1.0).value == 0:
        return "the function is flat: no gradient passes"
    if sigma_b and not [v for v in _excesses(m, 0.0)[1] if abs(v) > VISIBLE]:
        return (
            f"chi = 1 needs sigma_w = {1 / sqrt(m.slope_square(1.0).value):.4g}, but with biases every layer then adds "
            "to the signal and no length is kept; use sigma_b = 0"
        )
    values = _excesses(m, sigma_b)[1]
    if not values:
        return f"at sigma_b = {sigma_b:g} no length is kept"
    kind = "chaotic (chi > 1)" if values[len(values) // 2] > 0 else "ordered (chi < 1)"
    return f"at sigma_b = {sigma_b:g} every length that layers can keep is {kind}"


def depth_scale(m: Moments, sigma_w: float, sigma_b: float) -> DepthScale:
    """Depth scales at the length that layers settle at, beginning with inputs of length 1."""
    q = settled(m, sigma_w, sigma_b)
    at = chi(m, q, sigma_w)
    if not isfinite(q):
        return DepthScale("divergent", q, nan, at, nan, nan, _scale(at))
    c_map = CorrelationMap(m, q, sigma_w, sigma_b)
    c = c_map.fixed_point(chaotic=at > 1 + NEUTRAL)
    phase = "critical" if abs(at - 1) < 1e-6 else "ordered" if at < 1 else "chaotic"
    back = at if c == 1.0 else c_map.slope(c)
    return DepthScale(phase, q, c, at, _scale(slope(m, q, sigma_w)), _scale(back), _scale(at))


def _scale(factor: float) -> float:
    """Layers until a factor per layer has made e of it: infinite for a factor of 1, 0 for none or an infinite one."""
    factor = abs(factor)
    if factor == 0 or not isfinite(factor):
        return 0.0
    return inf if abs(factor - 1) < 1e-9 else 1 / abs(log(factor))
