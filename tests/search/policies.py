"""Policies that the tests of the search can foresee."""

from __future__ import annotations

from whet.search.policy import Go, Move, New
from whet.search.view import StudyView


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
