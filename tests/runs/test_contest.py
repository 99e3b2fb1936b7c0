"""The contest between recipes: who is compared, who is delivered, and what a restart remembers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from setups import SMALL, images, prepared_of, task_of

import whet
from whet import contest, improve
from whet.exporting import export
from whet.network import Network
from whet.recipe import Choice, Recipe
from whet.runners.trial import Trial, open_trial
from whet.search.first import Candidate, neighbours
from whet.search.race import Score
from whet.train.horizon import Horizon
from whet.train.loop import Best
from whet.train.plan import Plan


def trial(folder: Path) -> Trial:
    data = images()
    return open_trial("one", SMALL, task_of(data), prepared_of(data), 0, Plan(), folder)


def test_what_is_compared_is_what_would_be_delivered(tmp_path: Path) -> None:
    one = trial(tmp_path)
    one.advance(Horizon(steps=60))
    training = one.training
    assert training.best is not None
    assert training.best_weights is not None
    good = one.best_score
    training.best = Best(0.99, 1, {"accuracy": 0.99, "loss": 0.0})
    spoilt = {k: torch.zeros_like(v) for k, v in training.best_weights.items()}
    training.best_weights = spoilt
    rows = one.best_score.rows
    assert rows is not None
    assert good.rows is not None
    assert one.best_score.value == 0.99
    assert rows.mean() > good.rows.mean(), "the rows are not those of the best weights"
    assert all(torch.equal(a, b) for a, b in zip(one.training.parts.model.state_dict().values(), own(one), strict=True))


def own(one: Trial) -> list[torch.Tensor]:
    return [v.clone() for v in one.training.parts.model.state_dict().values()]


def test_every_neighbour_is_another_recipe() -> None:
    recipe = SMALL.put("family", Choice("tabular", width=256, depth=2, dropout=0.2)).put("steps", 100)
    found = [c.recipe.hash for c, _ in zip(neighbours(recipe, seed=0), range(25), strict=False)]
    assert len(set(found)) == len(found)
    assert recipe.hash not in found


class Killed(BaseException):
    pass


def test_a_restart_keeps_the_winner_that_was_found_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    small = Choice("tabular", width=8, depth=1, members=2, bins=4)
    better = Recipe(family=small, norm=Choice("none"), batch_size=32, steps=25, optimizer=Choice("adamw", lr=0.01))
    monkeypatch.setattr(improve, "portfolio", lambda facts: [Candidate("plain", better.put("steps", 12), "plain")])
    monkeypatch.setattr(contest, "neighbours", lambda *_: iter([Candidate("longer", better, "longer")]))
    monkeypatch.setattr(contest, "clearly_better", lambda new, old, tries: True)

    def kill(outcome: object) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(improve, "conclude", kill)
        with pytest.raises(Killed):
            whet.fit("iris", budget=40, out=tmp_path / "run")
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    monkeypatch.setattr(contest, "AGAIN", 1e9)  # no time for another neighbour
    result = whet.fit("iris", budget=40, out=tmp_path / "run")
    assert result.details["winner"] == "longer"
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before


def test_an_exported_network_that_was_trained_on_mirror_images_says_what_predict_says(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    x, y = random.integers(0, 255, (60, 12, 12, 3), dtype=np.uint8), np.arange(60) % 2
    recipe = SMALL.put("augment", (Choice("flip"),)).put("batch_size", 8)
    whet.fit((x, y), recipe=recipe, steps=6, out=tmp_path / "run")
    import onnxruntime

    session = onnxruntime.InferenceSession(str(export(tmp_path / "run")), providers=["CPUExecutionProvider"])
    network = Network.load(tmp_path / "run")
    network.plan = Plan()
    np.testing.assert_allclose(session.run(None, {"image": x})[0], network.predict(x), atol=1e-4)
    assert Score(1.0).rows is None
