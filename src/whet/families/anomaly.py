"""What networks for anomalies share: how they say what they found, and autoencoders of any kind.

x     (B, F) standardised columns, or (B, F, W) the last W steps of each, the judged one last
out   (B, 2 + F): score, the higher the stranger; cost, which training makes small; and how strange each column is
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from whet.families.spec import InputSpec


def verdict(cost: Tensor, columns: Tensor, score: Tensor | None = None) -> Tensor:
    """(B, 2 + F) of cost (B,), columns (B, F) and, where it is another than the cost, score (B,)."""
    return torch.cat([(cost if score is None else score)[:, None], cost[:, None], columns], dim=1)


def exactly(x: Tensor) -> torch.autocast:
    """Within it numbers keep their float32: small distances between large numbers are lost in bfloat16."""
    return torch.autocast(x.device.type, enabled=False)


def by_column(values: Tensor) -> Tensor:
    """(B, F): the mean over the steps where there are any."""
    return values.flatten(2).mean(2) if values.ndim > 2 else values


def flat_size(spec: InputSpec) -> int:
    return math.prod(spec.shape)


class Reconstructing(nn.Module):
    """A network that gives its input back: the squared error is the cost, in whole and by column."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        with exactly(x):
            columns = by_column((self.network(x) - x).square())
            return verdict(columns.mean(1), columns)


class Whole(nn.Module):
    """A network that gives a cost for the row as a whole: a column is as strange as it is far from its mean."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def calibrate(self, x: Tensor) -> None:
        if hasattr(self.network, "calibrate"):
            self.network.calibrate(x)  # type: ignore[operator]

    def forward(self, x: Tensor) -> Tensor:
        return verdict(self.network(x), by_column(x.square()))


def begin_at_zero(layer: nn.Module) -> None:
    """All weights 0: the layer adds nothing before it has learned."""
    for weight in layer.parameters():
        nn.init.zeros_(weight)


def layers(sizes: list[int], spec: InputSpec, bias: bool = True) -> nn.Sequential:
    """Dense layers with the recipe's activation between them, and none behind the last."""
    made: list[nn.Module] = []
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        made += [spec.activation()] if i else []
        made.append(nn.Linear(fan_in, fan_out, bias=bias))
    return nn.Sequential(*made)
