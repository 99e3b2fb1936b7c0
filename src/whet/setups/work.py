"""What a training costs, counted and not timed: the same on every machine, however busy it is.

A step is done once on a copy. Its calls of torch's kernels, the numbers that they write and their multiplications are
counted, and turned into seconds of a machine that exists on paper.
"""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from whet.setups.setup import Setup
from whet.setups.training import EVALUATED, TRAIN_ROWS, Course, forward, one_step

CALL, NUMBER, FLOP = 6e-6, 5e-10, 1.3e-11
"""Seconds on paper of a kernel's call, of a number that it writes, of a multiplication or an addition. Chosen so that small
trainings take about as long on a core of 2026; only their ratios decide anything."""
LEAST_COST = 0.2
"""What a training that is over sooner counts as: looking at it costs a part of that."""
LOOKED_AT, LOOKS, LEAST_LOOK = 256, 2, 0.03
"""Rows of a look at a network, the passes through it that a diagnosis makes, and what following its code costs."""


class Tally(TorchDispatchMode):
    """Counts what is computed within the block, backward passes too."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = self.numbers = self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        self.calls += 1
        self.numbers += sum(
            x.numel() for x in (out if isinstance(out, tuple | list) else (out,)) if isinstance(x, Tensor)
        )
        self.flops += formula(*args, **(kwargs or {}), out_val=out) if formula else 0
        return out

    def seconds(self, share: float = 1.0) -> float:
        """On paper, with this share of the rows that were counted."""
        return CALL * self.calls + share * (NUMBER * self.numbers + FLOP * self.flops)


@dataclass(frozen=True)
class Cost:
    """Of a set-up, in seconds on paper."""

    step: float
    point: float
    """Of measuring the network."""
    look: float
    """Of what a diagnosis looks at beside the training."""

    def of(self, course: Course) -> float:
        """Of a training as far as it went."""
        return self.step * course.steps + self.point * len(course.points)


def cost_of(setup: Setup, seed: int = 0) -> Cost:
    """What the set-up's trainings cost. Of a step that fails what came before counts: the training itself will show it."""
    model = setup.fresh(seed)
    optimizer = setup.optimiser_of(model)
    inputs, target = setup.parts[0].some(setup.batch_size)
    with contextlib.suppress(Exception), Tally() as step:
        one_step(setup, model.train(), (inputs, target), optimizer)
    with contextlib.suppress(Exception), Tally() as answer:
        forward(model, inputs)
    train, val = (len(part) for part in setup.parts)
    seen = min(train, TRAIN_ROWS) + val
    calls = 1 + math.ceil(val / EVALUATED)
    point = calls * answer.seconds(seen / calls / len(target))
    return Cost(step.seconds(), point, LEAST_LOOK + LOOKS * step.seconds(LOOKED_AT / len(target)))


def whole(setup: Setup, cost: Cost, course: Course) -> float:
    """Seconds on paper of a whole training, reckoned from the part that was watched; at least `LEAST_COST`."""
    return max(LEAST_COST, reckoned(setup, cost, course))


def reckoned(setup: Setup, cost: Cost, course: Course) -> float:
    """The same, however little it is."""
    done = float(course.last.epoch) if course.last else 1.0
    if course.broke is not None:
        done = max(course.steps / batches_of(setup, Course()), 1e-3)
    return cost.of(course) * setup.epochs / max(done, 1e-3)


def batches_of(setup: Setup, course: Course) -> float:
    """Of an epoch; of a loader, which may give fewer or more than it has rows for, or not say, as a training of it had."""
    part, last = setup.parts[0], course.last
    if part.loader is None or last is None:
        return max(1.0, part.count(setup.batch_size))
    return max(1.0, course.steps / last.epoch)


class Purse:
    """Work to spend, in seconds on paper, so that no load of the machine changes what can be afforded.

    `one`: what a training of the set-up as given costs. `until`: a time by the clock, where somebody gave one.
    """

    def __init__(self, budget: float, one: float, until: float = math.inf) -> None:
        self.one, self.left, self.until, self.spent = one, budget * one, until, 0.0
        self.refused = False
        """Whether something could not be afforded."""

    def pay(self, work: float) -> None:
        self.left -= work
        self.spent += work

    @property
    def late(self) -> bool:
        return time.perf_counter() > self.until

    def allows(self, work: float) -> bool:
        able = self.left >= work and not self.late
        self.refused = self.refused or not able
        return able
