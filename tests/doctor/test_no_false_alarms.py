"""Sound trainings that came near to an alarm, and code of other people's that came near to breaking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from cases import adam, moons, net, regression, setup, waves
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import whet
from whet import repairing
from whet.diagnosis.aims import aim
from whet.diagnosis.evidence import Evidence
from whet.diagnosis.examine import before
from whet.diagnosis.rules import judge
from whet.diagnosis.rules.output import HEARD
from whet.diagnosis.verdict import harm
from whet.doctor import need_of
from whet.record import Finding
from whet.remedies.data import in_any_order
from whet.remedies.network import widen
from whet.setups import Course, Criterion, Point, Setup, recognise, train
from whet.setups.ends import before_last
from whet.setups.pace import KEPT, Rates


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def names(e: Evidence) -> list[str]:
    return [f.name for f in judge(e)]


def ended(e: Evidence, on_train: float, on_val: float, losses: tuple[float, float], **known: float) -> Evidence:
    """The evidence, as if the training had gone like this beside these simple methods."""
    first, last = losses
    points = [Point(1, 10, first, on_train, on_val, first), Point(5, 50, last, on_train, on_val, last)]
    return replace(e, yardsticks=known, course=Course(points, first_loss=first, steps=500))


def rows(e: Evidence, training: int, validation: int, **changes: Any) -> Evidence:
    return replace(e, data=replace(e.data, rows=training, val_rows=validation, **changes))


# -- verdicts ----------------------------------------------------------------------------------------------------------


def test_classes_with_a_weak_signal_are_learned_though_the_loss_hardly_falls() -> None:
    """Nobody reaches more than 0.60 of two even classes, and the loss knows that from the start."""
    e = rows(before(setup()), 5_000, 2_000)
    assert not harm(ended(e, 0.60, 0.59, (0.70, 0.675), guess=0.5, linear=0.595))


def test_a_network_that_was_good_before_it_was_tuned_need_not_get_better() -> None:
    for rate in (5e-3, 1e-7):
        e = rows(before(setup(optimizer=adam(rate))), 5_000, 2_000)
        assert not harm(ended(e, 0.975, 0.97, (0.100, 0.097), guess=0.85, start=0.968, linear=0.93))


def test_a_signal_that_is_hardly_there_is_no_training_that_stands_still() -> None:
    """0.54 of two even classes, also by a metric of one's own; where the rate moves nothing it is one."""
    for metric in ("accuracy", right):
        for rate, said in ((5e-3, False), (1e-7, True)):
            e = rows(before(setup(metric=metric, optimizer=adam(rate))), 5_000, 400)
            assert bool(harm(ended(e, 0.54, 0.53, (0.695, 0.689), guess=0.5))) == said


def test_values_with_a_weak_signal_are_learned_though_they_are_hardly_foretold() -> None:
    """R2 0.006 beside a linear model's 0.012 was an alarm; it is one where a simple method shows more, or nothing moves."""
    for rate, linear, said in ((5e-3, 0.012, False), (5e-3, 0.05, True), (1e-7, 0.012, True)):
        e = rows(before(regression(optimizer=adam(rate))), 5_000, 2_000)
        assert bool(harm(ended(e, 0.03, 0.006, (1.0, 0.97), guess=-0.003, linear=linear))) == said


def test_a_hinge_is_no_absolute_error() -> None:
    """Of answers between -1 and 1 they say the same: a sound training on labels of -1 and 1 was told to change its loss."""
    y = torch.tensor([-1.0, 1.0] * 8)[:, None]
    assert recognise(lambda said, y: (1 - said * y).relu().mean(), torch.zeros(16, 1), y).name == "unknown"
    assert recognise(nn.L1Loss(), torch.zeros(16, 1), y).name == "mae"


def test_a_class_is_heard_though_it_is_rare_or_has_a_small_weight_because_it_is_not() -> None:
    """Of letters in 2 kB of text the plain cross-entropy was said not to hear the rare ones."""
    y = torch.tensor([0] * 98 + [1, 2]).roll(7)
    shares = torch.bincount(y) / len(y)
    for weights, heard in ((torch.ones(3), True), (1 / shares, True), (torch.tensor([1.0, 1.0, 0.0]), False)):
        found = aim(nn.CrossEntropyLoss(weight=weights), torch.zeros(100, 3), y, Criterion("unknown", ""), classes=True)
        assert (found.heard > HEARD) == heard


