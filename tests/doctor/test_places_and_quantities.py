"""A layer that stands in several places gets weights for each; of several targets each number gets a scale of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from cases import adam, regression, waves
from torch import Tensor, nn
from torch.nn import functional as F

import whet
from whet.diagnosis.examine import before
from whet.diagnosis.rules import judge
from whet.doctor import need_of
from whet.remedies import alternatives
from whet.remedies.data import scales
from whet.setups import Setup
from whet.setups.apart import OwnWeights


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def in_places(count: int, act: Any = nn.Tanh) -> nn.Module:
    """One hidden layer so many times."""
    block = nn.Sequential(nn.Linear(24, 24), act())
    return nn.Sequential(nn.Linear(2, 24), act(), *[block] * count, nn.Linear(24, 1))


def test_each_place_of_a_repeated_layer_has_weights_drawn_alike_and_its_own() -> None:
    model = in_places(3)
    given = [p.clone() for p in model.parameters()]
    OwnWeights()(model)
    layers = [block[0].weight for block in model if isinstance(block, nn.Sequential)]
    assert len({id(w) for w in layers}) == 3
    assert torch.equal(layers[0], given[2])  # the first one keeps what it has
    for other in layers[1:]:
        assert not torch.equal(other, layers[0])
        assert torch.equal(other.flatten().sort().values, layers[0].flatten().sort().values)


def test_weights_that_two_layers_share_and_functions_in_several_places_stay() -> None:
    act = nn.ReLU()
    model = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)
    model[2].weight = model[0].weight
    OwnWeights()(model)
    assert model[2].weight is model[0].weight
    assert model[1] is model[3] is act


def rows(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """What one layer in many places can hardly follow."""
    x, _ = waves(count, seed)
    y = (4 * x[:, :1]).sin() * (2 * x[:, 1:]).cos() + x[:, 1:].square() / 3
    return x, (y - 0.35) / 0.8


def repeated(count: int, **changes: Any) -> Setup:
    return regression(model=lambda: in_places(count, nn.ReLU), train=rows(400, 0), val=rows(200, 1), **changes)


def test_one_layer_in_many_places_is_told_by_a_training_with_a_layer_for_each_and_is_healed_so() -> None:
    found = whet.repair(repeated(7, optimizer=adam(5e-3)))
    assert not found.diagnosis.healthy
    assert "one layer in several places" in [f.name for f in found.diagnosis.findings]
    assert "weights of repeated layers" in [e.path for e in found.edits], str(found)
    assert "OwnWeights()(model)" in found.as_code()


def test_one_layer_in_two_places_that_does_no_harm_is_no_alarm() -> None:
    assert whet.diagnose(regression(model=lambda: in_places(2))).healthy


# -- several targets ---------------------------------------------------------------------------------------------------


def stays(count: int, seed: int, unit: float = 40.0, offset: float = 200.0) -> tuple[Tensor, Tensor]:
    """(rows, 6) -> one of three kinds, and hours."""
    draw, fixed = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(7)
    x = torch.randn(count, 6, generator=draw)
    h = torch.tanh(x @ torch.randn(6, 6, generator=fixed) / 2)
    kind = (2 * h @ torch.randn(6, 3, generator=fixed)).argmax(1)
    return x, torch.stack([kind.float(), offset + unit * (h @ torch.randn(6, generator=fixed))], 1)


def kind_and_hours(said: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(said[:, :3], y[:, 0].long()) + F.mse_loss(said[:, 3], y[:, 1])


def both_met(said: Tensor, y: Tensor) -> float:
    right = float((said[:, :3].argmax(1) == y[:, 0]).float().mean())
    return right / 2 + max(-0.5, 0.5 - 0.5 * float(F.mse_loss(said[:, 3], y[:, 1]) / y[:, 1].var()))


def ward(unit: float, offset: float) -> Setup:
    model = lambda: nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))  # noqa: E731
    parts = {"train": stays(600, 0, unit, offset), "val": stays(300, 1, unit, offset)}
    return regression(model=model, loss=kind_and_hours, metric=both_met, epochs=20, **parts)


def test_a_column_that_numbers_classes_has_no_scale_and_a_quantity_beside_it_has_one() -> None:
    _, y = stays(600, 0)
    mean, spread = scales(y.double())
    assert isinstance(mean, tuple)
    assert isinstance(spread, tuple)
    assert (mean[0], spread[0]) == (0.0, 1.0)
    assert mean[1] == pytest.approx(200, abs=20)
    assert spread[1] == pytest.approx(float(y[:, 1].std()), rel=0.01)


def test_the_output_that_answers_to_a_quantity_is_stretched_and_the_scores_of_a_kind_are_not() -> None:
    sick = ward(40.0, 200.0)
    e = before(sick)
    told = next(f for f in judge(e) if f.name == "unscaled targets")
    edited = next(alternatives(told, need_of(sick, e, told)))
    stretch = edited.operations[-1]
    assert stretch.mean[:3] == (0.0, 0.0, 0.0)  # type: ignore[attr-defined]
    assert stretch.spread[:3] == (1.0, 1.0, 1.0)  # type: ignore[attr-defined]
    assert stretch.mean[3] == pytest.approx(200, abs=20)  # type: ignore[attr-defined]
    assert "whet.remedies.data.scaled(original.loss, " in str(edited.loss.whet_code)  # type: ignore[attr-defined]


def test_two_columns_for_one_output_get_no_scale_and_break_nothing() -> None:
    sick = ward(40.0, 200.0)
    x, _ = stays(600, 0)
    parts = (x, torch.stack([100 * x[:, 0], 50 * x[:, 1]], 1))
    one = Setup(lambda: nn.Linear(6, 1), lambda said, y: F.mse_loss(said[:, 0], y.mean(1)), sick.optimizer, parts)
    e = before(sick)
    told = next(f for f in judge(e) if f.name == "unscaled targets")
    assert not list(alternatives(told, replace(need_of(one, e, told), outputs=1)))


def test_hours_beside_a_kind_are_missed_no_more_and_days_are_no_alarm() -> None:
    healed = whet.repair(ward(40.0, 200.0))
    assert not healed.diagnosis.healthy
    assert "targets" in [e.path for e in healed.edits]
    assert healed.proof.after[0] > healed.proof.before[0] + 0.05
    assert whet.diagnose(ward(1.0, 0.0)).healthy
