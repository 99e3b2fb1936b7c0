"""Activations that stand in the place of a normalisation: a squashing with a learned width, then scale and shift."""

from __future__ import annotations

from torch import Tensor, nn

from whet.activations.formula import Formula
from whet.activations.layout import learned, spread


class Squashing(nn.Module):
    """w f(x) + b, where f has its own learned numbers for the whole layer, and w, b are per channel, as a norm's are."""

    def __init__(self, f: Formula, channels: int, dim: int = 1) -> None:
        super().__init__()
        self.f, self.dim = f, dim
        self.weight, self.bias = learned([1.0], channels), learned([0.0], channels)

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = (spread(p, x, self.dim).to(x.dtype) for p in (self.weight, self.bias))
        return weight * self.f(x) + bias

    def extra_repr(self) -> str:
        return f"channels={self.weight.numel()}, dim={self.dim}"


def dyt(alpha: float = 0.5, channels: int | None = None, dim: int = 1) -> nn.Module:
    """w tanh(alpha x) + b. Zhu et al. 2025."""
    return _squashing("tanh(alpha * x)", {"alpha": alpha}, channels, dim)


def derf(alpha: float = 0.5, channels: int | None = None, dim: int = 1) -> nn.Module:
    """w erf(alpha x + shift) + b. Chen et al. 2025."""
    return _squashing("erf(alpha * x + shift)", {"alpha": alpha, "shift": 0.0}, channels, dim)


def _squashing(text: str, learn: dict[str, float], channels: int | None, dim: int) -> nn.Module:
    """With one w and one b too, all of it is one formula."""
    if channels is None:
        return Formula(f"gamma * {text} + beta", learn={**learn, "gamma": 1.0, "beta": 0.0})
    return Squashing(Formula(text, learn=learn), channels, dim)
