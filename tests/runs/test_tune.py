"""The search of a run: what is trained how far, what is compared, and what a restart remembers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors.torch import load_file
from setups import same_bits
from tiny_search import TINY, lay_out, some_trials

import whet
from whet import afresh, hunt, improve, prior, tune
from whet.fields import field
from whet.hunt import Way
from whet.in_time import InTime
from whet.recipe import Recipe
from whet.record import Step
from whet.runners.job import Outcome
from whet.search import Float, Space
from whet.search.first import Candidate
from whet.search.policy import Go, Move, New, Stop
from whet.search.study import Study
from whet.search.view import StudyView
from whet.tune import crossings


class Killed(BaseException):
    pass


def raising(error: type[BaseException]) -> Callable[..., None]:
    def kill(*_: object) -> None:
        raise error

    return kill


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table's first recipe that is trained in a moment, and one change of it."""
    monkeypatch.setattr(afresh, "FROM", float("inf"))
    lay_out(monkeypatch, "longer", "steps", 48, passes=Float(0.5, 2))


def test_a_run_tries_what_is_near_its_first_recipe(tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some_trials(monkeypatch, 3)
    result = whet.fit("iris", budget=60, out=tmp_path)
    assert result.details["trials"] == 3
    assert (tmp_path / "trials" / "trial-2" / "record.jsonl").exists()


def test_a_restart_keeps_the_winner_that_was_found_before(
    tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_trials(monkeypatch, 2)
    monkeypatch.setattr(hunt, "clearly_better", lambda new, old, tries: True)
    with monkeypatch.context() as dying:
        dying.setattr(improve, "conclude", raising(Killed))
        with pytest.raises(Killed):
            whet.fit("iris", budget=60, out=tmp_path)
    before = load_file(tmp_path / "model.safetensors")
    monkeypatch.setattr(hunt, "clearly_better", lambda new, old, tries: pytest.fail("it was decided already"))
    result = whet.fit("iris", budget=60, out=tmp_path)
    assert result.details["winner"] == "trial-1"
    assert result.details["why"].startswith("longer: ")
    assert same_bits(load_file(tmp_path / "model.safetensors"), before)


def test_a_restart_goes_on_with_the_trials_that_were_begun(
    tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_trials(monkeypatch, 3)
    with monkeypatch.context() as dying:
        dying.setattr(tune, "settle", raising(Killed))
        with pytest.raises(Killed):
            whet.fit("iris", budget=60, out=tmp_path)
    before = (tmp_path / "study.jsonl").read_text()
    result = whet.fit("iris", budget=60, out=tmp_path)
    after = (tmp_path / "study.jsonl").read_text()
    assert after.startswith(before)
    assert after.count('"event": "new"') == 3, "a trial was begun twice"
    assert result.details["trials"] == 3
    kept = [p.parent.name for p in tmp_path.glob("trials/*/checkpoint-*")]
    assert {*kept} - {"again-0"} == {result.details["winner"]}, "what is not needed any more takes space"


def test_hurried_trials_are_tried_and_the_best_of_them_is_trained_in_full(
    tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_trials(monkeypatch, 2)
    own = field("table")
    monkeypatch.setattr(own, "hurried", lambda recipe: recipe.put("steps", recipe.steps // 2))
    monkeypatch.setattr(own, "unhurried", lambda recipe: recipe.put("steps", recipe.steps * 2))
    monkeypatch.setattr(
        own, "neighbours", lambda recipe, *_: iter([Candidate("f", recipe.put("optimizer.lr", 0.02), "faster")])
    )
    monkeypatch.setattr(hunt, "clearly_better", lambda new, old, tries: new.rows is not None)
    result = whet.fit("diabetes", budget=60, out=tmp_path)
    steps = {p.parent.name: Recipe.from_toml(p.read_text()).steps for p in tmp_path.glob("trials/*/recipe.toml")}
    assert steps == {"plain": 24, "hurried": 12, "trial-1": 12, "whole": 24}
    assert result.details["winner"] == "whole"
    assert result.recipe.steps == 24


@pytest.mark.parametrize(("hurried", "name", "seconds", "cheaper"), [
    (False, "trial-1", 7.9, True),
    (False, "trial-1", 8.1, False),
    (True, "trial-1", 1.0, False),
    (True, "whole", 7.9, True),
])  # fmt: skip
def test_a_trial_is_cheaper_by_its_time_but_not_by_being_hurried(
    hurried: bool, name: str, seconds: float, cheaper: bool
) -> None:
    def trial(name: str, seconds: float) -> SimpleNamespace:
        return SimpleNamespace(name=name, whole_seconds=seconds)

    hunting = SimpleNamespace(hurried=hurried)
    assert hunt.is_cheaper(hunting, trial(name, seconds), trial("first", 10.0)) is cheaper  # type: ignore[arg-type]


def test_a_tie_goes_to_the_cheaper_recipe(tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some_trials(monkeypatch, 2)
    monkeypatch.setattr(hunt, "clearly_better", lambda new, old, tries: False)
    monkeypatch.setattr(hunt, "level", lambda new, old: True)
    kept = whet.fit("iris", budget=60, out=tmp_path / "as dear")
    assert kept.details["winner"] == "plain"
    monkeypatch.setattr(hunt, "is_cheaper", lambda *_: True)
    result = whet.fit("iris", budget=60, out=tmp_path / "cheaper")
    assert result.details["winner"] == "trial-1"
    assert "replaced by trial-1" in (tmp_path / "cheaper" / "journal.jsonl").read_text()


def test_no_search_where_nobody_knows_of_a_change(tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field("table"), "neighbours", lambda *_: iter(()))
    monkeypatch.setattr(prior, "hints", lambda *_: ())
    assert whet.fit("iris", budget=60, out=tmp_path).details["trials"] == 1
    assert not (tmp_path / "study.jsonl").exists()


def test_a_space_of_ones_own_is_searched_all_the_same(
    tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_trials(monkeypatch, 3)
    result = whet.fit("iris", budget=60, space=["activation=relu,gelu,mish"], out=tmp_path)
    tried = [Recipe.from_toml(p.read_text()).activation.name for p in tmp_path.glob("trials/*/recipe.toml")]
    assert sorted(tried) == ["gelu", "mish", "relu"]
    assert result.details["trials"] == 3


def test_no_search_where_the_steps_are_fixed(tiny: None, tmp_path: Path) -> None:
    assert whet.fit("iris", steps=12, out=tmp_path).details["trials"] == 1
    assert not (tmp_path / "study.jsonl").exists()


# -- the points of a trial -----------------------------------------------------------------------------------------


def outcome(*points: tuple[float, float | None], over: bool = False) -> Outcome:
    """An outcome whose validations lie at these (progress, value)."""
    steps = [Step(round(100 * p), p, 10 * p, p, {} if v is None else {"val/rmse": v}) for p, v in points]
    return Outcome("one", points=tuple(steps), over=over)


def test_a_point_is_the_first_validation_behind_it_and_the_best_until_then() -> None:
    found = crossings(outcome((0.1, 5.0), (0.25, 4.0), (0.4, 2.0), (0.5, 3.0), (0.7, 1.0)), "val/rmse", min)
    assert found == {1: (4.0, 2.5), 2: (2.0, 5.0)}


def test_one_that_stopped_early_is_at_its_end() -> None:
    found = crossings(outcome((0.25, 4.0), (0.3, 5.0), over=True), "val/rmse", min)
    assert found == {1: (4.0, 2.5), **dict.fromkeys((2, 3, 4), (4.0, 3.0))}


def test_one_that_is_done_ends_with_the_value_of_the_weights_it_keeps() -> None:
    done = replace(outcome((0.25, 4.0), (1.0, 5.0), over=True), kept={"val/rmse": 5.0})
    found = crossings(done, "val/rmse", min)
    assert [value for value, _ in found.values()] == [4.0, 5.0, 5.0, 5.0]


def test_a_point_without_a_value_is_no_number() -> None:
    ((value, _),) = crossings(outcome((0.26, None)), "val/rmse", min).values()
    assert math.isnan(value)


@pytest.mark.parametrize("point", [1, 2, 4])
def test_a_trial_pauses_where_the_point_is(point: int) -> None:
    assert Way().part(TINY, point).steps == 6 * point
    assert Way().end(TINY).steps == 24
    assert Way(8.0).part(TINY, point).seconds == 2.0 * point
    assert not Way(8.0).end(TINY).over(24, 0.0)


# -- what there is time for ----------------------------------------------------------------------------------------


class Asks:
    """A policy that always wants this."""

    def __init__(self, move: Move | None) -> None:
        self.move = move

    def next(self, view: StudyView) -> Move | None:
        return self.move


def studied(left: float, wants: Move | None) -> Study:
    """A study with one whole trial of 8 s and two paused ones, the second of which is better."""
    hunt: Any = SimpleNamespace(left=1e9)
    asks = Asks(New(4))
    study = Study(Space({"x": Float(0.0, 1.0)}), max_resource=4, policy=InTime(hunt, asks))
    for points, value in ((4, 3.0), (2, 2.0), (2, 1.0)):
        job = study.ask()
        assert job is not None
        for point in range(1, points + 1):
            study.tell(job.trial, point, value, cost=2.0)
        study.finish(job.trial)
    hunt.left, asks.move = left, wants
    return study


def asked(study: Study) -> tuple[int, float]:
    """The next job's trial and stop."""
    job = study.ask()
    assert job is not None
    return job.trial, job.stop


def test_nothing_is_begun_that_there_is_no_time_to_end() -> None:
    assert asked(studied(10.0, New(2)))[0] == 3
    assert asked(studied(7.0, New(2))) == (2, 4), "the best paused one has time for its end"
    assert studied(3.0, New(2)).ask() is None
    assert studied(3.0, Go(1, 3)).ask() is None


def test_what_the_policy_gives_up_is_given_up() -> None:
    hunt: Any = SimpleNamespace(left=0.0)
    view: Any = SimpleNamespace(paused={1}, trials=[], max_resource=4)
    assert InTime(hunt, Asks(Stop(1))).next(view) == Stop(1)


def test_the_first_recipe_is_trained_whole_first() -> None:
    hunt: Any = SimpleNamespace(left=1e9)
    study = Study(Space({"x": Float(0.0, 1.0)}), max_resource=4, policy=InTime(hunt, Asks(New(1))))
    job = study.ask()
    assert job is not None
    study.tell(job.trial, 1, 1.0, cost=1.0)
    study.finish(job.trial)
    assert asked(study) == (0, 4)
