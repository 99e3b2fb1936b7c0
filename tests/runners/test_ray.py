"""A cluster of several nodes on this machine: jobs run there, nodes are killed, nothing is lost and nothing doubled."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import killing
import pytest
import torch
from jobs import STEPS, MakeJob, state

import whet
from whet.errors import MissingExtra, RecipeError, UserError
from whet.recipe import Choice, Recipe
from whet.runners.job import Job, Outcome
from whet.runners.serial import Serial
from whet.train.horizon import Horizon

pytest.importorskip("ray")
from whet.runners.ray import RayRunner, connect, scratch

pytestmark = [pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with killing.cluster() as made:
        yield made


def outcomes(runner: RayRunner) -> dict[str, Outcome]:
    found = [runner.next() for _ in range(runner.pending)]
    return {outcome.name: outcome for outcome in found}


def assert_like_serial(outcome: Outcome, job: MakeJob) -> None:
    """Nothing lost and nothing doubled: the same points, score and bits as where nothing happened."""
    assert outcome.failure is None, outcome.failure.text
    serial = Serial()
    serial.submit(job("straight"))
    straight = serial.next()
    assert [p.step for p in outcome.points] == [*range(2, STEPS + 1, 2)]
    assert [p.metrics for p in outcome.points] == [p.metrics for p in straight.points]
    assert outcome.score.value == straight.score.value
    a, b = state(job(outcome.name).folder), state(job("straight").folder)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_jobs_on_a_cluster_have_the_outcomes_that_they_have_here(cluster: Any, job: MakeJob, tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    with RayRunner("auto", 1, tmp_path, tell=lambda name, point: told.append((name, point.step))) as runner:
        assert runner.slots == 2
        for name in ("a", "b", "c"):
            runner.submit(job(name))
        done = outcomes(runner)
    for name in ("a", "b", "c"):
        assert_like_serial(done[name], job)
        assert [step for of, step in told if of == name] == [p.step for p in done[name].points]


def test_a_process_that_is_killed_twice_is_a_failed_job(cluster: Any, job: MakeJob, tmp_path: Path) -> None:
    deadly = tmp_path / "deadly.py"
    deadly.write_text("import os, signal\ndef make(*_):\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    with RayRunner("auto", 1, tmp_path) as runner:
        runner.submit(job("deadly", recipe=job("x").recipe.put("family", Choice("user", factory=f"{deadly}:make"))))
        outcome = runner.next()
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.deaths) == ("died", 2)


def test_an_error_on_a_node_is_an_outcome_with_its_traceback(cluster: Any, job: MakeJob, tmp_path: Path) -> None:
    with RayRunner("auto", 1, tmp_path) as runner:
        runner.submit(job("bad", recipe=job("x").recipe.put("family.widths", (8, -1))))
        outcome = runner.next()
    assert outcome.failure is not None
    assert (outcome.failure.kind, "Traceback" in outcome.failure.text) == ("raised", True)


def test_nodes_that_share_no_disk_work_on_copies(cluster: Any, job: MakeJob, tmp_path: Path, prepared: Path) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "bucket"
    shutil.copytree(prepared, run / "prepared")
    folders = {"prepared": run / "prepared", "folder": run / "trials"}
    half = {**folders, "stop": Horizon(steps=STEPS // 2)}
    with RayRunner("auto", 1, run, storage=elsewhere.as_uri()) as runner:
        runner.submit(job("a", **half))
        first = runner.next()
        shutil.rmtree(run / "trials")  # what goes on is what the storage holds
        runner.submit(job("a", **folders))
        second = runner.next()
    shutil.rmtree(scratch(elsewhere.as_uri()))
    assert (first.step, second.step) == (STEPS // 2, STEPS)
    assert [p.step for p in second.points] == [*range(2, STEPS + 1, 2)]
    serial = Serial()
    for one in (job("straight", stop=Horizon(steps=STEPS // 2)), job("straight")):
        serial.submit(one)
        serial.next()
    a, b = state(run / "trials" / "a"), state(job("straight").folder)
    assert all(torch.equal(a[k], b[k]) for k in b)
    assert [*elsewhere.glob("trials/a/checkpoint-*")], "no checkpoint went there"
    assert not [*tmp_path.rglob("*.part")]


def test_a_node_that_does_not_see_the_folder_says_so(cluster: Any, job: MakeJob, tmp_path: Path) -> None:
    with RayRunner("auto", 1, tmp_path) as runner:
        runner.submit(job("blind", prepared=tmp_path / "elsewhere"))
        outcome = runner.next()
    assert outcome.failure is not None
    assert outcome.failure.kind == "disk"
    assert "does not see" in outcome.failure.text


def test_a_job_that_no_node_had_room_for_in_its_time_is_given_up(
    cluster: Any, job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RayRunner("auto", 64, tmp_path) as runner:
        assert (runner.threads, runner.slots) == (1, 2), "no node has so many cores"
    monkeypatch.setattr(RayRunner, "_fitting", lambda _, threads: threads)  # as where the large node has gone
    with RayRunner("auto", 64, tmp_path) as runner:
        runner.submit(job("large", until=time.monotonic() + 0.1))
        outcome = runner.next()
    assert outcome.failure is not None
    assert "had room" in outcome.failure.text


def test_fit_runs_its_trials_on_a_cluster(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed_in: list[str] = []
    submit = RayRunner.submit

    def noted(self: RayRunner, job: Job) -> None:
        handed_in.append(job.name)
        submit(self, job)

    monkeypatch.setattr(RayRunner, "submit", noted)
    small = Recipe(Choice("tabular", width=8, depth=1, members=2), optimizer=Choice("adamw", lr=1e-2), steps=24)
    asked: dict[str, Any] = {
        "recipe": small,
        "space": ["activation=relu,gelu,mish"],  # all three are tried, however long nodes take to come
        "budget": "10m",
        "out": tmp_path / "run",
    }
    result = whet.fit("iris", **asked, ray="auto")
    assert handed_in
    again = whet.fit("iris", **asked)  # where trials ran is no part of the order
    assert again.value == result.value


def test_a_comparison_on_a_cluster_finds_the_numbers_that_it_finds_here(cluster: Any, tmp_path: Path) -> None:
    small = Recipe(Choice("mlp", width=8, depth=1), optimizer=Choice("adamw", lr=1e-2), batch_size=32)
    asked: dict[str, Any] = {"seeds": 2, "steps": 8, "recipe": small, "keep_lr": True}
    here, there = (
        whet.compare("iris", {"activation": ["relu", "tanh"]}, out=tmp_path / str(ray), ray=ray, **asked)
        for ray in (None, "auto")
    )
    assert [arm.scores for arm in there.arms] == [arm.scores for arm in here.arms]
    assert there.details["plan"]["threads"] == 1


def test_a_function_of_this_process_is_refused_for_a_cluster(tmp_path: Path) -> None:
    def make() -> torch.nn.Module:
        return torch.nn.LazyLinear(3)

    with pytest.raises(RecipeError, match="no node of a cluster knows"):
        whet.fit("iris", model=make, ray="auto", out=tmp_path / "run")


def test_a_cluster_that_does_not_answer_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def refuse(**_: Any) -> None:
        raise ConnectionError("Could not find any running Ray instance.\nAnd more.")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(UserError, match=r"No Ray cluster answers at 'auto': Could not find .*ray start --head"):
        connect("auto")


def test_without_ray_the_install_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'whet\[ray\]'"):
        connect("auto")


def test_a_search_whose_nodes_are_killed_loses_nothing_and_doubles_nothing(cluster: Any, tmp_path: Path) -> None:
    straight, folder = tmp_path / "straight", tmp_path / "killed"
    for one in (straight, folder):
        killing.begin(one)
    killing.drive(straight, Serial())
    killer = killing.NodeKiller(cluster, kills=3, seed=0)
    with RayRunner("auto", 1, folder, tell=killer) as runner:
        killing.drive(folder, runner)
    assert killer.killed == 3
    killing.check(folder)
    killing.assert_same(folder, straight)
