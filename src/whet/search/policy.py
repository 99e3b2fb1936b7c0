"""Who goes on: from all that the search knows to the next move.

A policy is one method, and a pure function of what it is shown: asked again with the same knowledge, after a restart
too, it says the same. Numbers that it draws come from `view.generator(name)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from whet.search.view import StudyView


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
