"""Metrics by name, on tensors of outputs and targets: of classes, of labels, of values."""

from __future__ import annotations

import math

from torch import Tensor

from whet.setups.criteria import Criterion


def judged(metric: str, said: Tensor, target: Tensor, criterion: Criterion) -> float:
    """A metric by name."""
    if metric == "accuracy":
        return float((decisions(said, target, criterion) == _flat_target(said, target)).float().mean())
    values, wanted = said.reshape(-1).double(), target.reshape(-1).double()
    if metric == "mae":
        return float((values - wanted).abs().mean())
    error = float(((values - wanted) ** 2).mean())
    if metric == "rmse":
        return math.sqrt(error) if error >= 0 else math.nan
    return 1 - error / max(1e-12, float(wanted.var(unbiased=False)))


def _flat_target(said: Tensor, target: Tensor) -> Tensor:
    if target.dim() > 1 and target.shape == said.shape and target.shape[1] > 1:
        return target.argmax(1) if bool((target.sum(1) == 1).all()) else target.long()
    if target.numel() > len(target):  # a class at each of several places
        return target.long()
    if signed(said, target):
        return (target.reshape(len(target)) > 0).long()
    return target.reshape(len(target)).long()


def signed(said: Tensor, target: Tensor) -> bool:
    """Whether labels are -1 and 1, and one number says which."""
    return said.numel() == target.numel() and bool(((target == -1) | (target == 1)).all()) and bool((target < 0).any())


def decisions(said: Tensor, target: Tensor, criterion: Criterion) -> Tensor:
    """Class indices where the targets are classes, values otherwise."""
    if not is_classes(target, criterion):
        return said.reshape(len(said), -1).squeeze(1) if said.dim() > 1 else said
    if said.dim() > 1 and said.shape[1] > 1:
        if target.dim() > 1 and target.shape == said.shape and not bool((target.sum(1) == 1).all()):
            return (said > _border(criterion)).long()  # several labels per row
        return said.argmax(1)
    if said.shape == target.shape and said.numel() > len(said):
        return (said > _border(criterion)).long()
    return (said.reshape(len(said)) > (0.0 if signed(said, target) else _border(criterion))).long()


def _border(criterion: Criterion) -> float:
    return 0.0 if criterion.takes == "logits" else 0.5


def is_classes(target: Tensor, criterion: Criterion) -> bool:
    """Whether targets are classes: whole numbers, zeros and ones, ones with a sign, or what a loss of classes takes."""
    if criterion.name in ("cross_entropy", "nll", "bce", "bce_with_logits", "mse_of_classes", "mae_of_classes"):
        return True
    if not target.is_floating_point() or criterion.takes == "probabilities":
        return True
    return bool(((target == 0) | (target == 1)).all()) or bool((target.abs() == 1).all())
