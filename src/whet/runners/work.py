"""Doing a job, in whatever process: the trial is opened at its checkpoint, advanced, and left at a new one."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence

from whet.data.prepared import Prepared
from whet.errors import OutputError
from whet.fields import transform_from
from whet.runners.job import Failure, Job, Outcome, Tell
from whet.runners.rescue import is_memory
from whet.runners.together import allow_functions
from whet.runners.trial import Trial, open_trial
from whet.train.horizon import Horizon
from whet.train.loop import Training


def do(job: Job, tell: Tell) -> Outcome:
    """Do a job whose folders this process sees."""
    return done(job, lambda: open_job(job, [Teller(job.name, tell)]))


def open_job(job: Job, listeners: Sequence[object] = ()) -> Trial:
    """The job's trial, at its newest checkpoint if it has one."""
    allow_functions(job.recipe)
    data = Prepared.load(job.prepared, transform_from)
    return open_trial(job.name, job.recipe, job.task, data, job.seed, job.plan, job.folder, listeners, job.every)


def done(job: Job, opened: Callable[[], Trial]) -> Outcome:
    """Advance the trial and say how that ended: an error is an outcome too."""
    try:
        trial = opened()
        advance(trial, job)
        return outcome(trial, job)
    except Exception as error:
        return Outcome(job.name, failure=failure(error))


def advance(trial: Trial, job: Job) -> None:
    training = trial.training
    seconds = min(job.seconds, job.until - time.monotonic())
    # A schedule that ends with the slice of time: candidates are compared at rest, whatever their learning rates.
    horizon = job.horizon or Horizon(trial.recipe.steps, training.seconds + seconds)
    trial.advance(horizon, seconds, job.stop)


def outcome(trial: Trial, job: Job) -> Outcome:
    training, record = trial.training, trial.record
    return Outcome(
        name=job.name,
        score=trial.score,
        step=training.step,
        seconds=training.seconds,
        points=tuple(point for point in record.steps if point.step > job.since),
        over=training.over if job.horizon else is_done(trial),
        kept={f"val/{name}": value for name, value in training.best.metrics.items()} if training.best else {},
        failure=Failure("diverged", trial.fate) if trial.fate else None,
        symptoms=tuple(dict.fromkeys(found.name for found in trial.findings)),
    )


def is_done(trial: Trial) -> bool:
    """Whether more time would change nothing: it failed, stopped early, or has done its recipe's steps."""
    steps = trial.recipe.steps
    return bool(trial.fate or trial.training.stopped or (steps and trial.training.step >= steps))


def failure(error: Exception) -> Failure:
    text = "".join(traceback.format_exception(error))
    if isinstance(error, OutputError):
        return Failure("disk", str(error))
    return Failure("memory" if is_memory(error) else "raised", text)


class Teller:
    """Listens to a training and tells each validation."""

    def __init__(self, name: str, tell: Tell) -> None:
        self.name, self.tell = name, tell

    def on_validate(self, training: Training) -> None:
        self.tell(self.name, training.as_step())
