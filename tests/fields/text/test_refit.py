"""Training once more on all rows, after validation has chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sentences
import torch
from safetensors.torch import load_file

import whet
from whet import fields, improve, refit, tune
from whet.build import build
from whet.delivery import Delivery
from whet.errors import Diverged
from whet.fields.text import TextField
from whet.recipe import Choice, Recipe
from whet.run import Run
from whet.runners.trial import Trial
from whet.search.first import Candidate
from whet.train import checkpoint
from whet.train.horizon import Horizon
from whet.train.loop import Training, advance

SMALL = Recipe(
    family=Choice("text_mix", hidden=8, bags=1, width=8, filters=8, members=1),
    activation=Choice("relu"),
    norm=Choice("none"),
    optimizer=Choice("adamw", lr=1e-2),
    schedule=Choice("linear"),
    augment=(Choice("word_dropout", tokens=0.1, grams=0.2),),
    batch_size=16,
    steps=12,
)
BUDGET = "60s"
"""The training of a few steps ends long before."""


@pytest.fixture(autouse=True)
def one_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """One short training and no search."""
    monkeypatch.setattr(TextField, "recipes", lambda self, facts: [Candidate("small", SMALL, "small")])
    monkeypatch.setattr(TextField, "baselines", lambda self, wanted: [])
    monkeypatch.setattr(tune, "wanted", lambda run: False)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The runs that came to the end."""
    found: list[Run] = []

    def keep(run: Run) -> None:
        found.append(run)

    monkeypatch.setattr(improve, "STEPS", (*improve.STEPS[:-1], keep, improve.STEPS[-1]))
    return found


def fit(out: Path, **more: object) -> whet.Result:
    return whet.fit(sentences.texts(120), out=out, **{"budget": BUDGET, **more})


def findings(out: Path) -> list[str]:
    return [f["name"] for f in json.loads((out / "result.json").read_text())["findings"]]


def delivered(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_what_is_delivered_has_seen_the_validation_rows_too(tmp_path: Path, runs: list[Run]) -> None:
    fit(tmp_path / "run")
    (run,) = runs
    data = refit.on_all_rows(run.prepared)
    assert data.n_train == len(run.parts["train"]) + len(run.parts["val"])
    parts = build(SMALL, run.task, data, 0, run.plan)  # by hand
    training = Training(parts, Horizon(round(12 * data.n_train // 16 / (run.prepared.n_train // 16))), 0)
    advance(training)
    assert same(delivered(tmp_path / "run"), training.parts.model.state_dict())
    assert "trained-again" in findings(tmp_path / "run")
    assert not checkpoint.checkpoints(tmp_path / "run" / "trials" / "again-0"), "nothing goes on from there"


def test_validation_figures_stay_those_of_a_training_that_had_not_seen_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = fit(tmp_path / "again")
    monkeypatch.setattr(TextField, "refits", False)
    before = fit(tmp_path / "before")
    assert again.details["validation"] == before.details["validation"]
    assert "trained-again" not in findings(tmp_path / "before")
    assert not same(delivered(tmp_path / "again"), delivered(tmp_path / "before"))


def test_a_training_that_is_interrupted_goes_on_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(tmp_path / "straight")

    def interrupted(training: Training) -> None:
        advance(training, 1e-9)  # a step, and a checkpoint
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(refit, "advance", interrupted)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                fit(tmp_path / "cut")
    fit(tmp_path / "cut")
    assert same(delivered(tmp_path / "cut"), delivered(tmp_path / "straight"))
    assert "trained-again" in findings(tmp_path / "cut")


@pytest.mark.parametrize("more", [{"steps": 12}, {"recipe": SMALL}], ids=["steps", "recipe"])
def test_what_the_user_gave_is_trained_once_and_no_time_is_kept_for_more(
    tmp_path: Path, runs: list[Run], more: dict[str, object]
) -> None:
    fit(tmp_path / "run", **more)
    assert "trained-again" not in findings(tmp_path / "run")
    (run,) = runs
    assert run.delivery.refit_seconds(run.runner.trial(run.winner).training.best, SMALL, 1.0) == 0.0


def test_a_training_that_fails_leaves_what_was_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(training: Training) -> None:
        raise Diverged("The loss became nan at step 3.")

    monkeypatch.setattr(refit, "advance", fails)
    fit(tmp_path / "run")
    assert "not-trained-again" in findings(tmp_path / "run")
    monkeypatch.setattr(TextField, "refits", False)
    fit(tmp_path / "before")
    assert same(delivered(tmp_path / "run"), delivered(tmp_path / "before"))


def test_a_training_that_the_clock_cuts_short_leaves_what_was_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refit, "advance", lambda training: advance(training, 1e-9))
    fit(tmp_path / "run")
    said = json.loads((tmp_path / "run" / "result.json").read_text())["findings"]
    assert any("time for 1 of 1" in f["cause"] for f in said)


def test_without_time_for_it_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = Delivery.finish

    def costly(delivery: Delivery, trial: Trial) -> None:
        finish(delivery, trial)
        delivery.kept = 1e6

    monkeypatch.setattr(Delivery, "finish", costly)
    fit(tmp_path / "run")
    assert not (tmp_path / "run" / "trials" / "again-0").exists()


def test_the_time_for_it_is_kept_free_while_recipes_are_searched(tmp_path: Path, runs: list[Run]) -> None:
    fit(tmp_path / "run")
    (run,) = runs
    assert fields.field("text").refits
    trial = run.runner.trial("small")
    before = run.delivery.seconds_to_finish()
    run.delivery.finish(trial)
    assert run.delivery.seconds_to_finish() > before + trial.training.seconds
