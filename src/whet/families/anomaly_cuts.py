"""A forest of random cuts as part of a network: rows that few cuts set apart from all others are strange.

After Liu, Ting & Zhou 2008, Isolation Forest, doi:10.1109/ICDM.2008.17. Every tree is a complete one of the same depth, so that
all rows go down all trees together, and the trees are plain numbers beside the network's others.

v  (B, D) rows      T trees      N = 2^depth - 1 inner nodes, the children of i are 2 i + 1 and 2 i + 2
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

TREES, SAMPLE, DEPTH = 100, 256, 8
"""The paper's: a tree sees so many rows, and is cut off at log2 of them (section 4.3)."""
EULER = 0.5772156649


class Cuts(nn.Module):
    """2 to the power of -E(h) / c: h is how many cuts set a row apart, c how many are usual."""

    feature: Tensor
    """(T, N) int64: the column that a node cuts."""
    cut: Tensor
    """(T, N): rows from here on go to the second child; of a node without rows to set apart, infinity."""
    length: Tensor
    """(T, N + 1): the cuts until a leaf, in units of c, with what its rows would still need."""

    def __init__(self, trees: int = TREES) -> None:
        super().__init__()
        nodes = 2**DEPTH - 1
        self.seed = int(torch.randint(2**31, ()))
        self.register_buffer("feature", torch.zeros(trees, nodes, dtype=torch.int64))
        self.register_buffer("cut", torch.full((trees, nodes), math.inf))
        self.register_buffer("length", torch.ones(trees, nodes + 1))

    def fit(self, v: Tensor) -> None:
        """Grow every tree on rows of its own, all trees a level at a time."""
        g = torch.Generator().manual_seed(self.seed)
        trees, rows = len(self.feature), min(SAMPLE, len(v))
        mine = torch.stack([torch.randperm(len(v), generator=g)[:rows] for _ in range(trees)])  # (T, rows)
        seen, tree = v[mine].flatten(0, 1), torch.arange(trees).repeat_interleave(rows)  # (T rows, D), (T rows,)
        node, grown = torch.zeros(len(seen), dtype=torch.int64), torch.zeros(trees, 2 * len(self.cut[0]) + 1)
        for level in range(DEPTH):
            first, wide = 2**level - 1, 2**level
            inside = tree * wide + node - first
            column, cut = drawn_cuts(seen, inside, trees * wide, g)
            self.feature[:, first : first + wide] = column.view(trees, wide)
            self.cut[:, first : first + wide] = cut.view(trees, wide)
            depth = grown[:, first : first + wide]
            below = depth + cut.isfinite().view(trees, wide)  # a node that can't be cut costs nothing
            grown[:, first + wide : first + 3 * wide] = below.repeat_interleave(2, dim=1)
            second = seen.gather(1, column[inside][:, None])[:, 0] >= cut[inside]
            node = 2 * node + 1 + second
        leaf = tree * 2**DEPTH + node - len(self.cut[0])
        alike = torch.bincount(leaf, minlength=trees * 2**DEPTH).view(trees, -1)
        self.length.copy_((grown[:, len(self.cut[0]) :] + usual(alike)) / usual(torch.tensor(rows)).clamp(min=1))

    def forward(self, v: Tensor) -> Tensor:
        trees, nodes = self.cut.shape
        offset = torch.arange(trees, device=v.device) * nodes
        node = torch.zeros_like(v[:, :1], dtype=torch.int64).expand(
            -1, trees
        )  # the export follows how many rows there are
        for _ in range(DEPTH):
            at = offset + node
            second = v.gather(1, self.feature.flatten()[at]) >= self.cut.flatten()[at]
            node = 2 * node + 1 + second.long()
        lengths = self.length.flatten()[offset + torch.arange(trees, device=v.device) + node - nodes]
        return torch.exp(-math.log(2) * lengths.mean(1))  # ONNX knows no exp2


def drawn_cuts(v: Tensor, inside: Tensor, nodes: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """For each node a column that differs among its rows, (nodes,) int64, and a place between its ends; else infinity."""
    index = inside[:, None].expand_as(v)
    low = torch.full((nodes, v.shape[1]), math.inf).scatter_reduce(0, index, v, "amin")
    high = torch.full((nodes, v.shape[1]), -math.inf).scatter_reduce(0, index, v, "amax")
    differs = high > low
    column = (torch.rand(differs.shape, generator=generator) * differs).argmax(1)
    ends = torch.stack([low, high]).gather(2, column.expand(2, -1)[..., None])[..., 0]  # (2, nodes)
    place = torch.rand(nodes, generator=generator)
    cut = torch.maximum(ends[0] + place * (ends[1] - ends[0]), torch.nextafter(ends[0], ends[1]))
    return column, torch.where(differs.any(1), cut, math.inf)


def usual(rows: Tensor) -> Tensor:
    """The mean number of cuts that set one of so many rows apart: 2 H(n - 1) - 2 (n - 1) / n, 1 of two, 0 of fewer."""
    n = rows.double().clamp(min=1)
    many = 2 * ((n - 1).clamp(min=1).log() + EULER) - 2 * (n - 1) / n
    return torch.where(n > 2, many, (n - 1).clamp(min=0)).float()
