"""What a remedy is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from whet.recipe import Edit
from whet.record import Finding
from whet.setups import Criterion, Setup
from whet.setups.code import coded, said_of
from whet.setups.operations import Sample

Factory = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
SAMPLE = 256
"""Training rows that an operation may look at."""


@dataclass(frozen=True)
class Need:
    """A set-up, what was found in it, and the numbers that remedies reckon with."""

    setup: Setup
    finding: Finding
    criterion: Criterion
    optimizer: str
    settings: dict[str, float]
    step: float
    """The share of their weights that one step moves layers by."""
    steps: int
    """Of the whole training in which it was found."""
    epochs: int
    """Likewise."""
    outputs: int
    width: int
    """Units of the widest hidden layer."""
    narrow: int
    """Units of the narrowest one."""
    depth: int
    """Hidden layers."""
    out_low: float
    out_high: float
    classify: bool
    activations: tuple[tuple[str, str, str], ...]

    def edit(self, path: str, old: object, new: object) -> Edit:
        """An edit, with the finding as its reason."""
        return Edit(path, old, new, self.finding.cause)

    @property
    def sample(self) -> Sample:
        """Training inputs, as the network takes them."""
        return self.setup.parts[0].some(SAMPLE)[0]


def tuned(own: Factory, **changes: Any) -> Factory:
    """A factory of the same optimiser with other numbers in all its groups."""

    def make(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        made = own(parameters)
        for group in made.param_groups:
            group.update({k: v for k, v in changes.items() if k in group})
            if "initial_lr" in group and "lr" in changes:
                group["initial_lr"] = changes["lr"]
        return made

    said = ", ".join(f"{name}={value!r}" for name, value in changes.items())
    return coded(make, f"whet.remedies.need.tuned({said_of(own, 'original.optimizer')}, {said})")


def of_kind(name: str, **settings: Any) -> Factory:
    """A factory of one of torch's optimisers."""

    def make(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        made: torch.optim.Optimizer = getattr(torch.optim, name)(parameters, **settings)
        return made

    said = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    return coded(make, f"(lambda parameters: torch.optim.{name}(parameters, {said}))")
