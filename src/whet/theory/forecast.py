"""A plain network before anything trains: what is left of signal and gradient, layer by layer.

    q_l     length of layer l's pre-activations, from inputs of second moment 1: q_1 = sigma_w^2 + sigma_b^2
    c_l     correlation there of two inputs that were orthogonal
    chi_l   sigma_w^2 E f'(sqrt(q_l) z)^2; the squared gradient at layer l is the product of chi_l .. chi_(L - 1) times
            that of the last

Two things have to arrive: the difference of two inputs, sqrt(1 - c_L) of their length (Schoenholz et al. 2017,
arXiv:1611.01232: a network trains when this has not yet faded), and a gradient that is neither 0 nor infinite. Two more
are told beside them: what a small deviation of the length becomes, and, at finite width, how far one draw of the weights
is from another (`whet.theory.spread`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import exp, inf, isfinite, log1p, sqrt

from whet.theory.correlation import CorrelationMap
from whet.theory.criticality import chi
from whet.theory.lengths import next_length, slope
from whet.theory.moments import Moments
from whet.theory.spread import gradient_noise

CARRIED = 0.03
FAINT = 1e-4
"""Shares of difference and gradient that must arrive: to train at once, and to train at all. Round numbers. Held against
24 networks (scikit-learn's digits, 10 layers of 48 units, Adam at 1e-3 for 15 epochs; 8 functions, each with PyTorch's
default, He and Xavier), the 11 that carry reach an accuracy of 0.90 to 0.97, the 7 faint ones 0.80 to 0.96; of the 6 that
are lost three stay below 0.2 (sigmoid), three get to 0.75, 0.93 and 0.94: Adam also mends small weights where f(0) = 0, or
nearly so."""
SAME = 1e-3
"""Lengths this near, relative, are taken to have the same correlation map."""
FAIR = 1e-6
"""How exact correlations are that the series does not reach: enough for a forecast."""
ALIKE = 1e-14
"""Correlations this near 1 are 1."""
LEAST, MOST = 1e-12, 1e4
"""Lengths beyond which the correlation map is taken to stay as it is: signals that fade, or grow, without end."""
FARTHEST = 300
"""Layers that are looked at when it is asked how deep a network could be."""


@dataclass(frozen=True)
class Forecast:
    """Signal and gradient in a plain network of `depth` layers; the sequences have one number per layer."""

    depth: int
    sigma_w: float
    sigma_b: float
    lengths: tuple[float, ...]
    correlations: tuple[float, ...]
    gradients: tuple[float, ...]
    """Norm of the gradient at each layer over that at the last."""
    length_gain: float
    """What becomes of a small deviation of the length: below 1 it fades."""
    noise: float | None
    """The factor by which a squared gradient typically differs between draws of the weights; None if no width is given."""

    @property
    def difference(self) -> float:
        """What is left at the end of the difference of two orthogonal inputs: 1 is all, 0 is nothing."""
        return sqrt(max(0.0, 1 - self.correlations[-1]))

    @property
    def gradient(self) -> float:
        """Norm of the gradient at the first layer over that at the last."""
        return self.gradients[0]

    @property
    def strength(self) -> float:
        """The weaker of signal and gradient; an exploding gradient counts as much as a vanishing one."""
        ratio = self.gradient if self.gradient <= 1 else 1 / self.gradient
        return min(self.difference, ratio) if isfinite(self.lengths[-1]) else 0.0

    @property
    def verdict(self) -> str:
        """ "carries", "faint" or "lost"."""
        return "carries" if self.strength >= CARRIED else "faint" if self.strength >= FAINT else "lost"


def forecast(
    m: Moments, depth: int, sigma_w: float, sigma_b: float, width: int | None = None, orthogonal: bool = False
) -> Forecast:
    """Signal and gradient in a plain network of `depth` layers with inputs of second moment 1."""
    lengths, correlations = zip(*islice(signal(m, sigma_w, sigma_b), depth), strict=True)
    factors = [chi(m, q, sigma_w) for q in lengths]
    last = lengths[-1]
    noise = None
    if width is not None and isfinite(last):
        noise = exp(sqrt(log1p(gradient_noise(m, last, depth, width, orthogonal))))
    return Forecast(
        depth,
        sigma_w,
        sigma_b,
        lengths,
        correlations,
        _from_the_end(factors[:-1]),
        _product([slope(m, q, sigma_w) if isfinite(q) else inf for q in lengths[:-1]]),
        noise,
    )


def signal(m: Moments, sigma_w: float, sigma_b: float) -> Iterator[tuple[float, float]]:
    """Length and correlation, layer by layer."""
    q = sigma_w**2 + sigma_b**2
    c = sigma_b**2 / q if q else 1.0
    c_map: CorrelationMap | None = None
    while True:
        yield q, c
        if LEAST < q < MOST and (c_map is None or abs(c_map.q / q - 1) > SAME):
            c_map = CorrelationMap(m, q, sigma_w, sigma_b, fair=FAIR)
        c = c_map(c) if c_map and 1 - c > ALIKE else c
        q = next_length(m, q, sigma_w, sigma_b)


def gradients(m: Moments, depth: int, sigma_w: float, sigma_b: float) -> float:
    """The norm of the gradient at the first of `depth` layers over that at the last; quick, without correlations."""
    q, product = sigma_w**2 + sigma_b**2, 1.0
    for _ in range(depth - 1):
        product = min(product * chi(m, q, sigma_w), 1e300)
        q = next_length(m, q, sigma_w, sigma_b)
    return sqrt(product)


def _from_the_end(factors: Sequence[float]) -> tuple[float, ...]:
    """Roots of the products of factors from each place to the end; the last is 1."""
    products = [1.0]
    for factor in reversed(factors):
        products.append(min(products[-1] * factor, 1e300))
    return tuple(sqrt(p) for p in reversed(products))


def _product(factors: Sequence[float]) -> float:
    product = 1.0
    for factor in factors:
        product = min(product * abs(factor), 1e300)
    return product


def reach(m: Moments, sigma_w: float, sigma_b: float, most: int = FARTHEST) -> int:
    """The most layers, up to `most`, of which a plain network still carries signal and gradient."""
    gradient = 1.0
    for layer, (q, c) in enumerate(islice(signal(m, sigma_w, sigma_b), most)):
        kept = min(gradient, 1 / gradient) if gradient > 0 else 0.0
        if not isfinite(q) or min(kept, sqrt(max(0.0, 1 - c))) < CARRIED:
            return layer
        gradient *= sqrt(chi(m, q, sigma_w))
    return most
