"""The loop. `Training` is the state, `advance` goes on with it; events.py has the picture."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from whet.errors import Diverged
from whet.optim import evaluation_mode, set_lr
from whet.record import Step
from whet.rng import seed_for
from whet.train.events import Events
from whet.train.horizon import Horizon
from whet.train.parts import Inputs, Parts
from whet.train.plan import autocast
from whet.train.world import ALONE, World

Weights = dict[str, Tensor]
SHARE_OF_VALIDATION = 0.025
"""Validation may cost at most this share of the training time."""
VALIDATIONS = 24
"""How many validations a whole training has, where they are cheap enough."""
AT_REST = 0.05
"""Of the highest learning rate: a schedule that ends below it was meant to end with these weights. A constant one was not."""


@dataclass(frozen=True)
class Best:
    """The validation of the weights that are kept: the best one so far, or that of the end (`settle`)."""

    score: float
    step: int
    metrics: Mapping[str, float]


CHOICE = "choice"
"""Among validation's measurements: the number that chooses, the lower, the better, where it isn't the metric itself."""


@dataclass
class Training:
    """A training that can be advanced, paused, saved and resumed; `advance` and `checkpoint` change it."""

    parts: Parts
    horizon: Horizon
    seed: int
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None
    """Metrics on the validation part; must hold the key `metric`."""
    metric: str = "loss"
    higher_is_better: bool = False
    listeners: Sequence[object] = ()
    world: World = ALONE
    """The processes that train together. Listeners are the first one's alone."""

    step: int = 0
    seconds: float = 0.0
    """Training time spent, validation and checkpoints included."""
    loss: float = math.nan
    """Of the newest step."""
    losses: tuple[float, int] = (0.0, 0)
    """Sum and number of the losses since the newest validation."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Of the newest validation."""
    best: Best | None = None
    best_weights: Weights | None = None
    validated_at: float = 0.0
    """Seconds at the newest validation."""
    validated_progress: float = 0.0
    """Progress at the newest validation."""
    validation_seconds: float = 0.0
    """What the newest validation cost."""
    stopped: bool = False
    """Early stopping said so."""
    level: Callable[[nn.Module, Weights], bool] | None = None
    """Whether a model is not clearly worse than with these weights; None: nobody asks."""

    def __post_init__(self) -> None:
        self.events = Events(self.listeners)
        self._ticked = time.perf_counter()

    def tick(self) -> None:
        """Count the time since the last tick as training time."""
        now = time.perf_counter()
        self.seconds, self._ticked = self.seconds + now - self._ticked, now

    def wake(self) -> None:
        """Start counting from now: the time since the last tick was not training."""
        self._ticked = time.perf_counter()

    @property
    def progress(self) -> float:
        return self.horizon.progress(self.step, self.seconds)

    @property
    def over(self) -> bool:
        return self.stopped or self.horizon.over(self.step, self.seconds)

    @property
    def epoch(self) -> float:
        """Passes over the training rows."""
        return self.step / self.parts.train.batches_per_epoch

    def mean_loss(self) -> float:
        """The mean training loss since the last call; NaN when there was no step."""
        total, count = self.losses
        self.losses = (0.0, 0)
        return total / count if count else math.nan

    def cost(self, measured: Mapping[str, float]) -> tuple[float, float]:
        """What trainings are compared by, the lower, the better: the number that chooses, then the loss."""
        score = measured[self.metric]
        choice = measured.get(CHOICE, -score if self.higher_is_better else score)
        return choice, measured.get("loss", 0.0)

    def note_loss(self, loss: float) -> None:
        self.loss = loss
        self.losses = (self.losses[0] + loss, self.losses[1] + 1)

    def as_step(self) -> Step:
        """Where the training stands, as a line of its record."""
        return Step(self.step, self.epoch, self.seconds, self.progress, dict(self.metrics))


