"""A set-up trained as it stands: the plain loop that its parts describe, with a curve to look at afterwards."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from whet.errors import UserError
from whet.setups.criteria import Criterion, recognise
from whet.setups.hints import hint, said_by
from whet.setups.metrics import decisions, judged
from whet.setups.pace import Rates, Stopwatch
from whet.setups.parts import Batch
from whet.setups.setup import Setup

POINTS = 20
"""Times at which a training is measured; fewer where there are fewer epochs."""
TRAIN_ROWS = 500
"""Training rows that are measured with the validation part."""
EVALUATED = 1_000
"""Rows that a network in evaluation mode is given at once."""


@dataclass(frozen=True)
class Point:
    """Where a training stood at the end of an epoch."""

    epoch: int
    step: int
    loss: float
    """The mean over the steps since the last point, as they were trained."""
    train: float
    """The metric on some training rows, in evaluation mode."""
    val: float
    val_loss: float


@dataclass
class Course:
    """What happened in a training."""

    points: list[Point] = field(default_factory=list)
    first_loss: float = math.nan
    """Of the first step."""
    steps: int = 0
    """Batches that were trained on."""
    seconds: float = 0.0
    broke: int | None = None
    """The step at which the loss was no number; None: never."""
    pace: float = 1.0
    """The mean learning rate over the largest one: 1 where it stays, a half where it falls in a straight line."""
    start: float = 1.0
    """The first learning rate over the largest one: below 1 where it warms up."""
    end: float = 1.0
    """The last one over the largest."""
    half: float = 1.0
    """The largest one of the first half of the steps over the largest one: below 1 where it still grew in the second half."""
    waited: float = 0.0
    """Seconds that the median step waits for its batch; 0 for rows in memory."""
    computed: float = 0.0
    """Seconds that the median step takes from then on."""
    taken: int = 0
    """Steps that the optimiser took: fewer where gradients of several batches are gathered; 0 where they were not counted."""

    @property
    def last(self) -> Point | None:
        return self.points[-1] if self.points else None


@dataclass
class Running:
    """What a training goes on from: a longer one with the same seed need not begin anew."""

    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    """Of the order of the rows."""
    rates: Rates
    clock: Stopwatch
    random: Tensor
    """State of torch's own generator."""
    epochs: int = 0
    """That are done."""


@dataclass
class Trained:
    """A trained set-up."""

    setup: Setup
    model: nn.Module
    criterion: Criterion
    course: Course
    running: Running | None = None
    """None where nothing can go on from it: it broke, or went on already."""

    @property
    def value(self) -> float:
        """The metric at the end; NaN after a loss that was no number."""
        last = self.course.last
        return math.nan if last is None or self.course.broke is not None else last.val

    def outputs(self, x: Any) -> Tensor:
        """What the network says of raw inputs, in evaluation mode."""
        inputs = x if isinstance(x, tuple) else (x,)
        tensors = tuple(t if isinstance(t, Tensor) else torch.as_tensor(np.asarray(t, np.float32)) for t in inputs)
        return forward(self.model, tensors)

    def predict(self, x: Any) -> np.ndarray:
        """(n,) class indices, or values in the target's own units, for raw inputs."""
        said = self.outputs(x)
        target = self.setup.parts[0].some(64)[1]
        return decisions(said, target, self.criterion).numpy()


