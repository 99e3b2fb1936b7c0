"""A race: candidates are advanced a little, the worse ones pause, the others go on from where they stood."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Score:
    """A validation score, and the loss of each validation row behind it; NaN when the candidate failed."""

    value: float
    rows: np.ndarray | None = None
    """(n,) such as wrong or not, or the squared error: the lower, the better. Rows are the same for all candidates."""


@dataclass(frozen=True)
class Verdict:
    """Who goes on, and why each of the others does not."""

    winner: str
    why: str
    fates: dict[str, str]


Advance = Callable[[Sequence[str], float], dict[str, Score]]
"""(candidates, seconds each) -> their scores afterwards. Side by side or one after the other."""


def race(
    candidates: Sequence[str], advance: Advance, seconds: float, higher_is_better: bool, rounds: int = 2
) -> Verdict:
    """Spend about `seconds` in all to choose one of the candidates, the first of which is the default.

    In each round every candidate still in the race gets the same time, and the better half goes on (successive
    halving, Jamieson and Talwalkar 2016). The default is replaced only by a candidate that is clearly better (see
    `clearly_better`): a tie keeps the simpler choice.
    """
    default, running = candidates[0], list(candidates)
    fates: dict[str, str] = {}
    scores: dict[str, Score] = {}
    for turn in range(rounds):
        share = seconds / rounds / len(running)
        scores = advance(running, share)
        ranked = sorted(running, key=lambda name: sort_key(scores[name], higher_is_better))
        last = turn == rounds - 1
        keep = 1 if last else max(2, math.ceil(len(running) / 2))
        for name in ranked[keep:]:
            fates[name] = f"paused in round {turn + 1} at {scores[name].value:.4f}"
        running = ranked[:keep]
        if len(running) == 1:
            break
    return _verdict(default, running[0], scores, fates, higher_is_better)


def sort_key(score: Score, higher_is_better: bool) -> float:
    """Smaller is better; a failed candidate comes last."""
    if not math.isfinite(score.value):
        return math.inf
    return -score.value if higher_is_better else score.value


def _verdict(
    default: str, best: str, scores: dict[str, Score], fates: dict[str, str], higher_is_better: bool
) -> Verdict:
    if best != default and default in scores and not clearly_better(scores[best], scores[default], len(fates) + 1):
        fates = {n: f for n, f in fates.items() if n != default}
        fates[best] = f"{scores[best].value:.4f}: no measurable difference from the default"
        best, why = (
            default,
            f"{scores[default].value:.4f} on the validation part; no other candidate was clearly better",
        )
    else:
        others = ", ".join(f"{n} {s.value:.4f}" for n, s in scores.items() if n != best)
        why = f"{scores[best].value:.4f} on the validation part" + (f", against {others}" if others else "")
    return Verdict(best, why, {n: f for n, f in fates.items() if n != best})


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


def as_rare(errors: float, freedom: int) -> float:
    """The value of Student's t with so many degrees of freedom that is exceeded as rarely as a normal value is."""
    from scipy.special import ndtr, stdtrit

    return -float(stdtrit(freedom, ndtr(-errors)))
