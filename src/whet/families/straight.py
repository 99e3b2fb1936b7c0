"""The straight part of a network for tables: a linear model of the row, solved before the training and left as it is.

The network beside it starts from nothing and learns what the line misses. Where a table has few rows a network finds a plain
linear relation only roughly; with this part it starts there (a skip path, as in He et al. 2016, but solved).
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from whet.optim.linear import JUDGED_ROWS, LinearFit, shrinkage, shrinkage_for_classes

if TYPE_CHECKING:
    from whet.families.spec import InputSpec

ROUNDS = 100
"""Steps of the solver."""
Line = tuple[Tensor, Tensor, Tensor]
"""Weights of the numbers (F, C), of the categories (sum of cardinalities, C), intercepts (C,)."""
LEAST = 1e-6
"""Columns with a smaller spread have no weight."""


class Straight(nn.Module):
    """(numeric (B, F), category (B, K)) -> (B, C)."""

    weight: Tensor
    table: Tensor
    bias: Tensor
    offsets: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.classify, places = spec.goal == "classify", sum(spec.cardinalities)
        offsets = [0, *accumulate(spec.cardinalities)][: len(spec.cardinalities)]
        self.register_buffer("weight", torch.zeros(spec.shape[0], spec.outputs))
        self.register_buffer("table", torch.zeros(places, spec.outputs))
        self.register_buffer("bias", torch.zeros(spec.outputs))
        self.register_buffer("offsets", torch.tensor(offsets, dtype=torch.int64))

    def forward(self, numeric: Tensor, category: Tensor) -> Tensor:
        # A sum of products is no matrix product: it keeps all digits where those are rounded to bfloat16.
        said = (numeric.unsqueeze(-1) * self.weight).sum(1) + self.bias
        return said + self.table[category + self.offsets].sum(1) if category.shape[1] else said

    @torch.no_grad()
    def solved(self, target: Tensor, numeric: Tensor, category: Tensor) -> Line:
        """The weights, from training rows: class indices or values (n,), numbers (n, F), categories (n, K)."""
        mean = numeric.mean(0)
        spread = (numeric - mean).square().mean(0).sqrt()
        scale = torch.where(spread > LEAST, 1 / spread.clamp(min=LEAST), torch.zeros(()))
        numbers, places = (numeric - mean) * scale, category + self.offsets
        sizes = len(self.table), len(self.bias)
        fit = LinearFit(numbers, places, sizes, target, self.strength(target, numbers, places))
        fit.go_on(ROUNDS)
        weights, table, bias = (w.detach() for w in fit.weights)
        weights = weights * scale[:, None]
        return weights, table, bias[0] - mean @ weights

    @torch.no_grad()
    def begin_at(self, line: Line) -> None:
        """Take weights that were solved."""
        for own, found in zip((self.weight, self.table, self.bias), line, strict=True):
            own.copy_(found)

    def strength(self, target: Tensor, numbers: Tensor, places: Tensor) -> float:
        """How much the rows ask their weights to be shrunk."""
        rows = torch.linspace(0, len(target) - 1, min(JUDGED_ROWS, len(target))).long()
        target, numbers, places = target[rows], numbers[rows], places[rows]
        if self.classify:
            return shrinkage_for_classes(numbers, places, (len(self.table), len(self.bias)), target)
        flags = torch.zeros(len(rows), len(self.table)).scatter_(1, places, 1.0)
        return shrinkage(torch.cat([numbers, flags], 1), target[:, None])
