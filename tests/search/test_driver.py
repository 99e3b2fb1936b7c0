"""The plain driver: runs an objective, keeps what is done, and is not ended by what goes wrong in a trial."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from policies import Halving, Steps  # the usual policy weighs seconds, which nobody can repeat

from whet.errors import SearchError
from whet.search import Float, Job, Space, Study, run
from whet.search.driver import Report

SPACE = Space({"x": Float(-1.0, 1.0)})
begun: list[tuple[int, float]] = []


def plain(params: Any, start: float, stop: float, report: Report) -> None:
    for resource in range(int(start) + 1, int(stop) + 1):
        report(resource, params["x"] ** 2 + 1 / resource)


def endless(job: Job) -> Iterator[tuple[float, float]]:
    begun.append((job.trial, job.start))
    resource = int(job.start)
    while True:
        resource += 1
        yield resource, job.params["x"] ** 2 + 1 / resource


def test_a_function_and_a_generator_search_alike() -> None:
    begun.clear()
    one = run(Study(SPACE, max_resource=9, policy=Halving()), plain, trials=20)
    two = run(Study(SPACE, max_resource=9, policy=Halving()), endless, trials=20)
    assert [(t.params, t.points) for t in one.trials] == [(t.params, t.points) for t in two.trials]
    assert begun == [(n, 0) for n in range(20)]  # each training was begun once, however often it was paused
    assert len(one.trials) == 20
    assert not one.view.running


def test_seconds_are_measured_between_reports() -> None:
    def slow(params: Any, start: float, stop: float, report: Report) -> None:
        time.sleep(0.02)
        report(stop, 1.0)

    study = run(Study(SPACE, max_resource=1), slow, trials=3)
    assert all(t.cost >= 0.02 for t in study.trials)
    assert study.spent == pytest.approx(sum(t.cost for t in study.trials))


def test_time_ends_the_search_and_the_next_call_goes_on() -> None:
    def slow(job: Job) -> Iterator[tuple[float, float]]:
        for resource in range(int(job.start) + 1, 1000):
            time.sleep(0.005)
            yield resource, 1.0

    study, since = Study(SPACE, max_resource=900), time.monotonic()
    run(study, slow, seconds=0.1)
    assert time.monotonic() - since < 10
    before = study.view.points
    assert before
    first = study.trials[0]
    run(study, slow, seconds=0.1)
    assert study.view.points > before
    assert study.trials[0].points[: len(first.points)] == first.points


def test_what_goes_wrong_in_a_trial_is_its_failure_and_not_the_searchs() -> None:
    def brittle(params: Any, start: float, stop: float, report: Report) -> None:
        plain(params, start, stop, report)
        if params["x"] > 0:
            raise MemoryError("42 GB")

    study = run(Study(SPACE, max_resource=3), brittle, trials=20)
    failed = [t for t in study.trials if t.state == "failed"]
    assert failed
    assert all(t.params["x"] > 0 and "MemoryError: 42 GB" in t.error and "brittle" in t.error for t in failed)
    assert study.best.params["x"] <= 0


def test_an_objective_that_never_works_is_said() -> None:
    def broken(params: Any, start: float, stop: float, report: Report) -> None:
        raise KeyError("lr")

    study = Study(SPACE)
    with pytest.raises(
        SearchError, match="All of the first 10 trials failed.*KeyError: 'lr'.*has the traceback"
    ) as said:
        run(study, broken, trials=100)
    assert "\n" not in str(said.value)
    assert "Traceback" in study.trials[9].error


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        (lambda params: params["x"], r"<lambda>\(params\), and is called with \(params, start, stop, report\)"),
        (lambda: iter(()), r"\(\), and is called with"),
        ("train", "'train' can't be called"),
    ],
)
def test_an_objective_of_another_form_is_refused_before_the_first_trial(objective: Any, said: str) -> None:
    study = Study(SPACE)
    with pytest.raises(SearchError, match=said):
        run(study, objective, trials=3)
    assert study.trials == ()


def test_a_generator_takes_one_job() -> None:
    def of_params(params: Any, start: float) -> Iterator[tuple[float, float]]:
        yield 1, 0.0

    with pytest.raises(SearchError, match=r"of_params.* and is called with \(job\)"):
        run(Study(SPACE), of_params, trials=3)


def test_a_training_that_ends_by_itself_is_finished_and_can_win() -> None:
    def early(job: Job) -> Iterator[tuple[float, float]]:
        for resource in range(1, 5):
            yield resource, job.params["x"] ** 2

    study = run(Study(SPACE, max_resource=9, policy=Steps(3)), early, trials=6)
    assert {"finished"} == {t.state for t in study.trials}
    assert all(t.resource == 4 for t in study.trials)
    assert study.best is not None


def test_an_interrupt_keeps_what_is_done_and_the_search_goes_on_later(tmp_path: Path) -> None:
    calm = run(Study(SPACE, max_resource=9, policy=Halving()), plain, trials=12)
    study = Study(SPACE, max_resource=9, policy=Halving(), journal=tmp_path / "journal.jsonl")
    left = [20]

    def impatient(params: Any, start: float, stop: float, report: Report) -> None:
        for resource in range(int(start) + 1, int(stop) + 1):
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            report(resource, params["x"] ** 2 + 1 / resource)

    with pytest.raises(KeyboardInterrupt):
        run(study, impatient, trials=12)
    assert study.view.points == 19
    run(study, plain, trials=12)
    assert [(t.params, t.points) for t in study.trials] == [(t.params, t.points) for t in calm.trials]


def test_a_search_without_an_end_is_refused() -> None:
    with pytest.raises(SearchError, match="never end"):
        run(Study(SPACE), plain)


def test_a_search_that_ends_by_itself_needs_no_bounds() -> None:
    study = run(Study(Space({"x": [0.0, 0.5, 1.0]}), max_resource=2), plain)
    assert study.best.params == {"x": 0.0}
    assert len(study.trials) == 3
