"""Which arm of a controlled experiment is better: paired differences, with intervals that hold for all of them at once.

k         arms, each trained once per seed
n         seeds; arms that share a seed share data order and random numbers: they are paired
y         (k, n) scores
s^2       residual variance of y after the means of arms and of seeds are taken out, with (k - 1)(n - 1) degrees of freedom
d         (n,) paired differences of two arms
q         quantile of the studentised range of k means (Tukey 1953): differences of all pairs lie within
          q / sqrt(2) standard errors of zero in 96 of 100 experiments where the arms are all alike; which pairs differ is
          found step by step with it (`whet.search.step_down`)

The standard error of a difference is sqrt(max(2 s^2, var d) / n). Noise that all arms share is estimated from all of them,
which is what finds a difference with five seeds; where a pair is noisier than the rest, its own noise counts. By simulation
(`benchmarks/compare_truth.py`), with five seeds, that keeps the promise where noise has heavy tails, and nearly where one arm
is ten times as noisy as the others: equal arms come out level in 94 to 96 of 100 experiments; pooling alone does not. Such an
arm would hide what the others differ by: where one is noisier by more than chance, pairs of the others are judged by these
alone, and each of the two families has half of the chance to err.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from whet.search import step_down
from whet.search.noise import calm, residual_variance
from whet.search.step_down import critical_value

CONFIDENCE = 0.96
"""A little above 95 %: where learning rates are tuned, an arm is lucky with its rate now and then, which paired seeds can't
see. By simulation that costs up to 2 of 100; a difference of twice the noise is still found in 82 of 100, with two to eight
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
    """Half of the interval: that of all pairs together where none is measurable, else that of the last step, of this pair."""
    smallest: float
    """A difference of this size would have been found in `POWER` of such experiments."""
    spread: float
    """Standard deviation of the paired differences that was reckoned with."""
    error: float
    """Standard error of the difference."""
    freedom: int
    hurdle: tuple[float, ...]
    """In standard errors, of the sets of 2, 3, … arms that hold the pair, the least of their largest differences."""
    families: int = 1
    """Of pairs that are judged apart: 2 where some arms are noisier than the others."""

    @property
    def arms(self) -> int:
        return len(self.hurdle) + 1

    @property
    def clear(self) -> bool:
        """Whether there is a measurable difference."""
        return abs(self.difference) > self.half

    @property
    def p(self) -> float:
        """How often equal arms are told apart where the difference of these two is."""
        if self.difference == 0 or self.error == 0:
            return 0.0 if self.difference else 1.0
        return min(1.0, self.families * step_down.chance(np.asarray(self.hurdle), self.freedom))

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
    rounding = grain**2 / 12  # the variance of a rounded number
    alike = calm(y, rounding)
    noises = {True: residual_variance(y[alike]), False: residual_variance(y)}
    pairs = list(itertools.combinations(range(arms), 2))
    differences = [y[a] - y[b] for a, b in pairs]
    known = [noises[a in alike and b in alike] for a, b in pairs]
    spreads = [
        math.sqrt(max(2 * noise, 2 * rounding, float(d.var(ddof=1))))
        for d, (noise, _) in zip(differences, known, strict=True)
    ]
    sizes = [_in_errors(float(d.mean()), s / math.sqrt(seeds)) for d, s in zip(differences, spreads, strict=True)]
    hurdles, families = step_down.hurdles(sizes, arms), 1 if len(alike) == arms else 2
    return tuple(
        _contrast(pair, float(d.mean()), spread, seeds, freedom, hurdle, confidence, families)
        for pair, d, spread, (_, freedom), hurdle in zip(pairs, differences, spreads, known, hurdles, strict=True)
    )


def _in_errors(difference: float, error: float) -> float:
    return abs(difference) / error if error else math.inf if difference else 0.0


def _contrast(
    pair: tuple[int, int],
    difference: float,
    spread: float,
    seeds: int,
    freedom: int,
    hurdle: np.ndarray,
    confidence: float,
    families: int,
) -> Contrast:
    arms, error, confidence = len(hurdle) + 1, spread / math.sqrt(seeds), _of_one(confidence, families)
    together = critical_value(arms, freedom, confidence)
    alone = critical_value(2, freedom, step_down.level(2, arms, confidence))
    apart = step_down.told_apart(hurdle, freedom, confidence)
    return Contrast(
        *pair,
        difference=difference,
        half=(alone if apart else together) * error,
        smallest=(together + found_in(POWER, freedom)) * error,
        spread=spread,
        error=error,
        freedom=freedom,
        hurdle=tuple(map(float, hurdle)),
        families=families,
    )


def _of_one(confidence: float, families: int) -> float:
    """How sure each of several families has to be, so that all of them together are as sure as that (Bonferroni)."""
    return 1 - (1 - confidence) / families


@functools.cache
def found_in(power: float, freedom: int) -> float:
    """Standard errors beyond the critical value at which a difference is found so often."""
    from scipy.stats import t

    return float(t.ppf(power, freedom))


def half_for_other_rows(d: np.ndarray, c: Contrast, confidence: float = CONFIDENCE) -> float:
    """Half the width of a difference's interval where other test rows might have been drawn as well as other seeds.

    d   (n, R) what each of R test rows contributes to the paired difference of each seed: their mean over rows is it
    c   the difference over seeds

    The variance of a mean over n seeds crossed with R rows is that of the seeds' means, plus that of the rows' means, less
    that of the interaction, which both contain (Cornfield & Tukey 1956, table 4). Its degrees of freedom are Satterthwaite's
    (1946).
    """
    seeds, rows = d.shape
    by_seed = c.spread**2 / seeds
    by_row = float(d.mean(0).var(ddof=1)) / rows
    both = residual_variance(d)[0] / (seeds * rows)
    variance = max(by_seed, by_row, by_seed + by_row - both)
    if variance == 0:
        return 0.0
    parts = by_seed**2 / c.freedom + by_row**2 / (rows - 1)
    together = math.floor(min(max(c.freedom, variance**2 / parts), MANY))
    confidence = _of_one(confidence, c.families)
    arms, sure = (2, step_down.level(2, c.arms, confidence)) if c.clear else (c.arms, confidence)
    return critical_value(arms, together, sure) * math.sqrt(variance)


def shown(found: Sequence[Contrast], best: int) -> tuple[Contrast, ...]:
    """The pairs worth a sentence: every arm beside the first one, and the best beside the others; first minus second.

    The arm that is asked about comes first in each.
    """
    wanted = [c for c in found if c.first == 0 or best in (c.first, c.second)]
    return tuple(c.turned() if c.first == 0 or c.second == best else c for c in wanted)
