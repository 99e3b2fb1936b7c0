"""Activations whose shape depends on the example: small networks inside them look at all of it.

symbol    meaning                                                    shape
x         the input, channels in dimension `dim` (1 if not given)    (batch, channels, …)
K         lines of a dynamic relu, 2                                 1
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from whet.activations.entry import Activation
from whet.activations.layout import back, check_channels, learned, pooled, spread
from whet.errors import RecipeError

LINES = 2


def squeeze(channels: int, reduction: int, outputs: int, least: int = 1) -> nn.Sequential:
    """channels -> channels / reduction -> outputs, with a relu between."""
    hidden = max(least, channels // int(reduction))
    return nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


class SqueezeExcite(nn.Module):
    """x times a gate per channel, sigmoid(W2 relu(W1 mean(x))). Hu, Shen & Sun 2018."""

    def __init__(self, channels: int, reduction: int = 16, dim: int = 1) -> None:
        super().__init__()
        self.dim, self.channels = dim, channels
        self.gate = squeeze(channels, reduction, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x * back(torch.sigmoid(self.gate(pooled(x, self.dim, self.channels))), x, self.dim)


class DynamicReLU(nn.Module):
    """max_k (a_k x + b_k), with slopes and offsets that a small network reads from the example's channel means.

    a_k = alpha_k + lambda_a d_k and b_k = beta_k + lambda_b e_k, where d, e in (-1, 1) come from the network, alpha =
    (1, 0), beta = (0, 0), lambda_a = 1, lambda_b = 1/2. With `per_channel`, each channel has lines of its own (DY-ReLU-B),
    else all share them (A). With `spatial`, d and e also count less where a map over the positions says so (C).
    Chen et al. 2020, arXiv:2003.10027, sections 3.2 and 3.3.
    """

    TEMPERATURE = 10.0
    """Of the softmax over positions."""

    def __init__(
        self, channels: int, reduction: int = 8, dim: int = 1, *, per_channel: bool = True, spatial: bool = False
    ) -> None:
        super().__init__()
        self.dim, self.channels, self.sets = dim, channels, channels if per_channel else 1
        self.lines = squeeze(channels, reduction, 2 * LINES * self.sets)
        self.where = nn.Linear(channels, 1) if spatial else None

    def forward(self, x: Tensor) -> Tensor:
        read = 2 * torch.sigmoid(self.lines(pooled(x, self.dim, self.channels))) - 1  # (batch, 2 K sets)
        slopes, offsets = read.view(len(x), 2, LINES, self.sets).unbind(1)
        weight = None if self.where is None else self.attention(x)
        lines = [self.line(x, slopes[:, k], offsets[:, k], 1.0 - k, weight) for k in range(LINES)]
        return torch.maximum(*lines)

    def line(self, x: Tensor, slope: Tensor, offset: Tensor, start: float, weight: Tensor | None) -> Tensor:
        slope, offset = back(slope, x, self.dim), back(offset, x, self.dim) / 2
        if weight is not None:
            slope, offset = slope * weight, offset * weight
        return x * (slope + start) + offset

    def attention(self, x: Tensor) -> Tensor:
        """Per position, in (0, 1]: min(1, positions / 3 * softmax(scores / temperature))."""
        assert self.where is not None
        if x.ndim < 3:
            raise RecipeError(
                f"dynamic_relu_c weighs positions, but the input of shape {tuple(x.shape)} has none.",
                "Use dynamic_relu_b for vectors.",
            )
        scores = self.where(x.movedim(self.dim, -1)).squeeze(-1)  # (batch, *positions)
        share = torch.softmax(scores.flatten(1) / self.TEMPERATURE, dim=1)
        return (share * (share.shape[1] / 3)).clamp(max=1).view_as(scores).unsqueeze(self.dim)


class MetaAcon(nn.Module):
    """ACON-C whose switch beta is read from the example: sigmoid(W2 W1 mean(x)) per channel.

    f(x) = (p1 - p2) x sigmoid(beta (p1 - p2) x) + p2 x. Ma et al. 2021, arXiv:2009.04759, section 3.3; without their
    batch norms between the two layers, and from p1 = 1, p2 = 0.
    """

    def __init__(self, channels: int, reduction: int = 16, dim: int = 1) -> None:
        super().__init__()
        self.dim, self.channels = dim, channels
        hidden = max(int(reduction), channels // int(reduction))
        self.switch = nn.Sequential(nn.Linear(channels, hidden), nn.Linear(hidden, channels))
        self.p1, self.p2 = learned([1.0], channels), learned([0.0], channels)

    def forward(self, x: Tensor) -> Tensor:
        beta = back(torch.sigmoid(self.switch(pooled(x, self.dim, self.channels))), x, self.dim)
        p1, p2 = (spread(p, x, self.dim) for p in (self.p1, self.p2))
        between = (p1 - p2) * x
        return between * torch.sigmoid(beta * between) + p2 * x


class FunnelReLU(nn.Module):
    """max(x, T(x)), T a 3x3 convolution of each channel by itself with a batch norm. Ma, Zhang & Sun 2020."""

    def __init__(self, channels: int, dim: int = 1) -> None:
        super().__init__()
        if dim != 1:
            raise RecipeError(f"frelu works on images (batch, channel, height, width), not dim={dim}.", "Use dim=1.")
        self.condition = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        channels = self.norm.num_features
        if x.ndim != 4 or x.shape[1] != channels:
            raise RecipeError(
                f"frelu works on images (batch, {channels}, height, width), not on an input of shape {tuple(x.shape)}.",
                "Give channels=, the number of the channels in dimension 1.",
            )
        return torch.maximum(x, self.norm(self.condition(x)))


class EfficientGate(nn.Module):
    """x times a gate per channel, which looks at the means of its neighbour channels only. Wang et al. 2020."""

    def __init__(self, channels: int, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim
        nearest = int(abs((math.log2(channels) + 1) / 2))
        size = nearest if nearest % 2 else nearest + 1
        self.mix = nn.Conv1d(1, 1, size, padding=size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.mix(pooled(x, self.dim).unsqueeze(1)).squeeze(1)
        return x * back(torch.sigmoid(gate), x, self.dim)


def dynamic_relu(name: str, **form: bool) -> Callable[..., nn.Module]:
    """A maker of one of the three forms."""
    return lambda reduction=8, channels=None, dim=1: DynamicReLU(check_channels(name, channels), reduction, dim, **form)


ENTRIES = [
    Activation(
        "dynamic_relu_a",
        dynamic_relu("dynamic_relu_a", per_channel=False),
        "The larger of two lines; the example decides which lines, the same for all channels.",
        {"reduction": 8},
        kind="dynamic",
        ranges={"reduction": (1, 256)},
        year=2020,
        wants_channels=True,
        needs_channels=True,
        elementwise=False,
        paper="Chen et al. 2020, Dynamic ReLU, arXiv:2003.10027, section 3.3",
        cost="a mean, two small layers, two lines",
        hurts_when="batches mix tasks or the network is small: its weights overfit",
    ),
    Activation(
        "dynamic_relu_b",
        dynamic_relu("dynamic_relu_b"),
        "The larger of two lines; the example decides which lines, for each channel.",
        {"reduction": 8},
        kind="dynamic",
        ranges={"reduction": (1, 256)},
        year=2020,
        wants_channels=True,
        needs_channels=True,
        elementwise=False,
        paper="Chen et al. 2020, Dynamic ReLU, arXiv:2003.10027, section 3.3",
        cost="a mean, two small layers, two lines",
        hurts_when="channels are many: its second layer has 4 channels^2 / reduction weights, which can overfit",
    ),
    Activation(
        "dynamic_relu_c",
        dynamic_relu("dynamic_relu_c", spatial=True),
        "As dynamic_relu_b, and a map over positions says where the lines may bend.",
        {"reduction": 8},
        domains=("image", "audio", "series"),
        kind="dynamic",
        ranges={"reduction": (1, 256)},
        year=2020,
        wants_channels=True,
        needs_channels=True,
        elementwise=False,
        paper="Chen et al. 2020, Dynamic ReLU, arXiv:2003.10027, section 3.3",
        cost="a mean, two small layers, two lines, a softmax over positions",
        hurts_when="only a class is asked for: the paper gains by it in finding key points",
    ),
    Activation(
        "meta_acon",
        lambda reduction=16, channels=None, dim=1: MetaAcon(check_channels("meta_acon", channels), reduction, dim),
        "Acon_c whose switch between linear and not is read from the example.",
        {"reduction": 16},
        kind="dynamic",
        ranges={"reduction": (1, 256)},
        year=2021,
        wants_channels=True,
        needs_channels=True,
        elementwise=False,
        paper="Ma et al. 2021, Activate or Not: Learning Customized Activation, arXiv:2009.04759, section 3.3",
        cost="a mean, two small layers, one exponential",
        hurts_when="batches mix tasks or the network is small: its weights overfit",
    ),
    Activation(
        "frelu",
        lambda channels=None, dim=1: FunnelReLU(check_channels("frelu", channels), dim),
        "max(x, T(x)), T a 3x3 convolution of each channel: what counts as active depends on the neighbours.",
        domains=("image",),
        kind="dynamic",
        year=2020,
        wants_channels=True,
        needs_channels=True,
        elementwise=False,
        paper="Ma, Zhang & Sun 2020, Funnel Activation for Visual Recognition, arXiv:2007.11824",
        cost="a depthwise convolution and a batch norm",
        hurts_when="batches are small: a batch norm is inside",
        aliases=("funnel_relu",),
    ),
    Activation(
        "squeeze_excite",
        lambda reduction=16, channels=None, dim=1: SqueezeExcite(
            check_channels("squeeze_excite", channels), reduction, dim
        ),
        "x times a gate per channel that has seen the mean of every channel.",
        {"reduction": 16},
        kind="dynamic",
        ranges={"reduction": (1, 256)},
        year=2018,
        wants_channels=True,
        needs_channels=True,
        elementwise=False,
        paper="Hu, Shen & Sun 2018, Squeeze-and-Excitation Networks, arXiv:1709.01507",
        cost="a mean, two small layers, one product",
        hurts_when="it stands alone: apart from the gate it is linear; put it behind another activation",
        aliases=("se",),
    ),
    Activation(
        "efficient_gate",
        lambda channels=None, dim=1: EfficientGate(check_channels("efficient_gate", channels), dim),
        "x times a gate per channel that has seen the means of neighbour channels; a handful of weights.",
        kind="dynamic",
        year=2020,
        wants_channels=True,
        needs_channels=True,
        elementwise=False,
        paper="Wang et al. 2020, ECA-Net: Efficient Channel Attention, arXiv:1910.03151",
        cost="a mean, a convolution over channels, one product",
        hurts_when="it stands alone: apart from the gate it is linear; put it behind another activation",
        aliases=("eca",),
    ),
]
