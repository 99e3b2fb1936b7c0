"""Schedules that grow, targets of several columns, outputs that are joined, and what is mended for a comparison."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from cases import adam, moons, net, regression, setup, waves
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import whet
from whet.attempts import Attempt, Stage
from whet.diagnosis.evidence import Evidence
from whet.diagnosis.examine import before, examine
from whet.diagnosis.rules import judge
from whet.diagnosis.verdict import Harm, harm
from whet.doctor import border, need_of
from whet.plans import applied, bolder
from whet.record import Finding
from whet.remedies import alternatives
from whet.remedies.data import in_any_order
from whet.setups import Course, Point, Setup, train
from whet.setups.code import code_of
from whet.setups.ends import before_last
from whet.setups.widths import Widen


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def names(e: Evidence) -> list[str]:
    return [f.name for f in judge(e)]


def multiplied(factor: float) -> Any:
    """A training step after which the rate is multiplied."""

    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        optimizer.zero_grad()
        value: Tensor = loss(model(batch[0]), batch[1])
        value.backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] *= factor
        return value

    return step


def test_a_rate_that_grows_without_end_is_named_and_the_schedule_is_left_out() -> None:
    """It was called a rate that is too high, and the first one was lowered to 7e-09."""
    found = whet.repair(setup(step=multiplied(1.03)))
    assert found.diagnosis.findings[0].name == "learning rate that grows"
    assert "learning rate fades too fast" not in [f.name for f in found.diagnosis.findings]
    assert [e.path for e in found.edits] == ["step"]
    assert found.proof.after[0] > 0.95


def test_a_rate_that_warms_up_to_a_usual_one_does_not_grow_too_long() -> None:
    assert "learning rate that grows" not in names(examine(setup(optimizer=adam(1e-4), step=multiplied(1.01))).evidence)


def test_the_last_rate_is_told_beside_the_largest() -> None:
    grown, fallen = (train(setup(step=multiplied(f), epochs=1)).course for f in (1.1, 0.9))
    assert grown.end == 1.0
    assert fallen.end == pytest.approx(0.9 ** (fallen.steps - 1))


def two(rows: int, seed: int, times: float) -> tuple[Tensor, Tensor]:
    x, y = waves(rows, seed)
    return x, torch.cat([y, times * x[:, :1]], 1)


def each_met(said: Tensor, y: Tensor) -> float:
    """The worse of two columns, R2."""
    return float((1 - (said - y).square().mean(0) / y.var(0)).min())


def test_of_targets_on_different_scales_the_smaller_one_is_heard_again() -> None:
    given: dict[str, Any] = {"model": net(outputs=2), "metric": each_met, "loss": nn.MSELoss()}
    uneven = regression(train=two(400, 0, 60.0), val=two(200, 1, 60.0), **given)
    even = regression(train=two(400, 0, 2.0), val=two(200, 1, 2.0), **given)
    assert before(uneven).data.target_scales == pytest.approx(60, rel=0.1)
    found = next(f for f in judge(before(uneven)) if f.name == "unscaled targets")
    assert "times as much as another one" in found.cause
    assert "unscaled targets" not in names(before(even))


class Joined(nn.Module):
    """A function of one half of what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 4)

    def forward(self, x: Tensor) -> Tensor:
        said = self.layer(x)
        return torch.cat([said[:, :2].sigmoid(), said[:, 2:]], dim=1)


def test_a_function_of_some_outputs_beside_others_is_left_out_of_those() -> None:
    network, x = Joined(), torch.randn(5, 2)
    assert torch.equal(before_last(network, "sigmoid", (x,)), network.layer(x))
    assert torch.equal(before_last(network, "tanh", (x,)), network(x))


def test_a_training_at_chance_with_a_certain_cause_is_sick_though_it_knows_its_rows_a_little() -> None:
    e = before(setup(optimizer=adam(1e-7)))
    points = [Point(i, 10 * i, 0.69, 0.62, 0.5, 0.69) for i in range(1, 6)]
    known = replace(e, yardsticks={"guess": 0.5, "linear": 0.5}, course=Course(points, first_loss=0.8, steps=500))
    assert judge(known)[0].confidence >= 0.8
    assert harm(known)
    assert not harm(replace(known, yardsticks={"guess": 0.3, "linear": 0.5}))


