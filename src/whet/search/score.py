"""Scores on validation rows, and whether one is better than another by more than luck."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Score:
    """A validation score, and the loss of each validation row behind it; NaN when the candidate failed."""

    value: float
    rows: np.ndarray | None = None
    """(n,) such as wrong or not, or the squared error: the lower, the better. Rows are the same for all candidates."""


def clearly_better(new: Score, old: Score, tries: int = 1) -> bool:
    """Whether the paired difference over the validation rows is larger than chance would make it.

    Of `tries` candidates that are all just as good, the luckiest seems better by about sqrt(2 ln tries) standard errors;
    that, and at least one, is what has to be beaten. Where the rows are few, their spread is uncertain too, and more is
    asked for: the quantile of Student's t that is as rare (Student 1908).
    """
    if not math.isfinite(old.value):
        return math.isfinite(new.value)
    if not math.isfinite(new.value):
        return False
    if new.rows is None or old.rows is None:
        return True
    if len(new.rows) < 2:
        return False  # one row is no evidence
    gain = old.rows - new.rows  # (rows,)
    errors = as_rare(max(1.0, math.sqrt(2 * math.log(max(1, tries)))), len(gain) - 1)
    return bool(gain.mean() > errors * gain.std(ddof=1) / math.sqrt(len(gain)))


def level(new: Score, old: Score) -> bool:
    """Whether `new` is no worse on average over the same rows. That isn't clearly better, but enough for what is cheaper."""
    if new.rows is None or old.rows is None or not (math.isfinite(new.value) and math.isfinite(old.value)):
        return False
    return bool(new.rows.mean() <= old.rows.mean())


def as_rare(errors: float, freedom: int) -> float:
    """The value of Student's t with so many degrees of freedom that is exceeded as rarely as a normal value is."""
    from scipy.special import ndtr, stdtrit

    return -float(stdtrit(freedom, ndtr(-errors)))
