"""A transformer over the tokens of a text: every token looks at all others, or, for what comes next, at those before it.

Vaswani et al. 2017, arXiv:1706.03762, eq. 1, with the norm before each part (Xiong et al. 2020, arXiv:2002.04745) and
learned places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.errors import RecipeError
from whet.families.tabular import Dropout
from whet.families.text_common import Attention, Tokens, check_sizes, written
from whet.families.text_next import Next

if TYPE_CHECKING:
    from whet.families import InputSpec


class Block(nn.Module):
    """Attention, then two dense layers, each added to what came in: (B, T, D) -> (B, T, D)."""

    def __init__(self, spec: InputSpec, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_dense = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.activation, self.dropout = spec.activation(), Dropout(dropout)

    def forward(self, x: Tensor, sees: Tensor) -> Tensor:
        parts = self.project(self.before_attention(x)).unflatten(2, (3, self.heads, -1))
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # (B, heads, T, D / heads) each
        looked = F.scaled_dot_product_attention(q, k, v, attn_mask=sees)
        x = x + self.dropout(self.mix(looked.transpose(1, 2).flatten(2)))
        out: Tensor = x + self.dropout(self.narrow(self.activation(self.wide(self.before_dense(x)))))
        return out


class TextTransformer(nn.Module):
    """tokens (B, T) -> (B, outputs), or (B, T, outputs) where tokens are labelled."""

    def __init__(self, spec: InputSpec, width: int, depth: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.ahead = spec.goal == "language-model"
        self.tokens, self.dropout = Tokens(spec, width), Dropout(dropout)
        self.places = nn.Embedding(spec.shape[0], width)
        nn.init.normal_(self.places.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(spec, width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.pool = Attention(width) if spec.goal not in ("tag", "language-model") else None
        self.head: nn.Module = Next(spec, width) if self.ahead else nn.Linear(width, spec.outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        there = written(tokens)
        time = torch.arange(tokens.shape[1], device=tokens.device)
        sees = there[:, None, None]  # (B, 1, 1, T)
        if self.ahead:
            sees = time[:, None] >= time  # the start can always be seen, and what lies behind the end is not judged
        steps = self.dropout(self.tokens(tokens) + self.places(time))
        for block in self.blocks:
            steps = block(steps, sees)
        steps = self.norm(steps)
        out: Tensor
        if isinstance(self.head, Next):
            out = self.head(steps, tokens)
        else:
            out = self.head(steps if self.pool is None else self.pool(steps, there))
        return out


def make(spec: InputSpec, width: int = 128, depth: int = 2, heads: int = 4, dropout: float = 0.2) -> nn.Module:
    """`depth` blocks of `heads` heads over vectors of `width`."""
    check_sizes("text_transformer", width=width, depth=depth, heads=heads, dropout=dropout)
    if width % heads:
        raise RecipeError(f"text_transformer.width={width} can't be shared by {heads} heads.", "Use a multiple.")
    return TextTransformer(spec, width, depth, heads, dropout)
