"""The published transforms that make a deep plain network train: g(x) = gamma (f(alpha x + beta) + delta).

Notation as in `whet.theory.family`; L is the number of layers.

"Deep kernel shaping" (Martens et al. 2021, arXiv:2110.01765) asks for Q(1) = 1, Q'(1) = 1, C(0) = 0 and
C'(1) = zeta^(1 / L): the plain network as a whole stretches by zeta. "Tailored activation transformation" (Zhang et al.
2022, arXiv:2203.08120) asks for Q(1) = 1, Q'(1) = 1, C'(1) = 1 and C''(1) = tau / L where f is smooth; of a
rectifier it tailors the slope of the negative side instead, until the network's C map brings orthogonal inputs to a
correlation of eta. What `whet.init.auto_` does to a network of a known width is in `whet.theory.shaping`.

Gamma and delta follow from alpha and beta in closed form. For each beta the least alpha is sought at which g is as
nonlinear as it should be, and among those the beta at which Q'(1) = 1. Some functions have no such beta (exp, relu: the
equations of small alpha, f''^2 + 2 f' f''' = 0 for the first method, have no root); then the least |Q'(1) - 1| is taken,
which is of the order of C'(1) - 1 and hence harmless over L layers, and `unmet` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import acos, inf, pi, sqrt

import numpy as np

from whet.activations.scalar import Scalar, as_scalar
from whet.errors import UserError
from whet.quadrature import gaussian_mean
from whet.theory import given
from whet.theory.family import Family, Shape
from whet.theory.moments import Moments
from whet.theory.roots import root
from whet.theory.solving import Solution, solve

ZETA = 1.5
"""How far the whole network stretches small differences: Martens et al. 2021."""
TAU = 0.3
"""C''(1) of the whole network: Zhang et al. 2022."""
ETA = 0.9
"""The correlation that orthogonal inputs have at the end of a network of leaky rectifiers: the same."""
METHODS = ("dks", "tat", "leaky")
CLOSE = 1e-6
"""A condition counts as met when it is off by no more than this."""


@dataclass(frozen=True)
class Tailored(Shape):
    """A function made fit for a depth: x -> gamma (f(alpha x + beta) + delta).

    It is meant for weights of variance 1 / fan_in (Gaussian or, better, orthogonal) and biases 0, and for inputs to the
    layers below it that have second moment 1: put it in place of f, and initialise with gain 1. Each g then has second
    moment 1 again. Wanted are Q'(1) = 1 and C'(1) = zeta^(1 / depth), or 1.
    """

    name: str
    depth: int
    method: str
    leaky_slope: float | None
    """Only of method "leaky": f is to be replaced by x for positive and `leaky_slope` x for negative x, then scaled."""
    c_zero: float
    """C(0): the correlation after one layer of inputs that were orthogonal."""
    c_curvature: float
    """C''(1), infinite where f has a kink."""
    unmet: str = ""
    """What could not be met, and how far it is off; empty where all conditions hold."""


def tailor(
    what: object,
    depth: int,
    method: str | None = None,
    *,
    zeta: float = ZETA,
    tau: float = TAU,
    eta: float = ETA,
    **params: float,
) -> Tailored:
    """The alpha, beta, gamma, delta with which a function suits a plain network of `depth` layers.

    `what` is a name, a formula, a module, a callable or a `Scalar`; `params` are the parameters of a name or a formula.

    `method` is "dks", "tat" (smooth functions only) or "leaky" (rectifiers only: changes the negative slope, the one
    method that changes more than scale and shift); None takes "dks", which any function can follow. Raises UserError,
    with the reason, where a function can't be shaped: a constant, a line, one that jumps.
    """
    scalar, depth = as_scalar(what, **params), given.layers(depth)
    _check(scalar, method)
    if method == "leaky":
        return _leaky(scalar, depth, eta)
    family = Family(scalar, "tat" if method == "tat" else "dks")
    if method == "tat" and family.kinked:
        raise UserError(
            f"{scalar.name} has a kink, so that C''(1) is infinite and the conditions of TAT for smooth functions can't "
            "hold.",
            'Use method="dks", or "leaky" for a rectifier.',
        )
    target = tau / depth if method == "tat" else zeta ** (1 / depth) - 1
    return _tailored(family, solve(family, target, depth), depth)


def _check(scalar: Scalar, method: str | None) -> None:
    if method is not None and not (isinstance(method, str) and method in METHODS):
        raise UserError(f"There is no method {method!r} of tailoring.", f"Known: {', '.join(METHODS)}.")
    refuse(scalar)


def refuse(scalar: Scalar) -> None:
    """UserError, with the reason, for a function that no scale and shift makes nearly linear, or that is a line already."""
    x = np.linspace(-6, 6, 241)
    values, slopes = scalar.value(x), scalar.slope(x)
    if not np.all(np.isfinite(values)) or not np.all(np.isfinite(slopes)):
        raise UserError(f"{scalar.name} is not finite between -6 and 6, so it can't be tailored.", "Guard its pole.")
    if np.ptp(values) <= 1e-12 * (1 + np.abs(values).max()):
        raise UserError(f"{scalar.name} is constant; no scale or shift makes it carry a signal.")
    if Moments(scalar).jumps:
        raise UserError(
            f"{scalar.name} jumps: near a jump any two inputs part at once, so no gradient describes it.",
            "Replace the jump by a steep slope.",
        )
    if np.ptp(slopes) <= 1e-12 * np.abs(slopes).max():
        raise UserError(f"{scalar.name} is a straight line, which no scale or shift bends.", "Choose another function.")


def _tailored(family: Family, at: Solution, depth: int) -> Tailored:
    shape = family.shape(at.alpha, at.beta, at.branch)
    mean = gaussian_mean(family.scalar.value, at.alpha, at.beta, family.scalar.kinks).value
    return Tailored(
        **vars(shape),
        name=family.scalar.name,
        depth=depth,
        method=family.method,
        leaky_slope=None,
        c_zero=shape.gamma**2 * (mean + shape.delta) ** 2,
        c_curvature=_curvature(family, shape),
        unmet=_unmet(shape.q_slope, depth),
    )


def _curvature(family: Family, g: Shape) -> float:
    if family.kinked:
        return inf
    mean = gaussian_mean(lambda x: family.scalar.curvature(x) ** 2, g.alpha, g.beta, family.scalar.kinks)
    return g.gamma**2 * g.alpha**4 * mean.value


def _unmet(q_slope: float, depth: int) -> str:
    if abs(q_slope - 1) < CLOSE:
        return ""
    fate = "fades to" if q_slope < 1 else "grows to"
    return (
        f"Q'(1) = {q_slope:.6g} instead of 1: over {depth} layers a small deviation of the length {fate} "
        f"{q_slope**depth:.2g} of itself."
    )


def _leaky(scalar: Scalar, depth: int, eta: float) -> Tailored:
    """The negative slope at which the network's C map takes 0 to eta (Zhang et al. 2022)."""
    positive, negative = (float(v) for v in scalar.value(np.array([1.0, -1.0])))
    x = np.linspace(-5, 5, 101)
    line = np.where(x > 0, positive * x, -negative * x)
    if not np.allclose(scalar.value(x), line, rtol=1e-9, atol=1e-12) or positive == 0 or -negative == positive:
        raise UserError(
            f"{scalar.name} is no rectifier (straight on both sides of 0), so it has no negative slope to tailor.",
            'Use method="dks".',
        )
    slope = 0.0 if _through(0.0, depth) <= eta else root(lambda a: _through(a, depth) - eta, 0.0, 1.0)
    gamma = sqrt(2 / (1 + slope**2))
    short = _through(slope, depth)
    return Tailored(
        name=scalar.name,
        depth=depth,
        method="leaky",
        alpha=1.0,
        beta=0.0,
        gamma=gamma,
        delta=0.0,
        leaky_slope=slope,
        q_slope=1.0,
        c_zero=leaky_correlation(0.0, slope),
        c_slope=1.0,
        c_curvature=inf,
        unmet=""
        if abs(short - eta) < CLOSE
        else f"a relu already keeps orthogonal inputs at {short:.3g}, below {eta:g}.",
    )


def leaky_correlation(c: float, slope: float) -> float:
    """The C map of a leaky rectifier: c + (1 - a)^2 / (pi (1 + a^2)) (sqrt(1 - c^2) - c arccos c)."""
    c = min(1.0, max(-1.0, c))
    return c + (1 - slope) ** 2 / (pi * (1 + slope**2)) * (sqrt(1 - c * c) - c * acos(c))


def _through(slope: float, depth: int) -> float:
    c = 0.0
    for _ in range(depth):
        c = leaky_correlation(c, slope)
    return c
