"""The best learning rate of few noisy trials: where to try it, and where the peak is.

Taking the best of the trials takes the luckiest: two arms that are the same then get different rates, and differ. By
simulation over flat to sharp curves that made 5 to 12 of 100 comparisons of equal arms find a difference; the peak of a
parabola through the same trials made it 5 to 6 (`benchmarks/compare_truth.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

STEP = 3.0
"""Neighbouring trials lie this factor apart; within it a training's quality is close to a parabola of log(rate)."""
FIRST = (1 / STEP, 1.0, STEP)
"""Factors of the recipe's own rate that are tried first."""
TRIALS = 5
"""Trials in all, the same for each arm."""
SAME = 1e-9
"""Scores that differ by less than this share are equal, as shares of few rows often are."""
OUTLIER = 3.0
"""Scores this many times farther below the best than the middle one is say that the rate is too high, not by how much."""


def then(scores: Mapping[float, float]) -> tuple[float, float]:
    """The two factors to try after the first three: beyond the edge where the best lies there, else between.

    Lower ones where nothing was sound.

    `scores`: factor -> score, the higher the better; NaN where it diverged.
    """
    if not any(math.isfinite(s) for s in scores.values()):
        return min(scores) / STEP, min(scores) / STEP**2
    best = _best(scores)
    if best == max(scores):
        return best * STEP, best * STEP**2
    if best == min(scores):
        return best / STEP, best / STEP**2
    return best / math.sqrt(STEP), best * math.sqrt(STEP)


def peak(scores: Mapping[float, float]) -> float:
    """The factor at the top of a parabola through the trials around the best one, within what was tried.

    1 where nothing was sound; the best trial itself where it lies at an edge, shares its score with another (then it is the
    nearest to the recipe's own rate), or the parabola has no top.
    """
    if not any(math.isfinite(s) for s in scores.values()):
        return 1.0
    best = _best(scores)
    if on_edge(scores) or len(level(scores)) > 1:
        return best
    near = sorted(f for f in scores if abs(math.log(f / best)) < 1.01 * math.log(STEP))
    x, y = np.log(np.asarray(near) / best), _clipped([scores[f] for f in near])
    bend, slope, _ = np.polyfit(x, y, 2)
    if bend >= 0:
        return best
    return best * math.exp(min(max(-slope / (2 * bend), float(x[0])), float(x[-1])))


def on_edge(scores: Mapping[float, float]) -> bool:
    """Whether the best is the lowest or the highest that was tried: there may be better ones beyond."""
    return _best(scores) in (min(scores), max(scores))


def level(scores: Mapping[float, float]) -> list[float]:
    """The factors that share the best score, the nearest to the recipe's own rate first; empty where nothing was sound."""
    sound = {f: s for f, s in scores.items() if math.isfinite(s)}
    top = max(sound.values(), default=math.nan)
    equal = [f for f, s in sound.items() if math.isclose(s, top, rel_tol=SAME)]
    return sorted(equal, key=lambda f: abs(math.log(f)))


def _best(scores: Mapping[float, float]) -> float:
    """The factor with the best score; of equal ones the nearest to the recipe's own rate."""
    return next(iter(level(scores)), 1.0 if 1.0 in scores else min(scores))


def _clipped(scores: list[float]) -> np.ndarray:
    """Scores with outliers, and what diverged, at the least that still tells where the peak is."""
    sound = [s for s in scores if math.isfinite(s)]
    best, middle = max(sound), float(np.median(sound))
    least = best - OUTLIER * (best - middle) if best > middle else min(sound)
    return np.asarray([max(s, least) if math.isfinite(s) else least for s in scores])
