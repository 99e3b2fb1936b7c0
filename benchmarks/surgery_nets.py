"""Networks by hand, for surgery_table.py: those of the tests of surgery, and a few that people build in earnest."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "surgery"))

from networks import CASES, case
from odd_networks import ODD, odd_case


class Functional(nn.Module):
    """The network of a thousand tutorials."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 16, 3)
        self.fc1, self.fc2 = nn.Linear(16 * 25, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(torch.relu(self.conv2(x)), 2)
        x = F.dropout(self.fc1(x.flatten(1)).relu(), 0.3, self.training)
        return F.log_softmax(self.fc2(x), dim=1)


class Sines(nn.Module):
    """A network of sines for coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 16), nn.Linear(16, 16), nn.Linear(16, 1)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = torch.sin(30 * layer(x))
        return self.layers[-1](x)


class Physics(nn.Module):
    """A network for a differential equation: first derivatives are part of the result."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(1, 16), nn.Linear(16, 1)

    def forward(self, t: Tensor) -> Tensor:
        with torch.enable_grad():
            t = t.detach().requires_grad_()
            u = self.b(torch.tanh(self.a(t)))
            (slope,) = torch.autograd.grad(u.sum(), t, create_graph=True)
        return u + slope


class Mixture(nn.Module):
    """Experts chosen by a router, each example its own."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(8, 3)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(8, 8), act, nn.Linear(8, 8)) for act in (nn.ReLU(), nn.GELU(), nn.Tanh())
        )

    def forward(self, x: Tensor) -> Tensor:
        weight, chosen = self.router(x).softmax(-1).max(-1)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            rows = chosen == i
            if rows.any():
                out[rows] = expert(x[rows]) * weight[rows, None]
        return out


class Unet(nn.Module):
    """Down, up, and concatenated skips, in functional style with a shared rectifier in place."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (
            nn.Conv2d(1, 4, 3, padding=1),
            nn.Conv2d(4, 8, 3, padding=1),
            nn.Conv2d(12, 1, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        top = F.relu(self.a(x), inplace=True)
        low = F.relu_(self.b(F.max_pool2d(top, 2)))
        return torch.sigmoid(self.c(torch.cat([top, F.interpolate(low, scale_factor=2.0)], 1)))


class DeepSets(nn.Module):
    """A sum over a set; functions mapped over lists."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 8), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        parts = map(torch.relu, [self.inner(row) for row in x.unbind(1)])
        return self.outer(torch.stack(list(parts)).sum(0))


def _of(kind: type[nn.Module], *shape: int) -> Callable[[], tuple[nn.Module, Any]]:
    return lambda: (kind(), torch.randn(*shape))


NETS: dict[str, Callable[[], tuple[nn.Module, Any]]] = {
    **{name: partial(case, name) for name in CASES},
    **{name: partial(odd_case, name) for name in ODD},
    "functional calls": _of(Functional, 2, 1, 28, 28),
    "sines": _of(Sines, 4, 2),
    "derivatives inside": _of(Physics, 4, 1),
    "mixture of experts": _of(Mixture, 16, 8),
    "U-net, in place": _of(Unet, 2, 1, 8, 8),
    "map over a set": _of(DeepSets, 4, 3, 4),
}
"""Name -> a maker of (network, sample)."""
