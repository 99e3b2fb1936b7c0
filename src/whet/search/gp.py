"""A Gaussian process over the unit cube: what value a choice will have, and how sure that is.

| symbol | meaning | shape |
| --- | --- | --- |
| x | points: the columns of an encoding, and whatever else is an input | (n, width) |
| y | their values, standardised; lower is better | (n,) |
| groups | which input a column belongs to: the columns of one category share a length | (width,) |
| ell | lengths: over how long a way an input makes a difference | (inputs,) |
| s2 | noise variance; the signal's is 1 | |
| D | squared distances along each input | (inputs, n, m) |
| r | distance in lengths, r^2 = sum over inputs of D / ell^2 | (n, m) |

Kernel: Matern 5/2, k(r) = (1 + sqrt(5) r + 5 r^2 / 3) exp(-sqrt(5) r) (Rasmussen and Williams 2006, eq. 4.17). Lengths and
noise are the most probable ones under log-normal priors whose lengths grow with the root of the number of inputs
(Hvarfner, Hellsten and Nardi 2024: the more inputs, the less each of them says).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

ROOT5 = math.sqrt(5.0)
ELL_PRIOR = (0.0, 1.0)
"""Mean of log ell, to which half the logarithm of the number of inputs is added, and its standard deviation.

The paper has sqrt(2) and sqrt(3). With these, and noise around exp(-4), the process took inputs for idle that were not and
called what it could not explain noise: on LCBench's task 34539 most of 20 proposals came back to the same corner."""
NOISE_PRIOR = (-7.0, 1.5)
"""Of log s2."""
LOG_ELL, LOG_NOISE = (-4.0, 8.0), (-12.0, 1.0)
"""Where lengths and noise are looked for."""
JITTER = 1e-8
ROUNDS = 40
"""Steps of L-BFGS at most."""


def distances(a: np.ndarray, b: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """D: (inputs, n, m)."""
    each = (a.T[:, :, None] - b.T[:, None, :]) ** 2  # (width, n, m)
    return np.stack([each[groups == g].sum(0) for g in range(groups.max() + 1)])


def matern(D: np.ndarray, ell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The kernel, and -2 times its derivative by r^2."""
    r = np.sqrt(np.tensordot(ell**-2.0, D, 1))
    decay = np.exp(-ROOT5 * r)
    return (1 + ROOT5 * r + 5 / 3 * r**2) * decay, 5 / 3 * (1 + ROOT5 * r) * decay


def loss_and_slope(theta: np.ndarray, D: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Minus the logarithm of the posterior of theta = (log ell, log s2), and its derivative (ibid., eq. 5.9)."""
    from scipy.linalg import cho_factor, cho_solve

    n, ell, s2 = len(y), np.exp(theta[:-1]), math.exp(theta[-1])
    k, slope = matern(D, ell)
    factor = cho_factor(k + (s2 + JITTER) * np.eye(n), lower=True)
    alpha = cho_solve(factor, y)
    W = cho_solve(factor, np.eye(n)) - np.outer(alpha, alpha)  # (n, n)
    loss = 0.5 * y @ alpha + np.log(np.diag(factor[0])).sum()
    by_ell = 0.5 * np.tensordot(D, W * slope, 2) / ell**2
    by_noise = 0.5 * s2 * np.trace(W)
    mean, sd = priors(len(ell))
    away = (theta - mean) / sd
    return float(loss + 0.5 * away @ away), np.append(by_ell, by_noise) + away / sd


def priors(inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations of theta."""
    mean = np.append(np.full(inputs, ELL_PRIOR[0] + 0.5 * math.log(inputs)), NOISE_PRIOR[0])
    return mean, np.append(np.full(inputs, ELL_PRIOR[1]), NOISE_PRIOR[1])


@dataclass(frozen=True, eq=False)
class GP:
    """A process that has seen its points."""

    x: np.ndarray
    groups: np.ndarray
    ell: np.ndarray
    s2: float
    factor: np.ndarray
    """Lower triangle L with L L^T = K + s2."""
    alpha: np.ndarray

    def predict(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(mean, standard deviation) of the value without its noise at each point (ibid., section 2.2)."""
        from scipy.linalg import solve_triangular

        k = matern(distances(x, self.x, self.groups), self.ell)[0]  # (m, n)
        v = solve_triangular(self.factor, k.T, lower=True, check_finite=False)  # (n, m)
        return k @ self.alpha, np.sqrt(np.maximum(1 - (v**2).sum(0), 1e-12))

    def with_points(self, x: np.ndarray, y: np.ndarray) -> GP:
        """The same lengths and noise with other points."""
        return condition(x, y, self.groups, self.ell, self.s2)


def condition(x: np.ndarray, y: np.ndarray, groups: np.ndarray, ell: np.ndarray, s2: float) -> GP:
    from scipy.linalg import cho_solve

    k = matern(distances(x, x, groups), ell)[0]
    factor = np.linalg.cholesky(k + (s2 + JITTER) * np.eye(len(y)))
    return GP(x, groups, ell, s2, factor, cho_solve((factor, True), y))


def fitted(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> GP:
    """The process with the most probable lengths and noise for these points."""
    from scipy.optimize import minimize

    mean, _ = priors(int(groups.max()) + 1)
    D = distances(x, x, groups)
    bounds = [LOG_ELL] * (len(mean) - 1) + [LOG_NOISE]
    found = minimize(loss_and_slope, mean, (D, y), "L-BFGS-B", jac=True, bounds=bounds, options={"maxiter": ROUNDS})
    return condition(x, y, groups, np.exp(found.x[:-1]), math.exp(found.x[-1]))
