"""Trials side by side: processes on this machine that share the cores between them."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from whet.data.prepared import Prepared
from whet.families.user import remember
from whet.fields import transform_from
from whet.recipe import Recipe
from whet.runners.trial import open_trial
from whet.search.race import Score
from whet.tasks import Task
from whet.train.horizon import Horizon
from whet.train.plan import Plan, keep_large_blocks


@dataclass(frozen=True)
class Job:
    """One advance of one trial, as plain data: any process that sees the folders can do it."""

    name: str
    recipe: Recipe
    task: Task
    prepared: Path
    folder: Path
    seed: int
    plan: Plan
    seconds: float
    until: float = math.inf
    """When it must be over, by `time.monotonic()`, which all processes of a machine share."""


class Pool:
    """`workers` processes, each with its share of the cores. Close it, or use it in a `with`."""

    def __init__(self, workers: int, threads: int) -> None:
        self.workers, self.threads = workers, threads
        # spawn: a forked child of a process whose OpenMP threads have run would wait for them forever.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare_process)
        for _ in range(workers):
            self._pool.submit(os.getpid)  # start now: importing torch takes a second or two

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:  # an error or Ctrl-C: nobody waits for what is running
            for process in list((self._pool._processes or {}).values()):
                process.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def advance(self, jobs: Sequence[Job]) -> dict[str, Score]:
        """Do the jobs side by side. A trial whose process dies scores NaN."""
        shared = [replace(j, plan=replace(j.plan, threads=self.threads)) for j in jobs]
        scores = {job.name: Score(math.nan) for job in jobs}
        try:
            futures = {job.name: self._pool.submit(advance_one, job) for job in shared}
        except BrokenProcessPool:
            return scores
        for name, future in futures.items():
            with contextlib.suppress(BrokenProcessPool):
                scores[name] = future.result()
        return scores


def _prepare_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    keep_large_blocks()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent can't tell its workers to stop; they must not write on while the same command goes on."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def advance_one(job: Job) -> Score:
    """Open the trial at its checkpoint, advance it, and leave it at a new checkpoint."""
    if job.recipe.family.name == "user":
        remember(str(job.recipe["family.factory"]))  # the user named it in the process that sent the job
    data = Prepared.load(job.prepared, transform_from)
    trial = open_trial(job.name, job.recipe, job.task, data, job.seed, job.plan, job.folder)
    # Its schedule ends with the slice of time: candidates are compared at rest, whatever their learning rates.
    seconds = min(job.seconds, job.until - time.monotonic())
    return trial.advance(Horizon(trial.recipe.steps, trial.training.seconds + seconds), seconds)
