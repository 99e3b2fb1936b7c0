"""What a study knew when so many points had been told, as the predictor of curves wants it.

Decisions rest on the knowledge of a moment, not on that of now: so they are the same after a restart.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache

import numpy as np

from whet.rng import generator
from whet.search.curves import END, normal_scores
from whet.search.view import StudyView, Track

FARTHER = 1.6
"""Each stop lies about so many times as far as the one before, the first one END-th of the way."""
BEST, OTHERS = 90, 65
"""Trials that the curves are learned from: the best ones, and some of the others."""
WHOLE = 25
"""Trials, the best ones, whose points at all stops are kept; of the others the newest two."""
EARLIEST = 0.5
"""t of points before the first stop, at least."""


class Known:
    """The points that were told first, as scores."""

    def __init__(self, view: StudyView, points: int) -> None:
        self.view, self.told = view, points
        counts = {t.number: bisect_left(t.order, points) for t in view.trials}
        self.count = {n: c for n, c in counts.items() if c}
        """Points of each trial that has some."""
        everybody = np.array(list(self.count), int)
        newest = np.array([view.trials[n].values[c - 1] for n, c in self.count.items()])
        self.scores = normal_scores(newest)
        order = everybody[np.argsort(self.scores(newest), kind="stable")]
        random = generator(view.seed, "others", points)
        rest = order[BEST:]
        some = rest if len(rest) <= OTHERS else rest[np.sort(random.permutation(len(rest))[:OTHERS])]
        self.numbers: list[int] = [*order[:BEST].tolist(), *some.tolist()]
        """The trials that are looked at, the best first."""

    def points(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """x, i, t, z of `Curves`."""
        i, t, values = [], [], []
        ways = [0.0, *stops(self.view.max_resource)]
        for row, number in enumerate(self.numbers):
            track = self.view.trials[number]
            kept = kept_points(track, self.count[number], ways, row < WHOLE)
            i += [row] * len(kept)
            t += [along(track.resources[k], self.view.max_resource) for k in kept]
            values += [track.values[k] for k in kept]
        x = self.view.x[self.numbers]
        return x, np.array(i), np.array(t), self.scores(np.array(values))

    def resource(self, number: int) -> float:
        """How far a trial had come."""
        return self.view.trials[number].resources[self.count[number] - 1]

    def price(self, number: int) -> float:
        """Seconds for a unit of resource; NaN where no costs were told."""
        spent, resource = sum(self.view.trials[number].costs[: self.count[number]]), self.resource(number)
        return spent / resource if spent > 0 and resource > 0 else math.nan


def kept_points(track: Track, count: int, ways: list[float], whole: bool) -> list[int]:
    """The newest point before each stop, as they lie on a curve; the newest two of these, where not the whole is kept."""
    newest = {bisect_left(ways, r): k for k, r in enumerate(track.resources[:count])}
    kept = list(newest.values())
    return kept if whole else kept[-2:]


def along(resource: float, max_resource: float) -> float:
    """t of a resource."""
    return min(END, max(EARLIEST, END * resource / max_resource))


@lru_cache(maxsize=16)
def stops(max_resource: float) -> tuple[float, ...]:
    """Where trials pause, ascending: whole numbers where `max_resource` is one."""
    whole = max_resource == int(max_resource)
    first = max_resource / END
    found = [max(1.0, round(first)) if whole else first]
    while found[-1] < max_resource:
        further = found[-1] * FARTHER
        found.append(max(found[-1] + 1, round(further)) if whole else further)
    found[-1] = max_resource
    if len(found) > 2 and found[-2] > max_resource / math.sqrt(FARTHER):
        del found[-2]
    return tuple(found)


def first_stop(view: StudyView, share: float) -> float:
    return next(s for s in stops(view.max_resource) if s >= share * view.max_resource)
