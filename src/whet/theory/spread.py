"""What a mean over wide layers hides: how unevenly a network treats directions, and how much one draw differs from another.

    mu_k     E f'(x)^(2k) at the length q                          L, N     layers and their width
    J        Jacobian of L layers, from pre-activations to pre-activations
    s_1      first coefficient of the weights' S-transform: -1 for Gaussian, 0 for orthogonal weights

Pennington, Schoenholz & Ganguli 2018, "The emergence of spectral universality in deep networks", arXiv:1802.09979: the
eigenvalues of J J^T have mean chi^L and variance chi^(2L) L (mu_2 / mu_1^2 - 1 - s_1).

Hanin 2018, "Which neural net architectures give rise to exploding and vanishing gradients?", arXiv:1801.03744: at
finite width the squared gradient varies from draw to draw, and its variance grows exponentially in L / N (5 L / N for
relu). Here the same second moment is taken for any f: a layer of Gaussian weights multiplies the squared gradient by a
mean of N numbers f'^2 w^2, of relative variance (3 mu_2 / mu_1^2 - 1) / N. For orthogonal weights w runs over a sphere,
and it is 3 (mu_2 / mu_1^2 - 1) / N.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, inf

from whet.theory.moments import Moments


@dataclass(frozen=True)
class Spread:
    """The squared singular values of a network's Jacobian: 1 and 0 would be an isometry."""

    mean: float
    variance: float

    @property
    def relative(self) -> float:
        """Standard deviation over mean."""
        return self.variance**0.5 / self.mean if self.mean else inf


def kurtosis(m: Moments, q: float) -> float:
    """mu_2 / mu_1^2: 1 for a line, 2 for relu."""
    square = m.slope_square(q).value
    return m.slope_fourth(q).value / square**2 if square else inf


def singular_values(m: Moments, q: float, sigma_w: float, depth: int, orthogonal: bool = False) -> Spread:
    """Mean and variance of the squared singular values of `depth` layers at a length q that they keep."""
    chi = sigma_w**2 * m.slope_square(q).value
    relative = depth * (kurtosis(m, q) - (1 if orthogonal else 0))
    return Spread(_power(chi, depth), _power(chi, 2 * depth) * relative)


def gradient_noise(m: Moments, q: float, depth: int, width: int, orthogonal: bool = False) -> float:
    """Relative variance, over draws of the weights, of a squared gradient that has come through `depth` layers."""
    mu = kurtosis(m, q)
    layer = (3 * (mu - 1) if orthogonal else 3 * mu - 1) / width
    return expm1(min(700.0, depth * layer))


def _power(base: float, exponent: int) -> float:
    try:
        return float(base**exponent)
    except OverflowError:
        return inf
