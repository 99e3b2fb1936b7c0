"""How much of a function's bend a deep, narrow network bears, and the scale and shift that leave it that much.

Notation as in `whet.theory.family`, where the search over alpha lies, and

    L, N     layers with the function in a row, and their width        a_k    Hermite coefficients of g: sum a_k^2 = 1
    C'(1)    sum k a_k^2: 1 only for a line
    u        variance of g^2 beyond its z^2 part: N orthonormal weights keep |z|^2 = N, so that only this is noise

Two limits. The depth: C'(1)^L is the stretch of the whole network, at most `stretch` (Martens et al. 2021, "Deep kernel
shaping", arXiv:2110.01765; they ask for 1.5 exactly). The width: each layer adds u / N to the variance of the
length and multiplies what came before by Q'(1)^2, so that its variance at the end is u / N (1 - Q'^2L) / (1 - Q'^2), at
most `noise`. For each beta the largest alpha within the first limit is taken; of those within the second, the one that
changes f the least, log(alpha)^2 + beta^2 + log(gamma)^2. Less stretch than allowed counts as a change too, by its log.

`whet.theory.tailoring` holds the published transforms, which ask for Q'(1) = 1 and know no width. This one, which
`whet.init.auto_` uses, does not ask for it. With Q'(1) < 1, which odd functions and those near an
inflection have, chance deviations of the length die out instead of adding up; at width 48 and depth 60 that decides.
That tanh with orthogonal weights fluctuates no more at depth 100 than at 20 was found by Day, Kahn & Roberts 2023,
arXiv:2310.07765.
"""

from __future__ import annotations

from math import isfinite, log, sqrt

import numpy as np

from whet.activations.scalar import Scalar
from whet.theory.family import NEAR, Family, Shape
from whet.theory.moments import Array, Moments

STRETCH = 2.0
"""C'(1)^L at most. Single runs on plain networks of depth 2 to 60 (digits, a checkerboard, spirals, a parity) showed no
clear difference between 1.5 and 3; at 1.25 shallow ones bent too little, from 7 on deep ones learned more slowly."""
NOISE = 0.05
"""Variance of the relative length at the end, at most: two examples of equal length then differ by a fifth or so."""
LEAST_STRETCH = 1e-4
"""Of the whole network, beyond 1: below it a function counts as one that can't be shaped."""

BETAS = np.linspace(-4, 4, 33)
ALPHAS = np.geomspace(1e-3, 30, 47)
ONE, ZERO = np.ones(1), np.zeros(1)


def shape(scalar: Scalar, depth: int, width: int, *, stretch: float = STRETCH, noise: float = NOISE) -> Shape | None:
    """The scale and shift of a function for `depth` layers of `width` units; None if no scale makes it linear enough.

    Meant for orthogonal weights of gain 1, biases 0 and inputs of second moment 1; the layers' outputs then have
    mean 0 and second moment 1 again. A function that jumps, or is constant, has no shape.
    """
    if Moments(scalar).jumps:
        return None
    family = Family(scalar)
    best, cost, halvings = None, np.inf, 0
    while (stretch - 1) / 2**halvings > LEAST_STRETCH and (halvings * log(2)) ** 2 < cost:
        excess = (1 + (stretch - 1) / 2**halvings) ** (1 / depth) - 1
        alphas, betas = _candidates(family, excess)
        change = _change(family, alphas, betas, depth, noise * width) + (halvings * log(2)) ** 2
        if np.min(change, initial=np.inf) < cost:
            i = int(np.argmin(change))
            best, cost = (excess, float(alphas[i]), float(betas[i])), change[i]
        halvings += 1
    return best and _exactly(family, *best)


def _exactly(family: Family, excess: float, alpha: float, beta: float) -> Shape | None:
    """The shape with its alpha brought to the limit, if that is what stopped it; None for a function with a gap far out."""
    met = family.excess(family.quick(np.array([alpha]), beta))[0] / excess
    found = family.shape(family.settled(excess, alpha, beta) if abs(met - 1) < NEAR else alpha, beta)
    return found if isfinite(found.gamma * found.delta) else None


def natural_gain(scalar: Scalar, depth: int, *, stretch: float = STRETCH) -> float | None:
    """1 / sqrt(E f^2) if `depth` layers of the function as it is stay apart and in reach of each other; else None.

    Beside the stretch this bounds what a mean does: inputs that were orthogonal have the correlation p = (E f)^2 / E f^2
    after one layer, and 1 - (1 - p)^L or more after L.
    """
    family = Family(scalar)
    n = family.quick(ONE, ZERO)
    m, v, bend = float(n.mean[0]), float(n.variance[0]), float(family.bend(n)[0])
    if not isfinite(m * v) or not (1 + bend) ** depth <= stretch:
        return None
    apart = (v / (v + m * m)) ** depth
    return 1 / sqrt(v + m * m) if apart >= 1 / stretch else None


def _candidates(family: Family, excess: float) -> tuple[Array, Array]:
    """Alpha and beta: the function as it is, if it is linear enough; and the largest alpha that is, for each beta."""
    alphas, betas = family.largest(excess, ALPHAS, BETAS)
    if family.bend(family.quick(ONE, ZERO))[0] <= excess:
        return np.append(alphas, 1.0), np.append(betas, 0.0)
    return alphas, betas


def _change(family: Family, alphas: Array, betas: Array, depth: int, noise: float) -> Array:
    """How far each candidate is from f itself; infinite where the length's variance, times the width, exceeds `noise`."""
    n = family.quick(alphas, betas)
    with np.errstate(all="ignore"):
        powers = (family.q_slope(n) ** 2)[:, None] ** np.arange(depth)  # (candidate, layer)
        quiet = family.length_variance(alphas, betas) * powers.sum(1) <= noise
    change: Array = np.log(alphas) ** 2 + betas**2 + np.log(family.scale(n)[0]) ** 2
    return np.where(quiet, change, np.inf)
