"""The search as a conversation: ask for a job, tell what was seen, finish it, ask again."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from whet.errors import SearchError, UnknownName, shown
from whet.rng import generator
from whet.search import choice, table
from whet.search.log import StudyLog
from whet.search.plain import is_number, is_whole
from whet.search.policy import Go, New, Policy, Stop, usual
from whet.search.proposers import Proposer, proposed, proposer_for
from whet.search.space import Space, key
from whet.search.state import Event, State
from whet.search.trial import Job, Trial, ended, failure_of, trial_of, whole
from whet.search.view import PAUSED, RUNNING, StudyView, Track

F = TypeVar("F", bound=Callable[..., Any])
DIRECTIONS = {"minimize": 1.0, "maximize": -1.0}


def one_at_a_time(method: F) -> F:
    """The method holds the study's lock: workers may call from several threads."""

    @wraps(method)
    def locked(self: Study, *args: Any, **kwargs: Any) -> Any:
        with self._lock:
            return method(self, *args, **kwargs)

    return locked  # type: ignore[return-value]


class Study:
    """A search over `space`. With the same seed and the same answers it asks for the same jobs, after a restart too.

    >>> study = Study(Space({"x": Float(-1.0, 1.0)}), max_resource=1)
    >>> for _ in range(20):
    ...     job = study.ask()
    ...     study.tell(job.trial, job.stop, job.params["x"] ** 2)
    ...     study.finish(job.trial)
    >>> study.best.value < 0.1
    True
    """

    def __init__(
        self,
        space: Space | Mapping[str, Any],
        direction: str = "minimize",
        max_resource: float = 50,
        seed: int = 0,
        journal: str | Path | None = None,
        *,
        policy: Policy | None = None,
        proposer: str | Proposer | None = None,
    ) -> None:
        """`max_resource`: how far a trial is trained at most, in what the objective counts (epochs, steps, …).

        `journal`: a file that everything is written to; where it exists already, the study goes on from there.
        `policy`: who goes on. `proposer`: what is tried next: "model", "local", "random", "tpe", "gp", "auto", "cmaes"; None:
        what the policy expects the most of, where it can say that, else "local".
        """
        if direction not in DIRECTIONS:
            raise UnknownName("direction", direction, DIRECTIONS)
        if not is_number(max_resource) or max_resource <= 0:
            raise SearchError(f"max_resource={shown(max_resource)} is not a number above 0.")
        if not is_whole(seed):
            raise SearchError(f"seed={shown(seed)} is no whole number.")
        if not isinstance(journal, str | os.PathLike | None):
            raise SearchError(f"journal={shown(journal)} names no file.")
        space = space if isinstance(space, Space) else Space(space)
        self.direction = direction
        self._state = State(space, whole(max_resource), int(seed), DIRECTIONS[direction])
        if policy is not None and not hasattr(policy, "next"):
            raise SearchError(f"policy={policy!r} can't say who goes on.", "Give an object with a method next(view).")
        self._policy: Policy = policy or usual()
        self._proposer = proposer_for(self._policy, proposer)
        self._lock = threading.RLock()
        self._spent = 0.0
        self._waiting: list[int] = []
        """Trials whose job got lost: they are handed out again first."""
        self._log: StudyLog | None = None
        if journal is not None:
            self._go_on(Path(journal))

    def _go_on(self, path: Path) -> None:
        """Read what the journal holds. Jobs that were out when it ended are handed out again."""
        state = self._state
        head = {"space": state.space.describe(), "direction": self.direction}
        self._log = StudyLog(path, {**head, "max_resource": state.max_resource, "seed": state.seed})
        for event in self._log:
            state.apply(event)
        self._spent = sum(t.cost for t in state.trials)
        for number in sorted(state.running):
            self.put_back(number)

    # -- the conversation --------------------------------------------------------------------------------------------

    @one_at_a_time
    def ask(self) -> Job | None:
        """The next job; None when there is nothing to do, or nothing before another job is finished."""
        if self._waiting:
            return self._job(self._state.trials[self._waiting.pop(0)])
        while (move := self._policy.next(self._state)) is not None:
            if isinstance(move, Stop):
                self._say({"event": "stopped", "trial": self._paused(move.trial).number})
            elif isinstance(move, Go):
                track = self._paused(move.trial)
                self._say({"event": "go", "trial": track.number, "stop": self._stop(track.resource, move.stop)})
                return self._job(track)
            elif not self._state.exhausted or self._state.queue:
                return self._start(move)
            else:
                return None
        return None

    @one_at_a_time
    def tell(
        self, trial: int, resource: float, value: float, cost: float | None = None, symptoms: Iterable[Any] = ()
    ) -> None:
        """What a running trial reached at a resource. NaN is a value: training diverged.

        `cost`: seconds since the point before. `symptoms`: what a doctor saw, as names or findings.
        A resource that was told before is passed over: who goes on from an older checkpoint may tell it again.
        """
        track = self._running(trial)
        if not is_number(resource) or resource < 0:
            raise SearchError(f"resource={shown(resource)} of trial {trial} is not a number from 0 on.")
        if resource > self._state.max_resource:
            raise SearchError(
                f"resource={shown(resource)} of trial {trial} is beyond max_resource={shown(self._state.max_resource)}."
            )
        if track.resources and resource <= track.resource:
            return
        event: Event = {"event": "told", "trial": track.number, "resource": whole(resource), "value": seen(value)}
        if cost is not None:
            event["cost"] = as_seconds(cost)
            self._spent += event["cost"]
        if symptoms:
            several = (symptoms,) if isinstance(symptoms, str) else symptoms
            event["symptoms"] = [str(getattr(s, "name", s)) for s in several]
        self._say(event)

    @one_at_a_time
    def finish(self, trial: int, failed: str | BaseException | None = None) -> None:
        """The job is done. `failed`: why it could not be; such a trial never goes on and never wins.

        A trial whose newest value is NaN has failed, and so has one that never told anything. One that got no further
        than it stood is finished: its training ends there by itself.
        """
        track = self._running(trial)
        text = failure_of(track) if failed is None else str(failed) or type(failed).__name__
        more: Event = {"failed": text} if text else {"ended": True} if ended(track) else {}
        self._say({"event": "done", "trial": track.number, **more})
        if track.number in self._waiting:
            self._waiting.remove(track.number)

    @one_at_a_time
    def put_back(self, trial: int) -> None:
        """The job was not done, through no fault of the trial: it is handed out again, from what was told last."""
        track = self._running(trial)
        if track.resources and track.resource >= track.stop:
            self.finish(trial)  # all of it was told; only the last word is missing
        elif track.number not in self._waiting:
            self._waiting.append(track.number)

    @one_at_a_time
    def enqueue(self, params: Mapping[str, Any], because: str = "") -> bool:
        """Try these parameters before anything else is proposed; False when they were tried or wait already."""
        params = self._state.space.check(params)
        if key(params) in self._state.seen:
            return False
        self._say({"event": "enqueued", "params": params, **({"because": because} if because else {})})
        return True

    # -- what is known -----------------------------------------------------------------------------------------------

    @property
    def view(self) -> StudyView:
        """What a policy sees; not to be changed."""
        return self._state

    @property
    def space(self) -> Space:
        """As it is now: it may have been widened."""
        return self._state.space

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials, by number."""
        return tuple(trial_of(t, self._state.sign) for t in self._state.trials)

    @property
    def best(self) -> Trial | None:
        """The trial with the best validation value, see `whet.search.choice.best`; None while there is none."""
        found = choice.best(self._state)
        return trial_of(found, self._state.sign) if found else None

    @property
    def spent(self) -> float:
        """Seconds that were told as costs."""
        return self._spent

    def warnings(self) -> list[str]:
        """What a person should know: the best lies on an edge of the space, …"""
        return choice.warnings(self._state)

    def table(self, most: int = 20) -> str:
        """The best trials as text, a line each."""
        order = {t.number: i for i, t in enumerate(choice.ranked(self._state))}
        return table.of_trials(sorted(self.trials, key=lambda t: order.get(t.trial, len(order) + t.trial))[:most])

    def to_optuna(self, storage: str | None = None, name: str = "whet") -> Any:
        """The trials and their curves as a study of Optuna's; with a storage such as "sqlite:///study.db" its dashboard
        opens it."""
        from whet.search.samplers import exported

        return exported(self._state, self.direction, storage, name)

    @property
    def limit(self) -> float:
        """Trials that are started at most; those that are there can still go on."""
        return self._state.limit

    @limit.setter
    def limit(self, trials: float) -> None:
        self._state.limit = trials

    def close(self) -> None:
        """Let another process have the journal."""
        if self._log:
            self._log.close()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _say(self, event: Event) -> None:
        """To the journal first, then into the state."""
        if self._log:
            self._log.say(event, self._spent)
        self._state.apply(event)

    def _start(self, move: New) -> Job:
        state = self._state
        new: Event = {"event": "new", "trial": len(state.trials), "stop": self._stop(0, move.stop)}
        if state.queue:
            params, because = state.queue[0]
            new |= {"params": params, "queued": True, **({"because": because} if because else {})}
        elif move.candidate is not None:
            new["params"] = self._candidate(move.candidate)
        else:
            self._widen()
            new["params"] = proposed(state, self._proposer, generator(state.seed, "search", len(state.trials)))
        self._say(new)
        return self._job(state.trials[-1])

    def _candidate(self, number: int) -> Mapping[str, Any]:
        candidates = self._state.space.candidates
        assert candidates is not None, "a policy chose a candidate where there are none"
        assert self._state.left[number], f"a policy chose candidate {number} again"
        return candidates[number]

    def _widen(self) -> None:
        """Make room where the best lie on an edge and the parameter's limits allow it."""
        space = self._state.space
        if not any(getattr(p, "limits", None) for p in space.values()):
            return
        edges = choice.on_edges(self._state)
        able = {name: side for name, side in edges.items() if space[name].widened(side) != space[name]}
        if able:
            self._say({"event": "widened", "edges": able})

    def _job(self, track: Track) -> Job:
        return Job(track.number, dict(track.params), track.resource, track.stop)

    def _stop(self, start: float, stop: float) -> float:
        """Where a job ends: beyond its start, not beyond the end, in whole numbers where `max_resource` is one."""
        end = self._state.max_resource
        stop = min(end, math.ceil(stop) if isinstance(end, int) else stop)
        assert stop > start, f"a policy let a trial go from {start} to {stop}"
        return whole(stop)

    def _known(self, trial: int) -> Track:
        if not isinstance(trial, int) or not 0 <= trial < len(self._state.trials):
            known = f"the newest is {len(self._state.trials) - 1}" if self._state.trials else "none was asked for yet"
            raise SearchError(f"There is no trial {trial!r}; {known}.", "Give job.trial of a job that ask() gave.")
        return self._state.trials[trial]

    def _running(self, trial: int) -> Track:
        track = self._known(trial)
        if track.state != RUNNING:
            raise SearchError(f"Trial {trial} is {track.state}, not running.", "Tell of a job between ask and finish.")
        return track

    def _paused(self, trial: int) -> Track:
        track = self._known(trial)
        assert track.state == PAUSED, f"a policy chose trial {trial}, which is {track.state}"
        return track


def seen(value: Any) -> float | None:
    """A value that was told; None for NaN and infinity. Raises SearchError for what is no number."""
    found = as_number("value", value, "NaN says that training diverged.")
    return found if math.isfinite(found) else None


def as_seconds(cost: Any) -> float:
    """A cost that was told. Raises SearchError for what no clock shows."""
    found = as_number("cost", cost, "Give seconds.")
    if not (math.isfinite(found) and found >= 0):
        raise SearchError(f"cost={shown(found)} is no time.", "Give seconds from 0 on, or leave it out.")
    return found


def as_number(name: str, value: Any, next_step: str) -> float:
    """Raises SearchError for text, None, and what holds several numbers."""
    try:
        if not isinstance(value, str | bytes):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise SearchError(f"{name}={shown(value)} is not a number.", next_step)
