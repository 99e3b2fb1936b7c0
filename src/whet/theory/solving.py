"""The alpha and beta at which a function meets the conditions of tailoring.

Notation as in `whet.theory.family`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import exp, log

import numpy as np

from whet.errors import UserError
from whet.theory.family import NEAR, Family
from whet.theory.moments import Array

BETAS = np.linspace(-4.0, 4.0, 81)
"""Tried, in units of the function's own scale."""
ALPHAS = np.geomspace(1e-5, 1e4, 91)
MOST_STARTS = 8
SOLVED = 1e-9
"""Both conditions are met to within this, relative."""


@dataclass(frozen=True)
class Solution:
    alpha: float
    beta: float
    branch: int
    """The sign of delta + m, where the method leaves it open."""


@dataclass(frozen=True)
class _Point:
    """A beta with the least alpha that is nonlinear enough."""

    alpha: float
    beta: float
    branch: int
    gamma: float
    q_slope: float


def solve(family: Family, target: float, depth: int) -> Solution:
    """A root of Q'(1) - 1 among the functions that are as nonlinear as `target` where there is one, else the best beta."""
    branches = (1, -1) if family.method == "tat" else (1,)
    ranked: list[tuple[float, _Point]] = []
    for scale in _scales(family):
        curves = [_curve(family, target, scale, branch) for branch in branches]
        starts = [start for curve in curves for start in _changes(curve)]
        for start in sorted(starts, key=lambda p: _oddness(p, scale))[:MOST_STARTS]:
            polished = _polish(family, target, start)
            if polished is not None:
                return polished
        ranked += [(_harm(p.q_slope, depth) + _oddness(p, scale), p) for curve in curves for p in curve]
    if not ranked:
        raise UserError(
            f"{family.scalar.name} can't be made linear enough: no scale and shift brings its nonlinearity down to "
            f"{target:.3g}.",
            "Use fewer layers, skips, or another function.",
        )
    best = min(ranked, key=lambda pair: pair[0])[1]
    return Solution(family.settled(target, best.alpha, best.beta), best.beta, best.branch)


def _scales(family: Family) -> list[float]:
    """Spreads of the input at which the function is far from a line: units in which beta is searched, the likeliest first."""
    bends = [alpha for beta in (0.0, 0.7, -0.7) if (alpha := _bent_from(family, beta)) is not None]
    middle = sorted(bends)[len(bends) // 2 :][:1]
    return list(dict.fromkeys([*middle, *sorted(bends, reverse=True)])) or [1.0]


def _bent_from(family: Family, beta: float) -> float | None:
    """The last alpha tried before which the function is nearly a line; None where it always or never is."""
    fits = family.bend(family.quick(ALPHAS, beta)) < 0.2
    last = np.flatnonzero(fits[:-1] & ~fits[1:])
    return float(ALPHAS[last[0]]) if len(last) else None


def _oddness(p: _Point, scale: float) -> float:
    """How far from leaving input and output as they are; of a symmetric pair, the one with beta > 0 is less odd."""
    return abs(log(p.alpha / scale)) + abs(p.beta / scale) + abs(log(p.gamma * p.alpha)) + 1e-6 * (p.beta < 0)


def _harm(q_slope: float, depth: int) -> float:
    """What Q'(1) does over the whole depth: lengths that even out are less of a harm than lengths that run away."""
    if q_slope <= 0:
        return 10.0
    return depth * abs(log(q_slope)) * (0.3 if q_slope < 1 else 1.0)


def _curve(family: Family, target: float, scale: float, branch: int) -> list[_Point]:
    """For each beta the least alpha that is nonlinear enough, where there is one."""
    alphas, betas = family.largest(target, ALPHAS, BETAS * scale)
    numbers = family.quick(alphas, betas)
    gammas, q_slopes = family.scale(numbers, branch)[0], family.q_slope(numbers, branch)
    met = np.abs(family.excess(numbers) / target - 1) < NEAR
    met &= np.isfinite(gammas) & np.isfinite(q_slopes)
    columns = (part[met].tolist() for part in (alphas, betas, gammas, q_slopes))
    return [_Point(alpha, beta, branch, gamma, q) for alpha, beta, gamma, q in zip(*columns, strict=True)]


def _changes(curve: list[_Point]) -> list[_Point]:
    """Starts for the exact solution: between two neighbours of which one has Q'(1) above 1 and one below."""
    found = []
    for p, q in pairwise(curve):
        above, below = p.q_slope - 1, q.q_slope - 1
        if (above > 0) != (below > 0):
            share = above / (above - below)
            alpha, beta, gamma = ((1 - share) * a + share * b for a, b in zip(*map(_place, (p, q)), strict=True))
            found.append(_Point(alpha, beta, p.branch, gamma, 1.0))
    return found


def _place(p: _Point) -> tuple[float, float, float]:
    return p.alpha, p.beta, p.gamma


def _residual(family: Family, target: float, log_alpha: float, beta: float, branch: int) -> Array:
    numbers = family.exact(exp(log_alpha), beta)
    with np.errstate(all="ignore"):
        return np.concatenate([np.log(family.excess(numbers) / target), family.q_slope(numbers, branch) - 1])


def _polish(family: Family, target: float, start: _Point) -> Solution | None:
    """Newton's method on both conditions, with adaptive quadrature; None where it does not settle nearby.

    Its unknowns are log alpha and beta / alpha: one unit of either is a fair step for steep functions and flat ones.
    """

    def residual(u: Array) -> Array:
        return _residual(family, target, u[0], u[1] * exp(u[0]), start.branch)

    u, step = np.array([log(start.alpha), start.beta / start.alpha]), 1e-5
    for _ in range(20):
        r = residual(u)
        if not np.all(np.isfinite(r)):
            return None
        if np.abs(r).max() < SOLVED:
            return Solution(exp(u[0]), float(u[1] * exp(u[0])), start.branch)
        columns = [(residual(u + step * e) - residual(u - step * e)) / (2 * step) for e in np.eye(2)]
        try:
            move = np.linalg.solve(np.stack(columns, axis=1), r)
        except np.linalg.LinAlgError:
            return None
        u = u - move * min(1.0, 0.3 / abs(move[0]), 2.0 / abs(move[1])) if np.all(move) else u - move
    return None
