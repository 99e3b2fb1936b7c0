"""What several families share: the input as one vector, a normalisation for vectors, a stem by image size."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.families.spec import InputSpec

SMALL_IMAGE = 64
"""Pixels up to which a deep network keeps the full resolution at its start (no stride in the stem)."""


class Flat(nn.Module):
    """Every example as one vector (B, spec.flat): the pixels, or the numbers followed by one-hot categories."""

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.cardinalities = spec.cardinalities

    def forward(self, x: Tensor, category: Tensor | None = None) -> Tensor:
        parts = [x.flatten(1)]
        if category is not None:
            hot = [F.one_hot(category[:, k], codes) for k, codes in enumerate(self.cardinalities)]
            parts += [h.to(x.dtype) for h in hot]
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


class OnVectors(nn.Module):
    """A normalisation made for images, on vectors: (B, C) is an image of one pixel."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:  # (B, C)
        out: Tensor = self.norm(x[:, :, None, None]).flatten(1)
        return out


def vector_norm(spec: InputSpec, channels: int) -> nn.Module:
    """The recipe's normalisation for (B, channels), also where the spec's inputs are images."""
    norm = spec.norm(channels)
    return OnVectors(norm) if spec.is_image and not isinstance(norm, nn.Identity) else norm


def stem(spec: InputSpec, channels: int, bare: bool = False) -> nn.Sequential:
    """The first layers of a deep image network: full resolution up to SMALL_IMAGE pixels, else a quarter per side.

    `bare`: at full resolution it is a convolution alone, for networks whose layers begin with their own norm.
    """
    c = spec.shape[0]
    if spec.size <= SMALL_IMAGE:
        conv = nn.Conv2d(c, channels, 3, padding=1, bias=False)
        return nn.Sequential(conv) if bare else nn.Sequential(conv, spec.norm(channels), spec.activation())
    return nn.Sequential(
        nn.Conv2d(c, channels, 7, stride=2, padding=3, bias=False),
        spec.norm(channels),
        spec.activation(),
        nn.MaxPool2d(3, stride=2, padding=1),
    )


def he_normal(model: nn.Module, mode: Literal["fan_in", "fan_out"]) -> None:
    """Convolutions from He's normal distribution ("fan_in" or "fan_out"); everything else stays as torch makes it."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