def test_where_no_simple_method_is_known_less_room_is_enough_to_see_what_mending_does() -> None:
    e = examine(regression(epochs=2)).evidence
    near = replace(e, yardsticks={"guess": 0.0})
    points = [Point(1, 10, 0.2, 0.78, 0.78, 0.2)]
    far = replace(near, course=replace(e.course, points=points))
    assert border(far) == 0.8
    assert border(replace(far, course=replace(e.course, points=[Point(1, 10, 0.1, 0.9, 0.9, 0.1)]))) > 1


def right(said: Tensor, y: Tensor) -> float:
    return float((said.argmax(1) == y).float().mean())


def test_by_ones_own_metric_steps_are_tried_that_are_longer_than_the_usual_ones() -> None:
    slow: Setup = setup(metric=right, optimizer=adam(1e-6))
    found = examine(slow)
    low = next(f for f in judge(found.evidence) if f.name == "learning rate too low")
    usual = applied(slow, (Stage(low, found.evidence),))
    assert usual is not None
    attempt = Attempt(usual, found, Harm(), (Stage(low, found.evidence),))
    (stages,) = bolder(attempt)
    assert [s.finding.name for s in stages] == ["learning rate too low", "steps that may be longer"]
    candidate = applied(slow, stages)
    assert candidate is not None
    assert candidate.edits[-1].path == "lr"
    assert bolder(replace(attempt, stages=stages)) == []
    assert bolder(replace(attempt, setup=slow, stages=())) == []
    assert bolder(replace(attempt, setup=slow, stages=(Stage(Finding("bottleneck", ""), found.evidence),))) == []


# -- the loss and the metric -------------------------------------------------------------------------------------------


def course(first: tuple[float, float], last: tuple[float, float], loss: float = 0.5) -> Course:
    """(on training rows, on validation rows) at the first measurement and at the last one."""
    return Course([Point(1, 10, 0.9, *first, 0.9), Point(5, 50, loss, *last, loss)], first_loss=1.0, steps=500)


def test_a_loss_that_falls_while_its_own_rows_are_answered_worse_works_against_the_metric() -> None:
    e = replace(before(setup(metric=right)), yardsticks={"guess": 0.5})
    turned = replace(e, course=course((0.4, 0.4), (0.1, 0.1)))
    assert "a loss that works against the metric" in names(turned)
    assert "a loss that works against the metric" not in names(replace(turned, course=course((0.4, 0.4), (0.9, 0.9))))
    assert "a loss that works against the metric" not in names(
        replace(turned, course=course((0.4, 0.4), (0.1, 0.1), 1.2))
    )


def test_values_a_hair_below_their_mean_speak_against_no_loss() -> None:
    """A rate that was too high left R2 at -0.002, and the loss was blamed."""
    e = replace(before(regression()), yardsticks={"guess": 0.0})
    assert "a loss that works against the metric" not in names(
        replace(e, course=course((-0.001, -0.001), (-0.002, -0.002)))
    )
    assert "a loss that works against the metric" in names(replace(e, course=course((-0.1, -0.1), (-0.9, -0.9))))


def test_by_ones_own_metric_what_holds_for_no_other_row_is_noticed() -> None:
    """Pairs whose halves stood beside those of other rows were called healthy."""
    e = replace(before(setup(metric=right)), yardsticks={"start": 0.5})
    by_heart = replace(e, course=course((0.6, 0.5), (0.95, 0.52)))
    assert "nothing carries over" in names(by_heart)
    assert harm(by_heart)
    some = replace(e, course=course((0.6, 0.6), (0.95, 0.62)))
    assert "nothing carries over" not in names(some)
    assert not harm(some)


def test_values_no_better_than_one_answer_for_all_are_sick_though_training_rows_are_known_a_little() -> None:
    e = replace(before(regression()), yardsticks={"guess": 0.0})
    assert harm(replace(e, course=course((0.02, 0.0), (0.12, 0.01))))
    assert not harm(replace(e, course=course((0.02, 0.0), (0.2, 0.12))))


class Liked(nn.Module):
    """Vectors of people and things, multiplied."""

    def __init__(self, spread: float) -> None:
        super().__init__()
        self.people, self.things = nn.Embedding(9, 4), nn.Embedding(9, 4)
        nn.init.normal_(self.people.weight, 0.0, spread)
        nn.init.normal_(self.things.weight, 0.0, spread)

    def forward(self, x: Tensor) -> Tensor:
        return (self.people(x[:, 0]) * self.things(x[:, 1])).sum(1, keepdim=True)


