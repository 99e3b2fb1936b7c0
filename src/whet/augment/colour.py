"""Brightness, contrast, saturation and hue as one affine map of colours per image.

c (3,) a pixel's colour, in [0, 1]        L  luma, the grey of a colour        mean  the image's mean of all values

hue         c <- L + turned about the grey axis (c - L)
saturation  c <- L + s (c - L)
contrast    c <- mean + k (c - mean)
brightness  c <- b c, clipped to [0, 1]
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from whet.errors import RecipeError


@dataclass(frozen=True)
class Shades:
    """How far colours may change. Zero everywhere: not at all."""

    brightness: float = 0.0
    """Multiplied by 1 +- this."""
    contrast: float = 0.0
    """Stretched by 1 +- this."""
    saturation: float = 0.0
    """Stretched by 1 +- this; for RGB."""
    hue: float = 0.0
    """Degrees; for RGB."""

    def __post_init__(self) -> None:
        for name, most in (("brightness", 1), ("contrast", 1), ("saturation", 1), ("hue", 180)):
            if not 0 <= getattr(self, name) <= most:
                raise RecipeError(f"{name}={getattr(self, name)} is out of range.", f"Use 0 to {most}.")


@dataclass(frozen=True)
class Tint:
    """What was drawn for one batch; every tensor is (B,), on the CPU."""

    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    angle: Tensor
    """Radians."""
    changes_hues: bool
    """Whether saturation or hue were asked for."""


def draw_tint(shades: Shades, rows: int, generator: Generator) -> Tint:
    """One tint per image, uniform within the ranges."""
    spread = 2 * torch.rand(4, rows, generator=generator) - 1
    return Tint(
        brightness=1 + spread[0] * shades.brightness,
        contrast=1 + spread[1] * shades.contrast,
        saturation=1 + spread[2] * shades.saturation,
        angle=spread[3] * math.radians(shades.hue),
        changes_hues=bool(shades.saturation or shades.hue),
    )


def recolour(x: Tensor, tint: Tint) -> Tensor:
    """x (B, C, H, W) float in [0, 1] with its colours changed; keeps dtype and range.

    Saturation and hue need three channels, and do nothing to grey images.
    """
    scale = (tint.brightness * tint.contrast).to(x.device)
    mean = x.float().mean((1, 2, 3))  # hue and saturation keep the luma; that they keep the mean is near enough
    offset = tint.brightness.to(x.device) * mean - scale * mean
    if tint.changes_hues and x.shape[1] == 3:
        out = map_colours(x, scale.view(-1, 1, 1) * hue_matrix(tint).to(x.device), offset)
    else:
        column = (-1, 1, 1, 1)
        out = torch.addcmul(offset.view(column).to(x.dtype), x, scale.view(column).to(x.dtype))
    return out.clamp_(0, 1)


def map_colours(x: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """matrix (B, 3, 3) @ colour + offset (B,) for every pixel of x (B, 3, H, W)."""
    matrix, offset = matrix.to(x.dtype), offset.view(-1, 1, 1).to(x.dtype)
    # Contiguous: two changes of layout cost half of what a product with three columns would (measured, CPU).
    return torch.baddbmm(offset, matrix, x.contiguous().flatten(2)).view(x.shape)


LUMA = (0.299, 0.587, 0.114)
"""Rec. 601 weights of red, green and blue."""


def hue_matrix(tint: Tint) -> Tensor:
    """(B, 3, 3): what turns the hue and stretches the saturation, and leaves greys and every colour's luma alone."""
    grey = torch.tensor([LUMA] * 3)  # colour -> (L, L, L)
    # The turn about (1, 1, 1): Rodrigues' formula, cos I + sin K + (1 - cos) / 3.
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    cos, sin = tint.angle.cos().view(-1, 1, 1), tint.angle.sin().view(-1, 1, 1)
    turn = cos * torch.eye(3) + sin * cross + (1 - cos) / 3
    away = turn - grey @ turn  # the turned colour's distance to its own grey
    return grey + tint.saturation.view(-1, 1, 1) * away
