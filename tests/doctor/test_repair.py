"""What a repair does with its budget, and what it says of each finding."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
import torch
from cases import SICK, adam, frozen, moons, net, setup
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

import whet
from whet import attempts, repairing
from whet.attempts import Attempt, Stage, is_better, is_content
from whet.diagnosis.examine import before, examine
from whet.diagnosis.verdict import Harm
from whet.doctor import choices
from whet.plans import applied, plans
from whet.recipe import Edit
from whet.record import Finding
from whet.remedies.steps import clip_step
from whet.repaired import Try, why
from whet.repairing import search, tried_out, work_of
from whet.setups import Course, Setup, train, work
from whet.setups.code import code_of
from whet.setups.training import Point
from whet.setups.work import Purse, cost_of


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def slowed(monkeypatch: pytest.MonkeyPatch, times: float) -> None:
    """From now on the clock says that everything takes so many times as long."""
    clock, began = time.perf_counter, time.perf_counter()
    monkeypatch.setattr(time, "perf_counter", lambda: began + times * (clock() - began))


def test_a_machine_that_is_ten_times_slower_finds_the_same_edits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could be afforded was timed: on a busy machine the same case kept another edit, or none."""
    monkeypatch.setattr(work, "LEAST_COST", 0.3)
    given = replace(SICK["high rate"][1](), epochs=4)
    idle = whet.repair(given, budget=2.0)
    slowed(monkeypatch, 10.0)
    busy = whet.repair(given, budget=2.0)
    assert [str(e) for e in busy.edits] == [str(e) for e in idle.edits]
    assert busy.tried == idle.tried
    assert busy.proof == idle.proof
    assert len(idle.tried) > 1


def test_a_training_that_breaks_at_once_is_not_given_ever_more_epochs() -> None:
    """Each attempt that broke asked for three times the epochs of the one before: 160 of them, the last of 1e43 epochs."""

    class Log(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.log()

    repaired = whet.repair(setup(model=lambda: nn.Sequential(Log(), net()())))
    assert not repaired.diagnosis.healthy
    assert len(repaired.tried) <= 3
    assert not any(f"epochs: {n}" in repaired.tried[-1] for n in range(100, 1000))


def test_seconds_that_were_given_are_kept_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "LEAST_COST", 0.3)
    slowed(monkeypatch, 1e4)
    hasty = whet.repair(replace(SICK["high rate"][1](), epochs=4), seconds=1.0)
    assert len(hasty.tried) == 1
    assert len(hasty.proof.seeds) == 1


def test_work_is_counted_by_steps_and_by_what_a_step_computes() -> None:
    small, wide = cost_of(setup()), cost_of(setup(model=net(width=512)))
    assert wide.step > 1.2 * small.step
    assert cost_of(setup(batch_size=256)).step < 2 * small.step  # mostly calls, whatever the rows
    course = train(setup(epochs=4)).course
    assert small.of(course) == pytest.approx(4 * 19 * small.step + 4 * small.point)


def test_each_finding_is_told_to_be_gone_or_why_it_stays() -> None:
    mended = whet.repair(SICK["unscaled inputs"][1](), budget=2.0)
    assert "unscaled inputs" in [f.name for f in mended.gone]  # inside the network: the rows are as they were
    assert mended.after.healthy
    assert "Gone: unscaled inputs" in str(mended)
    x, y = moons()
    shuffled = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))]
    noisy = whet.repair(setup(train=(x, shuffled), epochs=4), budget=1.0)
    assert "Stays: label noise: only other data can change it." in str(noisy)
    assert {f.name for f in noisy.diagnosis.findings} == {left.finding.name for left in noisy.stays}


LEFT = {
    "it does no harm any more": {"healthy": True},
    "no edit of the set-up can change it": {"remedies": ()},
    "what was changed made it better, and not well": {"mended": True},
    "lr: 0.1 was tried and did not help (0.5)": {"tries": [Try(("odd",), ("lr: 0.1",), "0.5")]},
    "the budget ended before it was its turn": {"ran_out": True},
    "40% sure is too little to try": {},
}


