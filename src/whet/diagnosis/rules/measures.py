"""Numbers that several rules ask for."""

from __future__ import annotations

import math
from statistics import median

from whet.diagnosis.evidence import Evidence
from whet.setups import lengths

PULL = 0.35
"""Of the loss's own gradient, what a penalty or a decay may add."""
STRONG_DROPOUT = 0.6
FAR_TARGET = 8.0
"""A mean, or a spread, of targets that is large; one over it, times 0.02, a spread that is small."""
FEW_STEPS = 300
"""Of a whole training."""
ALIKE = 0.1
"""Of the spread of a fresh network's answers, below which those of a trained one are alike."""
FEW_UNITS = 3
"""Units of a layer that is too narrow for most purposes, and of which a few that are dead are all of them."""


def longer(e: Evidence, times: int) -> str:
    """So many times as long a training, in words; a loop that was watched knows no epochs."""
    return f"epochs={times * e.epochs} instead of {e.epochs}" if e.epochs > 1 else f"{times} times as many steps"


def all_alike(e: Evidence) -> bool:
    """Whether the trained network says nearly the same of all rows."""
    return e.end is not None and e.end.out_std < ALIKE * e.start.out_std


def fell(e: Evidence) -> float:
    """The share of its size at first by which the training loss fell; of likelihoods, which may be negative, too."""
    last, first = e.course.last, e.course.first_loss
    return (first - last.loss) / max(abs(first), 1e-9) if last is not None else math.nan


def planned(e: Evidence) -> int:
    """Steps of the whole training, also of one that was not watched to its end."""
    batches = max(e.course.steps, (e.batches or math.ceil(e.data.rows / max(1, e.batch_size))) * e.epochs)
    return math.ceil(batches * each_taken(e))


def each_taken(e: Evidence) -> float:
    """Steps for each batch: less than 1 where gradients of several are gathered."""
    known = e.course.taken and e.course.steps
    return min(1.0, e.course.taken / e.course.steps) if known else 1.0


def step_of(e: Evidence) -> float:
    """The share of their weights that one step moves layers by, the median layer's, at the largest learning rate."""
    free = [x for x in e.start.layers if x.held and not x.frozen]
    known = [x.step for x in free if math.isfinite(x.step)]
    return median(known) / e.course.start if known else math.nan


def at_usual_length(e: Evidence, step: float) -> str:
    """The learning rate at which a step has the usual length, with one digit."""
    return f"{lengths.usual_rate(e.settings.get('lr', 0.0), step, e.optimizer, known_steps(e)):g}"


def lower_rate(e: Evidence) -> str:
    """The rate at which a step has the usual length, where that is clearly lower; else a tenth of the learning rate."""
    return f"{lengths.lower_rate(e.settings.get('lr', 0.0), step_of(e), e.optimizer, known_steps(e)):g}"


def known_steps(e: Evidence) -> int:
    """Steps of the whole training; enough of them where a loop was watched, which may go on for long."""
    return planned(e) if e.data.val_rows else lengths.ENOUGH
