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

    @property
    def value(self) -> float:
        return self.found.evidence.value


def is_content(attempt: Attempt) -> bool:
    """Whether an attempt is as good as the best simple method, and good by itself: then nothing more is tried."""
    e = attempt.found.evidence
    if attempt.suffers or has_room(e):
        return False
    likely = any(f.confidence >= WORTH and f.name in REMEDIES for f in judge(e))
    if e.metric in UNKNOWN:
        return planned(e) >= ENOUGH and not likely
    if likely and room(e) > mild(e):
        return False
    known = [v for v in e.yardsticks.values() if math.isfinite(v)]
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
    gain = (new.value - old.value) * (1 if e.higher_is_better else -1)
    if old.suffers.luck and not new.suffers:
        return gain >= 0.0
    return gain > (0.5 * margin(e, new.value) if not new.suffers or old.suffers else 0.0)


def same_height(new: Attempt, old: Attempt) -> bool:
    """Neither better nor worse: one of two faults may be mended, and the other still hide it."""
    if not math.isfinite(new.value):
        return not math.isfinite(old.value)
    return not math.isfinite(old.value) or abs(new.value - old.value) <= margin(old.found.evidence, old.value)
