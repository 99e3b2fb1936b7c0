"""Rules: Evidence -> Findings. Each is a pure function of plain numbers, and says the number and the border it crossed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from whet.diagnosis.evidence import Evidence
from whet.diagnosis.rules import course, data, held_back, machine, network, output, shape, steps
from whet.record import Finding

Rule = Callable[[Evidence], Iterable[Finding]]
RULES: tuple[Rule, ...] = (
    *machine.RULES,
    *data.RULES,
    *network.RULES,
    *shape.RULES,
    *output.RULES,
    *steps.RULES,
    *held_back.RULES,
    *course.RULES,
)


READ_OFF = ("wild momentum", "batch too small", "batch norm of few rows")
"""Causes that stand in the set-up as plain numbers, and make steps of a usual rate too long or unsteady."""
CONSEQUENCES = ("learning rate too high", "unsteady loss", "dying units", "exploding gradient")


def judge(evidence: Evidence) -> list[Finding]:
    """What the rules find, the surest first; of equally sure ones, what comes first on the data's way."""
    found = [f for rule in RULES for f in rule(evidence)]
    return sorted(explained(found), key=lambda f: -f.confidence)


def explained(found: list[Finding]) -> list[Finding]:
    """A cause that is read off the set-up comes before what follows from it, and is as sure; unless steps are so long that the
    rate itself must be wrong."""
    follows = [f for f in found if f.name in CONSEQUENCES]
    if not follows or any(f.evidence.get("step", 0.0) > steps.TOO_LONG for f in follows if f.name == CONSEQUENCES[0]):
        return found
    sure = max(f.confidence for f in follows)
    causes = [replace(f, confidence=max(f.confidence, sure)) for f in found if f.name in READ_OFF]
    return [*causes, *(f for f in found if f.name not in READ_OFF)]
