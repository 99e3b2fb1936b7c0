"""Who goes on: the trial, or the new one, of which another stretch is expected to improve the final choice the most.

A few trials open the search, as many as a whole training pays first looks for, and four at least: drawn at random from a
list; in a space of ranges already where curves may end best. Then curves are predicted (`whet.search.curves`) and stretches
are ranked (`whet.search.plan`). No trial is given up: each may thaw when the others disappoint.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from whet.rng import generator
from whet.search import choice
from whet.search.curves import Shape, learned, typical
from whet.search.known import Known, first_stop, stops
from whet.search.plan import Step, planned
from whet.search.policy import Go, Move, New
from whet.search.proposers import Local
from whet.search.space import Params, Space, key
from whet.search.view import StudyView

OPENING, FEWEST = 12, 4
"""Trials that open the search: so many, or as many first looks as a whole training costs where these are long, but never
fewer than the second: where a training has two or three points, these cost up to two trainings. Twelve looks of a quarter
each had taken three of eight trainings (docs/log.md)."""
LOOKS = (0.03, 0.05)
"""How far those are trained, in turn: to the first stop that lies beyond this share of the way."""
ROUNDS = ((0.1, 2), (0.25, 4), (0.4, 6))
"""(share of the way, n): then the best one in n of them goes on to there."""
BLIND = (0.4, 1)
"""To this share of the way, after so many others, the oldest one goes instead of the best: where only promising ones go
on, nothing is learned of those that begin badly and end well."""
ANEW = 1 / 60
"""Plans are made anew when there are so many more points, in proportion."""
FIRST_LEARNED, RELEARN = 40, 1.25
"""Shapes are learned when there are so many points, and anew when there are so many times as many."""
TRIES = 25
"""Steps uphill each time."""


class LookAhead:
    """The policy that a study has when it was given none. It proposes, too."""

    def __init__(self) -> None:
        self._of: tuple[StudyView, Space] | None = None
        self._plans: dict[int, list[Step]] = {}
        self._shapes: list[Shape] = []

    def next(self, view: StudyView) -> Move | None:
        if (move := opened(view)) is not None:
            return move
        step = next(self._able(view), None)
        return step.move if step else last_resort(view)

    def propose(self, view: StudyView, random: np.random.Generator) -> Params:
        """Parameters for a new trial: the ones for which it was begun, where it was."""
        if view.space.candidates is None:
            for step in self._able(view):
                if step.params is not None:
                    return step.params
        return Local().propose(view, random)

    def _able(self, view: StudyView) -> Iterator[Step]:
        """What is planned and can still be done, the best first."""
        for points in dict.fromkeys((checkpoint(view.points), view.points)):
            yield from (step for step in self._plan(view, points) if possible(view, step))

    def _plan(self, view: StudyView, points: int) -> list[Step]:
        """What was best to do when so many points were known. The same after a restart: nothing newer is looked at."""
        if self._of is None or self._of[0] is not view or self._of[1] is not view.space:  # it may have been widened
            self._of, self._plans, self._shapes = (view, view.space), {}, []
        if points not in self._plans:
            known = Known(view, points)
            self._plans = {points: planned(known, self._shape(view, points)) if known.numbers else []}
        return self._plans[points]

    def _shape(self, view: StudyView, points: int) -> Shape:
        """As learned at the last of the moments at which it is learned."""
        moments = []
        moment = float(FIRST_LEARNED)
        while moment <= points:
            moments.append(int(moment))
            moment *= RELEARN
        for moment in moments[len(self._shapes) :]:
            known = Known(view, moment)
            before = self._shapes[-1] if self._shapes else typical(view.space.width)
            random = generator(view.seed, "shape", moment)
            self._shapes.append(learned(before, known.points(), TRIES, random) if known.numbers else before)
        return self._shapes[len(moments) - 1] if moments else typical(view.space.width)


def checkpoint(points: int) -> int:
    """The last moment at which a plan was made: every point at first, later every ANEW of them."""
    moment = min(points, int(2 / ANEW))  # up to there every point is one
    while (following := moment + max(1, int(moment * ANEW))) <= points:
        moment = following
    return moment


def opened(view: StudyView) -> Move | None:
    """The first moves: some trials, of a list those that are drawn, of which the better ones go on; None when that is done."""
    most = openers(view)
    if len(view.trials) < most and not view.exhausted:
        return New(first_stop(view, LOOKS[len(view.trials) % len(LOOKS)]), drawn(view))
    first = view.trials[:most]
    for share, n in ROUNDS:
        stop = first_stop(view, share)
        there = sum(max(t.resource, t.stop if t.number in view.running else 0) >= stop for t in first)
        waiting = [t for t in first if t.number in view.paused and t.resource < stop]
        if waiting and there < len(first) // n:
            chosen = waiting[0] if (share, there) == BLIND else min(waiting, key=choice.rank)
            return Go(chosen.number, stop)
    return None


def openers(view: StudyView) -> int:
    """How many trials open the search."""
    return min(OPENING, max(FEWEST, int(view.max_resource / first_stop(view, LOOKS[-1]))))


def drawn(view: StudyView) -> int | None:
    """A candidate at random, where there is a list."""
    left = np.flatnonzero(view.left)
    return int(view.generator("first").choice(left)) if len(left) else None


def last_resort(view: StudyView) -> Move | None:
    """When nothing is predicted, as when all trials diverged or all that is promising is being trained."""
    if not view.exhausted:
        return New(first_stop(view, LOOKS[0]), drawn(view))
    if not view.paused:
        return None
    track = min((view.trials[n] for n in view.paused), key=choice.rank)
    return Go(track.number, next(s for s in stops(view.max_resource) if s > track.resource))


def possible(view: StudyView, step: Step) -> bool:
    move = step.move
    if isinstance(move, Go):
        return move.trial in view.paused and view.trials[move.trial].resource == step.start
    if view.exhausted or not isinstance(move, New):
        return False
    return key(step.params) not in view.seen if step.params is not None else bool(view.left[move.candidate])
