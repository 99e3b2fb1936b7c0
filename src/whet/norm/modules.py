"""Normalisations over (batch, channel) or (batch, channel, height, width)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def batch(channels: int, dims: int = 1, *, momentum: float = 0.1) -> nn.Module:
    """Batch normalisation; `momentum` is the weight of the newest batch in the running averages."""
    return (nn.BatchNorm1d if dims == 1 else nn.BatchNorm2d)(channels, momentum=momentum)


def layer(channels: int, dims: int = 1) -> nn.Module:
    """Layer normalisation; of images over channels and positions, which is group normalisation with one group."""
    return nn.LayerNorm(channels) if dims == 1 else nn.GroupNorm(1, channels)


def group(channels: int, dims: int = 1, *, groups: int = 32) -> nn.Module:
    """Group normalisation with `groups` groups, or the next smaller number that divides the channels."""
    return nn.GroupNorm(next(g for g in range(min(groups, channels), 0, -1) if channels % g == 0), channels)


class RMSNorm(nn.Module):
    """x / sqrt(mean over channels of x^2 + eps) * weight, with the channels in dimension 1."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:  # (batch, channel, …)
        length = torch.rsqrt(x.square().mean(1, keepdim=True) + self.eps)
        return x * length * self.weight.view(-1, *(1,) * (x.ndim - 2))
