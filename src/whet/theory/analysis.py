"""`analyse`: everything mean-field theory says of one function, under one name.

    sigma_w    weights have variance sigma_w^2 / fan_in            q    variance of pre-activations, the length
    sigma_b    biases have variance sigma_b^2                      c    correlation of two inputs' pre-activations

The parts: `lengths`, `correlation`, `criticality`, `spread`, `forecast`, `tailoring`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import exp, inf, isfinite, log, nan, sqrt

import numpy as np

from whet.activations.expression.check import check_curves
from whet.activations.scalar import Scalar, as_scalar
from whet.errors import UserError
from whet.theory import criticality, given, lengths, spread
from whet.theory.correlation import CorrelationMap
from whet.theory.criticality import DepthScale, Edge
from whet.theory.forecast import FARTHEST, Forecast, forecast, gradients, reach
from whet.theory.lengths import FixedPoint
from whet.theory.moments import Array, Moments
from whet.theory.roots import crossings
from whet.theory.spread import Spread
from whet.theory.tailoring import Tailored, tailor

BIASES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Values of sigma_b among which `best` looks."""
GUARDS = {
    "pole": "Guard it, as 1 / (1 + x^2) guards 1 / x.",
    "undefined": "Give it a value there, as log(1 + abs(x)) does for log(x).",
    "overflow": "Hold its growth, as exp(min(x, 1)) holds that of exp(x).",
}
"""What to do about each kind of problem."""
LIKELY = 4
"""Pairs of sigma_w and sigma_b, those with the steadiest gradients, whose signals it looks at too."""


def analyse(what: object, **params: float) -> Analysis:
    """The mean-field theory of a catalogue name, a formula, a module, or a callable on tensors.

    `params` are the parameters of the entry or the formula. Raises UserError for what is no function of one number, and
    for a function whose second moment under N(0, 1) does not exist, such as 1 / x.

    >>> t = analyse("relu")
    >>> round(t.gain**2, 12), round(t.chi(sigma_w=2**0.5), 12)
    (2.0, 1.0)
    """
    return Analysis(as_scalar(what, **params))


