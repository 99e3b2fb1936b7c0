"""How dense it is around a row, beside how dense it is around its neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NEAR = 50
"""Neighbours that are looked at, k: more than a small crowd of anomalies has (docs/log.md has 5 and 20 beside it)."""
EQUAL = 1e-3
"""Of the middle distance: what equal rows count as apart."""


class Local(nn.Module):
    """The distance to the (k + 1)-th nearest remembered row, over the mean of what it is for those k + 1 rows.

    A remembered row is the nearest one to itself: what is measured is how far its k-th neighbour is, and that of the k others
    and its own are averaged.

    A gap beside a tight crowd is as wide as the room between rows of a loose one; measured by its neighbours it is not
    (Breunig et al. 2000, LOF, without the smoothing of reachability: Schubert et al. 2014, section 4).
    """

    known: Tensor
    """(places, D) the rows that are remembered."""
    own: Tensor
    """(places,) how far the (k + 1)-th nearest of each is, the first being itself."""
    least: Tensor
    """What equal rows count as apart."""

    def __init__(self, size: int, places: int, k: int = NEAR) -> None:
        super().__init__()
        self.k = max(1, min(k, places - 1))
        self.register_buffer("known", torch.zeros(places, size))
        self.register_buffer("own", torch.ones(places))
        self.register_buffer("least", torch.ones(()))

    def fit(self, v: Tensor) -> None:
        some = torch.linspace(0, len(v) - 1, len(self.known)).round().long()  # fewer rows than places: some twice
        self.known.copy_(v[some])
        self.own.copy_(self.nearest(self.known)[0][:, -1])
        self.least.copy_(EQUAL * self.own.median() + torch.finfo(v.dtype).tiny)

    def nearest(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """(distances (B, k + 1), which of the known rows), the nearest first; of a known row that is itself."""
        squares = (v * v).sum(1, keepdim=True) + (self.known * self.known).sum(1) - 2 * v @ self.known.T
        found = squares.topk(min(self.k + 1, len(self.known)), dim=1, largest=False)
        return found.values.relu().sqrt(), found.indices

    def forward(self, v: Tensor) -> Tensor:
        """(B,)"""
        far, which = self.nearest(v)
        return (far[:, -1] + self.least) / (self.own[which].mean(1) + self.least)