@pytest.mark.parametrize("said", LEFT)
def test_why_a_finding_stays_is_said(said: str) -> None:
    known = {
        "remedies": ("lr: 1 -> 0.1",),
        "healthy": False,
        "mended": False,
        "tries": [],
        "ran_out": False,
        **LEFT[said],
    }
    found = Finding("odd", "", confidence=0.4, remedies=known.pop("remedies"))  # type: ignore[arg-type]
    assert why(found, **known) == said  # type: ignore[arg-type]


def test_a_longer_training_goes_on_where_a_shorter_one_ended_with_the_same_bits() -> None:
    """More epochs were a whole new training, which three trainings of a budget could not pay for."""
    given = setup(model=net(nn.ReLU, lambda: nn.Dropout(0.2)), epochs=2)
    longer = replace(given, epochs=5)
    short = train(given, 3)
    on, afresh = train(longer, 3, onward=short), train(longer, 3)
    assert on.value == afresh.value
    assert on.course.steps == afresh.course.steps
    assert all(torch.equal(a, b) for a, b in zip(on.model.parameters(), afresh.model.parameters(), strict=True))
    assert short.running is None
    assert len(short.course.points) == 2


def steps_of_repair(given: Setup, budget: float) -> int:
    taken: list[int] = []
    handle = register_optimizer_step_post_hook(lambda *_: taken.append(1))
    try:
        whet.repair(given, budget=budget)
    finally:
        handle.remove()
    return len(taken)


def test_a_repair_takes_no_more_steps_than_its_budget_of_trainings() -> None:
    """A training of a tenth of a second counted as one of a second: ten were done where three were asked for."""
    given = replace(SICK["high rate"][1](), epochs=8)
    whole = train(given).course.steps
    assert whole < steps_of_repair(given, 3.0) <= 3.3 * whole


def test_targets_of_several_columns_are_each_brought_to_their_own_scale() -> None:
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    y = torch.stack([5000 + 900 * x[:, 0], 0.02 * x[:, 1]], 1)
    given = Setup(
        lambda: nn.Linear(3, 2), nn.MSELoss(), lambda p: torch.optim.Adam(p, lr=0.05), (x, y), (x, y), metric="r2"
    )
    mended = whet.repair(given)
    assert [e.path for e in mended.edits] == ["targets"]
    said = torch.as_tensor(mended.train().outputs(x))
    assert all(torch.corrcoef(torch.stack([said[:, i], y[:, i]]))[0, 1] > 0.99 for i in (0, 1))


def test_the_rate_that_a_finding_advises_is_the_one_that_repair_takes() -> None:
    for name in ("high rate", "low rate"):
        found = whet.diagnose(SICK[name][1]()).findings[0]
        assert found.remedies[0].startswith("lr: ")
        assert f"lr={found.remedies[0].split(' -> ')[1]}" in found.advice


def test_gradients_that_explode_are_clipped() -> None:
    """No remedy clipped them: a lower rate left a recurrent network at chance, where clipping alone trains it to the end."""
    given = setup(optimizer=lambda p: torch.optim.SGD(p, lr=1.0))
    finding = Finding("exploding gradient", "", confidence=0.55)
    assert choices(given, before(given), finding)[0] == "gradients: of any length -> clipped to 1"
    clipped = applied(given, (Stage(finding, before(given)),))
    assert clipped is not None
    assert "step=whet.remedies.steps.clip_step" in code_of(clipped)
    model, (x, y) = clipped.fresh(0), moons()
    start = nn.utils.parameters_to_vector(model.parameters()).detach()
    clip_step(model, (1e4 * x, y), nn.CrossEntropyLoss(), clipped.optimiser_of(model))
    moved = nn.utils.parameters_to_vector(model.parameters()).detach() - start
    assert float(moved.norm()) == pytest.approx(1.0, rel=1e-3)


