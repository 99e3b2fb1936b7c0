"""Activations that stand in the place of a normalisation: a squashing with a learned width, then scale and shift."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whet.activations.layout import learned, spread


class DynamicTanh(nn.Module):
    """gamma tanh(alpha x) + beta, with one alpha for the layer and gamma, beta per channel. Zhu et al. 2025, DyT."""

    def __init__(self, alpha: float = 0.5, channels: int | None = None, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim
        self.alpha = learned([alpha], None)
        self.gamma, self.beta = learned([1.0], channels), learned([0.0], channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.scaled(self.squashed(x), x).to(x.dtype)

    def squashed(self, x: Tensor) -> Tensor:
        return torch.tanh(spread(self.alpha, x, self.dim) * x)

    def scaled(self, y: Tensor, x: Tensor) -> Tensor:
        return spread(self.gamma, x, self.dim) * y + spread(self.beta, x, self.dim)

    def extra_repr(self) -> str:
        return f"channels={self.gamma.numel()}, dim={self.dim}"


class DynamicErf(DynamicTanh):
    """gamma erf(alpha x + shift) + beta, with one alpha and one shift for the layer. Chen et al. 2025, Derf."""

    def __init__(self, alpha: float = 0.5, channels: int | None = None, dim: int = 1) -> None:
        super().__init__(alpha, channels, dim)
        self.shift = learned([0.0], None)

    def squashed(self, x: Tensor) -> Tensor:
        return torch.erf(spread(self.alpha, x, self.dim) * x + spread(self.shift, x, self.dim))
