"""Measurements that no rule judges by, against slow and obvious ways to the same numbers."""

from __future__ import annotations

import math

import pytest
import torch
from cases import adam, moons, net, setup
from torch import Tensor, nn

import whet
from whet.diagnosis.rates import range_test
from whet.diagnosis.readings import PARTS, effective_rank, feature_ranks, gradient_noise, sharpness

LOSS = nn.CrossEntropyLoss()


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def gradients(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """(row, weight) the gradient of each row's loss."""
    rows = []
    for i in range(len(x)):
        found = torch.autograd.grad(LOSS(model(x[i : i + 1]), y[i : i + 1]), [*model.parameters()])
        rows.append(torch.cat([g.flatten() for g in found]))
    return torch.stack(rows)


def test_the_noise_scale_is_the_trace_of_the_gradients_covariance_over_their_mean_squared() -> None:
    torch.manual_seed(0)
    model, (x, y) = net()(), moons(PARTS)
    found = gradient_noise(model, LOSS, (x,), y, 32)
    each = gradients(model, x, y).double()
    noise = float(each.var(0).sum())
    signal = float(each.mean(0).square().sum()) - noise / PARTS  # the mean of few rows holds noise too
    assert found is not None
    assert found.numbers["rows"] == pytest.approx(noise / signal if signal > 0 else math.inf, rel=1e-3)


def test_rows_that_are_all_alike_have_no_noise() -> None:
    x, y = torch.ones(64, 2), torch.zeros(64, dtype=torch.int64)
    found = gradient_noise(net()(), LOSS, (x,), y, 32)
    assert found is not None
    assert found.numbers["rows"] == pytest.approx(0.0, abs=1e-3)


def test_the_effective_rank_counts_equal_directions_and_not_the_unused_ones() -> None:
    assert effective_rank(torch.eye(6)) == pytest.approx(6)
    assert effective_rank(torch.diag(torch.tensor([1.0, 1.0, 0.0, 0.0]))) == pytest.approx(2)
    assert 1 < effective_rank(torch.diag(torch.tensor([1.0, 0.1]))) < 2
    assert math.isnan(effective_rank(torch.zeros(3, 3)))
    assert math.isnan(effective_rank(torch.full((2, 2), math.inf)))


def test_a_layer_that_passes_one_direction_on_has_rank_one() -> None:
    model = net(nn.Identity)()
    with torch.no_grad():
        model[2].weight.copy_(torch.outer(torch.ones(24), torch.randn(24)))  # type: ignore[index,union-attr]
        model[2].bias.zero_()  # type: ignore[index,union-attr]
    found = feature_ranks(model, (moons()[0],))
    assert found is not None
    assert found.numbers["2"] == pytest.approx(1.0, abs=1e-3)
    assert found.numbers["0"] > 1.5
    assert "2 uses 1.0 of 24 possible" in found.said


def test_sharpness_is_the_hessians_largest_eigenvalue() -> None:
    torch.manual_seed(0)
    model, (x, y) = nn.Linear(2, 2), moons(64)

    def of(flat: Tensor) -> Tensor:
        return LOSS(x @ flat[:4].reshape(2, 2).t() + flat[4:], y)

    flat = torch.cat([p.detach().flatten() for p in model.parameters()])
    hessian = torch.autograd.functional.hessian(of, flat)
    found = sharpness(model, LOSS, (x,), y)
    assert found is not None
    assert found.numbers["eigenvalue"] == pytest.approx(float(torch.linalg.eigvalsh(hessian)[-1]), rel=0.02)
    assert found.numbers["edge"] == pytest.approx(2 / found.numbers["eigenvalue"])


def test_the_range_test_points_to_a_rate_that_trains_well_and_says_when_it_knows_nothing() -> None:
    found = range_test(setup(optimizer=adam(1e-7)))
    assert 1e-3 < found.numbers["rate"] < 0.2
    assert found.numbers["low"] <= found.numbers["rate"] <= found.numbers["high"]
    nothing = range_test(setup(loss=lambda z, y: 0 * z.sum() + 1))
    assert nothing.numbers == {}
    assert "says nothing about the rate" in nothing.said


def test_a_diagnosis_holds_readings_and_more_on_request() -> None:
    plain = whet.diagnose(setup(epochs=4))
    assert [r.name for r in plain.readings] == ["gradient noise scale", "effective rank"]
    more = whet.diagnose(setup(epochs=4), range_test=True, sharpness=True)
    assert [r.name for r in more.readings][2:] == ["sharpness", "learning-rate range test"]
    assert more.findings == plain.findings
    assert more.value == plain.value
    assert "learning-rate range test: a rate of" in str(more)
