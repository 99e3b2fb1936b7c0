"""A fast convolutional network for small images: a whitening first layer, then stages of wide 3x3 convolutions.

    x (B, C, H, W) -> whitening 2x2 (frozen) -> act -> stage 1 -> stage 2 -> ... -> largest value per channel -> linear
    stage: conv 3x3 -> pool 2x2 -> norm -> act -> conv 3x3 -> norm -> act

All the arithmetic is in a few wide convolutions, which a processor runs near its peak; the rest is a tenth of a step.
The design follows Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (arXiv:2404.00498): frozen whitening
filters, filters that start as the identity, norms without scales, and a damped last layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from whet.families.spec import InputSpec

PATCHES = 200_000
"""Patches that the whitening filters are computed from."""
PAIRS = 16
"""Whitening directions that are kept, each with both signs."""
SMALLEST = 6
"""A map narrower than this is not pooled any more."""
BIAS_LR = 0.1
"""The norms' biases learn at this share of the learning rate (of the optimiser for what is no filter)."""


def whitening_filters(images: Tensor, patch: int, pairs: int = PAIRS, eps: float = 5e-4) -> Tensor:
    """(2 * min(pairs, C * patch²), C, patch, patch) filters that whiten the patches of images (N, C, H, W).

    The leading eigenvectors of the patches' covariance, each divided by the root of its eigenvalue, and their
    negatives. `eps` is a share of the largest eigenvalue.
    """
    channels, height, width = images.shape[1:]
    views = images.unfold(2, patch, max(1, height // 24)).unfold(3, patch, max(1, width // 24))
    rows = views.permute(0, 2, 3, 1, 4, 5).reshape(-1, channels * patch * patch)
    rows = rows[:: -(-len(rows) // PATCHES)].double()
    rows = rows - rows.mean(0)
    values, vectors = torch.linalg.eigh(rows.T @ rows / len(rows))
    values, vectors = values.flip(0)[:pairs], vectors.flip(1)[:, :pairs]
    filters = (vectors / torch.sqrt(values + eps * values[0].clamp_min(1e-12))).T
    filters = filters.reshape(-1, channels, patch, patch).float()
    return torch.cat([filters, -filters])


class Stage(nn.Module):
    """`depth` convolutions of one width; the first is pooled where the map is wide enough.

    From a depth of three on, a residual connection spans all but the first.
    """

    def __init__(self, before: int, width: int, depth: int, pool: bool, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        widths = [before, *[width] * (depth - 1)]
        self.convs = nn.ModuleList(nn.Conv2d(w, width, 3, padding=1, bias=False) for w in widths)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, momentum=0.3) for _ in range(depth))
        self.activations = nn.ModuleList(activation() for _ in range(depth))
        self.pool = nn.MaxPool2d(2) if pool else nn.Identity()
        for conv, norm in zip(self.convs, self.norms, strict=True):
            nn.init.dirac_(conv.weight.data[: conv.in_channels])  # begin by passing the first channels on
            norm.weight.requires_grad_(False)  # the next convolution sets the scale
            norm.bias.lr_factor = BIAS_LR

    def forward(self, x: Tensor) -> Tensor:
        x = start = self.activations[0](self.norms[0](self.pool(self.convs[0](x))))
        last = len(self.convs) - 1
        for i in range(1, last + 1):
            x = self.norms[i](self.convs[i](x))
            x = self.activations[i](x + start if i == last and last > 1 else x)
        return x


class FastConvNet(nn.Module):
    """Images (B, C, H, W), normalised -> (B, outputs). `calibrate` sets the whitening filters from training images."""

    def __init__(self, spec: InputSpec, widths: Sequence[int], depth: int, patch: int, dropout: float) -> None:
        super().__init__()
        channels, side = spec.shape[0], spec.size - patch + 1
        before = 2 * min(PAIRS, channels * patch * patch)
        self.stem = nn.Conv2d(channels, before, patch, bias=False)
        self.stem.weight.requires_grad_(False)  # also saves the gradient of the largest map
        self.activation = spec.activation()
        stages = []
        for width in widths:
            stages.append(Stage(before, width, depth, side >= SMALLEST, spec.activation))
            before, side = width, side // 2 if side >= SMALLEST else side
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(before, spec.outputs, bias=spec.goal == "regress")
        self.head_scale = 1 / 9

    @torch.no_grad()
    def calibrate(self, images: Tensor) -> None:
        """Take the whitening filters from these normalised training images (N, C, H, W)."""
        filters = whitening_filters(images, self.stem.kernel_size[0])
        self.stem.weight.copy_(filters)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(self.activation(self.stem(x)))
        scaled: Tensor = self.head(self.dropout(x.amax((2, 3)))).float() * self.head_scale
        return scaled


def make(
    spec: InputSpec, widths: Sequence[int] = (64, 128, 256), depth: int = 2, patch: int = 2, dropout: float = 0.0
) -> nn.Module:
    """The network for `spec`; `widths` has one entry per stage, `depth` convolutions each."""
    return FastConvNet(spec, widths, depth, patch, dropout)
