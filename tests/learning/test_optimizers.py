"""Every optimiser learns."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from whet.entry import Entry
from whet.optim import OPTIMIZERS, SCHEDULES, build, evaluation_mode, set_lr
from whet.recipe import Choice

SMALL_START = {"adagrad": 0.1, "lion": 0.003, "adam": 0.01, "adamw": 0.01, "nadam": 0.01, "rmsprop": 0.003}
"""Learning rates for 150 steps, where the default is one for long trainings."""


@pytest.mark.parametrize("entry", list(OPTIMIZERS), ids=lambda entry: entry.name)
def test_an_optimizer_fits_a_small_regression(entry: Entry[torch.optim.Optimizer]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    x = torch.randn(128, 4)
    y = torch.sin(x[:, :1]) + 0.5 * x[:, 1:2]
    params = {"lr": SMALL_START[entry.name]} if entry.name in SMALL_START else {}
    optimizer = build(Choice(entry.name, params), model)
    schedule = SCHEDULES["trapezoid"].make(warmup=0.05, decay=0.5)
    for step in range(150):
        set_lr(optimizer, schedule(step / 150))
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()
    with torch.inference_mode(), evaluation_mode(optimizer):
        assert F.mse_loss(model(x), y) < 0.15 * y.var()
