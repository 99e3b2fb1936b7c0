"""The quantile loss, of one quantile or of several at once.

q   level, a share      e   target - output
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from whet.errors import RecipeError
from whet.losses.values import Loss, paired


def quantile(level: float) -> Loss:
    """max(q e, (q - 1) e): its minimum is the conditional q-quantile.

    Koenker & Bassett 1978, Regression Quantiles. Times 2, so that level 0.5 is the mean absolute error.
    """
    if not 0 < level < 1:
        raise RecipeError(f"quantile.level={level} is no share.", "Use a number between 0 and 1.")

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        said, truth = paired(outputs, target)
        error = truth - said
        return (2 * level * error).maximum(2 * (level - 1) * error).mean()

    return loss


def quantiles(levels: Sequence[float]) -> Loss:
    """The mean of the quantile losses of all levels: outputs (B, Q, T), or (B, M, Q, T) of members; target (B, T)."""
    check_levels(levels)

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        if outputs.ndim < 3 or outputs.shape[-2] != len(levels):
            raise RecipeError("The loss quantiles needs a network that says several quantiles.", "Forecasters do.")
        q = torch.tensor(levels, device=outputs.device)[:, None]
        error = target.float().view(len(target), *[1] * (outputs.ndim - 2), -1) - outputs.float()
        return (2 * q * error).maximum(2 * (q - 1) * error).mean()

    return loss


def check_levels(levels: Sequence[float]) -> None:
    """Raises RecipeError unless they rise from above 0 to below 1, with the median in their middle."""
    rising = all(low < high for low, high in zip((0.0, *levels), (*levels, 1.0), strict=True))
    if not rising or len(levels) % 2 == 0 or levels[len(levels) // 2] != 0.5:
        said = ", ".join(f"{level:g}" for level in levels)
        raise RecipeError(
            f"quantiles.levels=({said}) has no median in its middle, or does not rise.", "Use 0.05, 0.5, 0.95."
        )
