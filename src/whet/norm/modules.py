"""Normalisations over (batch, channel) or (batch, channel, height, width).

m, v     mean and variance of what is normalised together        w, b     learned scale and shift, one per channel
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whet.errors import RecipeError


def batch(channels: int, dims: int = 1, *, momentum: float = 0.1) -> nn.Module:
    """Batch normalisation; `momentum` is the weight of the newest batch in the running averages."""
    return (nn.BatchNorm1d if dims == 1 else nn.BatchNorm2d)(channels, momentum=momentum)


def layer(channels: int, dims: int = 1) -> nn.Module:
    """Layer normalisation; of images over channels and positions, which is group normalisation with one group."""
    return nn.LayerNorm(channels) if dims == 1 else nn.GroupNorm(1, channels)


def group(channels: int, dims: int = 1, *, groups: int = 32) -> nn.Module:
    """Group normalisation with `groups` groups, or the next smaller number that divides the channels."""
    return nn.GroupNorm(next(g for g in range(min(groups, channels), 0, -1) if channels % g == 0), channels)


def group_of_standardised(channels: int, dims: int = 1, *, groups: int = 32) -> nn.Module:
    """The group normalisation behind a convolution whose weights are standardised. RecipeError where there are none."""
    if dims == 1:
        raise RecipeError(
            "weight standardisation is made for convolutions, and a table has none.", "Use layer or batch."
        )
    return group(channels, dims, groups=groups)


def instance(channels: int, dims: int = 1) -> nn.Module:
    """Instance normalisation, with a learned scale and shift. RecipeError for rows without positions."""
    if dims == 1:
        raise RecipeError(
            "instance normalisation works over the positions of a map, and rows of a table have none.",
            "Use layer or batch.",
        )
    return nn.GroupNorm(channels, channels)


class RMSNorm(nn.Module):
    """x / sqrt(mean over channels of x^2 + eps) * w, with the channels in dimension 1."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:  # (batch, channel, …)
        """Shape and dtype of x are kept; the mean is taken in float32 or better."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        length = torch.rsqrt(wide.square().mean(1, keepdim=True) + self.eps)
        return (wide * length * per_channel(self.weight, x)).to(x.dtype)


def per_channel(param: Tensor, x: Tensor) -> Tensor:
    """One number per channel, shaped to meet (batch, channel, …)."""
    return param.view(-1, *(1,) * (x.ndim - 2))
