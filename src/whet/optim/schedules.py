"""Schedules: progress in [0, 1] -> what every learning rate is multiplied with.

    p   progress of the training         t   progress of what follows the warm-up, (p - warmup) / (1 - warmup)

The warm-up rises straight from `FLOOR` to 1. All are pure functions of p but Plateau, which has a state to save.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from whet.errors import RecipeError

Schedule = Callable[[float], float]
FLOOR = 1 / 25
"""Where a warm-up starts: not at 0, which would waste the first step of a short training (Smith's one-cycle ratio)."""
LAST = 1e-4
"""Where one_cycle ends."""
ROUNDING = 1e-9
"""Differences of progress are this uncertain: 0.3 - 0.1 is below 0.2."""


def constant(warmup: float) -> Schedule:
    return warmed(lambda t: 1.0, warmup)


def step(milestones: tuple[float, ...], factor: float, warmup: float) -> Schedule:
    """factor^(number of milestones that t has reached)."""
    return warmed(lambda t: factor ** sum(t >= m for m in milestones), warmup)


def exponential(end: float, warmup: float) -> Schedule:
    """end^t."""
    if not 0 < end <= 1:
        raise RecipeError(f"exponential ends at {end}, which is not in (0, 1].")
    return warmed(lambda t: end**t, warmup)


def cosine(end: float, warmup: float) -> Schedule:
    """end + (1 - end) (1 + cos(pi t)) / 2."""
    return warmed(lambda t: between(1.0, end, t), warmup)


def linear(end: float, warmup: float) -> Schedule:
    """1 - (1 - end) t."""
    return warmed(lambda t: 1 - (1 - end) * t, warmup)


def one_cycle(warmup: float) -> Schedule:
    """Half a cosine from FLOOR up to 1 at p = warmup, and one down to LAST at p = 1."""
    check_share("warmup", warmup)
    return lambda p: between(FLOOR, 1.0, p / warmup) if p < warmup else between(1.0, LAST, after(p, warmup))


def trapezoid(warmup: float, decay: float) -> Schedule:
    """1 between the warm-up and the last `decay` of the progress, during which it falls straight to 0."""
    check_share("warmup", warmup)
    if not 0 <= decay <= 1 - warmup:
        raise RecipeError(
            f"decay={decay} and warmup={warmup} don't fit into one training.", "Let them add up to 1 or less."
        )
    return lambda p: min(rise(p, warmup), (1 - p) / decay if decay else 1.0)


class Plateau:
    """1, times `factor` each time the score has not improved during `patience` (a share of the progress).

    `observe` takes the validation score, lower being better; `state_dict` and `load_state_dict` carry it through a
    restart. Never falls below `end`.
    """

    def __init__(self, factor: float, patience: float, end: float, warmup: float) -> None:
        check_share("patience", patience)
        check_share("warmup", warmup)
        if not 0 < factor < 1:
            raise RecipeError(f"factor={factor} is not in (0, 1).")
        self.factor, self.patience, self.end, self.warmup = factor, patience, end, warmup
        self.multiplier, self.best, self.since, self.progress = 1.0, math.inf, 0.0, 0.0

    def __call__(self, progress: float) -> float:
        self.progress = progress
        return rise(progress, self.warmup) * self.multiplier

    def observe(self, value: float) -> None:
        """Note a validation score, measured at the progress of the newest call. NaN counts as no improvement."""
        if value < self.best:
            self.best, self.since = value, self.progress
        elif self.progress - self.since >= self.patience - ROUNDING:
            self.multiplier, self.since = max(self.end, self.multiplier * self.factor), self.progress

    def state_dict(self) -> dict[str, Any]:
        return {k: getattr(self, k) for k in ("multiplier", "best", "since", "progress")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for key in self.state_dict():
            setattr(self, key, float(state[key]))


def warmed(rest: Schedule, warmup: float) -> Schedule:
    """`rest(t)` after a straight warm-up."""
    check_share("warmup", warmup)
    return lambda p: rise(p, warmup) if p < warmup else rest(after(p, warmup))


def rise(p: float, warmup: float) -> float:
    """The warm-up: from FLOOR to 1, and 1 from there on."""
    return FLOOR + (1 - FLOOR) * p / warmup if p < warmup else 1.0


def after(p: float, warmup: float) -> float:
    return (p - warmup) / (1 - warmup)


def between(start: float, end: float, t: float) -> float:
    """Half a cosine from `start` at t = 0 to `end` at t = 1."""
    return end + (start - end) * (1 + math.cos(math.pi * t)) / 2


def check_share(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise RecipeError(f"{name}={value} is not a share of the training, in [0, 1).")
