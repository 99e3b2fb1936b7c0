"""What a repair gives back: the set-up, what was changed, the evidence, and what became of each finding."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from whet.doctor import Diagnosis
from whet.recipe import Edit
from whet.record import Finding
from whet.remedies.data import REMEDIES
from whet.setups import Setup, Trained, train
from whet.setups.code import code_of

OF_DATA = (
    "validation data on another scale",
    "classes without examples",
    "targets that are no numbers",
    "label noise",
    "nothing carries over",
    "targets of another meaning",
    "too few data",
    "rare classes",
    "rows in both parts",
)
"""Findings that no edit of a set-up can change."""


LONGER = 1.5
"""Times as long a training, from which on that is said."""


def number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "broke"


@dataclass(frozen=True)
class Proof:
    """The repaired set-up beside the original one, seed by seed."""

    metric: str
    seeds: tuple[int, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def gain(self) -> float:
        """Mean paired difference; a training that broke counts as the worst of both."""
        pairs = [(a, b) for a, b in zip(self.before, self.after, strict=True) if math.isfinite(a) and math.isfinite(b)]
        return statistics.fmean(b - a for a, b in pairs) if pairs else math.nan

    def __str__(self) -> str:
        rows = ", ".join(f"{number(a)} -> {number(b)}" for a, b in zip(self.before, self.after, strict=True))
        return f"{self.metric}, {len(self.seeds)} seed(s): {rows}"


class Try(NamedTuple):
    """What was tried: for which findings, what was edited, and what came of it."""

    names: tuple[str, ...]
    edits: tuple[str, ...]
    said: str

    def __str__(self) -> str:
        return f"{'; '.join(self.edits)}: {self.said}"


class Left(NamedTuple):
    """A finding that is still there after the repair."""

    finding: Finding
    why: str

    def __str__(self) -> str:
        return f"{self.finding.name}: {self.why}"


@dataclass(frozen=True)
class Repair:
    """A set-up after repair, what was changed, and the evidence that it helped."""

    setup: Setup
    """The repaired set-up; the very one that was given where nothing was changed."""
    edits: tuple[Edit, ...]
    proof: Proof
    diagnosis: Diagnosis
    """Of the set-up that was given."""
    said: str
    """What was done, in a sentence; or why nothing was."""
    after: Diagnosis
    """Of the repaired one."""
    gone: tuple[Finding, ...] = ()
    """What the diagnosis named and is there no more."""
    stays: tuple[Left, ...] = ()
    """What it named and is still there, and why."""
    tried: tuple[str, ...] = ()
    """What was tried, with what it reached."""
    cost: float = 1.0
    """What diagnosis, repair and proof took, in trainings of the set-up that was given."""
    longer: float = 1.0
    """What a training of the repaired set-up takes, in trainings of the one that was given."""
    seconds: float = 0.0

    def train(self, seed: int = 0) -> Trained:
        """Train the repaired set-up; the result predicts from raw inputs."""
        return train(self.setup, seed)

    def as_code(self) -> str:
        """The edits as Python to be pasted below the original set-up."""
        return code_of(self.setup)

    @property
    def became(self) -> tuple[str, ...]:
        """What became of the findings, in lines."""
        gone = (f"Gone: {', '.join(f.name for f in self.gone)}.",) if self.gone else ()
        return (*gone, *(f"Stays: {left}." for left in self.stays))

    def __str__(self) -> str:
        proof = [f"  {self.proof}"] if self.edits else []
        lines = [*(f"  {e}" for e in self.edits), *proof, *(f"  {line}" for line in (*self.became, *self.took))]
        return "\n".join([self.said, *lines])

    @property
    def took(self) -> tuple[str, ...]:
        """What it cost, in a line, and what the repaired set-up costs where that is another thing."""
        if self.diagnosis.healthy:
            return ()
        whole = f"Finding out took the work of {self.cost:.1f} trainings of the set-up as it was given"
        if not 1 / LONGER < self.longer < LONGER:
            return (f"{whole}; a training of the repaired one takes {self.longer:.2g} times that of the other.",)
        return (f"{whole}.",)


def left_over(
    before: Diagnosis, after: Diagnosis, mended: Iterable[str], tries: Sequence[Try], ran_out: bool
) -> tuple[tuple[Finding, ...], tuple[Left, ...]]:
    """(what was found and is gone, what stays and why).

    `mended`: names of the findings whose remedies were kept. What is mended inside the network still shows in the rows.
    """
    done = set(mended)
    still = {f.name for f in after.findings} - (done & set(REMEDIES))
    gone = tuple(f for f in before.findings if f.name not in still)
    kept = [f for f in before.findings if f.name in still]
    return gone, tuple(Left(f, why(f, after.healthy, f.name in done, tries, ran_out)) for f in kept)


def why(f: Finding, healthy: bool, mended: bool, tries: Sequence[Try], ran_out: bool) -> str:
    """Why a finding is still there."""
    if f.name in OF_DATA:
        return "only other data can change it"
    if healthy:
        return "it does no harm any more"
    if not f.remedies:
        return "no edit of the set-up can change it"
    if mended:
        return "what was changed made it better, and not well"
    own = [t for t in tries if f.name in t.names]
    if own:
        return f"{'; '.join(own[0].edits)} was tried and did not help ({own[0].said})"
    return "the budget ended before it was its turn" if ran_out else f"{f.confidence:.0%} sure is too little to try"
