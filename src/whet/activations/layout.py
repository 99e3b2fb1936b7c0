"""Where the channels are: parameters per channel are spread over a tensor, and a tensor is averaged per channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whet.errors import RecipeError


def learned(values: list[float], channels: int | None) -> nn.Parameter:
    """Learned numbers, one set for the layer or one per channel, in a single dimension: (channels * len(values),).

    A parameter of one dimension has no weight decay (whet.optim.groups), in a copy of the network too.
    """
    return nn.Parameter(torch.tensor(values).repeat(channels or 1))


def spread(per_channel: Tensor, x: Tensor, dim: int) -> Tensor:
    """(channels,) as a tensor that broadcasts along dimension `dim` of x; one number, of shape (1,), fits everywhere."""
    if per_channel.numel() == 1:
        return per_channel.reshape(())
    shape = [1] * x.ndim
    shape[dim] = -1
    return per_channel.reshape(shape)


def pooled(x: Tensor, dim: int, channels: int | None = None) -> Tensor:
    """(batch, channels): the mean over all other dimensions; x itself where there are none.

    Raises RecipeError where there are no channels, or not that many.
    """
    if not -x.ndim <= dim < x.ndim or x.ndim < 2 or channels not in (None, x.shape[dim]):
        what = "channels" if channels is None else f"{channels} channels"
        raise RecipeError(
            f"It looks at {what} along dimension {dim}, which an input of shape {tuple(x.shape)} has not.",
            "Give dim=, the dimension of the channels, and channels=, their number.",
        )
    own = dim % x.ndim
    others = [d for d in range(1, x.ndim) if d != own]
    return x.mean(others) if others else x


def back(per_example: Tensor, x: Tensor, dim: int) -> Tensor:
    """(batch, channels) or (batch, 1) as a tensor that broadcasts over x."""
    shape = [1] * x.ndim
    shape[0] = per_example.shape[0]
    shape[dim] = per_example.shape[1]
    return per_example.reshape(shape)


def check_channels(name: str, channels: int | None) -> int:
    """The number of channels. Raises RecipeError where a method can't do without it."""
    if not isinstance(channels, int) or channels < 1:
        raise RecipeError(
            f"{name} needs the number of channels; channels={channels!r} was given.",
            f"For example: whet.activations.get({name!r}, channels=64).",
        )
    return channels
