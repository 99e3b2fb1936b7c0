"""Losses are recognised by what they do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from whet.setups import recognise

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
