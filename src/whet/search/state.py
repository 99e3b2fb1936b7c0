"""How the search's knowledge changes: one function per event of the journal. Its replay is the state.

An event says what happened, never what was decided from it; so the same function serves a study that runs and one that
is read again, and an order of events in which different trials are told makes no difference.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from whet.search.plain import as_plain
from whet.search.space import Params, Space, key
from whet.search.view import FAILED, FINISHED, PAUSED, RUNNING, STOPPED, StudyView, Track

Event = dict[str, Any]


class State(StudyView):
    """What a study knows, and how it comes to know more."""

    def __init__(self, space: Space, max_resource: float, seed: int, sign: float) -> None:
        super().__init__(space, max_resource, seed)
        self.sign = sign
        """1 where lower values are better, -1 where higher ones are."""
        self.queue: deque[tuple[Params, str]] = deque()
        """Parameters that wait to be tried, with the reason."""
        self._does: dict[str, Callable[..., None]] = {
            "new": self._new,
            "go": self._go,
            "told": self._told,
            "done": self._done,
            "stopped": self._stopped,
            "enqueued": self._enqueued,
            "widened": self._widened,
        }

    def apply(self, event: Event) -> None:
        """Take in what happened."""
        self._does[event["event"]](**{k: v for k, v in event.items() if k not in ("event", "spent")})

    def _new(self, trial: int, params: Mapping[str, Any], stop: float, because: str = "", queued: bool = False) -> None:
        assert trial == len(self.trials), f"trial {trial} comes after {len(self.trials)} others"
        if queued:
            self.queue.popleft()
        params = {n: as_plain(v) for n, v in params.items()}
        candidate = self.space.index(params) if self.space.candidates is not None else None
        self._encode(trial, params, candidate)
        track = Track(trial, params, candidate, because)
        track.stop = stop
        self.trials.append(track)
        self.running.add(trial)
        self.seen.add(key(params))

    def _encode(self, trial: int, params: Params, candidate: int | None) -> None:
        if trial == len(self._x):
            self._x = np.concatenate([self._x, np.empty_like(self._x)])
        if candidate is None:
            self._x[trial] = self.space.encode(params)
        else:
            self._x[trial] = self.space.encoded[candidate]
            self.left[candidate] = False

    def _go(self, trial: int, stop: float) -> None:
        track = self.trials[trial]
        track.start, track.stop = track.resource, stop
        self._move(track, RUNNING)

    def _told(
        self, trial: int, resource: float, value: float | None, cost: float | None = None, symptoms: Any = ()
    ) -> None:
        track = self.trials[trial]
        track.resources.append(resource)
        track.values.append(math.nan if value is None else self.sign * value)
        track.costs.append(math.nan if cost is None else cost)
        track.order.append(self.points)
        track.cost += cost or 0.0
        track.symptoms += [s for s in symptoms if s not in track.symptoms]
        self.points += 1

    def _done(self, trial: int, failed: str = "", ended: bool = False) -> None:
        track = self.trials[trial]
        track.error = failed
        at_end = ended or track.resource >= self.max_resource
        self._move(track, FAILED if failed else FINISHED if at_end else PAUSED)

    def _stopped(self, trial: int) -> None:
        self._move(self.trials[trial], STOPPED)

    def _move(self, track: Track, state: str) -> None:
        self.running.discard(track.number)
        self.paused.discard(track.number)
        track.state = state
        if state == RUNNING:
            self.running.add(track.number)
        if state == PAUSED:
            self.paused.add(track.number)

    def _enqueued(self, params: Mapping[str, Any], because: str = "") -> None:
        params = {n: as_plain(v) for n, v in params.items()}
        self.queue.append((params, because))
        self.seen.add(key(params))

    def _widened(self, edges: Mapping[str, Any]) -> None:
        self.space = self.space.widened(edges)
        for track in self.trials:
            self._x[track.number] = self.space.encode(track.params)