def train(
    setup: Setup,
    seed: int = 0,
    *,
    epochs: int | None = None,
    listen: Callable[[nn.Module, torch.optim.Optimizer], Any] | None = None,
    seconds: float = math.inf,
    stop: Callable[[Course], bool] | None = None,
    onward: Trained | None = None,
) -> Trained:
    """Train a set-up for its epochs, or fewer; an epoch ends early when the loss is no number.

    `listen` is given the model and its optimiser before the first step, and returns a context that is left after the
    last. `stop` is asked after every point. `onward`: a training of the same set-up and seed for fewer epochs, which goes on
    where it stood; it is used up. Raises UserError for a loss that is no scalar.
    """
    begun = fresh_start(setup, seed) if onward is None or onward.running is None else taken_over(onward, setup)
    model, course, run = begun.model, begun.course, begun.running
    assert run is not None
    epochs = setup.epochs if epochs is None else epochs
    every = max(1, epochs // POINTS)
    began = time.perf_counter()
    with _nothing() if listen is None else listen(model, run.optimizer):
        while run.epochs < epochs:
            model.train()
            batches = run.clock.timed(setup.parts[0].batches(setup.batch_size, run.generator))
            losses = one_epoch(setup, model, batches, run.optimizer, course)
            run.epochs += 1
            over = time.perf_counter() - began > seconds
            if course.broke is not None or run.epochs % every == 0 or run.epochs == epochs or over:
                course.points.append(measured(setup, model, begun.criterion, run.epochs, course.steps, losses))
                if not math.isfinite(course.points[-1].val_loss) and course.broke is None:
                    course.broke = course.steps
            if course.broke is not None or over or (stop is not None and course.points and stop(course)):
                break
    course.seconds += time.perf_counter() - began
    course.taken = run.rates.steps
    course.pace, course.start = run.rates.pace, run.rates.start
    course.half, course.end = run.rates.half, run.rates.end
    if setup.parts[0].loader is not None:
        course.waited, course.computed = run.clock.medians
    run.random = torch.default_generator.get_state()
    return replace(begun, running=None if course.broke is not None else run)


def fresh_start(setup: Setup, seed: int) -> Trained:
    """A set-up before its first step."""
    model = setup.fresh(seed)
    optimizer, rates = setup.optimiser_of(model), Rates()
    generator, criterion = torch.Generator().manual_seed(seed), criterion_of(setup, model)
    rates.follow(optimizer)
    run = Running(optimizer, generator, rates, Stopwatch(), torch.default_generator.get_state())
    return Trained(setup, model, criterion, Course(), run)


def taken_over(earlier: Trained, setup: Setup) -> Trained:
    """A training that goes on with an earlier one's model and optimiser; the earlier one keeps its course alone."""
    run, earlier.running = earlier.running, None
    assert run is not None
    torch.default_generator.set_state(run.random)
    return Trained(
        setup, earlier.model, earlier.criterion, replace(earlier.course, points=[*earlier.course.points]), run
    )


class _nothing:  # noqa: N801
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def one_epoch(
    setup: Setup, model: nn.Module, batches: Iterator[Batch], optimizer: torch.optim.Optimizer, course: Course
) -> list[float]:
    """The losses of a step on each batch, up to one that is no number; the course is told."""
    losses: list[float] = []
    for batch in batches:
        loss = one_step(setup, model, batch, optimizer)
        course.steps += 1
        losses.append(loss)
        if course.steps == 1:
            course.first_loss = loss
        if not math.isfinite(loss):
            course.broke = course.steps
            break
    return losses


def one_step(setup: Setup, model: nn.Module, batch: Batch, optimizer: torch.optim.Optimizer) -> float:
    """One training step, by the set-up's own function if it has one; the loss as a number."""
    inputs, target = batch
    if setup.step is not None:
        given = inputs[0] if len(inputs) == 1 else inputs
        loss = setup.step(model, (given, target), setup.loss, optimizer)
        return as_number(loss)
    if isinstance(optimizer, torch.optim.LBFGS):
        return by_closure(setup, model, batch, optimizer)
    optimizer.zero_grad(set_to_none=True)
    loss = setup.loss(model(*inputs), target)
    value = as_number(loss)
    if math.isfinite(value):
        loss.backward()
        optimizer.step()
    return value


def by_closure(setup: Setup, model: nn.Module, batch: Batch, optimizer: torch.optim.LBFGS) -> float:
    """A step of an optimiser that asks for the loss several times; the first one it was told."""
    inputs, target = batch

    def closure() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = setup.loss(model(*inputs), target)
        as_number(loss)
        loss.backward()
        return loss

    return as_number(optimizer.step(closure))


def as_number(loss: Any) -> float:
    """A loss as a float. Raises UserError for what is no scalar."""
    if isinstance(loss, Tensor):
        if loss.numel() != 1:
            raise UserError(
                f"The loss is a tensor of the shape {tuple(loss.shape)}, not one number.", "Take its mean, or its sum."
            )
        return float(loss.detach())
    if isinstance(loss, int | float):
        return float(loss)
    raise UserError(f"The training step returned {type(loss).__name__}, not a loss.", "Return the loss of the batch.")


def forward(model: nn.Module, inputs: tuple[Tensor, ...], rows: int = EVALUATED) -> Tensor:
    """Outputs of all rows in evaluation mode; the model's mode is put back."""
    was = model.training
    model.eval()
    try:
        with torch.no_grad():
            pieces = [model(*(x[at : at + rows] for x in inputs)) for at in range(0, len(inputs[0]), rows)]
    finally:
        model.train(was)
    return torch.cat(pieces)


def criterion_of(setup: Setup, model: nn.Module) -> Criterion:
    """What the set-up's loss is. Raises UserError where the model or the loss can't take the data."""
    inputs, target = setup.parts[0].some(16)
    try:
        said = forward(model, inputs)
    except Exception as error:
        shapes = ", ".join(str(tuple(x.shape)) for x in inputs)
        raise UserError(f"The network fails on inputs of the shape {shapes}: {said_by(error)}", hint(error)) from error
    try:
        loss = setup.loss(said, target)
    except Exception as error:
        raise UserError(
            f"The loss fails on outputs of the shape {tuple(said.shape)} and targets of the shape "
            f"{tuple(target.shape)} ({target.dtype}): {said_by(error)}",
            hint(error),
        ) from error
    if setup.step is None:
        as_number(loss)
    return recognise(setup.loss, said, target)


def measured(setup: Setup, model: nn.Module, criterion: Criterion, epoch: int, step: int, losses: list[float]) -> Point:
    """The model on some training rows and on all validation rows."""
    train, _ = metric_of(setup, model, criterion, [setup.parts[0].some(TRAIN_ROWS)])
    val, val_loss = metric_of(setup, model, criterion, list(setup.parts[1].batches(EVALUATED)))
    return Point(epoch, step, float(np.mean(losses)) if losses else math.nan, train, val, val_loss)


def metric_of(setup: Setup, model: nn.Module, criterion: Criterion, batches: list[Batch]) -> tuple[float, float]:
    """(metric, loss) over these batches."""
    said = torch.cat([forward(model, inputs) for inputs, _ in batches])
    target = torch.cat([y for _, y in batches])
    with torch.no_grad():
        loss = float(torch.as_tensor(setup.loss(said, target)).float().mean())
    if setup.metric == "loss":
        return loss, loss
    if callable(setup.metric):
        return float(setup.metric(said, target)), loss
    return judged(setup.metric, said, target, criterion), loss
