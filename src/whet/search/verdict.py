"""Which arm of a controlled experiment is better: paired differences, with intervals that hold for all of them at once.

k         arms, each trained once per seed
n         seeds; arms that share a seed share data order and random numbers: they are paired
y         (k, n) scores
s^2       residual variance of y after the means of arms and of seeds are taken out, with (k - 1)(n - 1) degrees of freedom
d         (n,) paired differences of two arms
q         quantile of the studentised range of k means (Tukey 1953): differences of all pairs lie within
          q / sqrt(2) standard errors of zero in 96 of 100 experiments where the arms are all alike

The standard error of a difference is sqrt(max(2 s^2, var d) / n). Noise that all arms share is estimated from all of them,
which is what finds a difference with five seeds; where a pair is noisier than the rest, its own noise counts. By simulation
(`benchmarks/compare_truth.py`) that keeps the promise with five seeds where one arm is ten times as noisy as the others, and
where noise has heavy tails; pooling alone does not.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

CONFIDENCE = 0.96
"""A little above 95 %: where learning rates are tuned, an arm is lucky with its rate now and then, which paired seeds can't
see. By simulation that costs up to 2 of 100; a difference of twice the noise is still found in 82 of 100, with two to four
arms and five seeds (`benchmarks/compare_truth.py`)."""
POWER = 0.8
"""How often a difference is found that is called the smallest that could have been seen."""
MANY = 1000
"""Degrees of freedom above which nothing changes any more."""


@dataclass(frozen=True)
class Contrast:
    """One arm beside another: how much higher the first one's scores are, and how sure that is."""

    first: int
    second: int
    difference: float
    """Mean of the paired differences, first minus second."""
    half: float
    """The difference lies within +- this, together with those of all other pairs."""
    smallest: float
    """A difference of this size would have been found in `POWER` of such experiments."""
    spread: float
    """Standard deviation of the paired differences that was reckoned with."""
    error: float
    """Standard error of the difference."""
    arms: int
    freedom: int

    @property
    def clear(self) -> bool:
        """Whether there is a measurable difference."""
        return abs(self.difference) > self.half

    @property
    def p(self) -> float:
        """How often the largest difference of an experiment with equal arms is as large as this one."""
        from scipy.stats import studentized_range

        if self.difference == 0 or self.error == 0:
            return 0.0 if self.difference else 1.0
        return float(studentized_range.sf(2**0.5 * abs(self.difference) / self.error, self.arms, self.freedom))

    def turned(self) -> Contrast:
        """The same, second minus first."""
        return replace(self, first=self.second, second=self.first, difference=-self.difference)


def contrasts(y: np.ndarray, *, grain: float = 0.0, confidence: float = CONFIDENCE) -> tuple[Contrast, ...]:
    """Every pair of arms, (0, 1), (0, 2), …, from their scores (arms, seeds), all of them finite.

    `grain`: scores come in steps of this size, such as 1 / rows; no score is known better than that. Raises ValueError
    for fewer than two arms or seeds.
    """
    arms, seeds = y.shape
    if min(arms, seeds) < 2:
        raise ValueError(f"{arms} arm(s) with {seeds} seed(s) can't be compared: two of each are the least.")
    pooled, freedom = residual_variance(y)
    least = 2 * grain**2 / 12  # of a difference of two rounded numbers
    shared = max(2 * pooled, least)
    return tuple(
        _contrast(y[a] - y[b], (a, b), arms, shared, freedom, confidence)
        for a, b in itertools.combinations(range(arms), 2)
    )


def _contrast(
    d: np.ndarray, pair: tuple[int, int], arms: int, shared: float, freedom: int, confidence: float
) -> Contrast:
    variance, critical = max(shared, float(d.var(ddof=1))), critical_value(arms, freedom, confidence)
    error = math.sqrt(variance / len(d))
    return Contrast(
        *pair,
        difference=float(d.mean()),
        half=critical * error,
        smallest=(critical + found_in(POWER, freedom)) * error,
        spread=math.sqrt(variance),
        error=error,
        arms=arms,
        freedom=freedom,
    )


@functools.cache
def found_in(power: float, freedom: int) -> float:
    """Standard errors beyond the critical value at which a difference is found so often."""
    from scipy.stats import t

    return float(t.ppf(power, freedom))


def residual_variance(y: np.ndarray) -> tuple[float, int]:
    """(s^2, its degrees of freedom) of scores (arms, seeds): what neither the arm nor the seed explains."""
    rest = y - y.mean(1, keepdims=True) - y.mean(0) + y.mean()
    freedom = (y.shape[0] - 1) * (y.shape[1] - 1)
    return float((rest**2).sum() / freedom), freedom


@functools.cache
def critical_value(arms: int, freedom: int, confidence: float = CONFIDENCE) -> float:
    """How many standard errors the largest difference of equal arms stays below; with two arms Student's t."""
    from scipy.stats import studentized_range, t

    if arms == 2:
        return float(t.ppf((1 + confidence) / 2, freedom))
    return float(studentized_range.ppf(confidence, arms, freedom)) / math.sqrt(2)


def half_for_other_rows(d: np.ndarray, spread: float, arms: int, freedom: int, confidence: float = CONFIDENCE) -> float:
    """Half the width of a difference's interval where other test rows might have been drawn as well as other seeds.

    d        (n, R) what each of R test rows contributes to the paired difference of each seed: their mean over rows is it
    spread   the standard deviation of the paired differences between seeds, from `Contrast`

    The variance of a mean over n seeds crossed with R rows is that of the seeds' means, plus that of the rows' means, less
    that of the interaction, which both contain (Cornfield & Tukey 1956, table 4). Its degrees of freedom are Satterthwaite's
    (1946).
    """
    seeds, rows = d.shape
    by_seed = spread**2 / seeds
    by_row = float(d.mean(0).var(ddof=1)) / rows
    both = residual_variance(d)[0] / (seeds * rows)
    variance = max(by_seed, by_row, by_seed + by_row - both)
    if variance == 0:
        return 0.0
    parts = by_seed**2 / freedom + by_row**2 / (rows - 1)
    together = min(max(freedom, variance**2 / parts), MANY)
    return critical_value(arms, math.floor(together), confidence) * math.sqrt(variance)


def shown(found: Sequence[Contrast], best: int) -> tuple[Contrast, ...]:
    """The pairs worth a sentence: every arm beside the first one, and the best beside the others; first minus second.

    The arm that is asked about comes first in each.
    """
    wanted = [c for c in found if c.first == 0 or best in (c.first, c.second)]
    return tuple(c.turned() if c.first == 0 or c.second == best else c for c in wanted)
