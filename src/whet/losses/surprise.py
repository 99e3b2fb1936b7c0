"""The loss of networks that say themselves how strange a row is."""

from __future__ import annotations

import torch
from torch import Tensor

from whet.errors import RecipeError
from whet.losses.values import Loss

COST = 1
"""The column of the outputs that holds what a row costs."""
LEAST = 1e-6


def surprise(trim: float, push: float) -> Loss:
    """The mean cost of a batch without its most expensive rows: these may be what is looked for.

    outputs (B, 2 + columns), or (B, M, …) of members: the second number is a row's cost. target (B,): 1 for a row that is
    known to be an anomaly, whose cost c counts as push / c, so that it is pushed away (Ruff et al. 2020, Deep SAD).
    `trim`: the share of the other rows that is left out (Shen & Sanghavi 2019, Iterative Least Trimmed Squares).
    """
    if not 0 <= trim < 1:
        raise RecipeError(f"surprise.trim={trim} is no share of the rows.", "Use a number from 0 to below 1.")

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        cost = outputs.float()[..., COST]  # (B,) or (B, M)
        strange = target == 1
        known = push / cost[strange].clamp(min=LEAST)
        kept = cheapest(cost[~strange], trim)
        return torch.cat([known.flatten(), kept.flatten()]).mean()

    return loss


def cheapest(cost: Tensor, trim: float) -> Tensor:
    """All but the share of rows that cost most; of members, each has its own."""
    rows = max(1, round((1 - trim) * len(cost))) if len(cost) else 0
    return cost if rows == len(cost) else cost.topk(rows, dim=0, largest=False).values
