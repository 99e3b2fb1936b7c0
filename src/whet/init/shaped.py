"""An activation with a fixed scale and shift around it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whet.theory.family import Shape


class Shaped(nn.Module):
    """gamma (f(alpha x + beta) + delta); the four numbers are buffers: saved, moved, not trained."""

    alpha: Tensor
    beta: Tensor
    gamma: Tensor
    delta: Tensor

    def __init__(self, function: nn.Module, shape: Shape, scale: float = 1.0) -> None:
        """`scale` is the standard deviation of what comes in; the shape is meant for 1."""
        super().__init__()
        self.function = function
        for name, value in (
            ("alpha", shape.alpha / scale),
            ("beta", shape.beta),
            ("gamma", shape.gamma),
            ("delta", shape.delta),
        ):
            self.register_buffer(name, torch.tensor(value))

    def forward(self, x: Tensor) -> Tensor:
        """Shape and dtype of x are kept."""
        return self.gamma * (self.function(self.alpha * x + self.beta) + self.delta)

    def extra_repr(self) -> str:
        values = {name: round(getattr(self, name).item(), 9) + 0.0 for name in ("alpha", "beta", "gamma", "delta")}
        return ", ".join(f"{name}={value:.4g}" for name, value in values.items())
