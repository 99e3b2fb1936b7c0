"""What a loss that is none of the known ones aims at, found by what it says of right and of wrong answers.

s  answers (n, C), (n, C, ...) or (n, 1)       y  targets (n,), (n, ...) or (n, 1)
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from whet.diagnosis.evidence import Aim
from whet.setups import Criterion

SURE = 5.0
"""Of a logit: how sure made-up answers are."""
MOVES = (0.3, 1.0)
"""By which values are moved away from the right ones, to both sides, in spreads of the targets."""

Says = Callable[[Tensor], float]


def aim(loss: Callable[[Tensor, Tensor], Any], s: Tensor, y: Tensor, criterion: Criterion, classes: bool) -> Aim:
    """What the loss makes of made-up answers in the shape of `s`; nothing is known of one that fails on them."""
    found = Aim()
    if criterion.name != "unknown":
        return found

    def says(answers: Tensor) -> float:
        return float(torch.as_tensor(loss(answers.to(s.dtype), y)).float().mean())

    with contextlib.suppress(Exception), torch.no_grad():  # the loss is the user's, and may raise anything
        if (
            classes
            and not y.is_floating_point()
            and s.dim() > 1
            and y.shape == s.shape[:1] + s.shape[2:]
            and s.shape[1] > max(1, int(y.max()))
        ):
            found = of_classes(says, s, y)
        elif not classes and y.is_floating_point() and s.numel() == y.numel():
            found = of_values(says, s, y)
    return found


def of_values(says: Says, s: Tensor, y: Tensor) -> Aim:
    """Whether values moved away from the right ones please the loss more."""
    right, spread = y.reshape(s.shape).float(), float(y.float().std(correction=0))
    best, astray = says(right), 0.0
    for move in MOVES:
        low, high = sorted((says(right - move * spread), says(right + move * spread)))
        if all(map(math.isfinite, (best, low, high))) and high > low:
            astray = max(astray, (best - low) / (high - low))
    return Aim(astray=astray)


def of_classes(says: Says, s: Tensor, y: Tensor) -> Aim:
    """Whether right answers please the loss less than none at all, and whether it hears of all classes, or of any."""
    shares = bool((s.sum(1) - 1).abs().max() < 1e-4 and s.min() >= 0)

    def answers(of: Tensor) -> Tensor:
        logits = SURE * F.one_hot(of, s.shape[1]).movedim(-1, 1).float()
        return logits.softmax(1) if shares else logits

    right, wrong = answers(y), answers((y + 1) % s.shape[1])
    none = torch.full_like(right, 1 / s.shape[1] if shares else 0.0)
    best, worst, nothing = says(right), says(wrong), says(none)
    if not all(map(math.isfinite, (best, worst, nothing))):
        return Aim()
    if best == worst:  # where rows are told apart, and not what they are called, half of them moved make a difference
        every_other = torch.arange(len(y)).view(-1, *[1] * (y.dim() - 1)) % 2 == 1
        half = answers(torch.where(every_other, (y + 1) % s.shape[1], y))
        return Aim(heard=0.0, deaf=True) if best == says(half) != nothing else Aim()
    classes = y.unique().tolist()
    costs = [says(torch.where((y == k)[:, None], wrong, right)) - best for k in classes]
    each = [
        cost / int((y == k).sum()) for cost, k in zip(costs, classes, strict=True)
    ]  # a rare class costs little in all
    heard = min(max(of_most(a, costs), of_most(b, each)) for a, b in zip(costs, each, strict=True))
    return Aim(astray=max(0.0, best - nothing) / abs(worst - best), heard=heard)


def of_most(cost: float, costs: list[float]) -> float:
    """As a share of the largest; 1 where none is above 0."""
    return max(0.0, cost) / max(costs) if max(costs) > 0 else 1.0
