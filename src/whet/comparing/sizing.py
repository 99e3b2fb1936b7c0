"""How long each training is: all arms get the same, and together they fill the budget. Plain arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from typing import Any

from whet.errors import BudgetError
from whet.search import rates
from whet.train.loop import VALIDATIONS

TUNING_SHARE = 0.5
"""Length of a training that tunes the learning rate, as a share of one that is measured."""
MARGIN = 0.9
"""The share of the time left that is planned with: machines slow down."""
SHRINKS = 0.25
"""What is left of the planned length at least, however slow the machine became: rates were tuned for about that length."""
WORKERS_START = 4.0
"""Seconds until processes of their own are ready to train: importing torch takes a few."""
LEAST_STEPS = 10
LEAST_SECONDS = 0.2
"""Of a measured training."""


@dataclass(frozen=True)
class Cost:
    """What trainings of one arm cost, in seconds."""

    start: float
    """Making the network, and saving it."""
    step: float
    validation: float
    test: float
    """What the test rows will take."""


@dataclass(frozen=True)
class Layout:
    """How many trainings there are."""

    arms: int
    seeds: int
    tuned: bool
    """Whether each arm's learning rate is tuned first."""
    workers: int = 1

    @property
    def tuning(self) -> int:
        """Trainings per arm that tune its learning rate."""
        return rates.TRIALS if self.tuned else 0

    @property
    def whole(self) -> float:
        """Whole trainings per arm."""
        return self.seeds + TUNING_SHARE * self.tuning

    def __str__(self) -> str:
        return f"{self.seeds} seeds x {self.arms} arms" + (" + tuning" if self.tuned else "")


@dataclass(frozen=True)
class Size:
    """The end of every measured training."""

    steps: int = 0
    """Of the first arm; an arm with another batch size sees the same number of rows. 0: the clock says when."""
    seconds: float = 0.0
    """0: the steps say when."""
    why: str = ""

    def of(self, share: float) -> Size:
        """A part of it, for tuning."""
        return Size(max(1, round(self.steps * share)) if self.steps else 0, self.seconds * share)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Size:
        return cls(**said)

    def __str__(self) -> str:
        return f"{self.steps:,} steps" if self.steps else f"{self.seconds:.3g} s"


def size_for(
    left: float, costs: Sequence[Cost], layout: Layout, by: str, most: int, shares: Sequence[float], spent: float = 0.0
) -> Size:
    """The size that fills the seconds left. Raises BudgetError, with the least budget that would do, for too few.

    `most`: steps after which the recipe is done, 0 for none. `shares`: steps of each arm per step of the size.
    """
    fixed, slope = parts_of_cost(costs, layout, by, shares)
    least = LEAST_SECONDS if by == "seconds" else LEAST_STEPS
    fits = (MARGIN * left - fixed) / slope
    if fits < least:
        refuse(left + spent, spent + (fixed + least * slope) / MARGIN, layout)
    return _size(fits, costs[0], layout, by, most)


def parts_of_cost(costs: Sequence[Cost], layout: Layout, by: str, shares: Sequence[float]) -> tuple[float, float]:
    """Seconds of all trainings: (what does not depend on how long they are, what each unit of their size adds)."""
    count, workers = layout.seeds + layout.tuning, layout.workers
    validations = VALIDATIONS if by == "steps" else 0  # by the clock they are a part of the time
    test = sum(layout.seeds * c.test for c in costs) + (WORKERS_START if workers > 1 else 0.0)
    fixed = sum(count * (c.start + validations * c.validation) for c in costs) / workers + test
    each = sum(share * cost.step for share, cost in zip(shares, costs, strict=True)) if by == "steps" else layout.arms
    return fixed, layout.whole * each / workers


def _size(fits: float, first: Cost, layout: Layout, by: str, most: int) -> Size:
    why = str(layout)
    if by == "seconds":
        done = most * first.step + VALIDATIONS * first.validation if most else math.inf
        return Size(seconds=min(fits, done), why=_done(why, most) if fits > done else why)
    return Size(steps=math.floor(min(fits, most or math.inf)), why=_done(why, most) if 0 < most < fits else why)


def _done(why: str, most: int) -> str:
    return f"{why}, and the recipe is done after {most:,} steps"


def again(
    left: float,
    costs: Sequence[Cost],
    took: Sequence[float],
    layout: Layout,
    size: Size,
    most: int,
    shares: Sequence[float],
) -> Size:
    """The size anew, once the tuning trainings of each arm took so many seconds: as much slower as they were than planned.

    What is known of the machine by then is better than what a few steps told.
    """
    by = "steps" if size.steps else "seconds"
    short = size.of(TUNING_SHARE).steps
    planned = sum(VALIDATIONS * c.validation + short * share * c.step for c, share in zip(costs, shares, strict=True))
    slower = sum(took) / planned if by == "steps" and planned else 1.0
    known = [Cost(*(slower * seconds for seconds in astuple(c))) for c in costs]
    rest = replace(layout, tuned=False)
    fixed, slope = parts_of_cost(known, rest, by, shares)
    fits = max((MARGIN * left - fixed) / slope, SHRINKS * (size.steps or size.seconds))
    return replace(_size(fits, known[0], rest, by, most), why=size.why)


def refuse(budget: float, need: float, layout: Layout) -> None:
    """Raises BudgetError."""
    raise BudgetError(
        f"The budget of {budget:.3g} s is too short for {layout}.",
        f"Give at least --budget {math.ceil(1.2 * need)}s, fewer arms or seeds, or --keep-lr.",
    )
