"""Losses of sequences.

z   logits           (B, T, C)
y   target           (B, U) units, -1 behind the end (ctc); (B, T) classes, -100 where nothing is known (steps)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from whet.losses.values import Loss

UNKNOWN = -100
"""The class of a step that nothing is said of."""


def ctc() -> Loss:
    """-log of the sum over all paths that spell y, divided by its length (Graves et al. 2006, eq. 3); mean.

    Unit 0 is the blank. A path is T units; it spells what is left when repetitions, then blanks, are taken out. A target
    longer than any path counts 0. A padded end whose blank is certain changes nothing.
    """

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        log_p = outputs.float().log_softmax(2).transpose(0, 1)  # (T, B, C)
        lengths = (target >= 0).sum(1)
        steps = torch.full_like(lengths, len(log_p))
        return F.ctc_loss(log_p, target.clamp_min(0), steps, lengths, zero_infinity=True)

    return loss


def step_cross_entropy(label_smoothing: float) -> Loss:
    """Mean of -log softmax(z)[y] over all steps whose class is known; 0 where there is none."""

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        known = (target != UNKNOWN).sum().clamp_min(1)
        total = F.cross_entropy(
            outputs.float().flatten(0, -2),
            target.flatten(),
            ignore_index=UNKNOWN,
            label_smoothing=label_smoothing,
            reduction="sum",
        )
        return total / known

    return loss
