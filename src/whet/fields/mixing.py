"""Mixing of a batch's examples and their targets, for the fields whose inputs can be mixed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from whet import regularise
from whet.errors import RecipeError
from whet.tasks import Task
from whet.train.parts import Inputs


@dataclass(frozen=True)
class Mixing:
    """Of several ways to mix, each batch gets one, until that way's share of the training is over."""

    mixers: tuple[regularise.Mix, ...] = ()
    classes: int = 0

    @classmethod
    def of(cls, mixers: tuple[regularise.Mix, ...], task: Task) -> Mixing:
        """Raises RecipeError where the targets can't be mixed."""
        if mixers and task.goal != "classify":
            raise RecipeError(
                f"{mixers[0].kind} mixes classes, and the task is a {task.name.partition('-')[2]}.",
                "Take it out of the recipe.",
            )
        return cls(mixers, task.outputs)

    def __call__(
        self, inputs: Inputs, target: Tensor, generator: Generator | None, progress: float = 0.0
    ) -> tuple[Inputs, Tensor]:
        active = [m for m in self.mixers if progress < m.until]
        if generator is not None and active:
            mixer = active[int(torch.randint(len(active), (), generator=generator))]
            inputs, target = mixer(inputs, self.shares(target), generator)
        return inputs, target

    def shares(self, target: Tensor) -> Tensor:
        """Class indices as probabilities, which can be mixed."""
        return target if target.is_floating_point() else nn.functional.one_hot(target, self.classes).float()
