"""The plain multi-layer perceptron on flat inputs: `depth` times (dense, norm, activation, dropout), then the head."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from whet.families.common import Flat, vector_norm
from whet.families.spec import InputSpec


class MLP(nn.Module):
    """`depth` hidden layers of `width` units."""

    def __init__(self, spec: InputSpec, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.flat = Flat(spec)
        sizes = [spec.flat, *[width] * depth]
        self.layers = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Linear(fan_in, fan_out), vector_norm(spec, fan_out), spec.activation(), nn.Dropout(dropout)
                )
                for fan_in, fan_out in pairwise(sizes)
            )
        )
        self.head = nn.Linear(sizes[-1], spec.outputs)

    def forward(self, x: Tensor, category: Tensor | None = None) -> Tensor:
        out: Tensor = self.head(self.layers(self.flat(x, category)))
        return out  # (B, outputs)


def make(spec: InputSpec, width: int = 256, depth: int = 2, dropout: float = 0.0) -> nn.Module:
    return MLP(spec, width, depth, dropout)
