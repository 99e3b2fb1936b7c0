"""DenseNet-BC (Huang et al. 2017): each layer adds `growth` maps to a stack that all later layers read.

B: a 1x1 convolution to 4 `growth` maps goes before each 3x3 one. C: between blocks half of the maps are dropped.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families.common import he_normal, stem
from whet.families.spec import InputSpec

BLOCKS: dict[int, tuple[int, ...]] = {
    121: (6, 12, 24, 16),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
}
"""depth: layers in each block, as published for large images. Other depths: three equal blocks, as for CIFAR."""


def layers_of(depth: int) -> tuple[int, ...]:
    """The layers in each block of a network with `depth` convolutions. Raises RecipeError for less than 10."""
    if depth < 10:
        raise RecipeError(
            f"densenet with depth={depth} has no dense layers.", "Use 10 or more, such as 40, 100 or 121."
        )
    return BLOCKS.get(depth, ((depth - 4) // 6,) * 3)


class Layer(nn.Module):
    """x -> x with `growth` new maps behind it."""

    def __init__(self, spec: InputSpec, cin: int, growth: int, dropout: float) -> None:
        super().__init__()
        self.new = nn.Sequential(
            spec.norm(cin),
            spec.activation(),
            nn.Conv2d(cin, 4 * growth, 1, bias=False),
            spec.norm(4 * growth),
            spec.activation(),
            nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
            nn.Dropout2d(dropout) if dropout else nn.Identity(),
        )

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, C + growth, H, W)
        return torch.cat([x, self.new(x)], dim=1)


def transition(spec: InputSpec, cin: int) -> nn.Sequential:
    """Half the maps, half the resolution."""
    return nn.Sequential(
        spec.norm(cin), spec.activation(), nn.Conv2d(cin, cin // 2, 1, bias=False), nn.AvgPool2d(2, ceil_mode=True)
    )


class DenseNet(nn.Module):
    """Stem -> dense blocks with transitions between them -> norm, activation, global mean -> linear."""

    def __init__(self, spec: InputSpec, depth: int, growth: int, dropout: float) -> None:
        super().__init__()
        channels = 2 * growth
        self.stem = stem(spec, channels, bare=True)
        parts: list[nn.Module] = []
        for block, count in enumerate(layers_of(depth)):
            if block:
                parts.append(transition(spec, channels))
                channels //= 2
            for _ in range(count):
                parts.append(Layer(spec, channels, growth, dropout))
                channels += growth
        self.blocks = nn.Sequential(*parts)
        self.closing = nn.Sequential(spec.norm(channels), spec.activation())
        self.head = nn.Linear(channels, spec.outputs)
        he_normal(self, "fan_in")

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        x = self.closing(self.blocks(self.stem(x))).mean((2, 3))
        out: Tensor = self.head(x)
        return out  # (B, outputs)


def make(spec: InputSpec, depth: int = 121, growth: int = 32, dropout: float = 0.0) -> nn.Module:
    """A DenseNet-BC; `growth` is its width. depth=100, growth=12 is the small published one for 32x32 images."""
    return DenseNet(spec, depth, growth, dropout)
