"""A transformer over overlapping patches of a series (Nie et al. 2023, PatchTST, arXiv:2211.14730, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.errors import RecipeError
from whet.families.series import Folded, Forecaster, Sizes, features
from whet.families.spec import InputSpec


class Patches(nn.Module):
    """(n, features, L) -> (n, patches * width): patches of which each overlaps half of the next, encoded."""

    def __init__(
        self,
        inputs: int,
        lookback: int,
        patch: int,
        width: int,
        depth: int,
        heads: int,
        dropout: float,
        spec: InputSpec,
    ) -> None:
        super().__init__()
        self.patch, self.stride = patch, max(1, patch // 2)
        self.count = (lookback - patch) // self.stride + 2
        self.into = nn.Linear(inputs * patch, width)
        self.place = nn.Parameter(0.02 * torch.randn(self.count, width))
        self.blocks = nn.Sequential(*(Block(width, heads, dropout, spec) for _ in range(depth)))
        self.norm, self.drop = nn.LayerNorm(width), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:  # (n, features, L) -> (n, patches * width)
        pieces = F.pad(x, (0, self.stride), mode="replicate").unfold(-1, self.patch, self.stride)
        tokens = self.drop(self.into(pieces.transpose(1, 2).flatten(2)) + self.place)
        out: Tensor = self.norm(self.blocks(tokens)).flatten(1)
        return out


class Block(nn.Module):
    """Attention and a perceptron, each beside the way around it, norms in front (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, width: int, heads: int, dropout: float, spec: InputSpec) -> None:
        super().__init__()
        if width % heads:
            raise RecipeError(f"{heads} heads don't share a width of {width} equally.", "Let heads divide the width.")
        self.heads, self.dropout = heads, dropout
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), spec.activation(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:  # (n, tokens, width)
        x = x + self.drop(self.attend(self.norm1(x)))
        out: Tensor = x + self.drop(self.mlp(self.norm2(x)))
        return out

    def attend(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).view(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0.0)
        out: Tensor = self.out(seen.transpose(1, 2).reshape(n, tokens, width))
        return out


def make(
    spec: InputSpec,
    patch: int = 16,
    width: int = 16,
    depth: int = 3,
    heads: int = 4,
    dropout: float = 0.3,
    mixing: bool = False,
    centre: str = "mean",
    scale: bool = True,
    calendar: bool = False,
) -> nn.Module:
    sizes = Sizes.of(spec)
    patch = max(1, min(patch, sizes.lookback))
    encoder = Patches(features(sizes, mixing), sizes.lookback, patch, width, depth, heads, dropout, spec)
    core = Folded(encoder, encoder.count * width, sizes, mixing, dropout)
    return Forecaster(core, sizes, centre, scale, calendar)
