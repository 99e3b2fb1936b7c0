"""Which pairs of arms differ, step by step: two arms are told apart where every set of arms that holds both is.

A set of m of the k arms is told apart where the largest of its pairs' differences, in standard errors, is beyond what m equal
arms reach by chance. The sets are tested at the levels of Ryan, Einot and Gabriel: the chance that arms which are all alike
are told apart stays below alpha whatever the other arms do, as it does with Tukey's test of all pairs at once, and more
differences are found: a pair that stands out need not be larger than what the luckiest pair of all k arms reaches, where
another pair has shown that these are not all alike (Marcus, Peritz & Gabriel 1976; Einot & Gabriel 1975; Welsch 1977).

    level of m of k arms      (1 - alpha)^(m / k), and 1 - alpha for k and k - 1
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np

MOST_ARMS = 12
"""With more arms all pairs are tested at once: there are too many sets to look at."""


@functools.cache
def level(m: int, k: int, confidence: float) -> float:
    """How sure a set of m of k arms has to be."""
    return confidence if m >= k - 1 else float(confidence ** (m / k))


@functools.cache
def critical_value(arms: int, freedom: int, confidence: float) -> float:
    """How many standard errors the largest difference of equal arms stays below; with two arms Student's t."""
    from scipy.stats import studentized_range, t

    if arms == 2:
        return float(t.ppf((1 + confidence) / 2, freedom))
    return float(studentized_range.ppf(confidence, arms, freedom)) / math.sqrt(2)


@functools.cache
def critical_values(k: int, freedom: int, confidence: float) -> tuple[float, ...]:
    """The same for sets of 2, 3, … of k arms; no smaller for more arms."""
    values = [critical_value(m, freedom, level(m, k, confidence)) for m in range(2, k + 1)]
    return tuple(itertools.accumulate(values, max))


def hurdles(sizes: Sequence[float], k: int) -> np.ndarray:
    """(pairs, k - 1): per pair, of the sets of 2, 3, … arms that hold it, the least of their largest differences.

    sizes   (pairs,) differences in standard errors, in the order (0, 1), (0, 2), …
    """
    found = np.full((len(sizes), k - 1), np.inf)
    for m, holds in sets_of(k):
        largest = np.where(holds, np.asarray(sizes), 0.0).max(1, keepdims=True)  # (sets, 1)
        found[:, m - 2] = np.where(holds, largest, np.inf).min(0)
    return found


@functools.cache
def sets_of(k: int) -> tuple[tuple[int, np.ndarray], ...]:
    """(m, (sets of m arms, pairs) whether the set holds the pair)."""
    pairs = list(itertools.combinations(range(k), 2))
    least = 2 if k <= MOST_ARMS else k
    return tuple(
        (m, np.array([[{*pair} <= {*chosen} for pair in pairs] for chosen in itertools.combinations(range(k), m)]))
        for m in range(least, k + 1)
    )


def told_apart(hurdle: np.ndarray, freedom: int, confidence: float) -> bool:
    """Whether a pair's hurdles (k - 1,) are all taken."""
    return bool((hurdle > critical_values(len(hurdle) + 1, freedom, confidence)).all())


def chance(hurdle: np.ndarray, freedom: int) -> float:
    """How small alpha could be with the pair still told apart."""
    from scipy.stats import studentized_range

    k = len(hurdle) + 1
    each = [
        (m, float(studentized_range.sf(math.sqrt(2) * h, m, freedom))) for m, h in enumerate(hurdle, 2) if h < math.inf
    ]
    return max((p if m >= k - 1 else 1 - (1 - p) ** (k / m) for m, p in each), default=0.0)
