"""Losses of classification.

z   logits           (B, C) or (B, M, C)
q   target           class index (B,), or probabilities (B, C)
w   class weights    (C,)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from whet.errors import RecipeError
from whet.losses.values import Loss


def cross_entropy(label_smoothing: float, class_weights: tuple[float, ...]) -> Loss:
    """-sum w q' log softmax(z) / sum w q, with q' = (1 - label_smoothing) q + label_smoothing / C."""
    if not 0 <= label_smoothing < 1:
        raise RecipeError(f"label_smoothing={label_smoothing} is not in [0, 1).")
    if any(w < 0 for w in class_weights) or (class_weights and not any(class_weights)):
        raise RecipeError(f"class_weights={class_weights} must not be negative, nor all zero.")
    weights = torch.tensor(class_weights) if class_weights else None

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        logits, target = one_per_row(outputs, target)
        if weights is None:
            return F.cross_entropy(logits, target, label_smoothing=label_smoothing)
        return weighted_cross_entropy(logits, target, weights.to(logits.device), label_smoothing)

    return loss


def weighted_cross_entropy(logits: Tensor, target: Tensor, weights: Tensor, label_smoothing: float) -> Tensor:
    """As torch weighs class indices, but for probabilities too: an index gives what its one-hot row gives."""
    if len(weights) != logits.shape[1]:
        raise RecipeError(f"class_weights has {len(weights)} numbers for {logits.shape[1]} classes.", "Give one each.")
    q = probabilities(target, logits.shape[1])  # (B, C)
    smooth = (1 - label_smoothing) * q + label_smoothing / logits.shape[1]
    rows = -(weights * smooth * logits.log_softmax(1)).sum()
    return rows / (weights * q).sum().clamp_min(torch.finfo(q.dtype).tiny)


def focal(gamma: float) -> Loss:
    """-mean over rows of sum q (1 - p)^gamma log p, with p = softmax(z); gamma 0 is cross-entropy."""
    if gamma < 0:
        raise RecipeError(f"gamma={gamma} is negative.", "Use 0 or more.")

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        logits, target = one_per_row(outputs, target)
        log_p = logits.log_softmax(1)  # (B, C)
        # 1 - p can round to 0, where a power below 1 has an infinite slope.
        miss = (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).eps)
        terms = miss**gamma * log_p  # (B, C)
        if target.ndim == 1:
            return -terms.gather(1, target[:, None]).mean()
        return -(target.to(log_p.dtype) * terms).sum(1).mean()

    return loss


def binary() -> Loss:
    """Cross-entropy of the second class with the logit z (one output) or z_1 - z_0 (two)."""

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        logits, target = one_per_row(outputs, target)
        if logits.shape[1] > 2:
            raise RecipeError(f"The loss binary can't judge {logits.shape[1]} classes.", "Use cross_entropy.")
        logit = logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]
        if target.ndim == 2:
            target = target[:, -1]
        return F.binary_cross_entropy_with_logits(logit, target.to(logit.dtype))

    return loss


def one_per_row(outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Float32 logits (B, C) and their target; members become rows, (B, M, C) -> (B M, C)."""
    logits = outputs.float()
    if logits.ndim == 3:
        target = target.repeat_interleave(logits.shape[1], 0)
        logits = logits.flatten(0, 1)
    return logits, target.float() if target.is_floating_point() else target


def probabilities(target: Tensor, classes: int) -> Tensor:
    """The target as float32 class probabilities (B, C)."""
    return F.one_hot(target, classes).float() if target.ndim == 1 else target.float()
