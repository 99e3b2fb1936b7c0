"""Trials on a Ray cluster: nodes may come, go, and be preempted. The only file that imports Ray, and late.

    this process    jobs --> Ray --> a task on any node --> points, and an outcome, one after the other

A job whose node or process dies is handed in again and goes on from its checkpoint. Nodes see the run's folder on a
shared disk, or a copy of it at a URL (see mirror.py).
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import logging
import os
import platform
import queue
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whet import openmp
from whet.errors import MissingExtra, OutputError, UserError
from whet.record import Step
from whet.runners.job import Failure, Job, Outcome, Tell, tell_nobody
from whet.runners.mirror import Mirror, Saved
from whet.runners.pool import DEATHS

if TYPE_CHECKING:
    from whet.runners.trial import Trial

PATIENCE = 1.0
"""Seconds between two looks at whether jobs that no node has begun are too late."""
BEGUN = "begun"


class RayRunner:
    """Hands jobs to the cluster at `address`: "auto", "HOST:PORT", or "local" for one that lives as long as this runner.

    Each job takes `threads` cores of a node. `root` is the run's folder, below which all folders of its jobs are;
    `storage`, a URL of fsspec's, keeps a copy of it for nodes that don't see it.
    """

    def __init__(
        self, address: str, threads: int, root: Path, storage: str | None = None, tell: Tell = tell_nobody
    ) -> None:
        self._ray, self._own = connect(address)
        self.threads, self._tell = self._fitting(threads), tell
        self._root, self._storage = root.absolute(), storage
        self._mirror = Mirror(storage, self._root) if storage else None
        self._task = self._ray.remote(work).options(
            num_cpus=self.threads,
            max_retries=0,  # a job that died is handed in again from here, where deaths are counted
            num_returns="streaming",
            runtime_env={"env_vars": openmp.of_a_worker(self.threads)},
        )
        self._out: dict[Any, Job] = {}
        self._begun: set[Any] = set()
        self._done: deque[Outcome] = deque()
        self._deaths: Counter[str] = Counter()
        self._crashes: Counter[str] = Counter()

    def __enter__(self) -> RayRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def slots(self) -> int:
        """What the nodes that are alive have room for; at least one, for a node that may come."""
        return max(1, sum(int(cores // self.threads) for cores in cores_of(self._ray)))

    def _fitting(self, threads: int) -> int:
        """So many threads that a job fits on every node that is there."""
        return max(1, min([threads, *map(int, cores_of(self._ray))]))

    @property
    def pending(self) -> int:
        return len(self._out) + len(self._done)

    def submit(self, job: Job) -> None:
        job = replace(
            job,
            plan=replace(job.plan, threads=self.threads),
            prepared=job.prepared.absolute(),
            folder=job.folder.absolute(),
        )
        if self._mirror:
            self._mirror.push(job.prepared)
        self._hand_in(job)

    def next(self) -> Outcome:
        """The outcome of any job that is done; waits for it, and for nodes if there are none."""
        while not self._done:
            if not self._out:
                raise LookupError("No job is pending.")
            ready, _ = self._ray.wait([*self._out], timeout=PATIENCE)
            for stream in ready:
                self._hear(stream)
            if not ready:
                self._give_up_what_is_late()
        return self._done.popleft()

    def close(self) -> None:
        """Stop the jobs; the cluster goes on, unless it is this runner's own."""
        for stream in self._out:
            self._ray.cancel(stream, force=True)
        self._out = {}
        if self._own:
            self._ray.shutdown()

    def _hand_in(self, job: Job) -> None:
        # Clocks of machines agree in the time of day only.
        there = There(job, time.time() + job.until - time.monotonic(), self._root, self._storage)
        self._out[self._task.remote(there)] = job

    def _hear(self, stream: Any) -> None:
        errors = self._ray.exceptions
        try:
            said = self._ray.get(next(stream))
        except (errors.NodeDiedError, errors.ObjectLostError) as error:
            self._again(stream, Failure("died", first_line(error)), crashed=False)
        except errors.OutOfMemoryError as error:
            self._again(stream, Failure("memory", first_line(error)))
        except (errors.WorkerCrashedError, StopIteration) as error:
            self._again(stream, Failure("died", first_line(error)))
        except errors.RayError as error:
            self._end(stream, Outcome(self._out[stream].name, failure=Failure("raised", str(error))))
        else:
            self._take(stream, said)

    def _take(self, stream: Any, said: tuple[str, Step] | Outcome | str) -> None:
        self._begun.add(stream)
        if isinstance(said, Outcome):
            if self._mirror:
                self._mirror.pull(self._out[stream].folder)
            self._end(stream, said)
        elif not isinstance(said, str):
            self._tell(*said)

    def _again(self, stream: Any, why: Failure, crashed: bool = True) -> None:
        """Hand the job in once more. A node may die under any job; one under which processes die themselves has failed."""
        job = self._out.pop(stream)
        self._deaths[job.name] += 1
        self._crashes[job.name] += crashed
        if self._crashes[job.name] < DEATHS:
            self._hand_in(job)
        else:
            self._end(stream, Outcome(job.name, failure=why))

    def _end(self, stream: Any, outcome: Outcome) -> None:
        self._out.pop(stream, None)
        self._begun.discard(stream)
        self._crashes.pop(outcome.name, None)
        self._done.append(replace(outcome, deaths=self._deaths.pop(outcome.name, 0)))

    def _give_up_what_is_late(self) -> None:
        """Jobs whose time is up before any node had room for them."""
        late = [s for s, job in self._out.items() if s not in self._begun and job.until < time.monotonic()]
        for stream in late:
            self._ray.cancel(stream, force=True)
            why = Failure("died", "No node of the cluster had room for it in its time.")
            self._end(stream, Outcome(self._out[stream].name, failure=why))


