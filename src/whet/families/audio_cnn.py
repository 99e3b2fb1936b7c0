"""Convolutional networks on spectrograms, plain or residual, that end in the mean and the maximum over what they saw."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from whet.families.audio_common import refuse_steps
from whet.families.spec import InputSpec

LEAST_SIDE = 4
"""A map that is shorter than this is not halved any more."""


class Stage(nn.Module):
    """Two 3x3 convolutions with norm and activation, the second added to what came in where `residual`; then a pool."""

    def __init__(self, spec: InputSpec, cin: int, cout: int, residual: bool, pool: tuple[int, int]) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1, bias=False), spec.norm(cout), spec.activation())
        self.second = nn.Sequential(nn.Conv2d(cout, cout, 3, padding=1, bias=False), spec.norm(cout))
        self.act = spec.activation()
        self.pool = nn.MaxPool2d(pool, ceil_mode=True)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(self.pool(x))
        seen = self.second(x)
        out: Tensor = self.act(x + seen if self.residual else seen)
        return out


class AudioCnn(nn.Module):
    """Stem -> stages, each halving the map -> mean and maximum -> linear."""

    def __init__(self, spec: InputSpec, widths: tuple[int, ...], residual: bool, dropout: float) -> None:
        super().__init__()
        channels, bands, frames = spec.shape
        first = widths[0]
        self.stem = nn.Sequential(
            nn.Conv2d(channels, first, 3, padding=1, bias=False), spec.norm(first), spec.activation()
        )
        stages = []
        for cin, cout in pairwise((first, *widths)):
            pool = (2 if bands >= LEAST_SIDE else 1, 2 if frames >= LEAST_SIDE else 1)
            bands, frames = -(-bands // pool[0]), -(-frames // pool[1])
            stages.append(Stage(spec, cin, cout, residual, pool))
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * widths[-1], spec.outputs)

    def forward(self, x: Tensor) -> Tensor:  # (B, 1, M, T)
        x = self.stages(self.stem(x))
        pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        out: Tensor = self.head(self.dropout(pooled))
        return out  # (B, outputs)


def make(
    spec: InputSpec, widths: tuple[int, ...] = (32, 64, 128), residual: bool = True, dropout: float = 0.2
) -> nn.Module:
    """`widths`: channels of each stage; `residual`: whether each second convolution only corrects the first."""
    refuse_steps(spec, "audio_cnn")
    return AudioCnn(spec, tuple(widths), residual, dropout)
