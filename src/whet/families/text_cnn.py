"""Convolutions over the words of a text: each filter looks for a run of a few tokens, anywhere (Kim 2014, arXiv:1408.5882).

    tokens (B, T) --vectors--> (B, M D, T) --filters of each size, activation, maximum over T--> (B, M, K) --> (B, M, C)

M members share the text and nothing else; their filters are the groups of one convolution.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.families.tabular import Dropout, combine
from whet.families.text_common import Tokens, check_sizes, written
from whet.init.packed import Packed

if TYPE_CHECKING:
    from whet.families import InputSpec


class TextCnn(nn.Module):
    """tokens (B, T) -> (B, M, outputs) in training, (B, outputs) in evaluation."""

    def __init__(
        self, spec: InputSpec, width: int, filters: int, sizes: tuple[int, ...], members: int, dropout: float
    ) -> None:
        super().__init__()
        self.classify, self.members, self.sizes = spec.goal == "classify", members, sizes
        self.tokens = Tokens(spec, members * width)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(members * width, members * filters, size, groups=members) for size in sizes
        )
        self.activations = nn.ModuleList(spec.activation() for _ in sizes)
        self.norm = spec.norm(members * filters * len(sizes))
        self.dropout = Dropout(dropout)
        self.head = Packed(members, filters * len(sizes), spec.outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        out = self.each(tokens)
        return out if self.training else combine(out, self.classify)

    calibration_rows = 1

    def calibrate(self, *inputs: Tensor) -> None:
        """Before training; see `Tokens.calibrate`."""
        self.tokens.calibrate()

    def each(self, tokens: Tensor) -> Tensor:
        """What each member says: (B, M, C)."""
        x, beyond = self.tokens(tokens).transpose(1, 2), ~written(tokens)[:, None]
        features = torch.cat([self.strongest(i, x, beyond) for i in range(len(self.convolutions))], 2)  # (B, M, K)
        features = self.dropout(self.norm(features.flatten(1)).view_as(features))
        out: Tensor = self.head(features.transpose(0, 1)).transpose(0, 1)
        return out

    def strongest(self, i: int, x: Tensor, beyond: Tensor) -> Tensor:
        """Each filter of the i-th size at the token where it is strongest: (B, M D, T) -> (B, M, filters)."""
        size = self.sizes[i]
        around = F.pad(x, ((size - 1) // 2, size // 2))
        seen: Tensor = self.activations[i](self.convolutions[i](around))
        return seen.masked_fill(beyond, -math.inf).amax(2).unflatten(1, (self.members, -1))


def make(
    spec: InputSpec,
    width: int = 64,
    filters: int = 64,
    sizes: tuple[int, ...] = (1, 2, 3),
    members: int = 3,
    dropout: float = 0.5,
) -> nn.Module:
    """`width` numbers for each token, `filters` of each of the `sizes`, in each of the `members`."""
    check_sizes(
        "text_cnn", width=width, filters=filters, members=members, smallest=min(sizes, default=0), dropout=dropout
    )
    return TextCnn(spec, width, filters, tuple(sizes), members, dropout)
