"""Who goes on: sentences about the policy that a study has when it was given none."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from whet.search import Float, Int, Job, Space, Study
from whet.search.known import stops
from whet.search.look_ahead import LookAhead, checkpoint, opened
from whet.search.policy import Go, New
from whet.search.view import FAILED

Curve = Callable[[dict[str, Any], float], float]
RANDOM = np.random.default_rng(0)
CANDIDATES = [{"x": float(x), "y": float(y), "late": float(z)} for x, y, z in RANDOM.random((200, 3))]


def end_of(params: dict[str, Any]) -> float:
    return (params["x"] - 0.3) ** 2 + (params["y"] - 0.6) ** 2


def falling(params: dict[str, Any], resource: float) -> float:
    return end_of(params) + math.exp(-resource / 8)


def crossing(params: dict[str, Any], resource: float) -> float:
    """Who ends best starts worst."""
    return end_of(params) + (1.5 - 2 * end_of(params)) * math.exp(-resource / 8)


def train(study: Study, job: Job, curve: Curve) -> None:
    for resource in range(int(job.start) + 1, int(job.stop) + 1):
        value = curve(dict(job.params), resource)
        study.tell(job.trial, resource, value)
        if math.isnan(value):
            break
    study.finish(job.trial)


def searched(points: int, curve: Curve = falling, seed: int = 0, space: Space | None = None, **more: Any) -> Study:
    study = Study(space or Space.of_candidates(CANDIDATES), seed=seed, **{"max_resource": 50, **more})
    while study.view.points < points and (job := study.ask()) is not None:
        train(study, job, curve)
    return study


def chosen_end(study: Study) -> float:
    assert study.best is not None
    return end_of(dict(study.best.params))


def random_end(points: int, seed: int) -> float:
    """What random search ends with: whole trainings, as many as there are points for."""
    tried = np.random.default_rng(seed).choice(len(CANDIDATES), points // 50, replace=False)
    return min(end_of(CANDIDATES[k]) for k in tried)


def test_it_finds_better_candidates_than_whole_trainings_of_random_ones() -> None:
    ours = [chosen_end(searched(250, seed=s)) for s in range(4)]
    theirs = [random_end(250, s) for s in range(100)]
    assert np.mean(ours) < np.mean(theirs) / 2


def test_where_all_curves_cross_it_is_no_worse_than_random_search() -> None:
    ours = [chosen_end(searched(800, crossing, s)) for s in range(3)]
    theirs = [random_end(800, s) for s in range(100)]
    assert np.mean(ours) <= np.mean(theirs)


def test_more_budget_chooses_no_worse_on_average() -> None:
    ends = [[chosen_end(searched(points, seed=s)) for s in range(4)] for points in (100, 400)]
    assert np.mean(ends[1]) <= np.mean(ends[0])


def test_it_looks_at_many_and_trains_few_to_the_end() -> None:
    trials = searched(500).trials
    assert len(trials) > 25
    assert any(t.resource >= 30 for t in trials)
    assert np.median([t.resource for t in trials]) <= 5


@pytest.mark.parametrize(("most", "openers"), [(2, 4), (3, 4), (4, 4), (9, 9), (50, 12)])
def test_the_first_looks_cost_no_more_than_a_whole_training_or_four_points(most: int, openers: int) -> None:
    study = Study(Space.of_candidates(CANDIDATES), max_resource=most)
    first = [job for job in (ask_and_train(study) for _ in range(openers)) if job]
    assert [job.start for job in first] == [0] * openers
    assert sum(job.stop for job in first) <= max(most, 4)
    assert (opened(study.view) is None) == (most <= 4), "what follows is predicted at once where a training is short"


def ask_and_train(study: Study, curve: Curve = falling) -> Job | None:
    job = study.ask()
    if job is not None:
        train(study, job, curve)
    return job


def test_a_trial_that_diverged_never_goes_on() -> None:
    def broken(params: dict[str, Any], resource: float) -> float:
        return math.nan if params["late"] < 0.5 and resource >= 2 else falling(params, resource)

    study = searched(300, broken)
    failed = [t for t in study.trials if t.state == FAILED]
    assert failed
    assert all(t.resource == 2 for t in failed)
    assert study.best is not None
    assert study.best.params["late"] >= 0.5


def test_a_trial_that_explodes_waits_while_sound_ones_can_go_on() -> None:
    def exploding(params: dict[str, Any], resource: float) -> float:
        return 10.0 ** (6 * resource) if params["late"] < 0.5 else falling(params, resource)

    study = searched(400, exploding)
    assert max(t.resource for t in study.trials if t.params["late"] < 0.5) <= 5
    assert max(t.resource for t in study.trials) > 20


def test_where_everything_diverges_it_goes_on_looking() -> None:
    study = searched(60, lambda params, resource: math.nan)
    assert len(study.trials) == 60
    assert study.best is None


def test_values_that_are_all_equal_or_all_noise_do_no_harm() -> None:
    noise = np.random.default_rng(1)
    assert searched(200, lambda params, resource: 1.0).best is not None
    assert searched(200, lambda params, resource: float(noise.normal())).best is not None


def test_a_list_of_candidates_is_trained_out_when_nothing_else_is_left() -> None:
    study = searched(10**6, space=Space.of_candidates(CANDIDATES[:15]), max_resource=9)
    assert [t.state for t in study.trials] == ["finished"] * 15
    assert study.ask() is None


def test_without_points_on_the_way_it_learns_from_parameters_alone() -> None:
    study = searched(40, max_resource=1)
    assert len(study.trials) == 40
    late = [end_of(dict(t.params)) for t in study.trials[20:]]
    assert np.median(late) < np.median([end_of(c) for c in CANDIDATES]) / 2


@pytest.mark.parametrize("most", [2, 7, 1000, 0.5, 333.3])
def test_stops_rise_to_the_end_of_the_way(most: float) -> None:
    found = stops(most)
    assert found[-1] == most
    assert found[0] > 0
    assert all(a < b for a, b in itertools.pairwise(found))
    assert all(s == int(s) for s in found) or most != int(most)


def test_a_way_in_seconds_is_searched_as_one_in_epochs_is() -> None:
    def slow(params: dict[str, Any], resource: float) -> float:
        return falling(params, resource / 3.3)

    study = Study(Space.of_candidates(CANDIDATES), max_resource=164.9)
    for _ in range(150):
        job = study.ask()
        assert job is not None
        study.tell(job.trial, job.stop, slow(dict(job.params), job.stop))
        study.finish(job.trial)
    assert chosen_end(study) < np.median([end_of(c) for c in CANDIDATES]) / 2


def test_higher_is_better_where_that_was_said() -> None:
    low = searched(200)
    high = searched(200, lambda params, resource: -falling(params, resource), direction="maximize")
    assert [t.params for t in low.trials] == [t.params for t in high.trials]
    assert [t.points for t in low.trials] == [tuple((r, -v) for r, v in t.points) for t in high.trials]


def test_the_seed_decides_and_nothing_else() -> None:
    again, one, other = searched(200), searched(200), searched(200, seed=1)
    assert again.trials == one.trials
    assert [t.params for t in one.trials] != [t.params for t in other.trials]


def test_a_policy_that_knows_nothing_of_earlier_questions_gives_the_same_answer() -> None:
    study = searched(150)
    for _ in range(5):
        fresh = LookAhead()
        asked = fresh.next(study.view)
        job = study.ask()
        assert job is not None
        assert isinstance(asked, Go | New)
        assert asked.stop == job.stop
        train(study, job, falling)


def test_a_space_of_ranges_is_searched_where_it_is_promising() -> None:
    space = Space({"x": Float(0.0, 1.0), "y": Float(1e-3, 1.0), "n": Int(1, 5)})
    study = searched(400, space=space)
    assert chosen_end(study) < 0.01
    late = [end_of(dict(t.params)) for t in study.trials[-10:]]
    assert np.mean(late) < 0.1


def test_of_equally_good_trials_the_cheap_ones_are_preferred() -> None:
    def price(params: dict[str, Any]) -> float:
        return 10.0 if params["late"] < 0.5 else 1.0

    study = Study(Space.of_candidates(CANDIDATES), max_resource=50)
    while study.view.points < 300 and (job := study.ask()) is not None:
        for resource in range(int(job.start) + 1, int(job.stop) + 1):
            study.tell(job.trial, resource, falling(dict(job.params), resource), cost=price(dict(job.params)))
        study.finish(job.trial)
    cheap = sum(price(dict(t.params)) == 1.0 for t in study.trials[12:])
    assert cheap > 0.6 * len(study.trials[12:])


def test_a_value_before_training_is_told_without_harm() -> None:
    study = Study(Space.of_candidates(CANDIDATES))
    for _ in range(40):
        job = study.ask()
        assert job is not None
        if job.start == 0:
            study.tell(job.trial, 0, 2.0, cost=0.0)
        train(study, job, falling)
    assert study.best is not None


def test_workers_at_the_same_time_get_different_jobs() -> None:
    study = searched(100)
    jobs = [study.ask() for _ in range(16)]
    assert len({job.trial for job in jobs if job}) == 16
    for job in jobs:
        assert job is not None
        train(study, job, falling)


def test_plans_are_made_at_every_point_first_and_seldom_later() -> None:
    assert [checkpoint(n) for n in range(60)] == list(range(60))
    assert len({checkpoint(n) for n in range(5000)}) < 450


def test_a_decision_among_a_thousand_trials_takes_milliseconds() -> None:
    """Measured 10 ms of processor time on average beside other programs; the bound leaves room for slower machines."""
    rows = [{"x": float(x), "y": float(y), "late": 1.0} for x, y in RANDOM.random((1000, 2))]
    began = time.process_time()
    study = searched(1500, space=Space.of_candidates(rows))
    jobs = sum(len(t.points) for t in study.trials) / 2
    assert (time.process_time() - began) / jobs < 0.1
