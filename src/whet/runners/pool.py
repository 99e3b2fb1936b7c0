"""Trials side by side: processes on this machine that share the cores between them.

    this process    jobs --pickle--> stdin   worker   stdout --pickle--> points, outcomes

A worker is a fresh interpreter, not a fork: a child of a process whose OpenMP threads have run would wait for them
forever. Nor is the caller's script imported in it, so that a script needs no `if __name__ == "__main__"`. When this process
is killed, its pipes close, and the workers end.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import warnings
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from whet import openmp
from whet.record import Step
from whet.runners.job import Failure, Job, Outcome, Tell, tell_nobody
from whet.search.score import Score
from whet.train.plan import cores, keep_large_blocks

DEATHS = 2
"""A job under which so many processes died has failed: the third would most likely die too."""


@dataclass(frozen=True)
class Died:
    """What is known of a process that ended."""

    code: int
    """Its exit code; negative: the signal that killed it."""


class Worker:
    """A process, the job that it has, and two threads: one hears what it says, one waits for its end.

    What goes through its pipes is pickled, as multiprocessing does: both ends are ours, and nothing of it comes from a file.
    """

    def __init__(self, threads: int, heard: queue.SimpleQueue[tuple[Worker, Any]]) -> None:
        self.job: Job | None = None
        self._kills = 0
        environment = {**os.environ, **openmp.of_a_worker(threads)}
        code = f"import sys; sys.path[:] = {sys.path!r}; from whet.runners.pool import serve; serve()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        hear = threading.Thread(target=self._hear, args=(heard,), daemon=True)
        hear.start()
        threading.Thread(target=self._wait, args=(heard, hear), daemon=True).start()

    def give(self, job: Job) -> None:
        self.job, self._kills = job, kernel_kills()
        data = pickle.dumps(job)
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it died: whoever waits for its end will hear of it
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def _hear(self, heard: queue.SimpleQueue[tuple[Worker, Any]]) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as said, contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:  # until it ends, which may be in the middle of a message
                heard.put((self, pickle.load(said)))

    def _wait(self, heard: queue.SimpleQueue[tuple[Worker, Any]], hear: threading.Thread) -> None:
        code = self.process.wait()
        hear.join(1.0)  # what it said last; a child of its own may hold the pipe open
        heard.put((self, Died(code)))

    def why(self, died: Died) -> Failure:
        """What is known of its death."""
        if died.code >= 0:
            return Failure("died", f"Its process ended by itself, with exit code {died.code}.")
        number = -died.code
        if number == signal.SIGKILL and kernel_kills() > self._kills:
            return Failure("memory", "Its process was killed by the kernel: the system had no memory left.")
        return Failure("died", f"Its process ended by signal {number} ({signal.strsignal(number) or 'unknown'}).")

    def end(self) -> None:
        """Kill it and wait."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            assert self.process.stdin is not None
            self.process.stdin.close()


class Pool:
    """`workers` processes, each with its share of the cores. Close it, or use it in a `with`.

    `threads` is what each of them may use, and no more than its share. A process that dies loses its job only: another
    one takes its place, and the job is done again, from its trial's checkpoint.
    """

    def __init__(self, workers: int, threads: int, tell: Tell = tell_nobody) -> None:
        self.workers, self.threads = workers, max(1, min(threads, cores() // workers))
        self._tell = tell
        self._heard: queue.SimpleQueue[tuple[Worker, Any]] = queue.SimpleQueue()
        self._waiting: deque[Job] = deque()
        self._done: deque[Outcome] = deque()
        self._deaths: dict[str, int] = {}
        self._processes = [self._start() for _ in range(workers)]  # now: importing torch takes a second or two

    def _start(self) -> Worker:
        return Worker(self.threads, self._heard)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def slots(self) -> int:
        return self.workers

    @property
    def pending(self) -> int:
        return len(self._waiting) + len(self._done) + sum(w.job is not None for w in self._processes)

    def submit(self, job: Job) -> None:
        self._waiting.append(replace(job, plan=replace(job.plan, threads=self.threads)))
        self._hand_out()

    def next(self) -> Outcome:
        """The outcome of any job that is done; waits for it."""
        while not self._done:
            if not self.pending:
                raise LookupError("No job is pending.")
            self._hear(*self._heard.get())
            self._hand_out()
        return self._done.popleft()

    def close(self) -> None:
        """End the processes. A job that one of them has stops at its trial's newest checkpoint."""
        for worker in self._processes:
            worker.end()
        self._processes, self._waiting = [], deque()

    def advance(self, jobs: Sequence[Job]) -> dict[str, Score]:
        """Do the jobs side by side. A trial that failed scores NaN."""
        for job in jobs:
            self.submit(job)
        outcomes = [self.next() for _ in jobs]
        return {outcome.name: outcome.score for outcome in outcomes}

    def _hand_out(self) -> None:
        for worker in self._processes:
            if worker.job is None and self._waiting:
                worker.give(self._waiting.popleft())

    def _hear(self, worker: Worker, said: Any) -> None:
        if worker not in self._processes:
            return  # the last words of one that was replaced
        if isinstance(said, Died):
            self._bury(worker, said)
        elif isinstance(said, Outcome):
            worker.job = None
            self._done.append(replace(said, deaths=self._deaths.pop(said.name, 0)))
        else:
            self._tell(*said)

    def _bury(self, worker: Worker, died: Died) -> None:
        """Put another process in its place, and its job first in the queue, unless it has died too often."""
        job = worker.job
        worker.end()
        self._processes[self._processes.index(worker)] = self._start()
        if job is None:
            return
        deaths = self._deaths[job.name] = self._deaths.get(job.name, 0) + 1
        if deaths < DEATHS:
            self._waiting.appendleft(job)
        else:
            self._done.append(Outcome(job.name, failure=worker.why(died), deaths=self._deaths.pop(job.name)))


def kernel_kills() -> int:
    """How many processes the kernel has killed so far because memory ran out; 0 where it does not say."""
    total = 0
    for path in (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events")):
        with contextlib.suppress(OSError, ValueError):
            words = dict(line.split() for line in path.read_text().splitlines())
            total += int(words.get("oom_kill", 0))
    return total


def serve() -> None:
    """A worker's life: do the jobs that come in, until whoever sends them is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed must not come between the messages
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(incoming, jobs), daemon=True).start()
    keep_large_blocks()
    warnings.filterwarnings(
        "ignore", message=".*Keep inputs away from there"
    )  # the process that sends jobs has said so
    from whet.runners.work import do

    def say(message: tuple[str, Step] | Outcome) -> None:
        data = pickle.dumps(message)
        try:
            outgoing.write(data)
            outgoing.flush()
        except OSError:  # whoever waited for it is gone
            os._exit(1)

    while True:
        say(do(jobs.get(), lambda name, point: say((name, point))))


def _listen(incoming: IO[bytes], jobs: queue.SimpleQueue[Job]) -> None:
    """A killed parent can't tell its workers to stop; they must not write on while the same command goes on."""
    try:
        while True:
            jobs.put(pickle.load(incoming))
    finally:
        os._exit(1)
