"""What is known of an activation, computed from the function itself.

    z, N(0, q)      the input, normal with mean 0 and variance q
    E               the mean over z ~ N(0, 1), by `whet.quadrature`
    q -> E f(sqrt(q) z)^2       the length map, for weights of variance 1 / fan-in
    q*              its fixed point

The shape (range, monotone, convex, …) is looked up, not proven, by shape.py; what is known of well-known functions comes
out (tests/activations/test_facts.py).
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
from whet.activations.shape import Shape
from whet.errors import RecipeError, shown
from whet.quadrature import Mean, gaussian_mean

Array = NDArray[np.float64]

CENTRED = 0.01
"""|E f| up to which a function counts as zero-centred."""
NORMALISING = 1e-3
"""|E f| and |E f^2 - 1| up to which a function counts as self-normalising."""


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
    """The steepest slope; infinite where the function jumps, or grows ever steeper."""
    saturates_left: float | None
    """|f'| < shape.py:FLAT for all x below this; None: it does not saturate there."""
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
        if isinstance(q, bool) or not (isinstance(q, int | float) and 0 <= q < math.inf):
            raise RecipeError(f"q={shown(q)} is no variance.", "Give a number from 0.")
        return moments(self.scalar, q)


@np.errstate(over="ignore", invalid="ignore")
def facts(what: object, **params: float) -> Facts:
    """The facts of a catalogue name, a formula, a module, or a function of tensors, as `as_scalar` takes them."""
    scalar = as_scalar(what, **params)
    look = Shape(scalar)
    if not np.isfinite(look.f).any():
        raise RecipeError(f"{scalar.name} is a finite number nowhere.", "Give another function.")
    low, low_attained = look.lowest(1)
    high, high_attained = look.lowest(-1)
    problems = check_curves(scalar.value, scalar.slope)
    broken = any(p.kind != "overflow" and p.of == "value" for p in problems)
    fixed_point, stable = (None, False) if broken else length_fixed_point(scalar)
    nothing = Mean(math.nan, math.inf)
    smooth = smoothness(scalar)
    return Facts(
        scalar=scalar,
        low=low,
        high=-high,
        low_attained=low_attained,
        high_attained=high_attained,
        monotone=look.monotone(),
        convexity=look.convexity(),
        smoothness=smooth,
        lipschitz=math.inf if smooth < 0 else look.lipschitz(),
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
