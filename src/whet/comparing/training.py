"""The trainings of a comparison: each in its own folder, each done once, whatever happens in between."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from whet import record
from whet.comparing.arms import rate_of
from whet.comparing.sizing import Size
from whet.errors import OutputError
from whet.recipe import Recipe
from whet.record import Step
from whet.run import Run
from whet.runners import rescue
from whet.runners.job import Job, Outcome, Runner
from whet.runners.pool import Pool
from whet.runners.ray import RayRunner, connected
from whet.runners.serial import Serial
from whet.runners.trial import RECIPE, Trial, open_trial, recipe_in
from whet.tasks import Task
from whet.train import checkpoint
from whet.train.horizon import Horizon
from whet.train.plan import cores

FAULTS = {"diverged": "diverged", "memory": "ran out of memory", "died": "died", "raised": "failed"}
"""Why a training ended early (`runners/job.py:Failure`), in words."""


@dataclass(frozen=True)
class Wanted:
    """One training that is wanted."""

    name: str
    recipe: Recipe
    seed: int
    size: Size

    @property
    def end(self) -> Horizon:
        return Horizon(self.size.steps) if self.size.steps else Horizon(seconds=self.size.seconds)


@dataclass(frozen=True)
class Trained:
    """What came of it; plain data."""

    name: str
    value: float
    """The validation of the weights that were kept; NaN where there was none."""
    loss: float
    """Of the same weights, on the same rows."""
    steps: int
    seconds: float
    lr: float
    """What it ended with: lower than what was wanted after it diverged."""
    diverged: int
    """How often it was begun again with a lower learning rate, or gave up."""
    failed: str = ""
    """The sentence, or the last line, of an error that ended it."""
    kind: str = ""
    """Of that error: a key of `FAULTS`; empty where it ended well."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Trained:
        lost = {name: math.nan for name in ("value", "loss") if said[name] is None}
        return cls(**{name: said[name] for name in cls.__dataclass_fields__ if name in said} | lost)

    @property
    def sound(self) -> bool:
        """Whether it ended well, with weights that were measured."""
        return not self.kind and math.isfinite(self.value)

    @property
    def fault(self) -> str:
        """What it did instead of ending well, in words."""
        return FAULTS.get(self.kind, "gave no network")

    @property
    def why(self) -> str:
        """The fault with its reason, where one is known."""
        return f"{self.fault}: {self.failed}" if self.failed else self.fault


Train = Callable[[Sequence[Wanted]], list[Trained]]
"""Trainings, done: in this order, or side by side. What is in the journal is not done again."""


@contextlib.contextmanager
def trainer(run: Run) -> Iterator[Train]:
    """How trainings are done: one after the other in this process, in `workers` processes, or on a cluster."""
    open_ones: dict[str, Wanted] = {}

    def train(wanted: Sequence[Wanted]) -> list[Trained]:
        done = known(run)
        open_ones.update({w.name: w for w in wanted if w.name not in done})
        for name in open_ones:
            runner.submit(job_of(open_ones[name], run))
        while open_ones:
            outcome = runner.next()
            made = finished(open_ones.pop(outcome.name), outcome, run)
            run.say("trained", **made.to_dict())
            if isinstance(runner, Serial):
                runner.drop(keep="")  # networks of trainings that are over
        done = known(run)
        return [done[w.name] for w in wanted]

    with runner_of(run, open_ones) as runner:
        yield train


def known(run: Run) -> dict[str, Trained]:
    """Every training that has ended, by name."""
    return {line["name"]: Trained.from_dict(line) for line in run.journal.all("trained")}


@contextlib.contextmanager
def at_hand(run: Run, trainings: int) -> Iterator[None]:
    """Within the block the cluster is there, if one was asked for, and it is known how many trainings it has room for."""
    if run.cluster is None:
        yield
        return
    with connected(run.cluster) as room:
        run.workers = min(room, trainings)
        yield


def threads_each(run: Run) -> int:
    """Of a training: its share of this machine's cores, or one core of a node."""
    return 1 if run.cluster else max(1, cores() // run.workers)


@contextlib.contextmanager
def runner_of(run: Run, wanted: Mapping[str, Wanted]) -> Iterator[Runner]:
    here = run.workers == 1 and not run.cluster
    if not here:
        run.prepared.save(shared(run))
    runner = Serial(lambda name: opened(run, wanted[name])) if here else elsewhere(run)
    try:
        yield runner
    finally:
        runner.close()
        shutil.rmtree(shared(run), ignore_errors=True)


def elsewhere(run: Run) -> Pool | RayRunner:
    """Processes that share this machine's cores, or a cluster."""

    def tell(name: str, point: Step) -> None:
        move(run, name, point.progress)

    if run.cluster is None:
        return Pool(run.workers, run.plan.threads, tell)
    return RayRunner(run.cluster, run.plan.threads, run.folder.path, run.storage, tell)


def shared(run: Run) -> Path:
    """Where other processes find the data."""
    return run.folder.path / "prepared"


def opened(run: Run, one: Wanted) -> Trial:
    """A training in this process, which moves the bar."""
    folder = run.folder.trial(one.name)
    return open_trial(one.name, one.recipe, run.task, run.prepared, one.seed, run.plan, folder, [Moves(run, one.name)])


def job_of(one: Wanted, run: Run) -> Job:
    folder = run.folder.trial(one.name)
    return Job(one.name, one.recipe, run.task, shared(run), folder, one.seed, run.plan, horizon=one.end)


class Moves:
    """Listens to a training and moves the screen's bar."""

    def __init__(self, run: Run, name: str) -> None:
        self.run, self.name = run, name

    def on_step(self, training: Any) -> None:
        move(self.run, self.name, training.progress)


def move(run: Run, name: str, progress: float) -> None:
    run.screen.move(name, f"{progress:.0%}", max(0.0, run.clock.left))


def finished(one: Wanted, outcome: Outcome, run: Run) -> Trained:
    """What a training left in its folder. The best weights stay there; what was needed to go on does not."""
    if outcome.failure and outcome.failure.kind == "disk":
        raise OutputError(outcome.failure.text)
    folder, failure = run.folder.trial(one.name), outcome.failure
    recipe = recipe_in(folder) if (folder / RECIPE).exists() else one.recipe
    for path in checkpoint.checkpoints(folder):
        path.unlink(missing_ok=True)
    return Trained(
        name=one.name,
        **best_validation(folder),
        steps=outcome.step,
        seconds=round(outcome.seconds, 3),
        lr=rate_of(recipe),
        diverged=rescue.retries(folder) + (failure is not None and failure.kind == "diverged"),
        failed=failure.text.strip().split("\n")[-1] if failure else "",
        kind=failure.kind if failure else "",
    )


def best_validation(folder: Path) -> dict[str, float]:
    """Of the weights that a training kept: value and loss; NaN where it kept none."""
    if not (folder / checkpoint.BEST).exists():
        return {"value": math.nan, "loss": math.nan}
    _, best = checkpoint.kept_in(folder)
    return {"value": best.score, "loss": best.metrics.get("loss", math.nan)}


def curve(folder: Path, task: Task) -> list[tuple[float, float]]:
    """(progress, validation) of a training; nothing of one that failed before its first step."""
    if not (folder / "record.jsonl").exists():
        return []
    steps = record.read(folder / "record.jsonl").steps
    name = f"val/{task.watched.name}"
    return [(s.progress, s.metrics[name]) for s in steps if s.metrics.get(name) is not None]
