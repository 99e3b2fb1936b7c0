"""Random trainings, sound and with a planted fault, and what they truly reach: the doctor's borders are set and checked on it.

A base is drawn (`bases.py`) and kept if it learns. Ailments of random strength are then planted in it (`faults.py`). Sick is
what ends at least `DROP` below the sound twin with both seeds, seed by seed; benign what loses less than half of that with
both. What lies between is neither, and isn't counted.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bases import Plan, base
from faults import AILMENTS

from whet.diagnosis.evidence import Evidence
from whet.doctor import watched
from whet.setups import Setup, train

DROP = {"accuracy": 0.08, "r2": 0.15}
SLACK = {"accuracy": 0.04, "r2": 0.08}
LEAST = {"accuracy": 0.8, "r2": 0.6}
EXAMINED, OTHER = 0, 1
"""Seeds."""
EACH = 5
"""Ailments that are planted in a base."""


@dataclass
class Case:
    name: str
    ailment: str
    """"" for a sound one."""
    strength: Any
    kind: str
    """"fault", "benign", "between" or "healthy"."""
    setup: Setup
    codes: set[str]
    also: set[str]
    base: float
    values: tuple[float, ...]
    evidence: Evidence
    repairable: bool

    @property
    def target(self) -> float:
        return self.base - SLACK[str(self.setup.metric)]


def tried(plan: Plan) -> tuple[Evidence, tuple[float, ...]]:
    """What `whet.diagnose` judges by, and what the training reaches with two seeds, watched to its end."""
    evidence = watched(plan.setup(), EXAMINED).evidence
    return evidence, (train(plan.setup(), EXAMINED).value, train(plan.setup(), OTHER).value)


def kind_of(values: tuple[float, ...], sound: tuple[float, ...], metric: str) -> str:
    """What a fault did, by its paired outcome."""
    lost = [b - a if math.isfinite(a) else math.inf for a, b in zip(values, sound, strict=True)]
    if min(lost) >= DROP[metric]:
        return "fault"
    return "benign" if max(lost) < DROP[metric] / 2 else "between"


def cases(seed: int, each: int = EACH) -> Iterator[Case]:
    """The cases of one base: itself, and some ailments. None where the base does not learn."""
    plan = base(seed)
    evidence, sound = tried(plan)
    if not min(sound) >= LEAST[plan.metric]:  # NaN neither
        return
    value, what = sum(sound) / len(sound), f"{plan.name}-{plan.kind}"
    yield Case(what, "", None, "healthy", plan.setup(), set(), set(), value, sound, evidence, True)
    draw = random.Random(seed + 1)
    for name in draw.sample(sorted(AILMENTS), len(AILMENTS)):
        ailment = AILMENTS[name]
        strength = draw.choice(ailment.strengths)
        faulty = ailment.change(plan, strength) if each else None
        if faulty is None:
            continue
        each -= 1
        evidence, values = tried(faulty)
        kind = kind_of(values, sound, plan.metric)
        also, able, codes = set(ailment.also), ailment.repairable, {ailment.code}
        named = f"{what}-{name}"
        yield Case(named, name, strength, kind, faulty.setup(), codes, also, value, values, evidence, able)
