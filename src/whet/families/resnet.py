"""Residual networks (He et al. 2016): blocks that add a correction to what they were given.

Every block starts as the identity, because the last norm of its branch starts with weight 0 (Goyal et al. 2017); a norm
that has no weight is followed by one number that starts at 0 (SkipInit, De & Smith 2020, arXiv:2002.10444).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families.common import he_normal, stem
from whet.families.spec import InputSpec
from whet.regularise import StochasticDepth

STAGES: dict[int, tuple[str, tuple[int, ...]]] = {
    10: ("basic", (1, 1, 1, 1)),
    14: ("bottleneck", (1, 1, 1, 1)),
    18: ("basic", (2, 2, 2, 2)),
    26: ("bottleneck", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
}
"""depth: (kind of block, blocks in each of the four stages). 10, 14 and 26 follow the same rule; 10 suits a CPU."""


class Scale(nn.Module):
    """x times one learned number, 0 at the start."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class Block(nn.Module):
    """act(skip(x) + branch(x)). `stride` 2 halves the map; the skip is a 1x1 convolution where the shape changes."""

    def __init__(self, spec: InputSpec, kind: str, cin: int, width: int, stride: int, drop: float) -> None:
        super().__init__()
        cout = width if kind == "basic" else 4 * width
        branch = _basic(spec, cin, width, stride) if kind == "basic" else _bottleneck(spec, cin, width, stride)
        self.branch = nn.Sequential(*branch, *_closing_norm(spec, cout))
        self.drop = StochasticDepth(drop) if drop > 0 else nn.Identity()
        self.skip: nn.Module = nn.Identity()
        if stride > 1 or cin != cout:
            self.skip = nn.Sequential(nn.Conv2d(cin, cout, 1, stride=stride, bias=False), spec.norm(cout))
        self.act = spec.activation()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.skip(x) + self.drop(self.branch(x)))
        return out


def _basic(spec: InputSpec, cin: int, width: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(cin, width, 3, stride=stride, padding=1, bias=False),
        spec.norm(width),
        spec.activation(),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
    ]


def _bottleneck(spec: InputSpec, cin: int, width: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(cin, width, 1, bias=False),
        spec.norm(width),
        spec.activation(),
        nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False),  # the stride sits here: "v1.5"
        spec.norm(width),
        spec.activation(),
        nn.Conv2d(width, 4 * width, 1, bias=False),
    ]


def _closing_norm(spec: InputSpec, channels: int) -> list[nn.Module]:
    """The norm that ends a branch, silent at the start."""
    norm = spec.norm(channels)
    weight = getattr(norm, "weight", None)
    if not isinstance(weight, nn.Parameter):
        return [norm, Scale()]
    nn.init.zeros_(weight)
    return [norm]


class ResNet(nn.Module):
    """Stem -> four stages of blocks, the last three halving the map -> global mean -> linear."""

    def __init__(self, spec: InputSpec, depth: int, width: float, stochastic_depth: float, dropout: float) -> None:
        super().__init__()
        kind, counts = STAGES[depth]
        base = max(8, int(64 * width + 4) // 8 * 8)  # multiples of 8 suit the vector units
        cin, done, blocks = base, 0, []
        for stage, count in enumerate(counts):
            for i in range(count):
                drop = stochastic_depth * done / max(1, sum(counts) - 1)  # deeper blocks are dropped more often
                blocks.append(Block(spec, kind, cin, base << stage, 2 if stage and i == 0 else 1, drop))
                cin, done = (base << stage) * (1 if kind == "basic" else 4), done + 1
        self.stem = stem(spec, base)
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(cin, spec.outputs)
        he_normal(self, "fan_out")

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        x = self.blocks(self.stem(x)).mean((2, 3))
        out: Tensor = self.head(self.dropout(x))
        return out  # (B, outputs)


def make(
    spec: InputSpec, depth: int = 18, width: float = 1.0, stochastic_depth: float = 0.0, dropout: float = 0.0
) -> nn.Module:
    """A ResNet whose widths are `width` times the published ones.

    `stochastic_depth` is the chance that the last block is skipped for an example in training; it falls to 0 at the
    first block (Huang et al. 2016, arXiv:1603.09382).
    """
    if depth not in STAGES:
        raise RecipeError(f"There is no resnet with depth={depth}.", f"Use one of {', '.join(map(str, STAGES))}.")
    return ResNet(spec, depth, width, stochastic_depth, dropout)
