"""What the runners share: a job goes out, an outcome comes back, and both are plain data.

    runner.submit(job)      any number of times
    runner.next()           blocks until one of them is done: its Outcome
    runner.close()          what is still running stops at its newest checkpoint

`Serial`, `Pool` and `RayRunner` are the three. A job that is handed out twice, because a process or a whole machine died
under it, goes on from its trial's checkpoint: where it stops is counted from the trial's beginning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from whet.recipe import Recipe
from whet.record import Step
from whet.search.score import Score
from whet.tasks import Task
from whet.train.horizon import Horizon
from whet.train.plan import Plan


@dataclass(frozen=True)
class Job:
    """One advance of one trial: any process that sees the folders can do it."""

    name: str
    """Of the trial. Two jobs of the same trial must not be out at the same time."""
    recipe: Recipe
    task: Task
    prepared: Path
    """Where `Prepared.save` wrote the data; a runner that was given live data does not look there."""
    folder: Path
    """The trial's own: recipe, record and checkpoints. Where there is a checkpoint, the trial goes on from it."""
    seed: int
    plan: Plan
    seconds: float = math.inf
    """Train for about so many seconds more, from where the trial stands when the job begins."""
    until: float = math.inf
    """When it must be over, by `time.monotonic()`, which all processes of a machine share."""
    stop: Horizon = field(default_factory=Horizon)
    """Where to pause, in steps or training seconds from the trial's beginning. Asked for twice, it is done once."""
    horizon: Horizon | None = None
    """Where the schedule ends. None: with the recipe's steps or this job's seconds, whichever comes first."""
    every: float | None = None
    """Seconds of training between checkpoints, which is what a death costs at most; None: as usual."""
    since: int = 0
    """The step up to which the trial's points are known already; the outcome holds the later ones."""


@dataclass(frozen=True)
class Failure:
    """Why a job failed."""

    kind: str
    """"diverged": NaN or infinity, however low the learning rate. "memory": there was not enough. "died": its process
    was killed or crashed. "disk": its folder can't be written, which no other job could either. "raised": anything
    else."""
    text: str
    """A sentence, or the traceback."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """How a job ended: where its trial stands now, or why it failed. A failed one scores NaN."""

    name: str
    score: Score = field(default_factory=lambda: Score(math.nan))
    """The newest validation's, with the loss of each row."""
    step: int = 0
    """Where the trial stands, in steps from its beginning."""
    seconds: float = 0.0
    """Training time that the trial has cost from its beginning."""
    points: tuple[Step, ...] = ()
    """Every validation after `Job.since`, each once, as the trial's record has them: what a crash made it do twice too."""
    over: bool = False
    """Whether more time would change nothing: it stopped early, or its steps are done."""
    kept: Mapping[str, float] = field(default_factory=dict)
    """What validation said of the weights that it keeps, named as in the points; not always the best of the points."""
    failure: Failure | None = None
    deaths: int = 0
    """How often a process died under this job."""
    symptoms: tuple[str, ...] = ()
    """Names of what is wrong with the trial: findings of the rules, "retried" and "diverged"."""


Tell = Callable[[str, Step], None]
"""(trial, point) -> nothing; called in the process that waits in `next`, while the trial trains on. A point may come
twice after a crash: the outcome's points are the ones that count."""


def tell_nobody(name: str, point: Step) -> None:
    """The default listener."""


class Runner(Protocol):
    """Where jobs are done."""

    @property
    def slots(self) -> int:
        """How many jobs it does side by side at this moment."""

    @property
    def pending(self) -> int:
        """Jobs submitted whose outcomes have not been fetched."""

    def submit(self, job: Job) -> None:
        """Hand a job in; it starts when there is room."""

    def next(self) -> Outcome:
        """The outcome of any job that is done; waits for it. Raises LookupError when none is pending."""

    def close(self) -> None:
        """Stop. What is running is left at its newest checkpoint."""
