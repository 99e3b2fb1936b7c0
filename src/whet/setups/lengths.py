"""How far a step should go: the learning rate at which it has the usual length, by the length that was measured.

A length is the share of their weights that one step moves layers by.
"""

from __future__ import annotations

import math

ADAPTIVE = ("Adam", "AdamW", "NAdam", "RAdam", "RMSprop", "Adamax", "Lion", "Muon")
"""Optimisers whose steps are as long at the end as at the start."""
USUAL = 7.5e-3
"""Of a step of Adam with a rate of 1e-3 and torch's initial weights: 0.005 to 0.012 of 22 families."""
USUAL_PLAIN = 0.015
"""Of steps as long as gradients, which shrink as the training goes on."""
ADAMS_RATE = 1e-3
ENOUGH = 800
"""Steps of a usual length after which small networks have learned what they will."""
LONGEST, UNHURRIED = 4.0, 3200
"""Times the usual length, at most, of steps that are fewer than so many."""
MOST, MOST_PLAIN = 0.1, 10.0
"""Rates that no other one is raised beyond: where steps are short at those, it is the gradient that is missing."""
LOWER = 3.0
"""A usual rate that is lower than the rate by less than this would hardly change anything: a tenth is taken."""


def rounded(value: float) -> float:
    """With one significant digit: nobody needs more of a learning rate."""
    if value <= 0 or not math.isfinite(value):
        return ADAMS_RATE
    power = 10.0 ** math.floor(math.log10(value))
    return float(f"{max(1, round(value / power)) * power:.0e}")


def stride(steps: int) -> float:
    """Times the usual length that steps need where a training has few of them. Those that are as long as gradients don't get
    it: they would throw the weights out of their course."""
    return min(LONGEST, max(1.0, math.sqrt(UNHURRIED / max(1, steps))))


def usual_rate(lr: float, step: float, optimizer: str, steps: int) -> float:
    """The learning rate at which a step has the usual length. `step`: its length now; `steps`: of the whole training."""
    if not (lr > 0 and math.isfinite(step) and step > 0):
        return ADAMS_RATE
    usual, most = (USUAL * stride(steps), MOST) if optimizer in ADAPTIVE else (USUAL_PLAIN, MOST_PLAIN)
    return rounded(min(max(lr, most), lr * usual / step))


def lower_rate(lr: float, step: float, optimizer: str, steps: int) -> float:
    """The usual rate where that is clearly lower; else a tenth."""
    usual = usual_rate(lr, step, optimizer, steps)
    return usual if not lr > 0 or usual < lr / LOWER else rounded(lr / 10)


def adams_rate(steps: int) -> float:
    """Adam's usual rate in a training of so many steps."""
    return rounded(ADAMS_RATE * stride(steps))
