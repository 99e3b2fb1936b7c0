"""How fast a training goes: its learning rates, and what its steps wait for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

import torch

from whet.setups.parts import Batch

MEASURED = 500
"""Steps whose times are kept."""
KEPT = 1024
"""Of the largest rates so far, how many are kept at the most; beyond that every second one, of ever longer stretches."""


@dataclass
class Rates:
    """The learning rates that the steps were taken with, summed up as they come."""

    asked: float = 0.0
    """What the optimiser was made with."""
    first: float = 0.0
    total: float = 0.0
    last: float = 0.0
    largest: float = 0.0
    steps: int = 0
    tops: list[float] = field(default_factory=list)
    """The largest one up to each `every`th step, the first one included."""
    every: int = 1

    def follow(self, optimizer: torch.optim.Optimizer) -> None:
        """Reads the rate right before each step: a schedule may be made, or moved on, within the user's own."""
        group = optimizer.param_groups[0]
        self.asked = float(group.get("initial_lr", group.get("lr", 0.0)))
        optimizer.register_step_pre_hook(lambda *_: self.add(optimizer))

    def add(self, optimizer: torch.optim.Optimizer) -> None:
        rate = float(optimizer.param_groups[0].get("lr", 0.0))
        self.first, self.last = rate if self.steps == 0 else self.first, rate
        self.total, self.largest = self.total + rate, max(self.largest, rate)
        if self.steps % self.every == 0:
            self.tops.append(self.largest)
        if len(self.tops) > KEPT:
            self.tops, self.every = self.tops[::2], 2 * self.every
        self.steps += 1

    @property
    def pace(self) -> float:
        """The mean one over the largest, or over what was asked for and never reached."""
        most = max(self.largest, self.asked)
        return self.total / (self.steps * most) if most > 0 and self.steps else 1.0

    @property
    def start(self) -> float:
        """The first one over the largest, or over what was asked for: below 1 where the rate warms up."""
        return self.first / max(self.largest, self.asked) if self.first > 0 else 1.0

    @property
    def end(self) -> float:
        """The last one over the largest, or over what was asked for."""
        most = max(self.largest, self.asked)
        return self.last / most if most > 0 and self.steps else 1.0

    @property
    def half(self) -> float:
        """The largest one of the first half of the steps over the largest of all, or over what was asked for."""
        most = max(self.largest, self.asked)
        return self.tops[(self.steps - 1) // 2 // self.every] / most if most > 0 and self.steps else 1.0


class Stopwatch:
    """What the newest steps took: their wait for the batch, and the rest."""

    def __init__(self) -> None:
        self._waits, self._rests = deque[float](maxlen=MEASURED), deque[float](maxlen=MEASURED)

    def timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        asked = time.perf_counter()
        for batch in batches:
            given = time.perf_counter()
            yield batch
            self._waits.append(given - asked)
            asked = time.perf_counter()
            self._rests.append(asked - given)

    @property
    def medians(self) -> tuple[float, float]:
        """(wait, rest) in seconds: one slow batch, or ten, say nothing."""
        return (median(self._waits), median(self._rests)) if self._waits else (0.0, 0.0)
