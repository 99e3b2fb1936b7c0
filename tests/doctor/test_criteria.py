"""Losses are recognised by what they do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import adam, setup
from torch import nn
from torch.nn import functional as F

from whet.diagnosis.examine import before
from whet.diagnosis.rules import judge
from whet.doctor import need_of
from whet.remedies import alternatives
from whet.setups import recognise, train

Y3, Y2, V = torch.tensor([0, 2, 1, 1]), torch.tensor([0.0, 1.0, 1.0, 0.0]), torch.randn(4)
CASES: dict[str, tuple[Any, Any, Any]] = {
    "cross_entropy": (nn.CrossEntropyLoss(), torch.zeros(4, 3), Y3),
    "nll": (nn.NLLLoss(), torch.zeros(4, 3), Y3),
    "bce_with_logits": (lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], y), torch.zeros(4, 1), Y2),
    "bce": (lambda z, y: F.binary_cross_entropy(z[:, 0], y), torch.zeros(4, 1), Y2),
    "mse": (lambda z, y: F.mse_loss(z[:, 0], y), torch.zeros(4, 1), V),
    "mae": (nn.L1Loss(), torch.zeros(4), V),
    "mse_of_classes": (lambda z, y: ((z - F.one_hot(y, 3)) ** 2).mean(), torch.zeros(4, 3), Y3),
    "mse_of_every_pair": (lambda z, y: ((z - y) ** 2).mean(), torch.zeros(4, 1), V),
    "unknown": (lambda z, y: z.sum() * 3.7, torch.zeros(4, 3), Y3),
}


@pytest.mark.parametrize("name", CASES)
def test_a_loss_is_known_by_its_values(name: str) -> None:
    loss, outputs, y = CASES[name]
    assert recognise(loss, outputs, y).name == name


def test_a_loss_that_fails_is_unknown() -> None:
    assert recognise(lambda z, y: 1 / 0, torch.zeros(4, 3), Y3).name == "unknown"


def test_targets_of_several_labels_and_shares_of_classes_are_understood() -> None:
    z, labels = torch.randn(8, 3), torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]] * 4)
    assert recognise(nn.BCEWithLogitsLoss(), z, labels).name == "bce_with_logits"
    shares = torch.eye(3)[torch.arange(8) % 3]
    assert recognise(nn.CrossEntropyLoss(), z, shares).name == "cross_entropy"
    assert recognise(lambda p, y: -(p.log() * y).sum(1).mean(), z, shares).takes == "probabilities"


def test_the_accuracy_of_several_labels_is_that_of_each_and_repair_keeps_them_apart() -> None:
    x = torch.randn(120, 3, generator=torch.Generator().manual_seed(0))
    given = setup(
        model=lambda: nn.Sequential(nn.Linear(3, 3), nn.Sigmoid()),
        loss=nn.L1Loss(),
        optimizer=adam(5e-2),
        train=(x, (x > 0).float()),
        val=(x, (x > 0).float()),
    )
    e = before(given)
    assert e.classify
    names = {f.name for f in judge(e)}
    assert names & {"absolute error for classes", "squared error for classes"}
    found = next(f for f in judge(e) if f.name == "absolute error for classes")
    mended = next(iter(alternatives(found, need_of(given, e, found))))
    assert train(mended).value > 0.8
