"""A policy that looks at the clock: nothing is begun, and nothing goes on, that there is no time to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from whet.search import choice
from whet.search.policy import Go, Move, New, Policy
from whet.search.proposers import proposer_for
from whet.search.space import Params
from whet.search.view import StudyView, Track

MARGIN = 1.1
"""Whole trainings differ a little in what they cost."""


class Timed(Protocol):
    """Who knows how much time is left."""

    @property
    def left(self) -> float:
        """Seconds."""


@dataclass(frozen=True)
class InTime:
    """Another policy within the time. The first trial is trained whole first: the others are compared with it."""

    hunt: Timed
    policy: Policy

    def next(self, view: StudyView) -> Move | None:
        if 0 in view.paused:
            return Go(0, view.max_resource)
        move = self.policy.next(view)
        if isinstance(move, New) and self.rest(view) > self.hunt.left:
            move = None
        if isinstance(move, Go) and self.rest(view, view.trials[move.trial]) > self.hunt.left:
            move = None
        return move or self.last(view)

    def propose(self, view: StudyView, random: np.random.Generator) -> Params:
        """What the other policy would try next."""
        return proposer_for(self.policy, None).propose(view, random)

    def last(self, view: StudyView) -> Move | None:
        """The best of those that can still be trained to their end."""
        able = [t for t in choice.ranked(view) if t.number in view.paused and self.rest(view, t) <= self.hunt.left]
        return Go(able[0].number, view.max_resource) if able else None

    def rest(self, view: StudyView, track: Track | None = None) -> float:
        """Seconds until a trial's end, by what it, or the others, have cost so far."""
        known = [track] if track and track.resource else [t for t in view.trials[1:] if t.resource] or view.trials[:1]
        pace = sum(t.cost for t in known) / max(1.0, sum(t.resource for t in known))
        return MARGIN * pace * (view.max_resource - (track.resource if track else 0))
