"""Geometry: flips, shifts, rotation, zoom, shear and elastic bending as one map per image.

    B, C, H, W      batch, channels, height, width
    (x, y)          column and row, in pixels, from the image's centre
    A (B, 2, 2), t  what maps a place of the result to a place of the source: source = A result + t + u(result)
    u (B, H, W, 2)  a smooth random field, where images are bent

    A = rotation(angle) @ shear(s) / zoom @ diag(+-1 for flips)        t = (dx, dy)

Beyond the border the image is mirrored without repeating the edge, as in `F.pad(mode="reflect")`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from whet.errors import RecipeError

Size = tuple[int, int]
"""(height, width) in pixels."""

WARM = 1 << 18
"""Numbers that a thread warps at a time, 1 MiB. They are copied just before: sampled along slanted lines from a cold cache,
128x128x3 images took 0.25 ms each, and 0.13 ms with their copy made first (one Zen 4 core)."""


BENDING = (("elastic", 0.5), ("smooth", 2.0))
"""What may be asked for at most."""


@dataclass(frozen=True)
class Moves:
    """How far images may move. Zero everywhere: not at all."""

    flip: float = 0.0
    """Probability."""
    vertical_flip: float = 0.0
    """Probability."""
    shift_share: float = 0.0
    """Of each side; rounded to whole pixels."""
    shift_pixels: int = 0
    """Added to the former."""
    rotate: float = 0.0
    """Degrees."""
    zoom: float = 0.0
    """Enlarged by 1 +- this."""
    shear: float = 0.0
    """Degrees."""
    elastic: float = 0.0
    """Root mean square of how far places are pulled, in each direction, as a share of the shorter side."""
    smooth: float = 0.0
    """Standard deviation of the Gaussian that smooths the field of it, as a share of the shorter side."""

    def __post_init__(self) -> None:
        for name, most in (
            ("flip", 1),
            ("vertical_flip", 1),
            ("shift_share", 1),
            ("zoom", 0.99),
            ("shear", 80),
            *BENDING,
        ):
            if not 0 <= getattr(self, name) <= most:
                raise RecipeError(f"{name}={getattr(self, name)} is out of range.", f"Use 0 to {most}.")
        if self.rotate < 0 or self.shift_pixels < 0 or self.shift_pixels != int(self.shift_pixels):
            raise RecipeError(f"rotate={self.rotate}, shift={self.shift_pixels} pixels: use 0 or more, whole pixels.")

    @property
    def is_exact(self) -> bool:
        """Whether pixels are only copied, never interpolated."""
        return not (self.rotate or self.zoom or self.shear or self.elastic)

    def reach(self, size: Size) -> Size:
        """The largest shift down and to the right, in whole pixels; less than the side, where reflection ends."""
        return _reach(self, size[0]), _reach(self, size[1])


@dataclass(frozen=True)
class Motion:
    """What was drawn for one batch; every tensor is (B,), on the CPU."""

    flip: Tensor
    vertical_flip: Tensor
    dx: Tensor
    """Whole pixels, int64: the result at x shows the source at x + dx."""
    dy: Tensor
    angle: Tensor
    """Radians."""
    zoom: Tensor
    """Factor."""
    shear: Tensor
    """Tangent of the angle."""


def draw_motion(moves: Moves, rows: int, size: Size, generator: Generator) -> Motion:
    """One motion per image, uniform within the ranges."""
    u = torch.rand(7, rows, generator=generator)
    spread = 2 * u - 1  # (7, B) in [-1, 1)
    down, right = moves.reach(size)
    return Motion(
        flip=u[0] < moves.flip,
        vertical_flip=u[1] < moves.vertical_flip,
        dx=whole(u[2], right),
        dy=whole(u[3], down),
        angle=spread[4] * math.radians(moves.rotate),
        zoom=1 + spread[5] * moves.zoom,
        shear=torch.tan(spread[6] * math.radians(moves.shear)),
    )


def draw_field(moves: Moves, rows: int, size: Size, generator: Generator) -> Tensor | None:
    """u (B, H, W, 2) in (x, y) order, in pixels (Simard, Steinkraus & Platt 2003, section 2); None where nothing is bent.

    The paper's noise at every pixel, smoothed, is drawn at points that lie one standard deviation apart instead: the sum of
    their Gaussians has the same covariance up to a ten-thousandth, and costs two small products of matrices.
    """
    if not moves.elastic:
        return None
    side = min(size)
    down, across = (spread_of(length, max(1.0, moves.smooth * side)) for length in size)
    noise = torch.randn(rows, 2, down.shape[1], across.shape[1], generator=generator)
    return (down @ noise @ across.T).permute(0, 2, 3, 1) * (moves.elastic * side)


def spread_of(length: int, sigma: float) -> Tensor:
    """(length, points): Gaussian weights of points sigma apart, reaching 3 sigma beyond both ends; their squares sum to 1."""
    points = torch.arange(-3 * sigma, length - 1 + 4 * sigma, sigma)
    weights = torch.exp(-((torch.arange(length)[:, None] - points) ** 2) / (2 * sigma**2))
    return F.normalize(weights, dim=1)


def whole(u: Tensor, most: int) -> Tensor:
    """Uniform whole numbers in [-most, most] from u in [0, 1); the product can round up to its end."""
    return ((u * (2 * most + 1)).long() - most).clamp_(max=most)


def copy_pixels(x: Tensor, motion: Motion) -> Tensor:
    """Flips and whole-pixel shifts of x (B, C, H, W), any dtype; keeps the memory format.

    The index is a number per pixel, so this costs the same for any shifts. Measured on one Zen 4 core, 512x3x32x32:
    2.1 ms (float32), 2.2 ms (uint8, channels last); a loop of slices over a padded copy 6.4 and 2.4 ms.
    """
    batch, channels, height, width = x.shape
    row = source_index(motion.dy, motion.vertical_flip, height)  # (B, H)
    column = source_index(motion.dx, motion.flip, width)  # (B, W)
    index = (row[:, :, None] * width + column[:, None, :]).to(x.device)  # (B, H, W) within an image
    if is_channels_last(x):
        index += torch.arange(batch, device=x.device).view(-1, 1, 1) * (height * width)
        pixels = x.permute(0, 2, 3, 1).reshape(-1, channels).index_select(0, index.view(-1))
        return pixels.view(batch, height, width, channels).permute(0, 3, 1, 2)
    index = index.view(batch, 1, -1).expand(batch, channels, -1)
    return x.reshape(batch, channels, -1).gather(2, index).view(x.shape)


def source_index(shift: Tensor, flip: Tensor, length: int) -> Tensor:
    """(B, length): where each place of a side comes from, mirrored at the ends."""
    at = torch.arange(length).expand(len(shift), length)
    at = torch.where(flip[:, None], length - 1 - at, at)
    return mirror(at + shift[:, None], length)


def mirror(at: Tensor, length: int) -> Tensor:
    """Places beyond [0, length - 1] reflected into it once: -1 -> 1, length -> length - 2."""
    at = at.abs()
    return torch.where(at > length - 1, 2 * (length - 1) - at, at)


def affine(motion: Motion) -> tuple[Tensor, Tensor]:
    """A (B, 2, 2) and t (B, 2) of the notation above, in (x, y) order."""
    cos, sin = motion.angle.cos(), motion.angle.sin()
    one, zero = torch.ones_like(cos), torch.zeros_like(cos)
    rotation = matrix(cos, -sin, sin, cos)
    slant = matrix(one, motion.shear, zero, one)
    signs = torch.stack([1 - 2 * motion.flip.float(), 1 - 2 * motion.vertical_flip.float()], 1)  # (B, 2)
    A = rotation @ slant / motion.zoom.view(-1, 1, 1) * signs[:, None, :]
    return A, torch.stack([motion.dx, motion.dy], 1).float()


def matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """(B, 2, 2) from four (B,)."""
    return torch.stack([a, b, c, d], 1).view(-1, 2, 2)


def warp(x: Tensor, motion: Motion, field: Tensor | None = None) -> Tensor:
    """All of a motion, and a field, in one bilinear resampling of x (B, C, H, W) float; keeps dtype, comes out contiguous."""
    A, t = affine(motion)
    grid = sampling_grid(A, t, (x.shape[2], x.shape[3]))
    if field is not None:
        grid += field / torch.tensor([max(x.shape[3] - 1, 1) / 2, max(x.shape[2] - 1, 1) / 2])
    grid = grid.to(x.device)
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    rows = torch.get_num_threads() * max(1, WARM // max(1, x[:1].numel()))
    for new, old, places in zip(out.split(rows), x.split(rows), grid.split(rows), strict=True):
        new.copy_(sample(old.to(torch.float32, copy=True), places))
    return out


def sample(x: Tensor, grid: Tensor) -> Tensor:
    """x (B, C, H, W) float at the places of the grid (B, H, W, 2), bilinear, mirrored beyond the border."""
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=True)


def sampling_grid(A: Tensor, t: Tensor, size: Size) -> Tensor:
    """(B, H, W, 2) source places in [-1, 1], as grid_sample takes them with align_corners.

    A sum of a row's and a column's part, which costs a ninth of `F.affine_grid`: 0.6 ms for 512x32x32 (one Zen 4 core).
    """
    height, width = size
    half = torch.tensor([max(width - 1, 1) / 2, max(height - 1, 1) / 2])
    x = torch.arange(width) - (width - 1) / 2
    y = torch.arange(height) - (height - 1) / 2
    across = A[:, :, :1] * x / half[:, None]  # (B, 2, W)
    down = (A[:, :, 1:] * y + t[:, :, None]) / half[:, None]  # (B, 2, H)
    grid = torch.empty(len(A), height, width, 2)
    for k in (0, 1):
        torch.add(down[:, k, :, None], across[:, k, None, :], out=grid[..., k])
    return grid


def is_channels_last(x: Tensor) -> bool:
    """Whether x (B, C, H, W) is laid out as (B, H, W, C) and not also as (B, C, H, W)."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def _reach(moves: Moves, length: int) -> int:
    return min(length - 1, int(moves.shift_pixels) + round(moves.shift_share * length))
