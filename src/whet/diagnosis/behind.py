"""How far a training is behind simple methods on the same rows, and when that speaks against it.

A network whose prior suits the rows less than a linear map does is behind, and well trained: a recurrent one on a plain sum, a
bag of words on two lists of words. It knows the rows that it was trained on. What its *training* lacks shows on those too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from whet.diagnosis.evidence import UNKNOWN, Evidence

BEHIND = 0.05
"""Accuracy below the best yardstick that counts at all, if it is more than two standard errors. Of random trainings
(`benchmarks/doctor/calibrate.py`) sick ones that have to be found by it are 0.1 behind and more."""
BEHIND_R2 = 0.1
MILD, MILD_R2 = 0.1, 0.15
"""Behind by less than this: a sound training may end so. Sound ones were up to 0.13 behind, and less than 0.05 on the rows that
they were trained on."""
FAR = 2.0
"""Times that, from which nothing else has to speak against it."""
ROWS_APART = 4.5
"""Validation rows by which two methods have to differ at the least: five of five on one side happen by chance in 3 % of the
cases (sign test), four of four in 6 %."""
WORSE = 0.1
"""Of an error whose scale is not known."""


@dataclass(frozen=True)
class Behind:
    """The best simple method beside the network; all on the scale of `Evidence.share`."""

    name: str
    best: float
    gap: float
    """To what the network reaches on validation rows."""
    lag: float
    """To what it reaches on rows that it was trained on."""


def behind(e: Evidence) -> Behind | None:
    """None where no yardstick is known."""
    known = {name: e.share(value) for name, value in e.known.items()}
    known = {name: share for name, share in known.items() if math.isfinite(share)}
    last = e.course.last
    if not known or last is None:
        return None
    name = max(known, key=lambda name: known[name])
    return Behind(name, known[name], known[name] - e.share(e.value), known[name] - e.share(last.train))


def counts(e: Evidence, b: Behind, suspected: bool) -> bool:
    """Whether it speaks against the training. `suspected`: a likely cause was found.

    A little behind, it has to be behind on its own training rows as well, or to be suspected; a very little, both.
    """
    if b.gap <= least(e, b.best):
        return False
    far = b.gap >= mild(e)
    lags = b.lag > near(e)
    return b.gap >= FAR * mild(e) or far + lags + suspected >= 2


def near(e: Evidence) -> float:
    return BEHIND if e.metric == "accuracy" else BEHIND_R2


def mild(e: Evidence) -> float:
    return MILD if e.metric == "accuracy" else MILD_R2


def least(e: Evidence, best: float) -> float:
    """What two methods have to differ by, on the scale of `Evidence.share`."""
    if e.metric != "accuracy":
        return BEHIND_R2
    rows = max(1, e.data.val_rows)
    return max(BEHIND, ROWS_APART / rows, 2 * math.sqrt(max(best * (1 - best), 0.01) / rows))


def margin(e: Evidence, best: float) -> float:
    """The same in the metric's own unit, at a value of it."""
    guess = e.yardsticks.get("guess", e.yardsticks.get("start", math.nan))
    if e.metric in UNKNOWN and math.isfinite(guess):
        return BEHIND_R2 * abs(best - guess)
    if e.metric == "accuracy":
        return least(e, best)
    if e.metric == "r2":
        return BEHIND_R2
    if e.metric == "mae" and guess > 0:
        return BEHIND_R2 * guess
    if e.metric == "rmse" and guess > 0:
        return math.sqrt(best**2 + BEHIND_R2 * guess**2) - best
    return WORSE * abs(best)
