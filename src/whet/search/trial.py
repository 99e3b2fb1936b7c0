"""What the search hands out and gives back: jobs and trials, as plain frozen data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from whet.search.view import Track


@dataclass(frozen=True)
class Job:
    """Train this trial from `start` to `stop`, and tell the study what is seen on the way."""

    trial: int
    params: Mapping[str, Any]
    start: float
    """How far it has been trained; 0: it is new. What was told up to here stays."""
    stop: float


@dataclass(frozen=True)
class Trial:
    """One choice of parameters and what became of it."""

    trial: int
    params: Mapping[str, Any]
    points: tuple[tuple[float, float], ...]
    """(resource, value), ascending; the value is NaN where training diverged."""
    cost: float
    """Seconds, of all points together."""
    state: str
    """running, paused, stopped, finished or failed; see `whet.search.view.RUNNING`."""
    symptoms: tuple[str, ...] = ()
    because: str = ""
    """Why it was tried, where there was a reason."""
    error: str = ""
    """Why it failed."""

    @property
    def resource(self) -> float:
        """How far it came; 0 before the first point."""
        return self.points[-1][0] if self.points else 0

    @property
    def value(self) -> float:
        """What was seen there; NaN before the first point."""
        return self.points[-1][1] if self.points else math.nan


def trial_of(track: Track, sign: float) -> Trial:
    """The frozen record of a track, its values turned back."""
    points = tuple((r, sign * v) for r, v in zip(track.resources, track.values, strict=True))
    symptoms, params = tuple(track.symptoms), dict(track.params)
    return Trial(track.number, params, points, track.cost, track.state, symptoms, track.because, track.error)


def failure_of(track: Track) -> str:
    """Why a job that has just ended has failed; empty: it has not."""
    if not track.resources:
        return f"it told nothing on its way to {track.stop:g}"
    return f"diverged: NaN or infinity at {track.resource:g}" if math.isnan(track.value) else ""


def ended(track: Track) -> bool:
    """Whether a job that has just ended got no further than it stood: the training ends here by itself."""
    return track.start > 0 and track.resource <= track.start


def whole(number: float) -> float:
    """A whole number as an int, so that it can be counted up to; others as they are."""
    return int(number) if number == int(number) else float(number)
