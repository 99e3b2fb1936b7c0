"""What the search knows, as those who decide read it: trials, their curves, their costs. The lower a value, the better.

| name | meaning |
| --- | --- |
| trial | one set of parameters, numbered from 0 in the order in which they were asked |
| resource | how far a trial is trained: epochs, steps, points; 0 at its start, at most `max_resource` |
| point | (resource, value): the validation value seen there; NaN where training diverged |
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from whet.rng import generator

if TYPE_CHECKING:
    from whet.search.space import Space

RUNNING, PAUSED, STOPPED, FINISHED, FAILED = "running", "paused", "stopped", "finished", "failed"
"""A trial is *running* while a job of it is out, *paused* between two jobs, *finished* at `max_resource`, *stopped* when
the policy gave it up, *failed* when it diverged or broke."""


class Track:
    """One trial as it grows. Only `whet.search.state` writes to it."""

    __slots__ = (
        "because",
        "candidate",
        "cost",
        "costs",
        "error",
        "number",
        "order",
        "params",
        "resources",
        "start",
        "state",
        "stop",
        "symptoms",
        "values",
    )

    def __init__(self, number: int, params: Mapping[str, Any], candidate: int | None, because: str) -> None:
        self.number, self.params, self.candidate, self.because = number, params, candidate, because
        self.resources: list[float] = []
        """Where it was measured, ascending."""
        self.values: list[float] = []
        """What was measured there, turned so that lower is better."""
        self.costs: list[float] = []
        """Seconds that each point took; NaN where none were told."""
        self.order: list[int] = []
        """How many points of all trials were told before each point."""
        self.symptoms: list[str] = []
        """What the doctor saw, in the order in which it was told."""
        self.state, self.error, self.cost = RUNNING, "", 0.0
        self.start, self.stop = 0.0, 0.0
        """Of the newest job."""

    @property
    def resource(self) -> float:
        """How far it has come; 0 before the first point."""
        return self.resources[-1] if self.resources else 0

    @property
    def value(self) -> float:
        """The newest value, lower is better; NaN before the first point."""
        return self.values[-1] if self.values else math.nan

    @property
    def alive(self) -> bool:
        """Whether it can still be trained further."""
        return self.state in (RUNNING, PAUSED)


class StudyView:
    """The search's knowledge, to be read by a policy or a proposer."""

    def __init__(self, space: Space, max_resource: float, seed: int) -> None:
        self.space, self.max_resource, self.seed = space, max_resource, seed
        self.trials: list[Track] = []
        """By number."""
        self.running: set[int] = set()
        self.paused: set[int] = set()
        self.limit = math.inf
        """Trials that may be started at most."""
        self.seen: set[str] = set()
        """Keys of all parameters that were tried or wait to be."""
        self.points = 0
        """Points told so far, of all trials together."""
        n = len(space.candidates or ())
        self.left = np.ones(n, bool)
        """(candidates,) which of a space's candidates have not been tried; empty for other spaces. Their encodings are
        the rows of `space.encoded`."""
        self._x = np.empty((16, space.width))

    @property
    def x(self) -> np.ndarray:
        """(trials, width) the parameters in the unit cube, see `Space.encode`."""
        return self._x[: len(self.trials)]

    @property
    def exhausted(self) -> bool:
        """Whether no new trial can be started: all choices have been tried, or as many as were allowed."""
        return len(self.trials) >= min(self.limit, self.space.count)

    def generator(self, name: str) -> np.random.Generator:
        """A generator that depends on the seed and on how much is known: the same again after a restart."""
        return generator(self.seed, name, len(self.trials), self.points)
