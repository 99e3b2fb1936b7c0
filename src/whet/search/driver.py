"""The simplest way to run a search: one job after the other, here, until the time or the trials are used up."""

from __future__ import annotations

import inspect
import math
import time
import traceback
from collections.abc import Callable, Generator, Iterable
from typing import Any

from whet.errors import SearchError
from whet.search.plain import is_number
from whet.search.study import Study
from whet.search.trial import Job
from whet.search.view import FAILED

HOPELESS = 10
"""Trials after which the search gives up when every single one of them has failed."""


class Report:
    """Called by an objective with what it sees: `report(resource, value)`. It measures the seconds between two calls."""

    def __init__(self, study: Study, job: Job) -> None:
        self.trial = job.trial
        """The trial's number: what a checkpoint can be named by."""
        self._study, self._since = study, time.perf_counter()

    def __call__(self, resource: float, value: float, symptoms: Iterable[Any] = ()) -> None:
        now = time.perf_counter()
        self._study.tell(self.trial, resource, value, cost=now - self._since, symptoms=symptoms)
        self._since = now


Plain = Callable[[Any, float, float, Report], None]
"""(params, start, stop, report) -> None: trains from `start` to `stop`, reports on the way, and keeps a checkpoint under
`report.trial`, from which it goes on the next time."""
Endless = Callable[[Job], Generator[tuple, None, None]]
"""A generator function of a job that yields (resource, value) or (resource, value, symptoms), on and on. It is held
while the trial is paused. After a restart it is called anew, with the `start` from which it has to go on."""


def run(study: Study, objective: Plain | Endless, seconds: float | None = None, trials: int | None = None) -> Study:
    """Search until `seconds` are over, `trials` have been started and followed up, or nothing is left to try.

    Ctrl-C keeps what was told; call it again and it goes on. Time is looked at between jobs, and between points where the
    objective is a generator. An objective that raises an error fails its trial, not the search.
    """
    if seconds is None and trials is None and study.space.count == math.inf:
        raise SearchError("This search would never end.", "Say seconds=… or trials=….")
    for name, given in (("seconds", seconds), ("trials", trials)):
        if given is not None and not is_number(given):
            raise SearchError(f"{name}={given!r} is not a number.")
    check(objective)
    if trials is not None:
        study.limit = trials
    work = Generators(objective) if inspect.isgeneratorfunction(objective) else plainly(objective)
    end = time.monotonic() + (math.inf if seconds is None else seconds)
    while time.monotonic() < end and (job := study.ask()) is not None:
        do(study, job, work, end)
        give_up_if_hopeless(study)
    return study


def check(objective: Any) -> None:
    """Raises SearchError where the objective can't be called with what it will get; one without a signature is believed."""
    given, form = (1, "(job)") if inspect.isgeneratorfunction(objective) else (4, "(params, start, stop, report)")
    try:
        signature = inspect.signature(objective)
    except ValueError:
        return
    except TypeError:
        raise SearchError(f"objective={objective!r} can't be called.", f"Give a function of {form}.") from None
    try:
        signature.bind(*range(given))
    except TypeError:
        name = getattr(objective, "__name__", type(objective).__name__)
        raise SearchError(
            f"The objective is {name}{signature}, and is called with {form}.",
            "Write train(params, start, stop, report), or a generator train(job) that yields (resource, value).",
        ) from None


Work = Callable[[Job, Report, float], bool]
"""Does a job, until a time; whether it was done."""


def do(study: Study, job: Job, work: Work, end: float = math.inf) -> None:
    """One job, whatever happens in it."""
    try:
        done = work(job, Report(study, job), end)
    except Exception as error:
        study.finish(job.trial, failed=f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
    except BaseException:
        study.put_back(job.trial)
        raise
    else:
        (study.finish if done else study.put_back)(job.trial)


def plainly(objective: Any) -> Work:
    def work(job: Job, report: Report, end: float) -> bool:
        objective(job.params, job.start, job.stop, report)
        return True

    return work


class Generators:
    """Trainings that stand still between two jobs, by trial."""

    def __init__(self, objective: Any) -> None:
        self._objective = objective
        self._held: dict[int, Generator[tuple, None, None]] = {}

    def __call__(self, job: Job, report: Report, end: float) -> bool:
        resource: float = job.start
        training = self._held.pop(job.trial, None) or self._objective(job)
        while resource < job.stop and time.monotonic() < end:
            point = next(training, None)
            if point is None:
                return True
            report(*point)
            resource = point[0]
        self._held[job.trial] = training
        return resource >= job.stop


def give_up_if_hopeless(study: Study) -> None:
    trials = study.view.trials
    if len(trials) >= HOPELESS and all(t.state == FAILED for t in trials):
        why, *_ = trials[-1].error.splitlines()
        raise SearchError(
            f"All of the first {len(trials)} trials failed, the last one with {why}.",
            f"study.trials[{trials[-1].number}].error has the traceback.",
        )