def test_a_perfect_training_on_few_rows_is_no_guess() -> None:
    e = before(setup(optimizer=adam(1e-7)))
    assert judge(e)[0].confidence >= 0.8
    assert not harm(ended(rows(e, 100, 10), 1.0, 1.0, (0.7, 0.01), guess=0.6))
    assert not harm(ended(rows(e, 100, 20), 1.0, 1.0, (0.7, 0.01), guess=0.8))
    assert not harm(ended(rows(e, 35, 30, imbalance=9.0), 1.0, 0.9, (0.7, 0.1), guess=0.9))


# -- rules -------------------------------------------------------------------------------------------------------------


def test_rates_are_followed_in_flat_memory_and_half_time_is_still_known() -> None:
    rates, given = Rates(), torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    for step in range(20_000):
        given.param_groups[0]["lr"] = step / 20_000
        rates.add(given)
    assert len(rates.tops) <= KEPT
    assert abs(rates.half - 0.5) < 2 / KEPT


def right(said: Tensor, y: Tensor) -> float:
    return float((said.argmax(1) == y).float().mean())


def test_a_likelihood_that_rose_below_zero_has_not_fallen() -> None:
    e = replace(before(setup(metric=right)), yardsticks={"guess": 0.5})
    for losses, against in (((-6.0, -1.0), False), ((-1.0, -6.0), True), ((6.0, 1.0), True)):
        points = [Point(1, 10, losses[0], 0.45, 0.45, 0.0), Point(5, 50, losses[1], 0.1, 0.1, 0.0)]
        told = names(replace(e, course=Course(points, first_loss=losses[0], steps=500)))
        assert ("a loss that works against the metric" in told) == against


def test_a_weighted_loss_that_gives_up_some_accuracy_is_not_against_it() -> None:
    e = replace(before(setup()), yardsticks={"guess": 0.95})
    points = [Point(1, 10, 0.7, 0.801, 0.8, 0.7), Point(5, 50, 0.4, 0.799, 0.8, 0.4)]
    told = names(replace(e, course=Course(points, first_loss=0.7, steps=500)))
    assert "a loss that works against the metric" not in told


def test_an_order_that_is_the_wrong_way_round_after_one_epoch_is_told_though_it_hardly_gets_worse() -> None:
    e = replace(before(setup(metric=right)), yardsticks={"guess": 0.0})
    points = [Point(1, 10, 0.7, -0.6, -0.6, 0.7), Point(5, 50, 0.4, -0.63, -0.63, 0.4)]
    assert "a loss that works against the metric" in names(replace(e, course=Course(points, first_loss=0.7, steps=50)))


def scheduled(rate: Callable[[int], float]) -> Any:
    """A training step that sets the rate by the number of steps that were taken."""
    taken = 0

    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        nonlocal taken
        taken += 1
        optimizer.param_groups[0]["lr"] = rate(taken)
        optimizer.zero_grad()
        value: Tensor = loss(model(batch[0]), batch[1])
        value.backward()
        optimizer.step()
        return value

    return step


