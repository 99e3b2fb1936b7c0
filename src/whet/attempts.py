"""A set-up on its way to health: how it came about, what it reached, and whether that is better than another one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from whet.diagnosis.behind import margin, mild
from whet.diagnosis.evidence import UNKNOWN, Evidence
from whet.diagnosis.examine import Examined
from whet.diagnosis.rules import judge
from whet.diagnosis.rules.measures import planned
from whet.diagnosis.verdict import Harm
from whet.doctor import WORTH, has_room, room
from whet.record import Finding
from whet.remedies import REMEDIES
from whet.setups import Setup
from whet.setups.lengths import ENOUGH

GIVEN_UP = 0.6
"""Share of a training after which it can be held against another one that is as far; one that is behind is given up there."""


class Stage(NamedTuple):
    """A remedy that is applied: of which finding, what it reckons with, and which of the finding's remedies it is."""

    finding: Finding
    evidence: Evidence
    place: int = 0
    usual: bool = False
    """Whether it is tried because it is usual, and not because it was found."""


@dataclass
class Attempt:
    """A set-up on its way to health."""

    setup: Setup
    found: Examined
    suffers: Harm
    stages: tuple[Stage, ...] = ()
    """How it came from the set-up that was given."""
    cut: bool = False
    """Whether the budget ended its training before it was done."""

    @property
    def value(self) -> float:
        return self.found.evidence.value


def is_content(attempt: Attempt) -> bool:
    """Whether an attempt is as good as the best simple method, and good by itself: then nothing more is tried."""
    e = attempt.found.evidence
    if attempt.suffers or has_room(e):
        return False
    likely = {f.name for f in judge(e) if f.confidence >= WORTH and f.name in REMEDIES}
    if e.metric in UNKNOWN:
        return planned(e) >= ENOUGH and not likely
    if likely - {"still improving"} and room(e) > mild(e):
        return False
    known = list(e.known.values())
    if not known:
        return True
    best = max(known) if e.higher_is_better else min(known)
    return (best - e.value) * (1 if e.higher_is_better else -1) <= 0.25 * margin(e, best)


def is_better(new: Attempt, old: Attempt) -> bool:
    """Whether it is better by more than the margin at which a training counts as behind; or at all, where the old one broke or
    owed what it reached to luck."""
    if not math.isfinite(new.value):
        return False
    if not math.isfinite(old.value):
        return True
    e = old.found.evidence
    gain = (new.value - as_far(old, new)) * (1 if e.higher_is_better else -1)
    if old.suffers.luck and not new.suffers:
        return gain >= 0.0
    return gain > (0.5 * margin(e, new.value) if not new.suffers or old.suffers else 0.0)


def as_far(old: Attempt, new: Attempt) -> float:
    """What the old one had reached where the new one was cut off by the budget, if both are as long and that is late enough to
    tell; else what it reached in the end."""
    last, epochs = new.found.trained.course.last, new.setup.epochs
    if last is None or not GIVEN_UP * epochs <= last.epoch < epochs or old.setup.epochs != epochs:
        return old.value
    known = best_until(old, last.epoch)
    return known if math.isfinite(known) else old.value


def best_until(attempt: Attempt, epoch: int) -> float:
    """The best value that it had up to an epoch; NaN where it was not measured before."""
    e = attempt.found.evidence
    known = [p.val for p in e.course.points if p.epoch <= epoch and math.isfinite(p.val)]
    return (max(known) if e.higher_is_better else min(known)) if known else math.nan


def same_height(new: Attempt, old: Attempt) -> bool:
    """Neither better nor worse: one of two faults may be mended, and the other still hide it."""
    if not math.isfinite(new.value):
        return not math.isfinite(old.value)
    return not math.isfinite(old.value) or abs(new.value - old.value) <= margin(old.found.evidence, old.value)
