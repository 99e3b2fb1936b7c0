"""Trainings that are measured by a function of one's own, or by the loss: no simple method says what they should reach."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from cases import adam, moons, net, regression, setup
from torch import Tensor, nn
from torch.nn import functional as F

import whet
from whet.diagnosis.examine import before, examine
from whet.diagnosis.rules import judge
from whet.diagnosis.verdict import harm
from whet.plans import usual_recipe
from whet.setups import Course, Point


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def right(said: Tensor, y: Tensor) -> float:
    return float((said.argmax(1) == y).float().mean())


def met(said: Tensor, y: Tensor) -> float:
    return float(1 - (said - y).square().mean() / y.var())


def nearer(said: Tensor, y: Tensor) -> float:
    """Says nothing of targets."""
    return float((said[::2, 0] > said[1::2, 0]).float().mean())


STILL: dict[str, Any] = {"model": net(nn.Sigmoid, depth=6), "optimizer": lambda p: torch.optim.SGD(p, lr=0.05)}


@pytest.mark.parametrize("metric", [right, "loss"])
def test_a_network_that_says_the_same_of_all_rows_is_noticed_whatever_measures_it(metric: Any) -> None:
    assert not whet.diagnose(setup(metric=metric, **STILL)).healthy


@pytest.mark.parametrize("metric", [right, "loss"])
def test_a_sound_training_raises_no_alarm_whatever_measures_it(metric: Any) -> None:
    assert whet.diagnose(setup(metric=metric)).healthy


def test_what_a_mended_training_reaches_is_the_yardstick_of_a_metric_of_ones_own() -> None:
    straight = whet.diagnose(regression(metric=met, model=net(nn.Identity, outputs=1)))
    assert straight.yardsticks["mended"] > straight.value
    assert not straight.healthy
    smell = whet.diagnose(setup(metric=right, model=net(nn.ReLU, lambda: nn.Dropout(0.65), width=96)))
    assert smell.healthy


def test_repair_goes_on_where_nobody_knows_what_a_metric_may_reach() -> None:
    far = setup(metric=right, optimizer=adam(1e-6), epochs=12)
    assert whet.repair(far).train(5).value > 0.95
    short = whet.repair(setup(metric=right, optimizer=adam(1e-4), epochs=1))
    assert {e.path for e in short.edits} >= {"epochs"}
    assert short.train(5).value > 0.95


def test_what_is_usual_leaves_a_loss_of_ones_own_alone_where_a_metric_of_ones_own_asks_for_more_than_targets() -> None:
    def both(said: Tensor, y: Tensor) -> Tensor:
        return nn.functional.mse_loss(said[:, :1], y) + 1e-3 * said[:, 1:].square().mean()

    two = before(regression(loss=both, metric=lambda said, y: met(said[:, :1], y), model=net(outputs=2)))
    one = before(regression(loss=both))
    exchanged = [[f.name for f in usual_recipe(e, [])].count("a loss that prefers other answers") for e in (two, one)]
    assert exchanged == [0, 1]


def test_a_metric_that_does_not_ask_for_targets_is_held_against_the_fresh_network() -> None:
    e = examine(setup(metric=nearer)).evidence
    assert set(e.yardsticks) == {"start"}
    assert not harm(e)


def test_a_metric_that_fails_on_equal_answers_is_no_reason_to_stop() -> None:
    def picky(said: Tensor, y: Tensor) -> float:
        if float(said.std(0).max()) == 0:
            raise ValueError("All answers are equal.")
        return right(said, y)

    assert whet.diagnose(setup(metric=picky)).healthy


def test_labels_of_minus_one_and_one_are_a_fault_for_a_loss_of_zero_and_one_and_none_for_a_margin() -> None:
    (x, y), (xv, yv) = moons(), moons(300, 1)
    parts: dict[str, Any] = {
        "train": (x, (2.0 * y - 1)[:, None]), "val": (xv, (2.0 * yv - 1)[:, None]), "model": net(outputs=1)
    }  # fmt: skip
    sick = whet.diagnose(setup(loss=nn.BCEWithLogitsLoss(), **parts))
    assert sick.findings[0].name == "labels that the loss can't take"
    assert whet.repair(setup(loss=nn.BCEWithLogitsLoss(), **parts)).train(4).value > 0.95
    sound = whet.diagnose(setup(loss=nn.SoftMarginLoss(), **parts))
    assert sound.healthy
    assert sound.value > 0.95


def thirds(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    """Three classes: which of three linear functions is the largest."""
    x = torch.randn(rows, 2, generator=torch.Generator().manual_seed(seed))
    return x, (x @ torch.tensor([[1.0, -1.0, 0.0], [0.5, 0.5, -1.0]])).argmax(1)


def of_indices(said: Tensor, y: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(said, F.one_hot(y, 3).float())


@pytest.mark.parametrize("one_hot", [True, False])
def test_a_yes_or_no_for_each_of_several_classes_is_no_fault_of_labels(one_hot: bool) -> None:
    """The index of the third class, 2, was taken for a label above 1."""
    (x, y), (xv, yv) = thirds(600, 0), thirds(300, 1)
    given: dict[str, Any] = {"train": (x, y), "val": (xv, yv), "loss": of_indices, "model": net(outputs=3)}
    if one_hot:
        rows = {"train": (x, F.one_hot(y, 3).float()), "val": (xv, F.one_hot(yv, 3).float())}
        given |= {**rows, "loss": nn.BCEWithLogitsLoss()}
    sound, slow = whet.diagnose(setup(**given)), whet.diagnose(setup(optimizer=adam(1e-6), **given))
    assert sound.healthy
    assert "labels that the loss can't take" not in [f.name for f in (*sound.findings, *slow.findings)]
    assert (slow.healthy, slow.findings[0].name) == (False, "learning rate too low")


def test_labels_for_a_loss_of_zero_and_one_are_judged_as_they_are_given_and_not_as_whole_numbers() -> None:
    x, y = moons()
    e = before(setup(train=(x, 1.9 * y[:, None]), loss=nn.BCEWithLogitsLoss(), model=net(outputs=1), metric="loss"))
    found = next(f for f in judge(e) if f.name == "labels that the loss can't take")
    assert found.evidence["high"] == pytest.approx(1.9)


def test_a_missing_label_is_a_target_that_is_no_number_for_a_loss_of_zero_and_one() -> None:
    """It was taken for a label of -9.2e18, and the repair taught the network that it was a no."""
    x, y = moons()
    torn = y.float()[:, None]
    torn[3] = torch.nan
    val = moons(300, 1)[0], moons(300, 1)[1].float()[:, None]
    given: dict[str, Any] = {"loss": nn.BCEWithLogitsLoss(), "model": net(outputs=1), "epochs": 2, "val": val}
    found = whet.diagnose(setup(train=(x, torn), **given)).findings
    assert found[0].name == "targets that are no numbers"
    assert "labels that the loss can't take" not in [f.name for f in found]


def test_a_share_without_a_guess_to_hold_it_against_is_not_known() -> None:
    e = replace(before(setup(metric=right)), yardsticks={"mended": 0.9})
    assert math.isnan(e.share(0.45))


def test_by_ones_own_metric_training_rows_may_be_ahead_unless_validation_rows_lie_elsewhere() -> None:
    e = before(setup(metric=right))
    points = [Point(i, 10 * i, 0.5, 0.65, 0.5, 0.5) for i in range(1, 6)]
    ahead = replace(e, yardsticks={"guess": 0.25}, course=Course(points, first_loss=1.0, steps=500))
    assert not harm(ahead)
    assert not harm(replace(ahead, data=replace(ahead.data, rarest=0.01)))
    assert harm(replace(ahead, data=replace(ahead.data, shift=4.0)))
