"""Penalties on weights, and clipping of gradients.

Penalised are the trainable parameters of two or more dimensions that are not flagged `no_decay`: no biases, no scales.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from whet.errors import RecipeError


@dataclass(frozen=True)
class L1:
    """strength * sum |w|, as a term of the loss or, with `proximal`, as a step of its own."""

    strength: float
    proximal: bool = False
    """Shrink after each step instead: weights become exactly zero. The loss should then not hold the penalty too."""

    def __post_init__(self) -> None:
        _check(self.strength)

    def __call__(self, model: nn.Module) -> Tensor:
        """The penalty: a scalar with a gradient."""
        return self.strength * _total([w.abs().sum() for w in penalised(model)])

    @torch.no_grad()
    def shrink(self, model: nn.Module, step: float) -> None:
        """w <- sign(w) max(0, |w| - step * strength): the proximal operator for a step of that length."""
        weights = [w.detach() for w in penalised(model)]
        for w in weights:
            w.copy_(torch.nn.functional.softshrink(w, step * self.strength))

    def after_step(self, lr: float) -> Callable[[nn.Module, float], None]:
        """What the loop calls with (model, multiplier of the learning rate) after each step; exact for gd."""
        return lambda model, multiplier: self.shrink(model, lr * multiplier)


@dataclass(frozen=True)
class L2:
    """strength / 2 * sum w^2; its gradient is strength * w, as in coupled weight decay."""

    strength: float

    def __post_init__(self) -> None:
        _check(self.strength)

    def __call__(self, model: nn.Module) -> Tensor:
        """The penalty: a scalar with a gradient."""
        return self.strength / 2 * _total([w.square().sum() for w in penalised(model)])


@dataclass(frozen=True)
class Clip:
    """Shortens the gradient of all parameters together to `max_norm`."""

    max_norm: float

    def __post_init__(self) -> None:
        if not self.max_norm > 0:
            raise RecipeError(f"clip.max_norm={self.max_norm} is not positive.")

    def __call__(self, model: nn.Module) -> Tensor:
        """Clips in place; gives the Euclidean norm before."""
        return nn.utils.clip_grad_norm_(model.parameters(), self.max_norm)


def penalised(model: nn.Module) -> list[nn.Parameter]:
    """The weights that a penalty counts."""
    return [p for p in model.parameters() if p.requires_grad and p.ndim >= 2 and not getattr(p, "no_decay", False)]


def _total(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).sum() if terms else torch.zeros(())


def _check(strength: float) -> None:
    if strength < 0:
        raise RecipeError(f"strength={strength} is negative.", "Use 0 or more.")
