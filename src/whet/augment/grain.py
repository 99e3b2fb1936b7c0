"""Blur and noise: how sharp and how clean a picture is.

sigma (B,)      of each image's Gaussian blur, in pixels
std (B,)        of each image's noise, on the scale from 0 to 1
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from whet.augment.moves import mirror
from whet.errors import RecipeError

REACH = 2.5
"""Standard deviations at which a Gaussian is cut off: 1 % of it lies beyond."""
NO_BLUR = 1e-6
"""Variance below which a blur gives its input back: a weight of exp(-1 / 0) is to be 0, not NaN."""


@dataclass(frozen=True)
class Grain:
    """How far sharpness and noise may change. Zero everywhere: not at all."""

    blur: float = 0.0
    """Largest standard deviation, in pixels."""
    noise: float = 0.0
    """Largest standard deviation, on the scale from 0 to 1."""

    def __post_init__(self) -> None:
        for name, most in (("blur", 100), ("noise", 1)):
            if not 0 <= getattr(self, name) <= most:
                raise RecipeError(f"{name}={getattr(self, name)} is out of range.", f"Use 0 to {most}.")


def regrain(x: Tensor, grain: Grain, generator: Generator) -> Tensor:
    """x (B, C, H, W) float in [0, 1], blurred and noisy, each image by its own amount; keeps dtype and range."""
    out = x.float()
    if grain.blur:
        out = blur(out, torch.rand(len(x), generator=generator) * grain.blur, math.ceil(REACH * grain.blur))
    if grain.noise:
        std = torch.rand(len(x), 1, 1, 1, generator=generator) * grain.noise
        noise = torch.randn(x.shape, generator=generator).mul_(std).to(x.device)
        out = out + noise
    return out.clamp(0, 1).to(x.dtype)


def blur(x: Tensor, sigma: Tensor, reach: int) -> Tensor:
    """x (B, C, H, W) float under a Gaussian of `reach` pixels to each side; the border is mirrored."""
    for dim in (2, 3):
        x = blur_along(x, sigma, min(reach, x.shape[dim] - 1), dim)
    return x


def blur_along(x: Tensor, sigma: Tensor, reach: int, dim: int) -> Tensor:
    """One of the two passes: a weighted sum of shifted images, so that every image can have weights of its own."""
    length = x.shape[dim]
    weights = gaussian(sigma, reach).to(x.device)  # (reach + 1, B)
    padded = x.index_select(dim, mirror(torch.arange(-reach, length + reach), length).to(x.device))
    out = x * weights[0].view(-1, 1, 1, 1)
    for k in range(1, reach + 1):
        pair = padded.narrow(dim, reach - k, length) + padded.narrow(dim, reach + k, length)
        out.addcmul_(pair, weights[k].view(-1, 1, 1, 1))
    return out


def gaussian(sigma: Tensor, reach: int) -> Tensor:
    """(reach + 1, B) weights at 0, 1, … pixels from the centre; both sides together sum to 1."""
    distance = torch.arange(reach + 1).view(-1, 1)
    weights = torch.exp(-(distance**2) / (2 * sigma**2).clamp(min=NO_BLUR))
    return weights / (2 * weights.sum(0) - weights[0])