def advance(training: Training, seconds: float = math.inf, pause: Horizon | None = None) -> None:
    """Train until the horizon, for about `seconds` more, or until `pause`; then validate.

    Raises Diverged on NaN or infinity. Only the horizon is what the schedule sees.
    """
    pause = pause or Horizon()
    with own_random_numbers():
        training.wake()
        training.events("start", training)
        stop = training.seconds + seconds
        if training.step == 0 and getattr(training.parts.model, "solves", False):
            validate(training)  # it may be at its best before any step
        while goes_on(training, stop, pause):
            train_step(training)
            training.tick()
            if training.world.first(validation_is_due(training)):
                validate(training)
            training.events("save", training)
        if training.metrics.get("step") != training.step:
            validate(training)
        training.events("end", training)
        settle(training)
        training.tick()


def goes_on(training: Training, stop: float, pause: Horizon) -> bool:
    """Whether there is another step to do before `stop`, in training seconds, and before `pause`."""
    training.seconds = training.world.first(training.seconds)  # one clock decides for all processes
    return not training.over and training.seconds < stop and not pause.over(training.step, training.seconds)


def train_step(training: Training) -> None:
    """One batch, one step of the optimiser."""
    parts, step, world = training.parts, training.step, training.world
    generator = draw_from(training.seed, step, world.rank)
    inputs, target, share = world.batch(parts.train, *divmod(step, parts.train.batches_per_epoch))
    inputs, target = parts.prepare(inputs, target, generator, training.progress)
    training.events("batch", training)
    multiplier = parts.schedule(training.progress)
    set_lr(parts.optimizer, multiplier)
    parts.optimizer.zero_grad(set_to_none=True)
    with world.working(whole=parts.plan.micro_batch == 0):
        training.note_loss(forward_backward(training, inputs, target, share))
    if parts.clip is not None:
        parts.clip(parts.model)
    parts.optimizer.step()
    training.step += 1
    for call in parts.after_step:
        call(parts.model, multiplier)
    if parts.average is not None:
        parts.average.update(parts.model, training.step)
    training.events("step", training)


def forward_backward(training: Training, inputs: Inputs, target: Tensor, share: float = 1.0) -> float:
    """Gradients of the mean loss over the batch, in pieces of the plan's micro-batch; the loss as a number.

    `share`: of the whole batch's rows; the other processes of the training have the rest.
    """
    parts, world, rows = training.parts, training.world, len(target)
    piece = math.ceil((parts.plan.micro_batch or rows) / parts.together) * parts.together
    total = 0.0
    for at in range(0, rows, piece):
        part, wanted = tuple(x[at : at + piece] for x in inputs), target[at : at + piece]
        with autocast(parts.plan):
            loss = parts.loss(parts.model(*part), wanted)
        if at == 0 and parts.penalty is not None:
            loss = loss + parts.penalty(parts.model) * (rows / len(wanted))
        if piece < rows or share < 1.0:
            loss = loss * (share * len(wanted) / rows)
        value = float(loss.detach())
        if world.size == 1:
            refuse_no_number(value, training)
        total += value
        training.events("loss", training)
        loss.backward()
    total = world.sum(parts.model, total)
    refuse_no_number(total, training)  # after the sum: all processes have to see it
    training.events("backward", training)
    return total


def refuse_no_number(loss: float, training: Training) -> None:
    """Raises Diverged for NaN and infinity."""
    if not math.isfinite(loss):
        raise Diverged(f"The loss became {loss} at step {training.step}.")


def draw_from(seed: int, step: int, rank: int = 0) -> torch.Generator:
    """The step's own generator for augmentation; also seeds the one that dropout draws from.

    Each of several processes draws its own: their rows are others.
    """
    counters = (step, rank) if rank else (step,)
    torch.default_generator.manual_seed(seed_for(seed, "dropout", *counters))
    return torch.Generator().manual_seed(seed_for(seed, "augment", *counters))


