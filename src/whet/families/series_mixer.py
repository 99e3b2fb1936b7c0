"""Perceptrons over time and over channels in turn (Chen et al. 2023, TSMixer, arXiv:2303.06053, figure 1)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from whet.families.series import Forecaster, Sizes
from whet.families.spec import InputSpec


class MixBlock(nn.Module):
    """A perceptron over time, then one over channels, each beside the way around it (TSMixer, figure 1)."""

    def __init__(
        self, sizes: Sizes, width: int, dropout: float, activation: Callable[[], nn.Module], mixing: bool
    ) -> None:
        super().__init__()
        self.time = _branch(sizes.lookback, sizes.lookback, dropout, activation)
        self.channels = _branch(sizes.channels, width, dropout, activation) if mixing and sizes.channels > 1 else None

    def forward(self, x: Tensor) -> Tensor:  # (B, C, L)
        x = x + self.time(x)
        return x if self.channels is None else x + self.channels(x.transpose(1, 2)).transpose(1, 2)


def _branch(size: int, width: int, dropout: float, activation: Callable[[], nn.Module]) -> nn.Sequential:
    out = nn.Linear(width, size)
    nn.init.zeros_(out.weight)
    nn.init.zeros_(out.bias)
    return nn.Sequential(nn.LayerNorm(size), nn.Linear(size, width), activation(), nn.Dropout(dropout), out)


def make(
    spec: InputSpec,
    width: int = 64,
    depth: int = 2,
    dropout: float = 0.3,
    mixing: bool = True,
    centre: str = "mean",
    scale: bool = True,
    calendar: bool = False,
) -> nn.Module:
    """`mixing`: over channels too."""
    sizes = Sizes.of(spec)
    blocks = [MixBlock(sizes, width, dropout, spec.activation, mixing) for _ in range(depth)]
    core = nn.Sequential(*blocks, nn.Linear(sizes.lookback, sizes.ahead))
    return Forecaster(core, sizes, centre, scale, calendar)
