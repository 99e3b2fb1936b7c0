"""Cutout: a grey square in each image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from whet.errors import RecipeError

GREY = 0.5
"""What the hole is filled with, on the scale from 0 to 1: near every data set's mean."""


@dataclass(frozen=True)
class Holes:
    """One square per image; a share of 0: none."""

    share: float = 0.0
    """The square's side as a share of the image's shorter side."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise RecipeError(f"cutout.share={self.share} is not in [0, 1].")


def draw_centres(rows: int, size: tuple[int, int], generator: Generator) -> Tensor:
    """(2, B) int64: row and column of each square's centre, uniform over the image."""
    return (torch.rand(2, rows, generator=generator) * torch.tensor(size).view(2, 1)).long()


def cut_out(x: Tensor, centres: Tensor, side: int) -> Tensor:
    """x (B, C, H, W) with a grey square of this many pixels, cut off at the border; keeps dtype and memory format."""
    inside = []
    for centre, length in zip(centres, x.shape[2:], strict=True):
        start = centre[:, None] - side // 2
        at = torch.arange(length)
        inside.append((at >= start) & (at < start + side))  # (B, length)
    hole = (inside[0][:, None, :, None] & inside[1][:, None, None, :]).to(x.device)  # (B, 1, H, W)
    return x.clone().masked_fill_(hole, GREY if x.is_floating_point() else round(GREY * 255))
