"""Policies that the tests of the search can foresee."""

from __future__ import annotations

import itertools
import math

from whet.search.policy import Go, Move, New, Stop
from whet.search.view import StudyView, Track


class Full:
    """Every trial to its end, at once."""

    def next(self, view: StudyView) -> Move | None:
        return None if view.exhausted else New(view.max_resource)


class Steps:
    """Every trial in steps of so many resources, one trial after the other."""

    def __init__(self, step: float = 10) -> None:
        self.step = step

    def next(self, view: StudyView) -> Move | None:
        if view.paused:
            number = min(view.paused)
            return Go(number, view.trials[number].resource + self.step)
        return None if view.exhausted else New(self.step)


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
