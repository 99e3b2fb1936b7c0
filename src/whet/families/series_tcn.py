"""Dilated causal convolutions that see the whole look-back (Bai et al. 2018, arXiv:1803.01271, section 3)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from whet.errors import RecipeError
from whet.families.series import Folded, Forecaster, Sizes, features
from whet.families.spec import InputSpec


class Causal(nn.Module):
    """Two dilated convolutions that see no later step, beside the way around them (Bai et al. 2018, figure 1)."""

    def __init__(self, before: int, width: int, kernel: int, dilation: int, dropout: float, spec: InputSpec) -> None:
        super().__init__()
        self.reach = (kernel - 1) * dilation
        self.first = nn.Conv1d(before, width, kernel, dilation=dilation)
        self.second = nn.Conv1d(width, width, kernel, dilation=dilation)
        self.act1, self.act2, self.drop = spec.activation(), spec.activation(), nn.Dropout(dropout)
        self.around = nn.Conv1d(before, width, 1) if before != width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.drop(self.act1(self.first(F.pad(x, (self.reach, 0)))))
        y = self.drop(self.act2(self.second(F.pad(y, (self.reach, 0)))))
        out: Tensor = y + self.around(x)
        return out


class LastStep(nn.Module):
    """(n, width, L) -> (n, width): what is known at the end."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., -1]


def make(
    spec: InputSpec,
    width: int = 32,
    depth: int = 0,
    kernel: int = 3,
    dropout: float = 0.1,
    mixing: bool = True,
    centre: str = "mean",
    scale: bool = True,
    calendar: bool = False,
) -> nn.Module:
    """`depth` 0: as many blocks, of doubling dilation, as it takes to see the whole look-back."""
    sizes = Sizes.of(spec)
    depth = depth or _enough_blocks(sizes.lookback, kernel)
    before = [features(sizes, mixing), *([width] * (depth - 1))]
    blocks = [Causal(b, width, kernel, 2**i, dropout, spec) for i, b in enumerate(before)]
    core = Folded(nn.Sequential(*blocks, LastStep()), width, sizes, mixing, dropout)
    return Forecaster(core, sizes, centre, scale, calendar)


def _enough_blocks(lookback: int, kernel: int) -> int:
    if kernel < 2:
        raise RecipeError(f"A kernel of {kernel} sees one step only.", "Use 2 or more.")
    depth = 1
    while 1 + 2 * (kernel - 1) * (2**depth - 1) < lookback:
        depth += 1
    return depth
