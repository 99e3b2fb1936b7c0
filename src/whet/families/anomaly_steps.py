"""Single steps of a series: one that jumps out between its neighbours, and a stretch that is too still.

A view of a whole window can't point at one step of it. Here a step is judged by the few steps around it, and has a say only
where it is so strange that in a series like the one that was learned from less than one such step is expected.

x     (B, F, W) windows, the newest step last; of them the last M steps are looked at
P     (F, M, M) the inverse of each column's covariance of M steps in a row
z     (B, F, M) what the other steps leave of a step, in standard deviations: |P (x - m)|_i / sqrt(P_ii) (Lauritzen 1996,
      Graphical Models, section 5.1.3)
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

AROUND = 17
"""Steps that are looked at together, M: one in the middle, eight before and eight after it."""
SHRINK = 1e-6
"""Of the variance, added to it: a series without any noise can be judged too."""
LEAST = 1e-6
"""Standard deviations of a column: what stirs less is still."""
PEAKS, STILL = (0.7, 0.95), (0.6, 0.9)
"""Quantiles between which tails are measured: as far out as so many anomalies, in one piece or several, allow."""
LOUD, FAR = 3.0, 12.0
"""Added to the logarithm of a score, and the largest one. On 75 planted series (docs/log.md, single steps) mean AUC-PR 0.870,
with nothing added 0.840, without single steps 0.628."""


class Rare(nn.Module):
    """distance -> exp of how far beyond the usual it is, in units of its 90 % quantile's; 0 where it is not rare.

    If the distances' tail is a power, as steep beyond the quantile `high` as it is between `low` and there, less than one row
    of all is expected beyond `level` (Hill 1975, A Simple General Approach to Inference About the Tail of a Distribution).
    """

    middle: Tensor
    range: Tensor
    level: Tensor

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high
        self.register_buffer("middle", torch.tensor(0.0))
        self.register_buffer("range", torch.tensor(1.0))
        self.register_buffer("level", torch.tensor(math.inf))

    def fit(self, distance: Tensor, rows: int) -> None:
        """`rows`: of how many these are some. What is within 1 is usual, and says nothing of the tail."""
        some = distance[distance > 1]
        if not len(some):
            return
        asked = torch.tensor([0.5, 0.9, self.low, self.high], dtype=some.dtype)
        middle, usual, low, high = torch.quantile(some.log(), asked)
        steepness = (high - low) / math.log((1 - self.low) / (1 - self.high))
        beyond = max(1.0, (1 - self.high) * rows * len(some) / len(distance))
        self.middle.copy_(middle)
        self.range.copy_((usual - middle).clamp(min=LEAST))
        self.level.copy_(high + steepness * math.log(beyond))

    def forward(self, distance: Tensor) -> Tensor:
        logs = distance.clamp(min=1e-30).log()
        said = (LOUD + (logs - self.middle) / self.range).clamp(max=FAR).exp()
        return torch.where(logs > self.level, said, 0.0)


class Steps(nn.Module):
    """(B, 3): how strange the newest step is; the one `delay` steps ago, now that others came after it; how still all are."""

    mean: Tensor
    """(F, 1)"""
    weights: Tensor
    """(F, M, M) P, each row over sqrt(P_ii)"""
    stirs: Tensor
    """(F,) the median over windows of the root mean square of changes from step to step; 0: a column that may stand still"""

    def __init__(self, columns: int, steps: int, rows: int) -> None:
        super().__init__()
        self.around = min(AROUND, steps)
        self.delay, self.rows = self.around // 2, rows
        self.register_buffer("mean", torch.zeros(columns, 1))
        self.register_buffer("weights", torch.zeros(columns, self.around, self.around))
        self.register_buffer("stirs", torch.zeros(columns))
        self.rare: Any = nn.ModuleList([Rare(*PEAKS), Rare(*PEAKS), Rare(*STILL)])

    def fit(self, x: Tensor) -> None:
        """Windows that stand still before the M steps are left out: they stand before the beginning of a series."""
        moved = (x[..., : 1 - self.around].diff(dim=2) != 0).flatten(1).any(1)
        x = (x[moved] if moved.any() else x)[..., -self.around :]
        self.mean.copy_(x.mean((0, 2))[:, None])
        centred = (x - self.mean).double().transpose(0, 1)  # (F, B, M)
        covariance = centred.transpose(1, 2) @ centred / len(x)
        variance = covariance.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
        eye = torch.eye(self.around, dtype=covariance.dtype)
        precision = torch.linalg.inv(covariance + (SHRINK * variance + LEAST**2) * eye)
        self.weights.copy_(precision / precision.diagonal(dim1=1, dim2=2)[..., None].sqrt())
        self.stirs.copy_(changes(x).median(0).values)
        for rare, distance in zip(self.rare, self.distances(x), strict=True):
            rare.fit(distance, self.rows)

    def distances(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B,) each, of the column where it is most; 0 of a step that is not the farthest of the M.

        Whatever a single step adds to the others' z, its own is the farthest: |P_ij| / sqrt(P_ii) <= sqrt(P_jj).
        """
        x = x[..., -self.around :]
        z = torch.einsum("bfm,fkm->bfk", x - self.mean, self.weights).abs()
        peaks = torch.where(z >= z.amax(2, keepdim=True), z, 0.0).amax(1)  # (B, M)
        still = (self.stirs / changes(x).clamp(min=LEAST)).amax(1)
        return peaks[:, -1], peaks[:, -1 - self.delay], still

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([rare(d) for rare, d in zip(self.rare, self.distances(x), strict=True)], 1)


def changes(x: Tensor) -> Tensor:
    """(B, F): the root mean square of changes from step to step."""
    return (x[..., 1:] - x[..., :-1]).square().mean(2).sqrt()


def now(single: Any) -> Any:
    """(B,) of what `Steps` says, tensor or array: the part that is known as soon as the newest step is there."""
    newest, _, still = single.T
    return newest + still
