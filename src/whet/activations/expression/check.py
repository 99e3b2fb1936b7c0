"""Where within |x| <= 1e4 a function is not a finite number: outside its domain, at a pole, or beyond the largest float32.

By looking: at a dense grid near 0, a logarithmic one up to 1e4, round numbers, and the places between which the answer
changes, closed in by bisection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whet.activations.expression.bounds import MOST, REACH
from whet.activations.expression.curve import Array, Curve, curve
from whet.activations.expression.derive import derive
from whet.activations.expression.nodes import Node

Kind = Literal["undefined", "pole", "overflow"]


@dataclass(frozen=True)
class Problem:
    """A stretch of x, ends included, on which a function is undefined, infinite, or too large for float32."""

    kind: Kind
    low: float
    high: float
    of: str = "value"
    """What is wrong there: the value, or the slope only."""

    @property
    def distance(self) -> float:
        """How far from 0 it begins."""
        return 0.0 if self.low <= 0 <= self.high else min(abs(self.low), abs(self.high))

    def __str__(self) -> str:
        said = {"undefined": "undefined", "pole": "infinite", "overflow": "too large for float32"}[self.kind]
        return f"its {self.of} is {said} {self.where()}"

    def where(self) -> str:
        if self.low == self.high:
            return f"at x = {self.low:g}"
        if self.low <= -REACH and self.high >= REACH:
            return "everywhere"
        if self.low <= -REACH:
            return f"below x = {self.high:.4g}"
        if self.high >= REACH:
            return f"above x = {self.low:.4g}"
        return f"for x from {self.low:.4g} to {self.high:.4g}"


def told(problems: Sequence[Problem]) -> str:
    """The first problem in words, with all places that have the same one."""
    first, *more = problems
    same = [p for p in more if (p.kind, p.of) == (first.kind, first.of)]
    return " and ".join([str(first), *(p.where() for p in same)])


@lru_cache(maxsize=512)
def check(node: Node) -> tuple[Problem, ...]:
    """What is wrong with a formula of x, in its value or its slope; nothing: it is a finite number everywhere."""
    return check_curves(curve(node), curve(derive(node)))


def check_curves(value: Curve, slope: Curve) -> tuple[Problem, ...]:
    """The same for a function given by its value and slope; a slope's problem is told where the value has none."""
    found = problems_of(value, "value")
    known = [(p.low, p.high) for p in found]
    more = [p for p in problems_of(slope, "slope") if not any(low <= p.high and p.low <= high for low, high in known)]
    return (*found, *more)


def places() -> Array:
    """Where to look, sorted: whole and simple numbers are among them, since that is where poles are."""
    far = np.geomspace(20, REACH, 2000)
    near = np.linspace(-20, 20, 8001)
    return np.unique(np.concatenate([-far, near.round(3), far, np.arange(-100.0, 101.0), [np.pi, -np.pi]]))


def problems_of(function: Curve, of: str) -> list[Problem]:
    z = places()
    kinds = _without_islands(_kinds(function, z))
    found = [_closed_in(function, z, *stretch, of) for stretch in _nearest(_stretches(z, kinds))]
    known = {p.low for p in found}
    return [*found, *(p for p in _hidden_poles(function, z, kinds, of) if p.low not in known)]


MOST_TOLD = 3
"""Stretches of one kind, and poles that lie between two places, that are told at most: the nearest to 0. The formula
log(sin(x)) is undefined on thousands."""
Stretch = tuple[Kind, int, int]
"""A kind of problem, and the first and the last place that has it."""


def _stretches(z: Array, kinds: NDArray[np.int64]) -> list[Stretch]:
    """Those nearer to 0 first."""
    begins = np.flatnonzero(np.diff(kinds, prepend=-1))
    ends = np.append(begins[1:], len(z)) - 1
    found = [(KINDS[kinds[a]], a, b) for a, b in zip(begins.tolist(), ends.tolist(), strict=True) if kinds[a]]
    return sorted(found, key=lambda s: 0.0 if z[s[1]] <= 0 <= z[s[2]] else min(abs(z[s[1]]), abs(z[s[2]])))


def _nearest(stretches: list[Stretch]) -> list[Stretch]:
    """Of each kind the first few, from left to right."""
    kept = [s for kind in set(KINDS) for s in [t for t in stretches if t[0] == kind][:MOST_TOLD]]
    return sorted(kept, key=lambda s: s[1])


def _closed_in(function: Curve, z: Array, kind: Kind, first: int, last: int, of: str) -> Problem:
    """The stretch with its ends between places found."""
    low, high = z[first], z[last]
    if kind != "pole":
        low = low if first == 0 else _edge(function, low, z[first - 1])
        high = high if last == len(z) - 1 else _edge(function, high, z[last + 1])
    return Problem(kind, _short(low), _short(high), of)


def _without_islands(kinds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Single places amid undefined ones count as undefined: x^x has a value at whole numbers below 0."""
    alone = (kinds[:-2] == UNDEFINED) & (kinds[2:] == UNDEFINED)
    kinds[1:-1][alone] = UNDEFINED
    return kinds


UNDEFINED = 1
KINDS: tuple[Kind, ...] = ("undefined", "undefined", "pole", "overflow")


def _kinds(function: Curve, z: Array) -> NDArray[np.int64]:
    """0 where the curve is a number of float32, else a place in KINDS. An infinity among large numbers is an overflow."""
    with np.errstate(all="ignore"):
        y = function(z)
    kinds = np.zeros(len(z), dtype=np.int64)
    kinds[np.abs(y) > MOST] = 3
    infinite = np.flatnonzero(np.isinf(y))
    beside = np.clip(np.stack([infinite - 1, infinite + 1]), 0, len(z) - 1)
    kinds[infinite[~(np.abs(y[beside]) > 1e15).any(0)]] = 2
    kinds[np.isnan(y)] = UNDEFINED
    return kinds


def _edge(function: Curve, bad: float, good: float) -> float:
    """The last bad place towards a good one."""
    kind = _kinds(function, np.array([bad]))[0]
    for _ in range(60):
        middle = (bad + good) / 2
        if _kinds(function, np.array([middle]))[0] == kind:
            bad = middle
        else:
            good = middle
    return bad


def _hidden_poles(function: Curve, z: Array, kinds: NDArray[np.int64], of: str) -> list[Problem]:
    """Poles between two places: the curve changes sign there, and grows as one comes nearer."""
    with np.errstate(all="ignore"):
        y = function(z)
        known = (kinds == 0) & (y != 0) & (np.abs(z) < 40)
        z, y = z[known], y[known]
        jump = np.flatnonzero(y[1:] * y[:-1] < 0)
        low, high = z[jump], z[jump + 1]
        before = np.maximum(np.abs(y[jump]), np.abs(y[jump + 1]))
        for _ in range(45):
            middle = (low + high) / 2
            same = np.sign(function(middle)) == np.sign(function(low))
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        after = np.maximum(np.abs(function(low)), np.abs(function(high)))
    poles = sorted(low[(after > 1e6 * before) & (after > 1e6)], key=abs)[:MOST_TOLD]
    return [Problem("pole", place, place, of) for place in map(_short, poles)]


def _short(place: float) -> float:
    return round(float(place), 9) + 0.0
