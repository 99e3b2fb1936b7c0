"""Mistakes that people often make, each beside a training that looks like it and is well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from cases import moons, net, regression, setup, waves
from torch import Tensor, nn
from torch.nn import functional as F

from whet.diagnosis.aims import aim
from whet.diagnosis.evidence import Evidence
from whet.diagnosis.examine import before, examine
from whet.diagnosis.rules import judge
from whet.diagnosis.verdict import harm
from whet.setups import Course, Point, Setup
from whet.setups.training import criterion_of


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def names(e: Evidence) -> list[str]:
    return [f.name for f in judge(e)]


def gathering(batches: int) -> Any:
    """A step each so many batches, of all their gradients."""

    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        value: Tensor = loss(model(batch[0]), batch[1])
        (value / batches).backward()
        optimizer.count = getattr(optimizer, "count", 0) + 1
        if optimizer.count % batches == 0:
            optimizer.step()
            optimizer.zero_grad()
        return value

    return step


def test_steps_that_are_rarely_taken_are_named_and_gradients_of_a_few_batches_may_be_gathered() -> None:
    rare, few = (names(examine(setup(step=gathering(k)), 0).evidence) for k in (30, 4))
    assert "steps that are rarely taken" in rare
    assert "steps that are rarely taken" not in few
    for found in (rare, few):  # a step is taken in the end
        assert "a step that changes nothing" not in found


def plain(rate: float) -> Callable[[Any], torch.optim.Optimizer]:
    return lambda p: torch.optim.SGD(p, lr=rate, momentum=0.9)


def test_a_loss_that_breaks_on_large_targets_is_their_fault_and_on_scaled_ones_the_rates() -> None:
    x, y = waves()
    xv, yv = waves(200, 1)
    large = regression(train=(x, 120 * y + 450), val=(xv, 120 * yv + 450), optimizer=plain(1e-2))
    assert judge(examine(large, 0).evidence)[0].name == "unscaled targets"
    assert judge(examine(regression(optimizer=plain(30.0)), 0).evidence)[0].name == "learning rate too high"


def at_each_time(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two sums that go on at their own pace, for one answer."""
    x = torch.randn(rows, 8, 2, generator=torch.Generator().manual_seed(seed))
    return x, (x[..., :1].cumsum(1) * (x[..., 1:].cumsum(1) > 0)) / 2


class Recurrent(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.read, self.head = nn.GRU(2, width, batch_first=True), nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.read(x)[0])


def test_one_recurrent_unit_is_a_bottleneck_whatever_a_time_has_for_inputs() -> None:
    def of(width: int) -> Setup:
        rows = {"train": at_each_time(200, 0), "val": at_each_time(100, 1)}
        return setup(model=lambda: Recurrent(width), loss=nn.MSELoss(), metric="r2", **rows)

    assert "bottleneck" in names(before(of(1)))
    assert "bottleneck" not in names(before(of(12)))


def test_one_layer_in_a_row_of_places_is_a_likely_mistake_and_in_two_parts_of_a_network_may_be_meant() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = self.right = nn.Linear(2, 8)
            self.head = nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.cat([self.left(x), self.right(-x)], 1).relu())

    def in_a_row() -> nn.Module:
        return nn.Sequential(
            nn.Linear(2, 8), *[nn.Sequential(nn.ReLU(), one) for one in [nn.Linear(8, 8)] * 3], nn.Linear(8, 2)
        )

    def sure(model: Any) -> float:
        return next(f.confidence for f in judge(before(setup(model=model))) if f.name == "one layer in several places")

    assert sure(in_a_row) > 0.7 > 0.5 > sure(Shared)


