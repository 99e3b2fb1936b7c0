"""Sick trainings are noticed, named and healed; healthy ones are left alone."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from cases import HEALTHY, SICK, adam, moons, net, setup
from torch import nn

import whet
from whet.diagnosis.examine import Examined, before, examine
from whet.diagnosis.rules import judge
from whet.diagnosis.verdict import Harm, harm
from whet.doctor import beside_mended, need_of, watched
from whet.errors import UserError
from whet.recipe import Edit
from whet.remedies import alternatives
from whet.repairing import Attempt, is_better
from whet.setups import train
from whet.setups.code import code_of


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", SICK)
def test_a_fault_is_noticed_and_its_cause_is_among_the_first_three(name: str) -> None:
    code, make = SICK[name]
    found = whet.diagnose(make())
    assert not found.healthy, found
    codes = list(dict.fromkeys(f.code for f in found.findings))
    assert code in codes[:3], found
    for f in found.findings:  # what a reader needs: the number with its border, and what to do
        assert f.advice
        assert "count" in f.cause or "border" not in f.evidence, f


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_training_raises_no_alarm_and_comes_back_unchanged(name: str) -> None:
    given = HEALTHY[name]()
    repaired = whet.repair(given)
    assert repaired.diagnosis.healthy, repaired.diagnosis
    assert all(f.severity == "info" for f in repaired.diagnosis.findings)
    assert repaired.setup is given
    assert repaired.edits == ()
    assert "healthy" in repaired.said


@pytest.mark.parametrize("name", SICK)
def test_a_sick_training_learns_after_repair(name: str) -> None:
    given = SICK[name][1]()
    repaired = whet.repair(given, budget=3.0)
    assert repaired.edits, repaired.tried
    assert all(e.because for e in repaired.edits)
    before, after = train(given, 7).value, repaired.train(seed=7).value
    assert after > (before if math.isfinite(before) else 0.0) + 0.05, repaired
    assert after > (0.75 if given.metric == "accuracy" else 0.6), repaired


def test_a_repaired_training_takes_raw_inputs_and_answers_in_the_targets_own_units() -> None:
    given = SICK["unscaled targets"][1]()
    said = whet.repair(given, budget=3.0).train(seed=1).predict(given.val[0])
    assert said.shape == (200,)
    assert abs(float(said.mean()) - 40_000) < 900


def test_a_finding_says_what_could_be_tried_in_the_words_of_repair() -> None:
    given = SICK["high rate"][1]()
    found = whet.diagnose(given).findings[0]
    assert [said.split(":")[0] for said in found.remedies] == ["lr", "optimizer"]
    repaired = whet.repair(given)
    assert f"{repaired.edits[0].path}: 5 -> {repaired.edits[0].new:g}" == found.remedies[0]
    assert found.remedies[0] in str(whet.diagnose(given))


def test_rectified_units_that_are_likely_to_die_are_given_a_slope() -> None:
    narrow = net(nn.Identity, width=4, depth=5)
    assert whet.repair(setup(model=narrow)).edits[0].new == "elu"
    assert "activation: none -> relu; init: the network's own -> auto" in str(whet.diagnose(SICK["linear"][1]()))


def test_a_training_that_ended_early_and_is_hardly_behind_is_not_sick() -> None:
    e = examine(setup(epochs=8, optimizer=adam(2e-3))).evidence
    best = max(e.yardsticks.values())
    points = [replace(p, val=best - 0.06, train=best - 0.06, loss=0.7**i) for i, p in enumerate(e.course.points)]
    brief = replace(e, course=replace(e.course, points=points, first_loss=1.0))
    assert [f.name for f in judge(brief) if f.confidence >= 0.5] == ["still improving"]
    assert not harm(brief)
    assert harm(replace(brief, settings={**brief.settings, "weight_decay": 9.0}))  # another cause speaks against it
    far = [replace(p, val=best - 0.12) for p in points]
    assert harm(replace(brief, course=replace(brief.course, points=far)))


def test_a_calm_training_replaces_one_that_was_lucky() -> None:
    found = examine(setup(epochs=4))
    given, e = setup(), found.evidence
    points = e.course.points
    better = replace(
        found, evidence=replace(e, course=replace(e.course, points=[replace(p, val=0.95) for p in points]))
    )
    lucky = replace(
        found, evidence=replace(e, course=replace(e.course, points=[replace(p, val=0.944) for p in points]))
    )
    assert is_better(Attempt(given, better, Harm()), Attempt(given, lucky, Harm("luck", 0.01, luck=True)))
    assert not is_better(Attempt(given, better, Harm()), Attempt(given, lucky, Harm("behind", 0.01)))
    assert not is_better(
        Attempt(given, better, Harm("behind", 0.1)), Attempt(given, lucky, Harm("luck", 0.01, luck=True))
    )


def test_a_loss_with_code_of_its_own_as_scripts_have_stays_out_of_the_repairs_code() -> None:
    loss = nn.CrossEntropyLoss()
    loss.code = "def forward(self, input, target): ..."  # type: ignore[assignment]
    longer = setup(loss=loss).edited(Edit("epochs", 10, 20, ""), epochs=20)
    assert code_of(longer).endswith("dataclasses.replace(original, epochs=20)")


def test_the_repair_can_be_pasted_as_code() -> None:
    code = whet.repair(SICK["low rate"][1]()).as_code()
    names: dict[str, object] = {"setup": SICK["low rate"][1]()}
    exec(code, names)
    assert train(names["setup"], 3).value > 0.8  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SICK)
def test_the_code_of_every_remedy_makes_what_was_trained(name: str) -> None:
    """Targets were scaled and the loss was not; an optimiser was made from its rate alone."""
    given = SICK[name][1]()
    e = before(given)
    edited = [setup for f in judge(e)[:3] for setup in alternatives(f, need_of(given, e, f))]
    assert edited
    for made in edited:
        names: dict[str, Any] = {"setup": given}
        exec(code_of(made), names)
        ours, pasted = (train(s, 3, epochs=1).course for s in (made, names["setup"]))
        if not any(edit.path == "init" for edit in made.edits):  # drawn from other numbers
            assert repr(pasted.points) == repr(ours.points), code_of(made)
        assert (names["setup"].epochs, names["setup"].batch_size) == (made.epochs, made.batch_size)


def test_a_diagnosis_is_the_same_for_the_same_seed_and_leaves_the_callers_numbers_alone() -> None:
    torch.manual_seed(5)
    first = whet.diagnose(SICK["high rate"][1](), seed=3)
    again = whet.diagnose(SICK["high rate"][1](), seed=3)
    assert [f.name for f in first.findings] == [f.name for f in again.findings]
    assert first.value == again.value or (math.isnan(first.value) and math.isnan(again.value))


WRONG = {
    "the same object twice": (lambda: setup(model=itertools.repeat(net()()).__next__), "same network twice"),
    "a network, not a function": (lambda: setup(model=net()()), "not a function"),
    "a loss that is a vector": (lambda: setup(loss=nn.CrossEntropyLoss(reduction="none")), "not one number"),
    "an optimiser over other parameters": (
        lambda: setup(optimizer=lambda p: torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)),
        "none of the model's parameters",
    ),
    "an empty loader": (lambda: setup(train=torch.utils.data.DataLoader([])), "empty"),
    "an unknown metric": (lambda: setup(metric="acuracy"), "no metric"),
    "outputs that don't fit": (lambda: setup(model=net(outputs=1)), "loss fails"),
    "inputs that don't fit": (lambda: setup(train=(torch.zeros(9, 5), torch.zeros(9).long())), "network fails"),
    "more inputs than targets": (lambda: setup(train=(torch.zeros(9, 2), torch.zeros(8).long())), "9 inputs and 8"),
}


@pytest.mark.parametrize("name", WRONG)
def test_parts_that_do_not_fit_are_answered_in_one_line(name: str) -> None:
    make, said = WRONG[name]
    with pytest.raises(UserError, match=said) as error:
        whet.diagnose(make())
    assert "\n" not in str(error.value)


def test_a_loader_can_be_trained_and_measured_on() -> None:
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*moons()), batch_size=32, shuffle=True)
    assert whet.diagnose(setup(train=loader)).healthy


def test_what_is_hardly_behind_for_no_certain_cause_is_asked_again_with_another_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = setup()
    found = examine(given)
    last = found.trained.course.last
    assert last is not None

    def seen(reached: float) -> Examined:
        course = replace(found.trained.course, points=[replace(last, train=reached, val=reached)])
        known = {"guess": 0.5, "linear": 1.0}
        return replace(found, evidence=replace(found.evidence, course=course, yardsticks=known))

    monkeypatch.setattr("whet.doctor.examine", lambda *_, **__: next(answers))
    for reached, again, healthy in ((0.87, 0.99, True), (0.87, 0.87, False)):
        answers = iter((seen(reached), seen(again)))
        assert bool(harm(watched(given, 0).evidence)) != healthy
    answers = iter((seen(0.6), seen(0.99)))
    assert harm(watched(given, 0).evidence)  # far behind: nothing is asked
    assert next(answers)


def test_where_simple_methods_are_bad_at_the_rows_a_grave_sign_is_tried_out() -> None:
    """Pictures of what may stand anywhere: 0.65 is more than any simple method, and 0.95 what it reaches when mended."""
    given = SICK["gradients pile up"][1]()
    hopeless_rows = replace(examine(given).evidence, yardsticks={"guess": 0.1})
    beside = beside_mended(replace(examine(given), evidence=hopeless_rows), 0)
    assert beside.evidence.yardsticks["mended"] > 0.9
    assert "mended" in harm(beside.evidence).said


class Stream(torch.utils.data.IterableDataset):  # type: ignore[type-arg]
    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __iter__(self):  # type: ignore[no-untyped-def]
        return zip(*moons(max(1, self.rows)), strict=True) if self.rows else iter(())


def test_rows_may_come_as_a_stream_and_an_empty_one_is_told() -> None:
    assert whet.diagnose(setup(train=Stream(600))).value > 0.8
    with pytest.raises(UserError, match="gives no batch"):
        whet.diagnose(setup(train=Stream(0)))


def test_an_optimiser_that_asks_for_the_loss_several_times_is_served() -> None:
    found = whet.diagnose(setup(optimizer=lambda p: torch.optim.LBFGS(p, lr=0.3), epochs=3, batch_size=200))
    assert found.value > 0.8


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": nn.BCELoss(), "model": net(outputs=1)}, "BCEWithLogitsLoss"),
        ({"train": (moons()[0], moons()[1] + 1)}, "counted from 0"),
        ({"train": (moons()[0].double(), moons()[1])}, "X.float"),
        ({"model": lambda: net()().to("meta")}, "device of the rows"),
        ({"model": lambda: nn.Sequential(nn.EmbeddingBag(20, 8), nn.Linear(8, 2))}, r"\. Indices are whole"),
    ],
)
def test_what_torch_says_of_parts_that_do_not_fit_comes_with_what_to_do(changes: dict[str, Any], said: str) -> None:
    if "loss" in changes:
        x, y = moons()
        changes = {**changes, "train": (x, y[:, None].float()), "val": (x, y[:, None].float())}
        changes["model"] = lambda: nn.Sequential(nn.Linear(2, 1))
    with pytest.raises(UserError, match=said):
        whet.diagnose(setup(**changes))
