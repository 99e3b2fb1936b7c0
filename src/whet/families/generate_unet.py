"""A small U-Net of velocities: pixels are folded into channels first, then two resolutions with a bridge between them.

Ronneberger et al. 2015, arXiv:1505.04597; residual blocks that are told the time, as in Ho et al. 2020, arXiv:2006.11239,
appendix B.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whet.families.generate import Asked, Flow, zeroed
from whet.families.spec import InputSpec


class Block(nn.Module):
    """x + conv(act(norm(conv(act(norm(x)))) scaled and shifted by what is asked)); silent at first."""

    def __init__(self, spec: InputSpec, fan_in: int, width: int, asked: int) -> None:
        super().__init__()
        self.first = nn.Sequential(spec.norm(fan_in), spec.activation(), nn.Conv2d(fan_in, width, 3, padding=1))
        self.norm = spec.norm(width)
        self.told = nn.Linear(asked, 2 * width)
        self.last = nn.Sequential(spec.activation(), zeroed(nn.Conv2d(width, width, 3, padding=1)))
        self.straight = nn.Conv2d(fan_in, width, 1) if fan_in != width else nn.Identity()

    def forward(self, x: Tensor, asked: Tensor) -> Tensor:
        scale, shift = self.told(asked)[:, :, None, None].chunk(2, 1)
        y = self.norm(self.first(x)) * (1 + scale) + shift
        out: Tensor = self.straight(x) + self.last(y)
        return out


class UNet(nn.Module):
    """(x, t, label) -> velocity, of the shape of x. Sides are multiples of 2 * patch."""

    def __init__(self, spec: InputSpec, width: int, depth: int, patch: int) -> None:
        super().__init__()
        channels, asked = spec.shape[0] * patch**2, 2 * width
        self.fold, self.unfold = nn.PixelUnshuffle(patch), nn.PixelShuffle(patch)
        self.ask = Asked(spec, asked)
        self.begin = nn.Conv2d(channels, width, 3, padding=1)
        self.fine = nn.ModuleList(Block(spec, width, width, asked) for _ in range(depth))
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.coarse = nn.ModuleList(Block(spec, 2 * width, 2 * width, asked) for _ in range(2 * depth))
        self.up = nn.Sequential(nn.Conv2d(2 * width, 4 * width, 1), nn.PixelShuffle(2))
        sizes = [2 * width, *[width] * (depth - 1)]
        self.back = nn.ModuleList(Block(spec, size, width, asked) for size in sizes)
        self.end = nn.Sequential(spec.norm(width), spec.activation(), zeroed(nn.Conv2d(width, channels, 3, padding=1)))

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        asked = self.ask(t, label)
        fine = self.begin(self.fold(x))  # (B, width, H / patch, W / patch)
        for block in self.fine:
            fine = block(fine, asked)
        coarse = self.down(fine)
        for block in self.coarse:
            coarse = block(coarse, asked)
        y = torch.cat([self.up(coarse), fine], 1)
        for block in self.back:
            y = block(y, asked)
        out: Tensor = self.unfold(self.end(y))
        return out


def make(spec: InputSpec, width: int = 64, depth: int = 1, patch: int = 2, steps: int = 5) -> nn.Module:
    return Flow(UNet(spec, width, depth, patch), steps)
