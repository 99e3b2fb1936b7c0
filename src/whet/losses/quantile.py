"""The quantile loss."""

from __future__ import annotations

from torch import Tensor

from whet.errors import RecipeError
from whet.losses.values import Loss, paired


def quantile(level: float) -> Loss:
    """max(q e, (q - 1) e) with e = target - output: its minimum is the conditional q-quantile.

    Koenker & Bassett 1978, Regression Quantiles. Times 2, so that level 0.5 is the mean absolute error.
    """
    if not 0 < level < 1:
        raise RecipeError(f"quantile.level={level} is no share.", "Use a number between 0 and 1.")

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        said, truth = paired(outputs, target)
        error = truth - said
        return (2 * level * error).maximum(2 * (level - 1) * error).mean()

    return loss
