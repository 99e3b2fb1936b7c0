"""The loss of several labels for each row. Shapes: outputs (B, C) or (B, M, C) logits, target (B, C) in 0..1."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from whet.losses.classes import one_per_row, probabilities


def one_vs_rest(outputs: Tensor, target: Tensor) -> Tensor:
    """Mean over rows and labels of the cross-entropy of each label on its own; a class index is its one-hot row."""
    logits, target = one_per_row(outputs, target)
    return F.binary_cross_entropy_with_logits(logits, probabilities(target, logits.shape[1]))
