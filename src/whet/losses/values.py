"""Losses of regression. Shapes: outputs (B,), (B, T) or (B, M, T); target (B,) or (B, T)."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]
"""(outputs, target) -> scalar."""


def mse(outputs: Tensor, target: Tensor) -> Tensor:
    """Mean of (output - target)^2 over rows, members and targets."""
    return F.mse_loss(*paired(outputs, target))


def mae(outputs: Tensor, target: Tensor) -> Tensor:
    """Mean of |output - target|."""
    return F.l1_loss(*paired(outputs, target))


def huber(delta: float) -> Loss:
    """e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2)."""
    return lambda outputs, target: F.huber_loss(*paired(outputs, target), delta=delta)


def paired(outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs and target in float32 and of one shape. Raises ValueError where they can't belong together."""
    outputs, target = outputs.float(), target.float()
    outputs = outputs[:, None] if outputs.ndim == 1 else outputs  # (B, T) or (B, M, T)
    target = target[:, None] if target.ndim == 1 else target  # (B, T)
    if outputs.shape[0] != target.shape[0] or outputs.shape[-1] != target.shape[-1]:
        raise ValueError(f"outputs {tuple(outputs.shape)} don't fit the target {tuple(target.shape)}")
    if outputs.ndim == 3:
        target = target[:, None].expand_as(outputs)
    return outputs, target
