"""The noise of a comparison: what neither the arm nor the seed explains, and which arm has far more of it than the others.

y   (arms, seeds) scores, all of them finite
"""

from __future__ import annotations

import functools
import math

import numpy as np

CHANCE = 1e-3
"""How often one of arms that are equally noisy is called noisier. Assumed."""


def residual_variance(y: np.ndarray) -> tuple[float, int]:
    """(s^2, its degrees of freedom) of what neither the arm nor the seed explains."""
    rest = y - y.mean(1, keepdims=True) - y.mean(0) + y.mean()
    freedom = (y.shape[0] - 1) * (y.shape[1] - 1)
    return float((rest**2).sum() / freedom), freedom


def calm(y: np.ndarray, least: float = 0.0) -> list[int]:
    """The arms whose noise is alike: without the one that is noisier than all others by more than chance, and so on.

    Two are left at least. `least`: a variance below which no score is known.
    """
    arms = list(range(len(y)))
    while len(arms) > 2:
        sizes = {a: excess(y, a, [b for b in arms if b != a], least) for a in arms}
        noisiest = max(sizes, key=lambda a: sizes[a])
        if sizes[noisiest] <= border(len(arms), y.shape[1]):
            break
        arms.remove(noisiest)
    return arms


def excess(y: np.ndarray, arm: int, others: list[int], least: float) -> float:
    """The variance of an arm beside the mean of the others, by what it would be, were it as noisy as they are."""
    shared = max(residual_variance(y[others])[0], least)
    own = float((y[arm] - y[others].mean(0)).var(ddof=1)) / (1 + 1 / len(others))
    return own / shared if shared else math.inf if own else 0.0


@functools.cache
def border(arms: int, seeds: int) -> float:
    """What the noisiest of equally noisy arms exceeds as rarely as CHANCE says (Fisher's F)."""
    from scipy.stats import f

    return float(f.isf(CHANCE / arms, seeds - 1, (arms - 2) * (seeds - 1)))
