"""Sick trainings are noticed, named and healed; healthy ones are left alone."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from cases import HEALTHY, SICK, moons, net, setup
from torch import nn

import whet
from whet.errors import UserError
from whet.setups import train


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
    repaired = whet.repair(given, budget=6.0)
    assert repaired.edits, repaired.tried
    assert all(e.because for e in repaired.edits)
    before, after = train(given, 7).value, repaired.train(seed=7).value
    assert after > (before if math.isfinite(before) else 0.0) + 0.05, repaired
    assert after > (0.75 if given.metric == "accuracy" else 0.6), repaired


def test_a_repaired_training_takes_raw_inputs_and_answers_in_the_targets_own_units() -> None:
    given = SICK["unscaled targets"][1]()
    said = whet.repair(given, budget=6.0).train(seed=1).predict(given.val[0])
    assert said.shape == (200,)
    assert abs(float(said.mean()) - 40_000) < 900


def test_the_repair_can_be_pasted_as_code() -> None:
    code = whet.repair(SICK["low rate"][1]()).as_code()
    names: dict[str, object] = {"setup": SICK["low rate"][1]()}
    exec(code, names)
    assert train(names["setup"], 3).value > 0.8  # type: ignore[arg-type]


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