def long_steps(rate: Callable[[int], float], fell: bool = False) -> Evidence:
    """With steps that are too long at the largest rate, and a loss that fell or rose at the end."""
    course = train(setup(step=scheduled(rate))).course
    e = before(setup(optimizer=adam(rate(1))))
    layers = tuple(replace(x, step=0.2 * course.start) for x in e.start.layers)
    points = [replace(p, loss=0.1 if fell or i < len(course.points) // 2 else 0.9) for i, p in enumerate(course.points)]
    return replace(e, start=replace(e.start, layers=layers), course=replace(course, points=points, broke=None))


def test_a_rate_that_warms_up_and_stays_or_goes_round_is_not_one_that_grows() -> None:
    growing = "learning rate that grows"
    assert growing in names(long_steps(lambda k: 1e-4 * 1.013**k))
    assert growing not in names(long_steps(lambda k: 1e-4 * 1.013**k, fell=True))
    assert growing not in names(long_steps(lambda k: 1e-2 * min(1.0, k / 40)))
    assert growing not in names(long_steps(lambda k: 1e-4 + 1e-2 * abs((k / 76 + 1) % 2 - 1)))  # 5 turns, up at the end


def columns(seed: int, spread: float) -> tuple[Tensor, Tensor]:
    x, y = waves(400, seed)
    return x, torch.cat([spread * y, (x[:, :1] > 0).float()], 1)


def cox(said: Tensor, y: Tensor) -> Tensor:
    """Survival: (time, event)."""
    return -(y[:, 1] * (said[:, 0] - (said[:, 0].exp() * (y[:, :1] >= y[:, 0]).float()).sum(1).log())).mean()


def squares_of_both(said: Tensor, y: Tensor) -> float:
    return -float((said - y).square().mean())


def test_times_beside_events_are_no_columns_of_one_kind() -> None:
    given: dict[str, Any] = {"train": columns(0, 15.0), "val": columns(1, 15.0), "metric": squares_of_both}
    survival = regression(**given, model=net(outputs=1), loss=cox)
    e = before(survival)
    assert e.data.target_scales > 25
    e = replace(e, data=replace(e.data, target_std=5.0, target_mean=0.0))
    assert "unscaled targets" not in names(e)
    still = (waves()[0], torch.cat([waves()[1], 1e-9 * waves()[1]], 1))
    assert before(regression(train=still, val=still, model=net(outputs=2))).data.target_scales == 1.0


# -- repair ------------------------------------------------------------------------------------------------------------


def test_once_an_attempt_is_good_nothing_of_the_same_height_is_followed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of two edits heal; the plans of the second one would be tried until the purse is empty."""
    asked: list[int] = []
    plans = repairing.plans
    monkeypatch.setattr(repairing, "plans", lambda a: asked.append(len(a.stages)) or plans(a))
    monkeypatch.setattr(repairing, "is_content", lambda a: bool(a.stages))
    monkeypatch.setattr(repairing, "bolder", lambda a: [*plans(a)] if len(a.stages) == 1 else [])
    monkeypatch.setattr(repairing, "same_height", lambda a, b: True)
    whet.repair(setup(optimizer=adam(3e-6)), budget=6)
    assert asked == [0]


# -- other people's code -----------------------------------------------------------------------------------------------


class Joined(nn.Module):
    """Functions of one half of what it says."""

    def __init__(self, how: Callable[[list[Tensor]], Tensor]) -> None:
        super().__init__()
        self.layer, self.how = nn.Linear(2, 4), how

    def forward(self, x: Tensor) -> Tensor:
        said = self.layer(x)
        return self.how([said[:, :2].sigmoid(), said[:, 2:]])


@pytest.mark.parametrize(
    "how",
    [
        lambda pieces: torch.cat(tensors=pieces, dim=1),
        lambda pieces: torch.concatenate(pieces, axis=1),
        lambda pieces: torch.concat(pieces, 1),
        lambda pieces: torch.cat(pieces, dim=-1),
    ],
)
def test_outputs_may_be_joined_by_names_of_either_kind(how: Callable[[list[Tensor]], Tensor]) -> None:
    network, x = Joined(how), torch.randn(5, 2)
    assert torch.equal(before_last(network, "sigmoid", (x,)), network.layer(x))


class Stacked(nn.Module):
    """A norm between two recurrent layers."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.norm = nn.GRU(2, 2, batch_first=True), nn.LayerNorm(2)
        self.two, self.head = nn.GRU(2, 2, batch_first=True), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.two(self.norm(self.one(x[:, None])[0]))[0][:, -1])


class Told(Stacked):
    """The first one gives its state to the other one."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = (nn.GRU(3, 2, batch_first=True) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        three = torch.cat([x, x[:, :1]], 1)[:, None]
        return self.head(self.two(three, self.one(three)[1])[0][:, -1])


def widened(sick: Setup, path: str) -> Setup:
    found = Finding("too narrow", "", where=path)
    made = widen(need_of(sick, before(sick), found))
    assert made is not None
    return made


def test_recurrent_layers_are_widened_together_only_where_one_alone_does_not_fit() -> None:
    x = torch.randn(4, 2)
    alone, together = (widened(setup(model=m), "one").fresh(0) for m in (Stacked, Told))
    assert alone(x).shape == together(x).shape == (4, 2)
    assert (alone.one.hidden_size, alone.norm.normalized_shape, alone.two.hidden_size) == (32, (32,), 2)
    assert (together.one.hidden_size, together.two.hidden_size) == (32, 32)


def test_a_loader_in_any_order_keeps_all_else_that_it_was_made_with() -> None:
    draw = torch.Generator().manual_seed(0)
    given: dict[str, Any] = {"num_workers": 1, "persistent_workers": True, "prefetch_factor": 3, "timeout": 9.0}
    own = DataLoader(
        TensorDataset(*moons()), 16, generator=draw, worker_init_fn=print, multiprocessing_context="spawn", **given
    )
    new = in_any_order(own)
    assert {name: getattr(new, name) for name in given} == given
    assert (new.worker_init_fn, new.generator, new.batch_size) == (print, draw, 16)
    assert new.multiprocessing_context.get_start_method() == "spawn"
    assert len(list(in_any_order(DataLoader(TensorDataset(*moons()), 16)))) == 38
