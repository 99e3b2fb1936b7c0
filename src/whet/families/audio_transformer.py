"""A small transformer on spectrograms: some frames together are a token; layers normalise before they attend."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families.audio_common import Head, inside
from whet.families.spec import InputSpec


class Layer(nn.Module):
    """x + attend(norm x), then x + two dense layers of norm x (Vaswani et al. 2017; pre-norm: Xiong et al. 2020)."""

    def __init__(self, spec: InputSpec, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.three, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.dense = nn.Sequential(nn.Linear(width, 4 * width), spec.activation(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, known: Tensor | None) -> Tensor:  # (B, T, F), (B, T)
        rows, steps, width = x.shape
        q, k, v = self.three(self.before(x)).view(rows, steps, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mask = None if known is None else known[:, None, None, :]
        seen = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # (B, heads, T, F / heads)
        x = x + self.dropout(self.out(seen.transpose(1, 2).reshape(rows, steps, width)))
        return x + self.dropout(self.dense(self.between(x)))


class AudioTransformer(nn.Module):
    """A convolution over `patch` frames and all bands -> places by sines -> layers -> head."""

    def __init__(self, spec: InputSpec, width: int, depth: int, heads: int, patch: int, dropout: float) -> None:
        super().__init__()
        channels, bands, frames = spec.shape
        self.patch = patch
        self.tokens = nn.Conv1d(channels * bands, width, 2 * patch + 1, stride=patch, padding=patch)
        self.register_buffer("places", sines(-(-frames // patch), width), persistent=False)
        self.layers = nn.ModuleList(Layer(spec, width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = Head(spec, width, dropout)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        steps = self.tokens(x.flatten(1, 2)).transpose(1, 2)  # (B, T', F)
        steps = steps + self.places[: steps.shape[1]]  # type: ignore[index]
        lengths = None if lengths is None else (lengths + self.patch - 1) // self.patch
        known = None if lengths is None else inside(lengths, steps.shape[1])
        for layer in self.layers:
            steps = layer(steps, known)
        out: Tensor = self.head(self.norm(steps), lengths)
        return out


def sines(steps: int, width: int) -> Tensor:
    """(T, F): sines and cosines of wavelengths from 2 pi to 10,000 * 2 pi (Vaswani et al. 2017, section 3.5)."""
    rates = torch.exp(-math.log(10_000.0) * torch.arange(0, width, 2) / width)
    angles = torch.arange(steps)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[:, :width]


def make(
    spec: InputSpec, width: int = 128, depth: int = 3, heads: int = 4, patch: int = 3, dropout: float = 0.1
) -> nn.Module:
    """`patch`: frames that become one token."""
    if width % (2 * heads):
        raise RecipeError(f"width={width} can't be shared by {heads} heads.", f"Use a multiple of {2 * heads}.")
    if spec.goal == "label-steps" and patch != 1:
        raise RecipeError(f"patch={patch} leaves no answer for some steps.", "Use family.patch = 1.")
    return AudioTransformer(spec, width, depth, heads, patch, dropout)
