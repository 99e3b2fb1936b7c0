"""Holes: a grey square (cutout), or a rectangle of noise (random erasing)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from whet.errors import RecipeError

GREY = 0.5
"""What the square is filled with, on the scale from 0 to 1: near every data set's mean."""
LEAST_AREA = 0.02
"""Of the image, that is erased; Zhong et al. 2017, Algorithm 1 and section 4.2."""
FLATTEST = 0.3
"""Sides of what is erased: this to 1 up to 1 to this; the same source."""


@dataclass(frozen=True)
class Holes:
    """At most a square and a rectangle per image. Zero everywhere: none."""

    share: float = 0.0
    """The square's side as a share of the image's shorter side."""
    erase: float = 0.0
    """Probability of the rectangle."""
    area: float = 0.0
    """Its largest area as a share of the image's."""

    def __post_init__(self) -> None:
        for name in ("share", "erase", "area"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"A hole's {name}={getattr(self, name)} is not in [0, 1].")


def pierce(x: Tensor, holes: Holes, generator: Generator) -> Tensor:
    """x (B, C, H, W) of any dtype with the holes in it; keeps dtype and memory format."""
    size = (x.shape[2], x.shape[3])
    if side := round(holes.share * min(size)):
        x = cut_out(x, draw_centres(len(x), size, generator), side)
    if holes.erase and holes.area:
        x = erase(x, draw_boxes(holes, len(x), size, generator), generator)
    return x


def draw_centres(rows: int, size: tuple[int, int], generator: Generator) -> Tensor:
    """(2, B) int64: row and column of each square's centre, uniform over the image."""
    return (torch.rand(2, rows, generator=generator) * torch.tensor(size).view(2, 1)).long()


def cut_out(x: Tensor, centres: Tensor, side: int) -> Tensor:
    """x with a grey square of this many pixels, cut off at the border.

    A slice per image writes the square alone: an eighth of the time of a mask over 128x128 pixels, and no more than it
    with 32x32 (one Zen 4 core).
    """
    x, grey = x.clone(), GREY if x.is_floating_point() else round(GREY * 255)
    for image, top, left in zip(x, *(centres - side // 2).tolist(), strict=True):
        image[:, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = grey
    return x


def draw_boxes(holes: Holes, rows: int, size: tuple[int, int], generator: Generator) -> list[tuple[int, ...]]:
    """(top, left, height, width) of each image's rectangle; no height or width where there is none.

    Of Algorithm 1 of the paper; but a rectangle that is too long for the image is cut to it instead of drawn again, and
    lying ones are as likely as standing ones.
    """
    u = torch.rand(5, rows, generator=generator)
    pixels = (LEAST_AREA + u[1] * max(0.0, holes.area - LEAST_AREA)) * size[0] * size[1]
    aspect = torch.exp((2 * u[2] - 1) * math.log(FLATTEST))  # height to width
    sides = torch.stack([(pixels * aspect).sqrt(), (pixels / aspect).sqrt()]).round()
    sides = sides.minimum(torch.tensor(size).view(2, 1)) * (u[0] < holes.erase)
    starts = (u[3:] * (torch.tensor(size).view(2, 1) - sides + 1)).floor()
    return [tuple(box) for box in torch.cat([starts, sides]).T.long().tolist()]


def erase(x: Tensor, boxes: list[tuple[int, ...]], generator: Generator) -> Tensor:
    """x with uniform noise in the boxes."""
    x, top = x.clone(), 1 if x.is_floating_point() else 256
    for image, (row, column, height, width) in zip(x, boxes, strict=True):
        noise = torch.rand(len(image), height, width, generator=generator) * top
        image[:, row : row + height, column : column + width] = noise.to(x.device)
    return x