def test_an_edit_is_not_taken_back_by_the_next_one() -> None:
    """A rate that was lowered was raised again to what it had been."""
    given = setup()
    lower = replace(given, edits=(Edit("lr", 0.1, 0.01, ""),), optimizer=lambda p: torch.optim.SGD(p, lr=0.01))
    e = replace(before(given), settings={"lr": 0.01}, optimizer="SGD")
    raised = Stage(Finding("learning rate too low", "", confidence=0.9), replace(e, start=with_step(e, 0.0015)))
    assert applied(given, (raised,)) is not None
    assert applied(lower, (raised,)) is None


def with_step(e: Any, step: float) -> Any:
    return replace(e.start, layers=tuple(replace(x, step=step) for x in e.start.layers))


def test_a_handful_of_steps_becomes_enough_of_them_in_one_try() -> None:
    """Longer steps, smaller batches and more epochs were tried one after the other, and the budget was gone before the last."""
    found = Finding("too few steps", "")
    full = setup(batch_size=600, epochs=6, optimizer=adam(1e-4))
    first = applied(full, (Stage(found, before(full)),))
    assert first is not None
    assert [e.path for e in first.edits] == ["batch_size", "epochs", "lr"]
    assert first.batch_size == 32
    assert first.epochs * 19 >= 800
    many = setup(epochs=8, optimizer=adam(1e-4))  # 152 steps: longer ones may do
    assert choices(many, before(many), found)[0].startswith("lr: ")


def test_nothing_usual_is_tried_behind_an_edit_that_made_it_well() -> None:
    """Of seven trainings that one edit had healed the usual recipe made none better, for 0.8 of a training each."""
    given = setup(metric=lambda said, y: float((said.argmax(1) == y).float().mean()))
    found = examine(given)
    done = (Stage(Finding("learning rate too low", ""), found.evidence),)
    well = [stages[-1] for stages in plans(Attempt(given, found, Harm(), done))]
    assert not any(stage.usual for stage in well)
    sick = [stages[-1] for stages in plans(Attempt(given, found, Harm("behind"), done))]
    assert any(stage.usual for stage in sick)


def test_what_was_usual_at_first_is_not_tried_once_an_edit_made_it_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a metric of one's own it came after the one edit that had healed, in 20 trainings, and was kept in none."""
    own = lambda said, y: float((said.argmax(1) == y).float().mean())  # noqa: E731
    sick, well = (setup(metric=own, epochs=4, model=model, optimizer=adam(5e-3)) for model in (frozen, net()))
    origin, reached = Attempt(sick, examine(sick), Harm("behind")), examine(well)
    tried: list[tuple[Stage, ...]] = []

    def healed(candidate: Setup, stages: tuple[Stage, ...], *_: Any) -> Attempt:
        tried.append(stages)
        return Attempt(candidate, reached, Harm(), stages)

    monkeypatch.setattr(repairing, "tried_out", healed)
    search(origin, 0, Purse(30.0, work_of(origin, 0)))
    assert len(tried) > 1
    assert not any(stage.usual for stages in tried for stage in stages)


def test_an_attempt_of_many_epochs_is_measured_where_the_purse_ends() -> None:
    """It was asked at measurements only, which lie two epochs apart in forty: two trainings where one was left."""
    given = setup(epochs=1)
    origin = Attempt(given, examine(given), Harm("behind"))
    cost = cost_of(given)
    purse = Purse(1.0, cost.look + 1.5 * 19 * cost.step)
    attempt = tried_out(given.edited(Edit("epochs", 1, 60, ""), epochs=60), (), 0, purse, origin)
    assert attempt.found.trained.course.steps == 19


def test_the_adam_that_is_brought_in_steps_in_one_call() -> None:
    """Its loop over tensors took twice the work of a plain step, and the budget half as far."""
    given = setup(optimizer=lambda p: torch.optim.SGD(p, lr=1e-5), model=net(depth=6))
    finding = Finding("optimiser too slow", "", confidence=0.9)
    mended = applied(given, (Stage(finding, before(given)),))
    assert mended is not None
    assert cost_of(mended).step < 1.3 * cost_of(given).step


