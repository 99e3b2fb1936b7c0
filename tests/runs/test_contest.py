"""The contest between recipes: who is compared, who is delivered, and what a restart remembers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from setups import SMALL, images, prepared_of, task_of

import whet
from whet import choosing, contest
from whet.delivery import Listener
from whet.exporting import export
from whet.network import Network
from whet.recipe import Choice, Edit
from whet.runners.trial import Trial, Validator, open_trial
from whet.search.score import Score
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


def test_weights_are_level_unless_they_are_clearly_worse_on_the_same_rows(tmp_path: Path) -> None:
    one = trial(tmp_path)
    one.advance(Horizon(steps=60))
    training, model = one.training, one.training.parts.model
    validator, good = training.validate, {k: v.clone() for k, v in model.state_dict().items()}
    assert isinstance(validator, Validator)
    fresh = trial(tmp_path / "fresh").training.parts.model
    validator(model)
    assert validator.level(model, good)
    measured, before = validator.rows, own(one)
    assert validator.level(model, fresh.state_dict())
    assert np.array_equal(validator.rows, measured)
    assert all(torch.equal(a, b) for a, b in zip(before, own(one), strict=True))
    validator(fresh)
    assert not validator.level(fresh, good)


def test_what_is_delivered_has_the_recipe_that_a_retry_left(tmp_path: Path) -> None:
    one, offered = trial(tmp_path), []
    delivery = SimpleNamespace(offer=lambda training, recipe: offered.append(recipe))
    listener = Listener(delivery, tmp_path)  # type: ignore[arg-type]
    one.edit(Edit("optimizer.lr", SMALL["optimizer.lr"], 1e-4, "it diverged"))
    listener.on_validate(one.training)
    assert [recipe()["optimizer.lr"] for recipe in offered] == [1e-4]


def own(one: Trial) -> list[torch.Tensor]:
    return [v.clone() for v in one.training.parts.model.state_dict().values()]


def at(steps: int, done: int, seconds: float, folder: Path) -> Trial:
    """A trial that has done some of its steps in so many seconds."""
    one = open_trial("one", SMALL.put("steps", steps), task_of(images()), prepared_of(images()), 0, Plan(), folder)
    one.training.step, one.training.seconds = done, seconds
    return one


@pytest.mark.parametrize(
    ("done", "left", "crumb"),
    [
        (30, 8.0, True),  # 7 s to go: the second after that is of no use to another training
        (30, 6.0, False),  # the clock will end it anyhow
        (30, 20.0, False),  # there is time for another one
        (10, 10.0, False),  # too early to know the speed
        (60, 5.0, False),  # the learning rate is falling already
    ],
)
def test_a_training_takes_the_crumbs_of_time_too(done: int, left: float, crumb: bool, tmp_path: Path) -> None:
    assert contest.leaves_a_crumb(at(100, done, done * 0.1, tmp_path), left) is crumb


@pytest.mark.parametrize(
    ("steps", "done", "seconds", "whole"), [(100, 50, 4.0, 8.0), (100, 0, 4.0, 4.0), (0, 50, 4.0, 4.0)]
)
def test_what_a_whole_training_costs_is_reckoned_from_the_part_that_was_done(
    steps: int, done: int, seconds: float, whole: float, tmp_path: Path
) -> None:
    assert at(steps, done, seconds, tmp_path).whole_seconds == whole


def test_a_training_that_the_clock_ends_is_one_after_a_restart_too(tmp_path: Path) -> None:
    one = at(100, 0, 0.0, tmp_path)
    one.end_by_the_clock()
    again = open_trial("one", SMALL.put("steps", 100), task_of(images()), prepared_of(images()), 0, Plan(), tmp_path)
    assert again.recipe.steps == one.recipe.steps == 0
    assert again.recipe.put("steps", 100) == SMALL.put("steps", 100)


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


class Machine:
    """A run whose steps take so many seconds on one thread, and on all of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, one: float, two: float, steps: int = 0) -> None:
        self.order, self.time_to_train = SimpleNamespace(steps=steps), 60.0
        self.plan = Plan(threads=1, milliseconds=1e3 * one)
        monkeypatch.setattr(choosing, "cores", lambda: 2)
        monkeypatch.setattr(choosing, "seconds_of_step", lambda recipe, run, plan: (one, two)[plan.threads - 1])

    def threads(self) -> int:
        return choosing.measured_again(SMALL, self).threads  # type: ignore[arg-type]


def test_one_thread_that_was_best_beside_other_programs_gives_way_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demonstration planned at a busy moment trained on one thread until its end: half the passes."""
    assert Machine(monkeypatch, one=0.018, two=0.010).threads() == 2


def test_one_thread_stays_where_it_is_faster_or_where_the_clock_decides_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Machine(monkeypatch, one=0.002, two=0.003).threads() == 1
    assert Machine(monkeypatch, one=0.018, two=0.010, steps=100).threads() == 1
    assert Machine(monkeypatch, one=0.9, two=0.5).threads() == 1, "asking takes too much of the time that is left"
