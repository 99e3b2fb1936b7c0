"""Attention is found in networks of one's own, whoever wrote it, and treated as T-Fixup says."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from whet.init import t_fixup_

WIDTH, DEPTH = 16, 3
XAVIER = math.sqrt(6 / (2 * WIDTH))
FACTOR = 0.67 * DEPTH**-0.25


class Torchs(nn.Module):
    """Torch's layer, in a module of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.inner(x, x, x, need_weights=False)[0]
        return found

    def weights(self) -> tuple[Tensor, ...]:
        return (*self.inner.in_proj_weight.split(WIDTH), self.inner.out_proj.weight)


class Fused(nn.Module):
    """One layer for queries, keys and values, and torch's function."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (2, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        found: Tensor = self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return found

    def weights(self) -> tuple[Tensor, ...]:
        return (*self.qkv.weight.split(WIDTH), self.out.weight)


class Apart(nn.Module):
    """A layer for each, a softmax and a dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        shares = (self.q(x) @ self.k(x).transpose(1, 2) / 4).softmax(-1)
        found: Tensor = self.out(self.dropout(shares) @ self.v(x))
        return found

    def weights(self) -> tuple[Tensor, ...]:
        return self.q.weight, self.k.weight, self.v.weight, self.out.weight


class Block(nn.Module):
    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention
        self.up, self.down = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(x)
        found: Tensor = x + self.down(F.gelu(self.up(x)))
        return found


class Encoder(nn.Module):
    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.items = nn.Embedding(9, WIDTH)
        self.blocks = nn.Sequential(*(Block(kind()) for _ in range(DEPTH)))
        self.head = nn.Linear(WIDTH, WIDTH)

    def forward(self, items: Tensor) -> Tensor:
        found: Tensor = self.head(self.blocks(self.items(items)).mean(1))
        return found


@pytest.mark.parametrize("kind", [Torchs, Fused, Apart])
def test_values_outputs_and_feed_forward_layers_are_shrunk_and_nothing_else(kind: type[nn.Module]) -> None:
    model = Encoder(kind)
    t_fixup_(model, torch.randint(9, (4, 6)), Generator().manual_seed(0))
    block: Any
    for block in model.blocks:
        queries, keys, values, out = block.attention.weights()
        for whole in (queries, keys):
            assert 0.9 * XAVIER < float(whole.detach().abs().max()) <= XAVIER
        for small in (values, out, block.up.weight, block.down.weight):
            assert 0.9 * XAVIER * FACTOR < float(small.detach().abs().max()) <= XAVIER * FACTOR
    assert float(model.head.weight.detach().abs().max()) > 0.9 * XAVIER
