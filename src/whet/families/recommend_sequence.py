"""Encoders of a sequence of items: recurrent and attentive. (item embedding, history (B, H), user) -> (B, d)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families.recommend_bags import Vectors
from whet.families.spec import InputSpec


class Recurrent(nn.Module):
    """A GRU over the newest items (Hidasi et al. 2016, arXiv:1511.06939). What is in front of a short history is skipped."""

    def __init__(self, width: int, length: int, dropout: float) -> None:
        super().__init__()
        self.length = length
        self.drop = nn.Dropout(dropout)
        self.cell, self.out = nn.GRU(width, width, batch_first=True), nn.Linear(width, width)

    def forward(self, item: Vectors, history: Tensor, user: Tensor) -> Tensor:
        states, _ = self.cell(self.drop(item(history[:, -self.length :])))
        said: Tensor = self.out(states[:, -1])
        return said


class Attentive(nn.Module):
    """Self-attention between the newest items, each with its place counted from the end (Kang & McAuley 2018,
    arXiv:1808.09781); the newest one's state is the answer, so no mask of the future is needed."""

    def __init__(self, spec: InputSpec, width: int, length: int, depth: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise RecipeError(
                f"sasrec: width {width} can't be shared by {heads} heads.", "Use a multiple of the heads."
            )
        self.length, self.scale = length, width**0.5
        self.place = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.ModuleList(Block(spec, width, heads, dropout) for _ in range(depth))
        self.drop, self.norm = nn.Dropout(dropout), nn.LayerNorm(width)

    def forward(self, item: Vectors, history: Tensor, user: Tensor) -> Tensor:
        newest = history[:, -self.length :]
        there = newest > 0
        x = self.drop(self.scale * item(newest) + self.place[-newest.shape[1] :])
        for block in self.blocks:
            x = block(x, there)
        said: Tensor = self.norm(x[:, -1])
        return said


class Block(nn.Module):
    """Attention and a perceptron, each normalised before and added to what it was given."""

    def __init__(self, spec: InputSpec, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), spec.activation(), nn.Linear(2 * width, width))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(self.before(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        logits = q @ k.transpose(-1, -2) / (width // self.heads) ** 0.5  # (B, heads, L, L)
        logits = logits.masked_fill(~there[:, None, None], -30.0)
        seen = (logits.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, width)
        x = x + self.drop(self.out(seen))
        added: Tensor = x + self.drop(self.mlp(self.after(x)))
        return added
