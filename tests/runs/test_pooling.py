"""The ensemble at the end of a run: chosen on validation rows, delivered as one network, only where it is allowed and pays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_search import lay_out, some_trials
from torch import Tensor

import whet
from whet import afresh, pooling
from whet.exporting import export
from whet.families.ensemble import members_of
from whet.network import Network
from whet.pooling import Voice, selected
from whet.recipe import Recipe
from whet.search.score import Score
from whet.tasks.goals import mean_values


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afresh, "FROM", float("inf"))
    lay_out(monkeypatch, "faster", "optimizer.lr", 0.02)
    some_trials(monkeypatch, 2)
    monkeypatch.setattr(pooling, "GLANCE", 1.0)


def sure(which: bool) -> Callable[..., bool]:
    return lambda new, old, tries=1: which


def test_an_ensemble_is_delivered_as_one_network(two: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "selected", lambda voices, *_: {v.name: 0.5 for v in voices})
    monkeypatch.setattr(pooling, "clearly_better", sure(True))
    result = whet.fit("diabetes", budget=60, out=tmp_path, ensemble=True)
    assert result.details["ensemble"] == {"plain": 0.5, "trial-1": 0.5}
    assert result.recipe.family.name == "tabular"
    network = Network.load(tmp_path)
    assert len(members_of(network.recipe)) == 2
    said = whet.predict(tmp_path, "diabetes").values
    assert np.isfinite(said).all()
    assert Recipe.from_toml((tmp_path / "recipe.toml").read_text()) == result.recipe, (
        "a recipe that can be trained again"
    )
    assert export(tmp_path).exists()


def test_an_ensemble_is_not_delivered_unless_it_is_clearly_better(
    two: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(pooling, "selected", lambda voices, *_: {v.name: 0.5 for v in voices})
    monkeypatch.setattr(pooling, "clearly_better", sure(False))
    result = whet.fit("diabetes", budget=60, out=tmp_path, ensemble=True, show=True)
    assert "No ensemble: 2 networks together, " in capsys.readouterr().out
    assert "ensemble" not in result.details
    assert len(members_of(Network.load(tmp_path).recipe)) == 1


def test_an_ensemble_that_is_not_allowed_is_offered(
    two: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(pooling, "selected", lambda voices, *_: {v.name: 0.5 for v in voices})
    monkeypatch.setattr(pooling, "clearly_better", sure(True))
    whet.fit("diabetes", budget=60, out=tmp_path, show=True)
    assert "Allow it with --ensemble." in capsys.readouterr().out.replace("\n", " ")
    assert len(members_of(Network.load(tmp_path).recipe)) == 1


# -- selection -----------------------------------------------------------------------------------------------------


def voices(**said: list[float]) -> list[Voice]:
    return [Voice(name, Recipe(), {}, torch.tensor(values)) for name, values in said.items()]


def squared(said: Tensor) -> tuple[Score, tuple[float, float]]:
    """The mean square: the best answer is zero everywhere."""
    value = float((said**2).mean())
    return Score(value, (said**2).numpy()), (value, value)


def test_networks_that_err_on_opposite_sides_are_pooled_by_their_size() -> None:
    shares = selected(voices(low=[-1.0, -1.0], high=[2.0, 2.0]), squared, mean_values)
    assert shares["low"] == pytest.approx(2 / 3, abs=0.05)
    assert sum(shares.values()) == pytest.approx(1.0)


def test_a_network_that_no_other_one_helps_stays_alone() -> None:
    assert selected(voices(best=[0.1, 0.1], worse=[0.5, 0.5]), squared, mean_values) == {"best": 1.0}


def test_the_ensemble_is_never_worse_than_its_best_member_where_it_is_chosen() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        some = voices(**{f"n{i}": list(random.standard_normal(30)) for i in range(5)})
        shares = selected(some, squared, mean_values)
        together = squared(pooling.said_by(some, shares, mean_values))[1]
        assert together <= min(squared(v.said)[1] for v in some)
