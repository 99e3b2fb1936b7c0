"""Who goes on: from all that the search knows to the next move.

A policy is one method, and a pure function of what it is shown: asked again with the same knowledge, after a restart
too, it says the same. Numbers that it draws come from `view.generator(name)`.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Protocol

from whet.search.view import StudyView, Track


@dataclass(frozen=True)
class Go:
    """Train a paused trial on, up to the resource `stop`."""

    trial: int
    stop: float


@dataclass(frozen=True)
class New:
    """Start another trial and train it up to `stop`."""

    stop: float
    candidate: int | None = None
    """Which of the space's candidates; None: the proposer chooses."""


@dataclass(frozen=True)
class Stop:
    """Give a paused trial up."""

    trial: int


Move = Go | New | Stop


class Policy(Protocol):
    def next(self, view: StudyView) -> Move | None:
        """The next move; None: there is nothing to do until something is told (or nothing at all)."""
        ...


def usual() -> Policy:
    """The policy of a study that was given none."""
    from whet.search.look_ahead import LookAhead

    return LookAhead()


FACTOR = 3.0
"""One of so many trials goes on from each rung to the next, which is so many times as far away."""
WORSE = 1.5
"""A trial whose value is so many times its first one is not worth another point."""
LITTLE = 0.03
"""A trial that is not better than its first value by this share at a fifth of the way gives up."""


class Halving:
    """Successive halving without waiting (ASHA, Li et al. 2020), after rules for what never recovers."""

    def next(self, view: StudyView) -> Move | None:
        rungs = rungs_to(view.max_resource)
        for number in sorted(view.paused):
            if hopeless(view.trials[number], view.max_resource):
                return Stop(number)
        for rung, further in reversed(list(itertools.pairwise(rungs))):
            if (promising := promoted(view, rung)) is not None:
                return Go(promising, further)
        if not view.exhausted:
            return New(rungs[0])
        paused = sorted((view.trials[n].value, n) for n in view.paused)
        return Go(paused[0][1], view.max_resource) if paused else None


def rungs_to(max_resource: float) -> list[float]:
    """Ascending resources, each about FACTOR times the one before; the last is `max_resource`."""
    rungs = [max_resource]
    while rungs[0] / FACTOR >= 1 and len(rungs) < 4:
        rungs.insert(0, rungs[0] / FACTOR)
    return [float(math.ceil(r)) for r in rungs[:-1]] + [max_resource]


def promoted(view: StudyView, rung: float) -> int | None:
    """The best paused trial at this rung, if it is among the best 1 / FACTOR of all that came so far."""
    there = [t for t in view.trials if t.resource >= rung and not math.isnan(t.value)]
    ranked = sorted(there, key=lambda t: (value_at(t, rung), t.number))
    for t in ranked[: int(len(ranked) / FACTOR)]:
        if t.number in view.paused and t.resource == rung:
            return t.number
    return None


def value_at(track: Track, resource: float) -> float:
    """Its newest value up to a resource."""
    return next((v for r, v in zip(track.resources[::-1], track.values[::-1], strict=True) if r <= resource), math.inf)


def hopeless(track: Track, max_resource: float) -> bool:
    """Much worse than at its start, or hardly better when a fifth of the way is done. For values above 0."""
    if len(track.values) < 2 or track.values[0] <= 0:
        return False
    first, last = track.values[0], track.values[-1]
    return last > WORSE * first or (track.resource >= max_resource / 5 and last > (1 - LITTLE) * first)
