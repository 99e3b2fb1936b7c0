"""R-Drop: every row is seen twice in a batch, and the two answers are pulled towards each other.

Dropout makes another network for each look, and augmentation another row; what a network says should depend on neither.
Liang et al. 2021, R-Drop: Regularized Dropout for Neural Networks, arXiv:2106.14448.

p, q    what is said of a row the first and the second time, probabilities of the classes (…, C)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from whet.errors import RecipeError

Batch = tuple[tuple[Tensor, ...], Tensor]
"""(inputs, target)."""


@dataclass(frozen=True)
class RDrop:
    """Half of equation 4, since a loss is a mean over rows: (-log p - log q) / 2 + alpha / 4 (KL(p, q) + KL(q, p))."""

    alpha: float

    def __post_init__(self) -> None:
        if self.alpha < 0:
            raise RecipeError(f"r_drop.alpha={self.alpha} is negative.", "Use 0 (nothing but two looks) or more.")

    def prepare(self, prepare: Callable[..., Batch]) -> Callable[..., Batch]:
        """`train.parts.Prepare`, with every row twice where a generator is given: each is augmented by itself."""

        def prepared(inputs: tuple[Tensor, ...], target: Tensor, generator: Any, progress: float = 0.0) -> Batch:
            if generator is not None:
                inputs, target = twice(inputs, target)
            return prepare(inputs, target, generator, progress)

        return prepared

    def loss(self, loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        """The loss of rows that stand beside their twins, with what these don't agree on."""
        return lambda outputs, target: loss(outputs, target) + self.alpha / 4 * disagreement(outputs)


def twice(inputs: tuple[Tensor, ...], target: Tensor) -> Batch:
    """Rows 2 i and 2 i + 1 are row i."""
    return tuple(x.repeat_interleave(2, dim=0) for x in inputs), target.repeat_interleave(2, dim=0)


def disagreement(outputs: Tensor) -> Tensor:
    """The mean of KL(p, q) + KL(q, p) = sum (p - q) (log p - log q) over neighbouring rows of logits (2 B, …, C)."""
    pairs = len(outputs) // 2  # an estimate of memory comes with rows that have no twin
    logs = outputs[: 2 * pairs].float().log_softmax(-1).unflatten(0, (pairs, 2))
    first, second = logs.unbind(1)
    return ((first.exp() - second.exp()) * (first - second)).sum(-1).mean()