def test_a_try_that_the_budget_cuts_off_is_held_against_the_other_one_as_far() -> None:
    """It was ahead at three quarters of its epochs, and lost to what the other had at the end."""
    given = setup()
    found = examine(given)

    def reached(*values: float) -> Attempt:
        points = [Point(i + 1, 19 * (i + 1), 0.5, v, v, 0.5) for i, v in enumerate(values)]
        course = Course(points, first_loss=0.7, steps=19 * len(values))
        e = replace(found.evidence, course=course)
        return Attempt(given, replace(found, evidence=e, trained=replace(found.trained, course=course)), Harm())

    old = reached(*(0.6 + 0.01 * i for i in range(20)))  # 0.79 in the end, 0.74 after 15 epochs
    assert is_better(reached(*[0.5] * 14, 0.79), old)
    assert not is_better(reached(*[0.5] * 14, 0.75), old)
    assert not is_better(reached(*[0.5] * 7, 0.79), old)  # too early to tell
    assert not is_better(reached(*[0.5] * 19, 0.79), old)


def test_a_fresh_seed_costs_as_much_as_the_first_one_did() -> None:
    """A training that was given up after a third was trained to its end on fresh seeds: the budget was never enough for one."""
    repaired = whet.repair(setup(optimizer=adam(1e-7)), budget=3.0)
    assert repaired.diagnosis.said
    assert len(repaired.proof.seeds) >= 2
    assert repaired.proof.gain > 0.2
    assert repaired.cost <= 3.05


def test_where_an_epoch_is_the_whole_training_none_is_begun_that_the_budget_does_not_hold() -> None:
    """0.7 of a training was left, and another one was tried: 3.9 in all."""
    right = lambda said, y: float((said.argmax(1) == y).float().mean())  # noqa: E731
    given = setup(epochs=1, train=moons(5_000), optimizer=adam(1e-7), metric=right)
    origin = Attempt(given, examine(given), Harm("behind"))
    cost = cost_of(given)
    one = cost.of(origin.found.trained.course)
    purse = Purse(1.5 + cost.look / one, one)
    search(origin, 0, purse)
    assert purse.left > 0


def test_a_mended_training_that_may_still_get_better_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three times as many epochs were tried on it, for a training and more, and none was kept."""
    found = examine(setup(epochs=4))
    found = replace(found, evidence=replace(found.evidence, yardsticks={"linear": 0.8}))
    point = replace(found.evidence.course.points[-1], val=0.85)
    found.evidence.course.points[:] = [point]
    attempt = Attempt(setup(epochs=4), found, Harm())
    for name, content in (("still improving", True), ("learning rate too low", False)):
        monkeypatch.setattr(attempts, "judge", lambda _, name=name: [Finding(name, "", confidence=0.9)])
        assert is_content(attempt) is content


def test_a_loss_that_takes_any_class_for_right_becomes_the_cross_entropy() -> None:
    """It was named, and nothing was tried."""

    def squares_of_indices(said: Tensor, y: Tensor) -> Tensor:
        return (said - y[:, None].float()).square().mean()

    given = setup(loss=squares_of_indices)
    found = Finding("a loss that takes any class for right", "", confidence=0.9)
    mended = applied(given, (Stage(found, before(given)),))
    assert mended is not None
    assert train(mended).value > 0.9


def test_steps_that_are_rarely_taken_become_steps_on_each_batch() -> None:
    """It was named; what healed it was 36 times the epochs."""

    def gathered(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        value: Tensor = loss(model(batch[0]), batch[1])
        (value / 64).backward()
        optimizer.count = getattr(optimizer, "count", 0) + 1
        if optimizer.count % 64 == 0:
            optimizer.step()
            optimizer.zero_grad()
        return value

    found = whet.repair(setup(step=gathered, optimizer=adam(1e-3)))
    assert "steps that are rarely taken" in [f.name for f in found.diagnosis.findings]
    assert not found.diagnosis.healthy
    assert [(e.path, e.new) for e in found.edits[:1]] == [("step", "clear, forward, loss, backward, step")]
    assert "epochs" not in [e.path for e in found.edits]
    assert found.train(5).value > 0.95
