"""The budget: used, kept, and spent on training."""

import time
from pathlib import Path

import pytest
import torch

import whet


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_after_a_race_the_winner_gets_all_the_time_that_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whet.search.first.RACE_FROM", 0.0)
    began = time.monotonic()
    result = whet.fit("digits", budget=12, out=tmp_path / "run")
    assert time.monotonic() - began < 15
    assert result.details["trials"] > 1, "there was no race"
    assert result.details["training_share"] > 0.5
    assert result.details["steps"] > 50


def test_a_table_that_is_done_early_goes_on_with_neighbours_of_its_recipe(tmp_path: Path) -> None:
    result = whet.fit("iris", budget=9, out=tmp_path / "run")
    assert result.details["trials"] > 1
    assert result.details["training_share"] > 0.4
    assert result.seconds < 12


def test_more_time_after_the_recipe_is_done_keeps_what_it_found(tmp_path: Path) -> None:
    result = whet.fit("iris", budget=8, out=tmp_path / "run")
    again = whet.fit("iris", budget=8, out=tmp_path / "run")
    assert again.details == result.details
