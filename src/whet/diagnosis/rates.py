"""The learning-rate range test: the rate rises from step to step, and where the loss falls and breaks is told.

Smith 2017, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186, section 3.3; with several seeds, because
one run of it is a noisy witness.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from whet.diagnosis.readings import Reading
from whet.setups import Setup
from whet.setups.parts import Batch
from whet.setups.training import one_step

LOWEST, HIGHEST = 1e-6, 10.0
STEPS = 80
SEEDS = 3
SMOOTH = 0.8
"""Of the running mean of the losses that stays at each step."""
BROKEN = 3.0
"""Times the first loss at which a run is over."""
BELOW = 0.1
"""Of the rate at which the loss was lowest: there it is about to break, and falls fastest some way below. A convention."""
LEARNED = 0.05
"""Share by which the loss must fall for a run to say anything."""
UNSURE = 10.0
"""Between the rates of two seeds from which the test is said to be unsure."""


def range_test(setup: Setup, seed: int = 0) -> Reading:
    """The rate that a set-up should be trained with, with the least and the most of several seeds."""
    found = [rate for k in range(SEEDS) if (rate := one_run(setup, seed + k)) is not None]
    if len(found) < SEEDS:
        said = f"in {SEEDS - len(found)} of {SEEDS} runs the loss fell at no rate: it says nothing about the rate."
        return Reading("learning-rate range test", said)
    middle, low, high = float(np.exp(np.mean(np.log(found)))), min(found), max(found)
    sure = "" if high / low < UNSURE else " The seeds differ that much that it is hardly more than a guess."
    said = f"a rate of {middle:.1g} ({SEEDS} seeds: {low:.1g} to {high:.1g}).{sure}"
    return Reading("learning-rate range test", said, {"rate": middle, "low": low, "high": high})


def one_run(setup: Setup, seed: int) -> float | None:
    """The rate that one run points to; None where the loss never fell."""
    model = setup.fresh(seed)
    optimizer = setup.optimiser_of(model)
    model.train()
    rates = np.geomspace(LOWEST, HIGHEST, STEPS)
    smooth, means = 0.0, []
    for step, (rate, batch) in enumerate(zip(rates, endless(setup, seed), strict=False)):
        for group in optimizer.param_groups:
            group["lr"] = float(rate)
        loss = one_step(setup, model, batch, optimizer)
        smooth = SMOOTH * smooth + (1 - SMOOTH) * loss
        means.append(smooth / (1 - SMOOTH ** (step + 1)))
        if not math.isfinite(loss) or means[-1] - means[0] > (BROKEN - 1) * abs(means[0]):
            means.pop()
            break
    best = int(np.argmin(means)) if means else 0
    fell = means and means[0] - means[best] > LEARNED * abs(means[0])
    return float(rates[best] * BELOW) if fell else None


def endless(setup: Setup, seed: int) -> Iterator[Batch]:
    draw = torch.Generator().manual_seed(seed)
    while True:
        yield from setup.parts[0].batches(setup.batch_size, draw)
