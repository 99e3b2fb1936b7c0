"""Pictures on their way to a generator: values from -1 to 1, with the random numbers that it starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from whet.data.image_transform import ImageTransform
from whet.data.judge import LEVELS
from whet.errors import OutputError
from whet.families.generate import Flow, inputs_like
from whet.rng import seed_for
from whet.train.parts import Inputs

USER_STEPS = 8
"""Steps from noise to picture, with a velocity of the user's own."""


def around(network: torch.nn.Module) -> torch.nn.Module:
    """A user's network, called with (x, t, label), is a velocity."""
    return Flow(network, USER_STEPS)


@dataclass(frozen=True)
class PictureTransform(ImageTransform):
    """uint8 pictures of one shape, whose sides networks can halve twice."""

    def spec(self) -> dict[str, Any]:
        more = {"around": around, "output_shape": self.shape, "inside": self.inside}
        return {"domain": "pictures", "shape": self.shape, "more": more, "example": self.example}

    def example(self) -> Inputs:
        return inputs_like(self.shape)

    def inside(self) -> Inputs:
        """What a user's network takes."""
        return inputs_like(self.shape)[:3]

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        raise no_export()


def no_export() -> OutputError:
    return OutputError(
        "A generator is not exported: it turns random numbers into examples in several passes.",
        "Use `whet generate RUN --n 64 --out FILE`.",
    )


@dataclass(frozen=True)
class Drawing:
    """(examples, labels, row numbers) -> what a generator takes: (x, u, label, noise); see `families.generate`.

    Without a generator the noise depends on the row number that a batch begins with, so that measuring twice gives the
    same.
    """

    values: Callable[[Tensor], Tensor]

    def __call__(
        self, inputs: Inputs, target: Tensor, generator: Generator | None, progress: float = 0.0
    ) -> tuple[Inputs, Tensor]:
        x, label, row = self.values(inputs[0]), inputs[1], inputs[2]
        if generator is None:
            generator = Generator().manual_seed(seed_for(0, "augment", int(row[0]) if len(row) else 0))
        u = (torch.rand(len(x), generator=generator) * 0.999 + 0.0005).to(x.dtype)
        return (x, u, label, torch.randn(x.shape, generator=generator)), target


def pixels(x: Tensor) -> Tensor:
    """uint8 (B, H, W, C) -> float (B, C, H, W) from -1 to 1."""
    return x.permute(0, 3, 1, 2).float().div_(LEVELS).sub_(1).contiguous()


def as_pictures(x: Tensor) -> Tensor:
    """The way back: uint8 (B, H, W, C)."""
    return ((x.float() + 1) * LEVELS).round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
