"""Rules: Evidence -> Findings. Each is a pure function of plain numbers, and says the number and the border it crossed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

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


def judge(evidence: Evidence) -> list[Finding]:
    """What the rules find, the surest first; of equally sure ones, what comes first on the data's way."""
    found = [f for rule in RULES for f in rule(evidence)]
    return sorted(found, key=lambda f: -f.confidence)