class Analysis:
    """What wide plain networks do with one function at initialisation. Numbers are computed when they are asked for."""

    def __init__(self, scalar: Scalar) -> None:
        self.scalar = scalar
        self.moments = Moments(scalar)
        _check(self.moments)

    def __repr__(self) -> str:
        return (
            f"Analysis({self.name!r}, gain={self.gain:.4g}, slope_gain={self.slope_gain:.4g}, error={self.error:.1g})"
        )

    @property
    def name(self) -> str:
        return self.scalar.name

    # -- at length 1 -----------------------------------------------------------------------------------------------

    @cached_property
    def mean(self) -> float:
        """E f(z), z ~ N(0, 1)."""
        return self.moments.mean(1.0).value

    @cached_property
    def second_moment(self) -> float:
        """E f(z)^2."""
        return self.moments.square(1.0).value

    @cached_property
    def slope_second_moment(self) -> float:
        """E f'(z)^2; infinite for a function that jumps."""
        return inf if self.moments.jumps else self.moments.slope_square(1.0).value

    @cached_property
    def gain(self) -> float:
        """The sigma_w that keeps signals of length 1 at length 1 without biases: 1 / sqrt(E f^2). He's sqrt(2) for relu."""
        return 1 / sqrt(self.second_moment)

    @cached_property
    def slope_gain(self) -> float:
        """The sigma_w that keeps gradients where signals have length 1: 1 / sqrt(E f'^2); infinite for a flat function."""
        square = self.slope_second_moment
        return 1 / sqrt(square) if square else inf

    @cached_property
    def error(self) -> float:
        """A bound of the relative error of the quadrature, the largest over E f, E f^2 and E f'^2 at length 1."""
        m = self.moments
        size = max(self.second_moment, 1e-300)
        errors = [m.mean(1.0).error / sqrt(size), m.square(1.0).error / size]
        square = m.slope_square(1.0)
        return max(*errors, square.error / square.value if square.value else 0.0)

    @property
    def jumps(self) -> bool:
        """Whether f itself jumps, as a step does: no gradient describes it then."""
        return self.moments.jumps

    # -- signals ---------------------------------------------------------------------------------------------------

    def length_map(self, q: float | Array, sigma_w: float | None = None, sigma_b: float = 0.0) -> float | Array:
        """The length after one more layer, sigma_w^2 E f(sqrt(q) z)^2 + sigma_b^2; sigma_w is `gain` if not given."""
        w, b = self._sigmas(sigma_w, sigma_b)
        return _each(lambda one: lengths.next_length(self.moments, one, w, b), given.lengths(q))

    def fixed_points(self, sigma_w: float | None = None, sigma_b: float = 0.0) -> tuple[FixedPoint, ...]:
        """The lengths that layers keep, stable or not, the smallest first."""
        return lengths.fixed_points(self.moments, *self._sigmas(sigma_w, sigma_b))

    def fixed_point(self, sigma_w: float | None = None, sigma_b: float = 0.0) -> float:
        """The length at which layers settle that begin at 1: may be 0 or infinite, and nan if they never do."""
        return lengths.settled(self.moments, *self._sigmas(sigma_w, sigma_b))

    def correlation_map(
        self, c: float | Array, sigma_w: float | None = None, sigma_b: float = 0.0, q: float | None = None
    ) -> float | Array:
        """The correlation after one more layer of two signals of length q, which is where layers settle if not given."""
        w, b = self._sigmas(sigma_w, sigma_b)
        at = self.fixed_point(w, b) if q is None else given.length(q)
        if not isfinite(at):
            raise UserError(f"With sigma_w={w:g}, sigma_b={b:g} {self.name} keeps no length.", "Give q.")
        return _each(CorrelationMap(self.moments, at, w, b), given.correlations(c))

    # -- gradients -------------------------------------------------------------------------------------------------

    def chi(self, sigma_w: float | None = None, sigma_b: float = 0.0, q: float | None = None) -> float:
        """sigma_w^2 E f'^2 at the length where layers settle (or at q): what a layer does to a squared gradient.

        Where lengths grow without bound, it is the value for long signals.
        """
        w, b = self._sigmas(sigma_w, sigma_b)
        return criticality.chi(self.moments, self.fixed_point(w, b) if q is None else given.length(q), w)

    def edge(self, sigma_b: float = 0.0) -> Edge:
        """The edge of chaos at sigma_b, with the length it keeps and whether that is stable; or why there is none."""
        return criticality.edge(self.moments, given.deviation("sigma_b", sigma_b))

    def edge_of_chaos(self, sigma_b: float = 0.0) -> float | None:
        """The sigma_w with chi = 1; None where there is none, and `edge(sigma_b).reason` then says why.

        A function can have several; this one keeps a stable length if any does. Of some functions none does (gelu below
        sigma_b = 0.416, silu below 0.745): `edge(sigma_b).stable` is False then, and chi is 1 at the length `edge(sigma_b).q`,
        which layers leave, and not at the one where they settle, at which `chi(sigma_w, sigma_b)` is taken.
        """
        return self.edge(sigma_b).sigma_w

    def depth_scale(self, sigma_w: float | None = None, sigma_b: float = 0.0) -> DepthScale:
        """How many layers signals and gradients reach."""
        return criticality.depth_scale(self.moments, *self._sigmas(sigma_w, sigma_b))

    def singular_values(
        self, depth: int, sigma_w: float | None = None, sigma_b: float = 0.0, orthogonal: bool = False
    ) -> Spread:
        """Mean and variance of the squared singular values of the Jacobian of `depth` layers, where lengths settle."""
        w, b = self._sigmas(sigma_w, sigma_b)
        q = self.fixed_point(w, b)
        return spread.singular_values(self.moments, min(q, criticality.LARGEST), w, given.layers(depth), orthogonal)

    # -- networks --------------------------------------------------------------------------------------------------

    def forecast(
        self,
        depth: int,
        sigma_w: float | None = None,
        sigma_b: float = 0.0,
        width: int | None = None,
        orthogonal: bool = False,
    ) -> Forecast:
        """Signal and gradient layer by layer in a plain network, from inputs of second moment 1."""
        w, b = self._sigmas(sigma_w, sigma_b)
        units = None if width is None else given.units(width)
        return forecast(self.moments, given.layers(depth), w, b, units, orthogonal)

    def reach(self, sigma_w: float | None = None, sigma_b: float = 0.0, most: int = FARTHEST) -> int:
        """The most layers, up to `most`, of which a plain network carries signal and gradient."""
        return reach(self.moments, *self._sigmas(sigma_w, sigma_b), given.layers(most, "most"))

    def best(self, depth: int) -> Forecast:
        """The sigma_w and sigma_b with which a plain network of `depth` layers carries most: `gain`, or on the edge."""
        depth = given.layers(depth)
        found = [(self.gain, 0.0), *self._even(depth)]
        for sigma_b in BIASES:
            found += [(e.sigma_w, sigma_b) for e in criticality.edges(self.moments, sigma_b) if e.sigma_w]

        def uneven(pair: tuple[float, float]) -> float:
            ratio = gradients(self.moments, depth, *pair)
            return abs(log(ratio)) if 0 < ratio < inf else inf

        likely = sorted(found, key=uneven)[:LIKELY]
        return max(
            (self.forecast(depth, *pair) for pair in likely), key=lambda f: f.strength / max(1.0, f.length_gain) ** 0.5
        )

    def _even(self, depth: int) -> list[tuple[float, float]]:
        """The pairs without biases at which the gradient at the first layer is as long as at the last."""

        def uneven(log_w: float) -> float:
            ratio = gradients(self.moments, depth, exp(log_w), 0.0)
            return log(ratio) if 0 < ratio < 1e100 else nan

        if self.jumps:
            return []
        middle = log(self.gain)
        grid = [middle + step for step in (-1.5, -0.7, -0.3, -0.1, 0.1, 0.3, 0.7, 1.5)]
        return [(exp(u), 0.0) for u in crossings(uneven, grid, tolerance=1e-3)]

    def tailored(self, depth: int, method: str | None = None) -> Tailored:
        """The scale and shift with which f suits a plain network of `depth` layers; see `whet.theory.tailor`."""
        return tailor(self.scalar, depth, method)

    def _sigmas(self, sigma_w: float | None, sigma_b: float) -> tuple[float, float]:
        w = self.gain if sigma_w is None else given.deviation("sigma_w", sigma_w)
        return w, given.deviation("sigma_b", sigma_b)


def _check(m: Moments) -> None:
    """UserError for a function that theory can say nothing of."""
    square, name = m.square(1.0), m.scalar.name
    if square.value < 1e-200:
        raise UserError(f"{name} is 0 everywhere: it carries nothing.", "Choose another function.")
    if isfinite(square.value) and square.error <= 1e-3 * square.value:
        return
    problems = [p for p in check_curves(m.scalar.value, m.scalar.slope) if p.of == "value"]
    if not problems:
        raise UserError(f"E f^2 of {name} under N(0, 1) can't be computed: it swings too fast.", "Smooth it.")
    nearest = min(problems, key=lambda p: p.distance)
    raise UserError(
        f"{name} has no E f^2 under N(0, 1), so theory says nothing of it: {nearest}.", GUARDS[nearest.kind]
    )


def _each(f: Callable[[float], float], x: float | Array) -> float | Array:
    """f of a number, or of each number of an array."""
    if isinstance(x, float):
        return f(x)
    return np.array([f(float(one)) for one in np.ravel(x)]).reshape(np.shape(x))
