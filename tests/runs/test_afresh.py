"""The best two once more: fresh seeds decide, and what the winner reaches with one is the corrected value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_search import lay_out, some_trials

import whet
from whet import afresh, hunt
from whet.fields import field
from whet.record import read
from whet.search.score import Score


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(monkeypatch, "other", "optimizer.lr", 0.02)
    some_trials(monkeypatch, 2)
    monkeypatch.setattr(afresh, "FROM", 0.0)


def test_the_corrected_value_is_the_winners_from_a_fresh_seed(two: None, tmp_path: Path) -> None:
    result = whet.fit("diabetes", budget=60, out=tmp_path)
    winner = result.details["winner"]
    fresh = read(tmp_path / "trials" / f"{winner}-again" / "record.jsonl")
    assert fresh.seed == 1
    assert result.details["validation_corrected"] == min(v for _, v in fresh.curve("val/rmse"))
    assert result.details["validation_corrected"] != result.details["validation"]
    assert (tmp_path / "trials" / "plain-again").exists()
    assert (tmp_path / "trials" / "trial-1-again").exists()


def test_two_seeds_can_turn_the_winner(two: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunt, "clearly_better", lambda new, old, tries: False)
    monkeypatch.setattr(afresh, "clearly_better", lambda new, old, tries: True)
    result = whet.fit("diabetes", budget=60, out=tmp_path)
    assert result.details["winner"] != "plain"
    assert "from a fresh seed" in result.details["why"]
    assert result.recipe["optimizer.lr"] == 0.02


def test_two_are_measured_again_where_a_hurried_trial_beat_the_first_recipe_and_the_whole_one(
    two: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = field("table")
    monkeypatch.setattr(own, "hurried", lambda recipe: recipe.put("steps", recipe.steps // 2))
    monkeypatch.setattr(own, "unhurried", lambda recipe: recipe.put("steps", recipe.steps * 2))
    monkeypatch.setattr(hunt, "clearly_better", lambda new, old, tries: tries == 1)  # hurried wins, whole doesn't
    monkeypatch.setattr(afresh, "clearly_better", lambda new, old, tries: False)
    result = whet.fit("diabetes", budget=60, out=tmp_path)
    assert result.details["winner"] == "hurried"
    assert sorted(path.name for path in (tmp_path / "trials").glob("*-again")) == ["hurried-again", "whole-again"]


def test_what_time_is_left_trains_the_winner_from_another_seed(
    two: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(afresh, "worth_it", lambda left, whole: True)
    result = whet.fit("diabetes", budget=12, out=tmp_path)
    assert read(tmp_path / "trials" / "last" / "record.jsonl").seed == 2
    assert result.seconds > 10, "the time that was left is used"


@pytest.mark.parametrize(("left", "worth"), [(0.9, False), (1.1, True), (10.9, True), (20.0, False)])
def test_what_is_left_is_less_than_a_training_and_enough_to_begin_one(left: float, worth: bool) -> None:
    assert afresh.worth_it(left, whole=10.0) is worth


@pytest.mark.parametrize(("seconds", "kept"), [(7.9, 0.0), (8.0, 2 * afresh.MARGIN)])
def test_time_is_kept_for_it_where_there_is_enough(seconds: float, kept: float) -> None:
    assert afresh.reserve(seconds, whole=1.0) == kept


def test_seeds_count_together_row_by_row() -> None:
    found = afresh.together([Score(1.0, np.array([0.0, 2.0])), Score(3.0, np.array([4.0, 2.0]))])
    assert found.value == 2.0
    assert found.rows is not None
    assert found.rows.tolist() == [2.0, 2.0]
