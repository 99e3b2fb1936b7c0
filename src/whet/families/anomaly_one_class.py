"""Networks of one class: they learn where normal rows lie, not how to write them down again."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.families.anomaly import Whole, flat_size, layers
from whet.families.spec import InputSpec

FAR_FROM_ZERO = 0.1
"""No coordinate of the centre is nearer to 0: a network could reach 0 by letting its weights vanish."""


class Sphere(nn.Module):
    """The squared distance from a centre that was fixed before training (Ruff et al. 2018, Deep SVDD).

    Its safeguards against a map of everything onto the centre (propositions 1 and 2): no biases, and a centre that is the
    mean of the untrained answers. The recipe's activation should not be bounded (proposition 3).
    """

    centre: Tensor

    def __init__(self, spec: InputSpec, width: int, depth: int, code: int) -> None:
        super().__init__()
        self.map: nn.Module = layers([flat_size(spec), *[width] * depth, code], spec, bias=False)
        self.register_buffer("centre", torch.ones(code))

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> None:
        mean = self.map(x.flatten(1)).mean(0)
        side = torch.where(mean < 0, -1.0, 1.0)
        self.centre.copy_(torch.where(mean.abs() < FAR_FROM_ZERO, FAR_FROM_ZERO * side, mean))

    def forward(self, x: Tensor) -> Tensor:
        return (self.map(x.flatten(1)) - self.centre).square().mean(1)


class Transformed(nn.Module):
    """Learned views of a row that are near the row and unlike each other; it costs what contradicts that.

    Qiu et al. 2021, Neural Transformation Learning (NeuTraL AD):
    - sum over views k of log h(x_k, x) / (h(x_k, x) + sum over l != k of h(x_k, x_l)), h = exp(cosine / temperature).
    """

    def __init__(self, spec: InputSpec, width: int, depth: int, views: int, temperature: float) -> None:
        super().__init__()
        size = flat_size(spec)
        self.views = nn.ModuleList(layers([size, width, size], spec, bias=False) for _ in range(views))
        self.map = layers([size, *[width] * (depth + 1)], spec, bias=False)
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        row = x.flatten(1)
        seen = [row, *(torch.sigmoid(view(row)) * row for view in self.views)]
        z = F.normalize(torch.stack([self.map(s) for s in seen], 1), dim=2)  # (B, 1 + views, width)
        near = z @ z.transpose(1, 2) / self.temperature
        others = near[:, 1:].masked_fill(torch.eye(len(seen), dtype=torch.bool)[1:], float("-inf"))
        return (others.logsumexp(2) - near[:, 1:, 0]).mean(1)


def sphere(spec: InputSpec, width: int = 64, depth: int = 1, code: int = 16) -> nn.Module:
    return Whole(Sphere(spec, width, depth, code))


def transformed(
    spec: InputSpec, width: int = 32, depth: int = 1, views: int = 8, temperature: float = 0.1
) -> nn.Module:
    return Whole(Transformed(spec, width, depth, views, temperature))
