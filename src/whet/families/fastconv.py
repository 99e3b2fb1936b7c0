"""A fast network for small images: a whitening first layer, then a few stages of wide 3x3 convolutions.

Nine tenths of a step are 3x3 convolutions, which run near a CPU's peak in bfloat16 and channels-last. The idea of a
frozen layer that whitens, of convolutions that start as the identity and of the scaled head: Jordan 2024, arXiv:2404.00498.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from whet.families.spec import InputSpec

MOMENTUM = 0.3
"""Of the batch norms' running averages: training is short, and the weights move fast."""
HEAD_SCALE = 1 / 9
"""Logits start small beside the label smoothing's target (airbench's value)."""
BIAS_LR = 0.1
"""The norms' biases learn at this share of the learning rate (Muon's `rest_lr`, where Muon moves the filters)."""
LEAST_SIDE = 6
"""A map narrower than this, in pixels, is not halved any more."""
MOST_PATCHES = 200_000


class Stage(nn.Module):
    """`depth` 3x3 convolutions, each with norm and activation; a 2x2 max-pool follows the first one where `pool`.

    From the third convolution on, a skip goes from the first activation to the end.
    """

    def __init__(self, spec: InputSpec, cin: int, cout: int, depth: int, pool: bool) -> None:
        super().__init__()
        sizes = [cin, *[cout] * depth]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(_norm(spec, cout) for _ in range(depth))
        self.acts = nn.ModuleList(spec.activation() for _ in range(depth))
        self.pool = nn.MaxPool2d(2) if pool else nn.Identity()
        for conv in self.convs:
            nn.init.dirac_(conv.weight.data[: conv.in_channels])  # type: ignore[index]

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        x = skip = self.acts[0](self.norms[0](self.pool(self.convs[0](x))))
        last = len(self.convs) - 1
        for i in range(1, last + 1):
            x = self.norms[i](self.convs[i](x))
            x = self.acts[i](x + skip if i == last and i > 1 else x)
        return x


def _norm(spec: InputSpec, channels: int) -> nn.Module:
    """The recipe's norm; a batch norm without its scale, which the next convolution sets."""
    norm = spec.norm(channels)
    if isinstance(norm, nn.BatchNorm2d):
        norm.momentum = MOMENTUM
        norm.weight.requires_grad_(False)
        norm.bias.lr_factor = BIAS_LR  # type: ignore[attr-defined]
    return norm


class FastConv(nn.Module):
    """Whitening stem -> stages, each with a pool while the map is wide enough -> global maximum -> linear."""

    def __init__(self, spec: InputSpec, widths: tuple[int, ...], depth: int, patch: int, dropout: float) -> None:
        super().__init__()
        channels, side = spec.shape[0], spec.size - patch + 1
        filters = 2 * min(16, channels * patch**2)
        self.stem = nn.Conv2d(channels, filters, patch, bias=False)
        self.act = spec.activation()
        stages = []
        for cin, cout in pairwise((filters, *widths)):
            pool = side >= LEAST_SIDE
            stages.append(Stage(spec, cin, cout, depth, pool))
            side = side // 2 if pool else side
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear((filters, *widths)[-1], spec.outputs, bias=spec.goal == "regress")

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(self.act(self.stem(x))).amax((2, 3))
        return self.head(self.dropout(x)).float() * HEAD_SCALE  # (B, outputs)

    def calibrate(self, images: Tensor) -> None:
        """Set the first layer to whiten patches of these training images (N, C, H, W), normalised, and freeze it."""
        self.stem.weight.data.copy_(whitening_filters(images, self.stem.kernel_size[0]))
        self.stem.weight.requires_grad_(False)  # also saves its gradient convolution


@torch.no_grad()
def whitening_filters(images: Tensor, patch: int, keep: int = 16, eps: float = 5e-4) -> Tensor:
    """Filters that whiten the patches of images (N, C, H, W): (2 * min(keep, C * patch**2), C, patch, patch).

    The `keep` leading eigenvectors of the patches' covariance, each divided by the root of its eigenvalue, and their
    negatives. `eps`, a share of the largest eigenvalue, keeps noise from being blown up.
    """
    _, c, height, width = images.shape
    views = images.unfold(2, patch, max(1, height // 24)).unfold(3, patch, max(1, width // 24))
    rows = views.permute(0, 2, 3, 1, 4, 5).reshape(-1, c * patch * patch)
    rows = rows[:: -(-len(rows) // MOST_PATCHES)].double()
    rows = rows - rows.mean(0)
    values, vectors = torch.linalg.eigh(rows.T @ rows / len(rows))
    values, vectors = values.flip(0)[:keep], vectors.flip(1)[:, :keep]
    floor = eps * values.max().clamp_min(1e-2)  # constant images have no variance at all
    filters = (vectors / torch.sqrt(values.clamp_min(0) + floor)).T.reshape(-1, c, patch, patch).float()
    return torch.cat([filters, -filters])


def make(
    spec: InputSpec, widths: tuple[int, ...] = (64, 128, 256), depth: int = 2, patch: int = 2, dropout: float = 0.0
) -> nn.Module:
    """`widths`: channels of each stage; `depth`: convolutions in a stage; `patch`: side of the first layer's filters."""
    return FastConv(spec, tuple(widths), depth, patch, dropout)