@contextlib.contextmanager
def connected(address: str) -> Iterator[int]:
    """Within the block a cluster is at hand, for every runner: how many jobs of one thread it has room for."""
    ray, own = connect(address)
    try:
        yield max(1, sum(map(int, cores_of(ray))))
    finally:
        if own:
            ray.shutdown()


def cores_of(ray: Any) -> list[float]:
    """Of each node that is alive and takes jobs."""
    alive = [node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"]]
    return [cores for cores in alive if cores >= 1]


def connect(address: str) -> tuple[Any, bool]:
    """(ray, whether this call connected it). Raises MissingExtra without Ray, UserError when no cluster answers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that is started here sends nothing home
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("ray", "ray", "Running trials on a cluster") from error
    if ray.is_initialized():
        return ray, False
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UserError(
            f"No Ray cluster answers at {address!r}: {first_line(error)}",
            "Start one with `ray start --head`, or give its address; `--ray local` starts one for this run.",
        ) from error
    return ray, True


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


# -- on a node -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class There:
    """A job as it travels to a node."""

    job: Job
    deadline: float
    """When it must be over, by the time of day."""
    root: Path
    storage: str | None

    def arrived(self) -> Job:
        """The job in this node's own words: its clock, and its folders where the run's are a copy."""
        until = time.monotonic() + self.deadline - time.time()
        if self.storage is None:
            return replace(self.job, until=until)
        here = scratch(self.storage)
        prepared, folder = (here / path.relative_to(self.root) for path in (self.job.prepared, self.job.folder))
        return replace(self.job, until=until, prepared=prepared, folder=folder)


def scratch(storage: str) -> Path:
    """Where a node keeps its copy of what is stored there; processes of one user on one node share it."""
    digest = hashlib.sha256(storage.encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"whet-{getpass.getuser()}-{digest}"


def work(there: There) -> Iterator[str | tuple[str, Step] | Outcome]:
    """Do a job; its points come while it trains in a thread beside."""
    said: queue.SimpleQueue[tuple[str, Step] | Outcome] = queue.SimpleQueue()
    yield BEGUN
    threading.Thread(target=lambda: said.put(do_there(there, said)), daemon=True).start()
    while not isinstance(message := said.get(), Outcome):
        yield message
    yield message


def do_there(there: There, said: queue.SimpleQueue[Any]) -> Outcome:
    """Do the job on this node."""
    from whet.runners.work import Teller, done, open_job

    job = there.arrived()
    teller = Teller(job.name, lambda name, point: said.put((name, point)))
    if there.storage is None:
        return done(job, lambda: open_job(seen(job), [teller]))
    mirror = Mirror(there.storage, scratch(there.storage))

    def opened() -> Trial:
        mirror.pull(job.folder)
        if not (job.prepared / MARK).exists():
            mirror.pull(job.prepared)
        return open_job(seen(job), [teller, Saved(mirror, job.folder)])

    outcome = done(job, opened)
    if job.folder.exists():
        mirror.push(job.folder)  # what was written after the newest checkpoint
    return outcome


MARK = "prepared.json"
"""Is written last: with it, the data is whole."""


def seen(job: Job) -> Job:
    """The job, if this node sees its folders. Raises OutputError if it does not."""
    if not (job.prepared / MARK).exists():
        raise OutputError(
            f"The node {platform.node()} does not see {job.prepared}.",
            "Put --out on a disk that all nodes share, or give --storage URL.",
        )
    return job
