"""What is known of an activation, computed from the function itself.

    z, N(0, q)      the input, normal with mean 0 and variance q
    E               the mean over z ~ N(0, 1), by `whet.quadrature`
    q -> E f(sqrt(q) z)^2       the length map, for weights of variance 1 / fan-in
    q*              its fixed point

Shape (range, monotone, convex, …) is looked up on a dense grid that has the kinks among its points and reaches 1e4, with
a look at 1e8 for the limits: a proof it is not, but every entry's known facts come out (tests/activations/test_facts.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whet.activations.expression.check import check_curves
from whet.activations.scalar import Scalar, as_scalar
from whet.quadrature import Mean, gaussian_mean

Array = NDArray[np.float64]

FLAT = 1e-3
"""A slope that stays below this in size is saturated."""
CENTRED = 0.01
"""|E f| up to which a function counts as zero-centred."""
NORMALISING = 1e-3
"""|E f| and |E f^2 - 1| up to which a function counts as self-normalising."""
FARTHEST = 1e4


@dataclass(frozen=True)
class Moments:
    """Means over z ~ N(0, q), each with its error bound."""

    q: float
    mean: Mean
    second_moment: Mean
    slope_mean: Mean
    slope_second_moment: Mean


@dataclass(frozen=True)
class Facts:
    """The facts of one function of one number. Infinite ends of the range are never attained."""

    scalar: Scalar
    low: float
    high: float
    low_attained: bool
    high_attained: bool
    monotone: Literal["increasing", "decreasing", "constant"] | None
    convexity: Literal["convex", "concave", "linear"] | None
    smoothness: float
    """How many derivatives are continuous, up to infinity; -1: the function itself jumps. More than 2 counts as all."""
    lipschitz: float
    saturates_left: float | None
    """|f'| < FLAT for all x below this; None: it does not saturate there."""
    saturates_right: float | None
    odd: bool
    even: bool
    positive_homogeneous: bool
    """f(c x) = c f(x) for all c > 0."""
    sparsity: float
    """Share of N(0, 1) inputs that give exactly 0."""
    moments: Moments
    """Under N(0, 1); not numbers where the function has a pole or a gap in its domain."""
    fixed_point: float | None
    """q* > 0 of the length map, the first stable one if there are several; 0: all lengths shrink to 0; None: they grow
    without end, or every q is one."""
    fixed_point_stable: bool
    notes: tuple[str, ...]
    """Poles, gaps in the domain, overflow within |x| <= 1e4."""

    @property
    def name(self) -> str:
        return self.scalar.name

    @property
    def mean(self) -> float:
        return self.moments.mean.value

    @property
    def second_moment(self) -> float:
        return self.moments.second_moment.value

    @property
    def bounded(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def zero_centred(self) -> bool:
        return abs(self.mean) <= CENTRED

    @property
    def self_normalising(self) -> bool:
        """Mean 0 and second moment 1 under N(0, 1) are kept, and nearby ones drawn to it (Klambauer et al. 2017)."""
        normal = abs(self.mean) <= NORMALISING and abs(self.second_moment - 1) <= NORMALISING
        drawn = self.fixed_point_stable and abs((self.fixed_point or 0.0) - 1) <= NORMALISING
        return normal and drawn

    def moments_at(self, q: float) -> Moments:
        """Means of f and f', and of their squares, under N(0, q)."""
        return moments(self.scalar, q)


def facts(what: object, **params: float) -> Facts:
    """The facts of a catalogue name, a formula, a module, or a function of tensors, as `as_scalar` takes them."""
    scalar = as_scalar(what, **params)
    look = _Look(scalar)
    low, low_attained = look.lowest(1)
    high, high_attained = look.lowest(-1)
    problems = check_curves(scalar.value, scalar.slope)
    broken = any(p.kind != "overflow" and p.of == "value" for p in problems)
    fixed_point, stable = (None, False) if broken else length_fixed_point(scalar)
    nothing = Mean(math.nan, math.inf)
    return Facts(
        scalar=scalar,
        low=low,
        high=-high,
        low_attained=low_attained,
        high_attained=high_attained,
        monotone=look.monotone(),
        convexity=look.convexity(),
        smoothness=smoothness(scalar),
        lipschitz=look.lipschitz(),
        saturates_left=look.saturation(-1),
        saturates_right=look.saturation(1),
        odd=look.mirrored(-1),
        even=look.mirrored(1),
        positive_homogeneous=look.homogeneous(),
        sparsity=look.sparsity(),
        moments=Moments(1.0, *[nothing] * 4) if broken else moments(scalar),
        fixed_point=fixed_point,
        fixed_point_stable=stable,
        notes=tuple(map(str, problems)),
    )


# -- under a normal law ---------------------------------------------------------------------------------------------


def moments(scalar: Scalar, q: float = 1.0) -> Moments:
    """Means of f, f^2, f', f'^2 under N(0, q)."""

    def mean(curve: Callable[[Array], Array]) -> Mean:
        return gaussian_mean(curve, std=math.sqrt(q), kinks=scalar.kinks)

    f, slope = scalar.value, scalar.slope
    return Moments(q, mean(f), mean(lambda z: f(z) ** 2), mean(slope), mean(lambda z: slope(z) ** 2))


def length_fixed_point(scalar: Scalar) -> tuple[float | None, bool]:
    """(q*, whether lengths near it are drawn to it), as `Facts.fixed_point` says. Looked for between 1e-3 and 1e3."""
    from scipy.optimize import brentq

    def excess(log_q: float) -> float:
        q = math.exp(log_q)
        found = gaussian_mean(lambda z: scalar.value(z) ** 2, math.sqrt(q), kinks=scalar.kinks).value / q - 1
        return found if abs(found) > 1e-9 else 0.0

    grid = np.linspace(math.log(1e-3), math.log(1e3), 14)  # 1 is not among them: it is a likely answer
    found = np.array([excess(v) for v in grid])
    if not np.isfinite(found).all() or not found.any():
        return None, False
    crossings = np.flatnonzero(found[1:] * found[:-1] < 0)
    if len(crossings) == 0:
        return (0.0, True) if found.min() < 0 else (None, False)
    stable = [i for i in crossings if found[i] > found[i + 1]]
    i = (stable or list(crossings))[0]
    return math.exp(brentq(excess, grid[i], grid[i + 1], xtol=1e-12)), bool(stable)


def smoothness(scalar: Scalar) -> float:
    """How many derivatives are continuous within +-40, of those that are looked at: infinite if neither f, f' nor f'' jumps."""
    return next((order - 1 for order, places in enumerate(scalar.jumps) if places), math.inf)


# -- the shape ------------------------------------------------------------------------------------------------------


class _Look:
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
