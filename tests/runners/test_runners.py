"""Runners: the same jobs have the same outcomes wherever they are done, and no death, error or crash loses any."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from jobs import STEPS, MakeJob, state

from whet.recipe import Choice
from whet.record import Step
from whet.runners import pool as pools
from whet.runners.job import Outcome
from whet.runners.pool import Died, Pool, Worker
from whet.runners.rescue import is_memory
from whet.runners.serial import Serial
from whet.runners.work import failure
from whet.train.horizon import Horizon
from whet.train.plan import cores


class Told:
    """Remembers what was told on the way, and does something at the first point of each trial once."""

    def __init__(self) -> None:
        self.points: list[tuple[str, int]] = []
        self.first: dict[str, list[int]] = {}

    def __call__(self, name: str, point: Step) -> None:
        self.points.append((name, point.step))
        for kill in self.first.pop(name, []):
            os.kill(kill, signal.SIGKILL)


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
def pool(told: Told) -> Iterator[Pool]:
    with Pool(2, 1, told) as pool:
        yield pool


def worker_of(pool: Pool, name: str) -> Worker:
    return next(w for w in pool._processes if w.job is not None and w.job.name == name)


def outcomes(runner: Pool | Serial) -> dict[str, Outcome]:
    found = [runner.next() for _ in range(runner.pending)]
    assert runner.pending == 0
    return {outcome.name: outcome for outcome in found}


def assert_whole(outcome: Outcome) -> None:
    """It did all its steps, and each point is there once."""
    assert outcome.failure is None
    assert (outcome.step, outcome.over) == (STEPS, True)
    steps = [point.step for point in outcome.points]
    assert steps == sorted({*steps})
    assert steps == [*range(2, STEPS + 1, 2)]


def same(a: Path, b: Path) -> bool:
    first, second = state(a), state(b)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_a_pool_and_one_process_give_the_same_bits_points_and_scores(pool: Pool, told: Told, job: MakeJob) -> None:
    serial = Serial()
    serial.submit(job("here"))
    pool.submit(job("there"))
    here, there = serial.next(), pool.next()
    for one in (here, there):
        assert_whole(one)
    assert here.score.value == there.score.value
    assert (here.score.rows == there.score.rows).all()
    assert [p.metrics for p in here.points] == [p.metrics for p in there.points]
    assert same(job("here").folder, job("there").folder)
    assert [step for name, step in told.points if name == "there"] == [p.step for p in there.points]


def test_a_killed_process_loses_its_job_only_and_the_job_goes_on_from_its_checkpoint(
    pool: Pool, told: Told, job: MakeJob
) -> None:
    pool.submit(job("killed"))
    pool.submit(job("unharmed"))
    told.first["killed"] = [worker_of(pool, "killed").process.pid]
    done = outcomes(pool)
    for outcome in done.values():
        assert_whole(outcome)
    assert (done["killed"].deaths, done["unharmed"].deaths) == (1, 0)
    assert same(job("killed").folder, job("unharmed").folder)


def test_a_job_that_kills_its_process_twice_has_failed(pool: Pool, told: Told, job: MakeJob, tmp_path: Path) -> None:
    deadly = tmp_path / "deadly.py"
    deadly.write_text("import os, signal\ndef make(*_):\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    pool.submit(job("deadly", recipe=job("x").recipe.put("family", Choice("user", factory=f"{deadly}:make"))))
    pool.submit(job("sound"))
    done = outcomes(pool)
    assert_whole(done["sound"])
    assert done["deadly"].deaths == 2
    assert done["deadly"].failure is not None
    assert (done["deadly"].failure.kind, "signal 9 (Killed)" in done["deadly"].failure.text) == ("died", True)
    assert done["deadly"].score.value != done["deadly"].score.value  # NaN


@pytest.mark.parametrize("where", ["serial", "pool"])
def test_an_error_in_a_job_is_an_outcome_with_its_traceback(where: str, pool: Pool, job: MakeJob) -> None:
    runner = pool if where == "pool" else Serial()
    runner.submit(job("bad", recipe=job("x").recipe.put("family.widths", (8, -1))))
    runner.submit(job("good"))
    done = outcomes(runner)
    assert_whole(done["good"])
    assert done["bad"].failure is not None
    assert done["bad"].failure.kind == "raised"
    assert "Traceback" in done["bad"].failure.text


def test_a_job_that_diverges_says_so_and_scores_nothing(job: MakeJob) -> None:
    serial = Serial()
    serial.submit(job("wild", recipe=job("x").recipe.put("optimizer.lr", 1e30)))
    outcome = serial.next()
    assert outcome.failure is not None
    assert outcome.failure.kind == "diverged"
    assert {"diverged", "retried"} <= {*outcome.symptoms}


def test_a_job_that_pauses_and_is_asked_for_twice_is_done_once(pool: Pool, job: MakeJob) -> None:
    whole, half = job("whole"), job("halves", stop=Horizon(steps=STEPS // 2))
    for one in (whole, half):
        pool.submit(one)
    first = outcomes(pool)["halves"]
    assert (first.step, first.over) == (STEPS // 2, False)
    for _ in range(2):  # the second time as if whoever asked had been killed before it heard the answer
        pool.submit(half)
        again = pool.next()
        assert (again.step, again.score.value) == (first.step, first.score.value)
        assert [p.step for p in again.points] == [p.step for p in first.points]
    pool.submit(job("halves", since=first.step))
    rest = pool.next()
    assert [p.step for p in (*first.points, *rest.points)] == [*range(2, STEPS + 1, 2)]
    assert same(whole.folder, half.folder)


def test_a_schedule_that_names_no_end_ends_with_the_slice(job: MakeJob) -> None:
    serial = Serial()
    serial.submit(job("slice", recipe=job("x").recipe.put("steps", 0), horizon=None, seconds=0.05))
    outcome = serial.next()
    assert serial._trials["slice"].training.progress == 1.0
    assert not outcome.over


def test_nobody_waits_for_jobs_that_nobody_submitted(pool: Pool) -> None:
    for runner in (pool, Serial()):
        with pytest.raises(LookupError):
            runner.next()


def test_cores_are_never_oversubscribed(pool: Pool) -> None:
    assert pool.workers * pool.threads <= max(2, cores())
    greedy = object.__new__(Pool)
    try:
        Pool.__init__(greedy, 1, 10_000)
        assert greedy.threads == cores()
    finally:
        greedy.close()


def test_a_workers_libraries_start_no_more_threads_than_it_may_have(job: MakeJob, tmp_path: Path) -> None:
    telling = tmp_path / "telling.py"
    counts = "[os.environ[k] for k in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS')] + [torch.get_num_threads()]"
    telling.write_text(f"import os, torch\ndef make(*_):\n    raise ValueError({counts})\n")
    with Pool(1, 1) as one:
        one.submit(job("telling", recipe=job("x").recipe.put("family", Choice("user", factory=f"{telling}:make"))))
        outcome = one.next()
    assert outcome.failure is not None
    assert "['1', '1', 1]" in outcome.failure.text


def test_a_kill_by_the_kernel_that_needed_memory_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = object.__new__(Worker)
    worker._kills = 3
    for kills, code, kind in ((3, -9, "died"), (4, -9, "memory"), (4, -15, "died"), (4, -35, "died"), (4, 1, "died")):
        monkeypatch.setattr(pools, "kernel_kills", lambda kills=kills: kills)
        assert worker.why(Died(code)).kind == kind


def test_too_little_memory_is_told_apart_from_other_errors() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert is_memory(caught.value)
    assert failure(MemoryError()).kind == "memory"
    assert failure(torch.OutOfMemoryError()).kind == "memory"
    assert failure(ValueError()).kind == "raised"


def test_ray_is_imported_by_its_runner_alone_and_late() -> None:
    source = Path(pools.__file__).parent.parent
    users = [path for path in source.rglob("*.py") if re.search(r"^\s*(import|from) ray\b", path.read_text(), re.M)]
    assert users == [source / "runners" / "ray.py"]
    code = "import sys, whet.runners.ray; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
