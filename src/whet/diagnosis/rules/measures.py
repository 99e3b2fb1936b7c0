"""Numbers that several rules ask for."""

from __future__ import annotations

import math
from statistics import median

from whet.diagnosis.evidence import Evidence

PULL = 0.35
"""Of the loss's own gradient, what a penalty or a decay may add."""
STRONG_DROPOUT = 0.6
USUAL = 5e-3
"""Of a layer's weights that one step moves."""
FEW_UNITS = 3
"""Units of a layer that is too narrow for most purposes, and of which a few that are dead are all of them."""


def longer(e: Evidence, times: int) -> str:
    """So many times as long a training, in words; a loop that was watched knows no epochs."""
    return f"epochs={times * e.epochs} instead of {e.epochs}" if e.epochs > 1 else f"{times} times as many steps"


def planned(e: Evidence) -> int:
    """Steps of the whole training, also of one that was not watched to its end."""
    return max(e.course.steps, math.ceil(e.data.rows / max(1, e.batch_size)) * e.epochs)


def step_of(e: Evidence) -> float:
    """The share of their weights that one step moves layers by, the median layer's, at the largest learning rate."""
    free = [x for x in e.start.layers if x.held and not x.frozen]
    known = [x.step for x in free if math.isfinite(x.step)]
    return median(known) / e.course.start if known else math.nan


def at_usual_length(e: Evidence, step: float) -> str:
    """The learning rate at which a step has the usual length, with one digit."""
    return f"{e.settings.get('lr', 1e-3) * USUAL / step:.1g}" if step > 0 else "1e-3"


def lower_rate(e: Evidence) -> str:
    """A tenth of the learning rate, or the rate at which a step has the usual length, where that is lower still."""
    lr, step = e.settings.get("lr", 1e-2), step_of(e)
    return f"{min(lr / 10, lr * USUAL / step if step > 0 else lr):.1g}"