@contextlib.contextmanager
def own_random_numbers() -> Iterator[None]:
    """Puts torch's global random state back afterwards: training must not disturb the caller's numbers."""
    state = torch.default_generator.get_state()
    try:
        yield
    finally:
        torch.default_generator.set_state(state)


def validation_is_due(training: Training) -> bool:
    """At fixed steps where time plays no part, so that a run is repeatable; else as often as it stays cheap."""
    if training.validate is None:
        return False
    horizon = training.horizon
    if math.isinf(horizon.seconds):
        return horizon.steps > 0 and (training.step % max(1, horizon.steps // VALIDATIONS) == 0 or training.over)
    progressed = training.progress - training.validated_progress >= 1 / VALIDATIONS
    return progressed and training.seconds - training.validated_at >= training.validation_seconds / SHARE_OF_VALIDATION


def validate(training: Training) -> None:
    """Measure on the validation part, with averaged weights where there are any, and keep the best weights."""
    if training.validate is None:
        return
    began = time.perf_counter()
    parts = training.parts
    with evaluation_weights(parts) as model:
        measured = training.world.first(training.validate(model) if training.world.rank == 0 else {})
        score = measured[training.metric]
        if is_better(measured, training):
            keep(training, model, Best(score, training.step, dict(measured)))
    tell(training, measured)
    training.metrics = {
        "step": training.step,
        "train/loss": training.mean_loss(),
        "lr": parts.optimizer.param_groups[0]["lr"],
        **{f"val/{k}": v for k, v in measured.items()},
    }
    training.validation_seconds = time.perf_counter() - began
    training.tick()
    training.validated_at, training.validated_progress = training.seconds, training.progress
    training.events("validate", training)


def tell(training: Training, measured: Mapping[str, float]) -> None:
    """Let the schedule and early stopping know, where they ask."""
    parts, (value, _) = training.parts, training.cost(measured)
    if hasattr(parts.schedule, "observe"):
        parts.schedule.observe(value)
    if parts.stop is not None:
        training.stopped = parts.stop.observe(value, training.progress)


def is_better(measured: Mapping[str, float], training: Training) -> bool:
    """Whether this beats the best so far."""
    if not math.isfinite(measured[training.metric]):
        return False
    return training.best is None or training.cost(measured) <= training.cost(training.best.metrics)


def keep(training: Training, model: nn.Module, best: Best) -> None:
    training.best = best
    training.best_weights = {k: v.detach().clone() for k, v in model.state_dict().items()}


def settle(training: Training) -> None:
    """Keep the weights of the end where the rate came to rest and they are not clearly worse than those of the best look: of
    many looks at few rows the best one was lucky too. It comes after the last checkpoint: who goes on from an earlier one
    finds the best look untouched."""
    best, kept, parts = training.best, training.best_weights, training.parts
    last = {k.removeprefix("val/"): v for k, v in training.metrics.items() if k.startswith("val/")}
    if training.level is None or best is None or kept is None or best.step == training.step or not training.over:
        return
    value = last[training.metric]  # None: it came from a checkpoint, and was no number
    if value is None or not math.isfinite(value) or parts.schedule(training.progress) >= AT_REST:
        return
    with evaluation_weights(parts) as model:
        if training.world.first(training.world.rank == 0 and training.level(model, kept)):
            keep(training, model, Best(value, training.step, last))
    training.events("settle", training)


@contextlib.contextmanager
def evaluation_weights(parts: Parts) -> Iterator[nn.Module]:
    """The model as it would be delivered: averaged weights, evaluation mode; put back to the bit afterwards."""
    model, average = parts.model, parts.average
    was_training = model.training
    swap: Any = average.swapped(model) if average is not None else contextlib.nullcontext()
    with torch.inference_mode(), evaluation_mode(parts.optimizer), swap:
        model.eval()
        try:
            yield model
        finally:
            model.train(was_training)