def test_vectors_that_are_multiplied_may_not_all_begin_at_zero() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randint(0, 9, (300, 2), generator=g)
    y = (torch.randn(9, 4, generator=g)[x[:, 0]] * torch.randn(9, 4, generator=g)[x[:, 1]]).sum(1, keepdim=True)
    given: dict[str, Any] = {"train": (x[:200], y[:200]), "val": (x[200:], y[200:])}
    zeros, drawn = (before(regression(model=lambda s=s: Liked(s), **given)) for s in (0.0, 0.3))
    assert "weights that are all alike" in names(zeros)
    assert "weights that are all alike" not in names(drawn)


class Told(nn.Module):
    """One recurrent layer gives its state to another one."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.write, self.head = (
            nn.GRU(3, 2, batch_first=True),
            nn.GRU(3, 2, batch_first=True),
            nn.Linear(2, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.write(x, self.read(x)[1])[0][:, -1])


def test_recurrent_layers_that_hand_on_a_state_are_widened_together() -> None:
    wide = Widen("read", 16, together=True)(Told())
    assert wide(torch.randn(4, 5, 3)).shape == (4, 2)
    assert (wide.read.hidden_size, wide.write.hidden_size) == (16, 16)


# -- remedies ----------------------------------------------------------------------------------------------------------


def test_rows_that_stand_by_class_are_shuffled_in_torchs_own_loader_and_in_no_other() -> None:
    x, y = moons()
    order = y.argsort(stable=True)
    loader = DataLoader(TensorDataset(x[order], y[order]), batch_size=16)
    sick = setup(train=loader, optimizer=adam(2e-2), epochs=6)
    e = before(sick)
    found = next(f for f in judge(e) if f.name == "data sorted by class")
    (mended,) = alternatives(found, need_of(sick, e, found))
    labels = mended.parts[0].some(64)[1]
    assert 0.2 < float(labels.float().mean()) < 0.8
    assert "train=whet.remedies.data.in_any_order(original.train)" in code_of(mended)
    pasted = in_any_order(sick.train)
    assert (pasted.batch_size, len(pasted.dataset)) == (16, 600)
    drawn = DataLoader(TensorDataset(x, y), batch_size=16, sampler=order.tolist())  # an order of the user's own
    own = setup(train=drawn)
    found = next(f for f in judge(before(own)) if f.name == "data sorted by class")
    assert list(alternatives(found, need_of(own, before(own), found))) == []


def worse_first(said: Tensor, y: Tensor) -> Tensor:
    """Ranks with the wrong sign."""
    return nn.functional.softplus((said - said.T) * (y - y.T).sign()).mean()


def ranked(said: Tensor, y: Tensor) -> float:
    """Kendall's agreement of the order, -1 to 1."""
    return float((((said - said.T) * (y - y.T)).sign()).mean())


def test_a_loss_with_the_wrong_sign_is_turned_round() -> None:
    sick = regression(loss=worse_first, metric=ranked, epochs=10)
    found = whet.repair(sick)
    assert found.diagnosis.findings[0].name == "a loss that works against the metric"
    assert found.edits[0].path == "loss"
    assert found.proof.after[0] > 0.5 > 0 > found.proof.before[0]
    assert "original.loss)(-outputs, y)" in found.as_code()


def test_epochs_are_not_multiplied_twice() -> None:
    """1 became 43, and that 1811: two findings with one remedy."""
    short = setup(epochs=1, optimizer=adam(1e-3))
    e = examine(short).evidence
    once = applied(short, (Stage(Finding("still improving", ""), e),))
    assert once is not None
    both = applied(once, (Stage(Finding("still improving", ""), e, usual=True),))
    assert both is not None
    assert both.epochs == once.epochs > 1


def test_a_batch_of_all_rows_is_made_smaller_before_epochs_are_made_more() -> None:
    full = setup(batch_size=600, epochs=6, optimizer=adam(8e-3))
    e = before(full)
    found = Finding("too few steps", "")
    paths = [made.edits[0].path for made in alternatives(found, need_of(full, e, found))]
    assert paths.index("batch_size") < paths.index("epochs")
    usual = setup(epochs=1)
    e = before(usual)
    assert all(made.edits[0].path != "batch_size" for made in alternatives(found, need_of(usual, e, found)))


def test_an_error_of_sigmoids_is_known_as_one_of_classes() -> None:
    def absolute(said: Tensor, y: Tensor) -> Tensor:
        return (said.sigmoid() - y).abs().mean()

    x, y = moons()
    e = before(setup(train=(x, nn.functional.one_hot(y, 2).float()), val=None, loss=absolute))
    assert e.criterion.name == "mae_of_sigmoids"
    assert "absolute error for classes" in names(e)
