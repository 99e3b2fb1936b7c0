"""Trials one after the other, in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from whet.runners.job import Job, Outcome, Tell, tell_nobody
from whet.runners.trial import Trial
from whet.runners.work import Teller, done, open_job
from whet.search.score import Score
from whet.train.horizon import Horizon


class Serial:
    """Keeps its trials alive between jobs.

    `open_one` opens a trial by its name, with live data and listeners of the caller's; without it, a job's own folders
    are opened, and `tell` hears the points.
    """

    slots = 1

    def __init__(self, open_one: Callable[[str], Trial] | None = None, tell: Tell = tell_nobody) -> None:
        self._open, self._tell = open_one, tell
        self._trials: dict[str, Trial] = {}
        self._waiting: deque[Job] = deque()

    @property
    def pending(self) -> int:
        return len(self._waiting)

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    def next(self) -> Outcome:
        """Do the job that waits longest. A trial whose job failed is opened anew by its next job."""
        if not self._waiting:
            raise LookupError("No job is pending.")
        job = self._waiting.popleft()
        outcome = done(job, lambda: self._live(job))
        if outcome.failure:
            self._trials.pop(job.name, None)
        return outcome

    def close(self) -> None:
        self._trials.clear()
        self._waiting.clear()

    def _live(self, job: Job) -> Trial:
        if self._open is None and job.name not in self._trials:
            self._trials[job.name] = open_job(job, [Teller(job.name, self._tell)])
        return self.trial(job.name)

    def trial(self, name: str) -> Trial:
        """The live trial of this name, opened at its checkpoint if it has one."""
        if name not in self._trials:
            assert self._open is not None
            self._trials[name] = self._open(name)
        return self._trials[name]

    def advance(self, names: Sequence[str], seconds: float) -> dict[str, Score]:
        """Give each of these trials so many seconds.

        Their schedules end with the slice: candidates are compared at rest, whatever their learning rates.
        """
        return {name: self._advance(self.trial(name), seconds) for name in names}

    def _advance(self, trial: Trial, seconds: float) -> Score:
        return trial.advance(Horizon(trial.recipe.steps, trial.training.seconds + seconds), seconds)

    def drop(self, keep: str) -> None:
        """Let go of every live trial but one: their checkpoints stay."""
        self._trials = {name: trial for name, trial in self._trials.items() if name == keep}
