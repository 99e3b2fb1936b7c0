"""Proposers: each is a function of what is known; each finds the valley; Optuna's are told what whet knows."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import optuna
import pytest
from policies import Full

from whet.errors import MissingExtra
from whet.search import Categorical, Float, Int, Space, Study, samplers
from whet.search.policy import Go, Move, New
from whet.search.proposers import Local, Random, makers_of
from whet.search.view import StudyView

SPACE = Space(
    {
        "lr": Float(1e-5, 1.0, log=True),
        "optimizer": ["sgd", "adamw", ("muon", 2)],
        "momentum": Float(0.5, 0.999, to_one=True, when={"optimizer": "sgd"}),
        "depth": Int(1, 6),
        "warm": [True, None],
    }
)
SMOOTH = Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0), "z": Float(0.0, 1.0)})
NAMES = sorted(makers_of())


def valley(params: Any) -> float:
    return sum((v - c) ** 2 for v, c in zip(params.values(), (0.7, 0.2, 0.4), strict=True))


def rough(params: Any) -> float:
    """Diverges for large learning rates."""
    if params["lr"] > 0.3:
        return math.nan
    base = (math.log10(params["lr"]) + 3) ** 2 + 0.2 * abs(params["depth"] - 4)
    return base + {"sgd": 3 * (1 - params.get("momentum", 0)), "adamw": 0.5}.get(params["optimizer"], 1.0)


def search(space: Space, objective: Any, trials: int, **options: Any) -> Study:
    study = Study(space, max_resource=2, policy=Full(), **options)
    for _ in range(trials):
        job = study.ask()
        if job is None:
            break
        study.tell(job.trial, 1, 5.0)
        study.tell(job.trial, 2, objective(job.params))
        study.finish(job.trial)
    return study


@pytest.mark.parametrize("name", NAMES)
def test_a_proposer_chooses_what_the_space_allows_and_the_same_again_after_the_same(name: str) -> None:
    one, two = (search(SPACE, rough, 14, seed=5, proposer=name) for _ in range(2))
    assert [t.params for t in one.trials] == [t.params for t in two.trials]
    assert all(SPACE.check(t.params) == t.params for t in one.trials)
    assert any(t.state == "failed" for t in one.trials) or all(t.params["lr"] <= 0.3 for t in one.trials)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "random"])
def test_a_proposer_that_learns_beats_random_draws_in_a_valley(name: str) -> None:
    seeds, trials = (range(1), 22) if name in ("gp", "auto") else (range(6), 60)

    def median(name: str) -> float:
        return float(np.median([search(SMOOTH, valley, trials, seed=s, proposer=name).best.value for s in seeds]))

    assert median(name) < median("random") / 2


@pytest.mark.parametrize("name", NAMES)
def test_a_list_of_candidates_is_searched_and_none_is_tried_twice(name: str) -> None:
    random = np.random.default_rng(0)
    rows = [{"x": float(x), "y": float(y), "z": float(z)} for x, y, z in random.random((40, 3))]
    study = search(Space.of_candidates(rows), valley, 12, proposer=name)
    assert len({t.params["x"] for t in study.trials}) == 12
    assert all(t.params in rows for t in study.trials)


def test_several_jobs_at_once_are_different_ones() -> None:
    study = Study(SMOOTH, proposer="tpe")
    params = [tuple(study.ask().params.values()) for _ in range(15)]
    assert len(set(params)) == 15


def test_local_edits_stay_near_the_best() -> None:
    def far(proposer: Any) -> float:
        study = search(SMOOTH, valley, 60, proposer=proposer)
        return float(np.mean([valley(t.params) for t in study.trials[40:]]))

    assert far(Local()) < far(Random()) / 2


def test_a_proposer_of_ones_own_is_one_method() -> None:
    class Corner:
        def propose(self, view: StudyView, random: np.random.Generator) -> dict[str, Any]:
            return {"x": 0.0, "y": 0.0, "z": float(random.random())}

    study = search(SMOOTH, valley, 5, proposer=Corner())
    assert {t.params["x"] for t in study.trials} == {0.0}
    assert len({t.params["z"] for t in study.trials}) == 5


# -- Optuna ------------------------------------------------------------------------------------------------------------


def test_optuna_sees_finished_paused_running_and_failed_trials() -> None:
    class Mixed:
        def next(self, view: StudyView) -> Move | None:
            return Go(0, 10) if 0 in view.paused and len(view.trials) > 3 else New(5)

    study = Study(SPACE, max_resource=10, direction="maximize", policy=Mixed())
    for values in ([0.1, 0.2], [0.3], [math.nan], [0.4, 0.5]):
        job = study.ask()
        for r, v in enumerate(values, 1):
            study.tell(job.trial, r, v)
        if len(values) != 1 or math.isnan(values[0]):
            study.finish(job.trial)
    job = study.ask()
    study.tell(job.trial, 10, 0.9, symptoms=["slow"])
    study.finish(job.trial)
    shown = study.to_optuna()
    states = [t.state.name for t in shown.trials]
    assert states == ["COMPLETE", "RUNNING", "FAIL", "PRUNED"]
    assert shown.direction.name == "MAXIMIZE"
    assert shown.best_value == 0.9
    assert shown.trials[0].intermediate_values == {1: 0.1, 2: 0.2, 10: 0.9}
    assert shown.trials[0].user_attrs == {"symptoms": "slow"}
    assert "diverged" in shown.trials[2].user_attrs["error"]
    for mine, theirs in zip(study.trials, shown.trials, strict=True):
        assert theirs.params["lr"] == mine.params["lr"]
        assert theirs.params["optimizer"] == (str(o) if isinstance(o := mine.params["optimizer"], tuple) else o)


def test_a_storage_can_be_opened_by_the_dashboard(tmp_path: Any) -> None:
    study = search(SPACE, rough, 5)
    url = f"sqlite:///{tmp_path}/study.db"
    study.to_optuna(url, name="mine")
    again = optuna.load_study(study_name="mine", storage=url)
    assert len(again.trials) == 5


@pytest.mark.parametrize(
    "parameter", [Float(0.9, 0.999, to_one=True), Float(1e-7, 3.0, log=True), Int(1, 900, log=True)]
)
def test_a_number_goes_to_optuna_and_back(parameter: Any) -> None:
    space = Space({"p": parameter})
    for proposer in ("tpe", "gp"):
        with warnings.catch_warnings():
            study = search(space, lambda params: params["p"], 13, proposer=proposer)
        assert all(parameter.low <= t.params["p"] <= parameter.high for t in study.trials)


def test_diverged_trials_keep_the_samplers_away() -> None:
    cliff = Space({"x": Float(0.0, 1.0)})
    for name in ("tpe", "gp", "cmaes"):
        study = search(cliff, lambda p: math.nan if p["x"] > 0.5 else (p["x"] - 0.2) ** 2, 40, proposer=name)
        later = [t.state == "failed" for t in study.trials[20:]]
        assert np.mean(later) < 0.4, name


def test_the_automatic_choice_leaves_the_gaussian_process_when_parameters_depend_on_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    real = samplers.sampler_of
    monkeypatch.setattr(samplers, "sampler_of", lambda name, *rest: seen.append(name) or real(name, *rest))
    search(SMOOTH, valley, 2, proposer="auto")
    search(SPACE, rough, 2, proposer="auto")
    assert seen == ["gp", "gp", "tpe", "tpe"]


def test_an_absent_package_is_answered_with_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for package, name in (("optuna", "tpe"), ("cmaes", "cmaes")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingExtra, match=r"pip install 'whet\[search\]'"):
            Study(SPACE, proposer=name)


def test_the_search_needs_neither_torch_nor_optuna_nor_scipy() -> None:
    code = """
import sys
from whet.search import Float, Space, Study, run
def objective(params, start, stop, report):
    report(stop, params["x"])
run(Study(Space({"x": Float(0.0, 1.0)})), objective, trials=15)
sys.exit(any(name in sys.modules for name in ("torch", "optuna", "cmaes", "scipy", "pandas", "sklearn")))
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_weights_are_kept_to_by_random_draws() -> None:
    study = search(
        Space({"a": Categorical(["x", "y"], weights=[9, 1]), "b": Float(0, 1)}), lambda p: 0.0, 60, proposer="random"
    )
    assert sum(t.params["a"] == "x" for t in study.trials) > 40
