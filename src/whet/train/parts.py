"""What the loop needs, as live objects. `build` makes them from a recipe; a test can make them by hand."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from whet.train.plan import Plan

Inputs = tuple[Tensor, ...]


class Batches(Protocol):
    """Batches by position, so that resuming replays nothing."""

    @property
    def batches_per_epoch(self) -> int: ...

    def batch(self, epoch: int, index: int) -> tuple[Inputs, Tensor]: ...


class WeightAverage(Protocol):
    """A running average of the weights, used for validation and as the final model."""

    def update(self, model: nn.Module, step: int) -> None: ...
    def swapped(self, model: nn.Module) -> contextlib.AbstractContextManager[nn.Module]: ...
    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None: ...


class Prepare(Protocol):
    """(raw inputs, target, generator or None, progress in [0, 1]) -> (inputs, target)."""

    def __call__(
        self, inputs: Inputs, target: Tensor, generator: torch.Generator | None, progress: float = 0.0
    ) -> tuple[Inputs, Tensor]: ...


class Stopper(Protocol):
    """Early stopping: sees each validation score, lower being better, with the progress in [0, 1]."""

    def observe(self, score: float, progress: float) -> bool: ...
    def state_dict(self) -> dict[str, float]: ...
    def load_state_dict(self, state: dict[str, float]) -> None: ...


@dataclass
class Parts:
    """One training set-up."""

    model: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor]
    """(outputs, target) -> scalar."""
    optimizer: torch.optim.Optimizer
    schedule: Callable[[float], float]
    """progress in [0, 1] -> what every learning rate is multiplied with."""
    train: Batches
    plan: Plan
    prepare: Prepare
    """Raw batch -> what the model takes. With a generator: also augmented and mixed, for training."""
    average: WeightAverage | None = None
    after_step: Sequence[Callable[[nn.Module, float], None]] = ()
    """Called with (model, learning-rate multiplier) after each step: proximal L1, …"""
    penalty: Callable[[nn.Module], Tensor] | None = None
    """Added to the loss."""
    stop: Stopper | None = None
    """Whether the validation score says that it is enough."""
    clip: Callable[[nn.Module], object] | None = None
    """Shortens gradients that are too long, in place."""
    together: int = 1
    """Neighbouring rows of a batch that no micro-batch may part."""