def indices_as_values(said: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(said.max(1).values, y.float())


def alike_together(said: Tensor, y: Tensor) -> Tensor:
    """Rows of one kind near each other, whatever the kind is called (after Khosla et al. 2020)."""
    like = said @ said.T - 1e3 * torch.eye(len(said))
    same = (y[:, None] == y).float() - torch.eye(len(y))
    return -(like.log_softmax(1) * same).sum() / same.sum()


def test_a_loss_that_takes_any_class_for_right_is_told_and_one_that_asks_which_rows_are_alike_is_not() -> None:
    x, y = moons()
    said = torch.randn(len(x), 2, generator=torch.Generator().manual_seed(0))
    for loss, deaf in ((indices_as_values, True), (alike_together, False), (F.cross_entropy, False)):
        criterion = criterion_of(setup(loss=indices_as_values), net()())
        assert aim(loss, said, y, criterion, classes=True).deaf == deaf
    assert "a loss that takes any class for right" in names(before(setup(loss=indices_as_values)))


def turned(share: float, rows: int = 600) -> tuple[Tensor, Tensor]:
    x, y = moons(rows)
    return x, torch.where(torch.rand(rows, generator=torch.Generator().manual_seed(3)) < share, 1 - y, y)


def test_nearly_half_of_two_classes_turned_round_is_told_and_classes_that_nobody_foretells_are_not() -> None:
    wrong = before(setup(train=turned(0.44)))
    points = [Point(1, 10, 0.7, 0.55, 0.58, 0.7), Point(5, 50, 0.6, 0.6, 0.6, 0.6)]
    known = {"guess": 0.5, "neighbours": 0.55, "linear": 0.6}

    def ended(e: Evidence) -> Evidence:
        return replace(e, yardsticks=known, course=Course(points, first_loss=0.7, steps=500))

    assert wrong.data.disagreement > 0.12
    assert "contradict" in harm(ended(replace(wrong, data=replace(wrong.data, disagreement=0.28, foretold=0.85)))).said
    assert not harm(ended(replace(wrong, data=replace(wrong.data, disagreement=0.06, foretold=0.62))))
    assert not harm(ended(replace(wrong, data=replace(wrong.data, disagreement=0.2, foretold=0.95)))).said.count(
        "contradict"
    )


def two_answers(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    x, y = waves(rows, seed)
    return x, torch.cat([y, 0.5 - 0.5 * y], 1)


def first_alone(said: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(said[:, 0], y[:, 0])


def of_both(said: Tensor, y: Tensor) -> float:
    return 1 - float(F.mse_loss(said[:, :2], y)) / float((y - y.mean(0)).square().mean())


def of_first(said: Tensor, y: Tensor) -> float:
    return of_both(said[:, :1], y[:, :1])


class Derived(nn.Module):
    """The second answer follows from the first."""

    def __init__(self) -> None:
        super().__init__()
        self.net = net(outputs=1)()

    def forward(self, x: Tensor) -> Tensor:
        said = self.net(x)
        return torch.cat([said, 0.5 - 0.5 * said], 1)


def test_an_answer_that_the_loss_forgets_is_missed_only_where_the_metric_asks_for_it_and_nothing_else_gives_it() -> (
    None
):
    rows = {"train": two_answers(400, 0), "val": two_answers(200, 1)}
    for model, loss, metric, missed in (
        (net(), first_alone, of_both, True),
        (net(), first_alone, of_first, False),
        (net(), nn.MSELoss(), of_both, False),
        (Derived, first_alone, of_both, False),
    ):
        e = examine(setup(model=model, loss=loss, metric=metric, **rows), 0).evidence
        assert ("outputs that the loss does not hear" in names(e)) == missed
        assert bool(harm(e)) == missed


def right(said: Tensor, y: Tensor) -> float:
    return float((said.argmax(1) == y).float().mean())


def test_worse_than_before_its_training_is_sick_and_a_fresh_network_that_is_good_by_luck_is_no_measure() -> None:
    e = before(setup(metric=right))
    for start, way, sick in (
        (0.0, (-0.3, -0.5, -0.6), True),
        (0.08, (0.02, 0.04, 0.05), False),
        (0.3, (0.4, 0.5, 0.6), False),
    ):
        points = [Point(k, 10 * k, 1 - 0.2 * k, v, v, 0.5) for k, v in enumerate(way, 1)]
        course = Course(points, first_loss=1.0, steps=500)
        known = replace(e, yardsticks={"guess": -1.0, "start": start}, course=course)
        assert ("a loss that works against the metric" in names(known)) == sick
        assert bool(harm(known)) == sick
