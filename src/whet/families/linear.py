"""Linear and softmax regression: the network that every other one has to beat."""

from __future__ import annotations

from torch import Tensor, nn

from whet.families.common import Flat
from whet.families.spec import InputSpec


class Linear(nn.Module):
    """outputs = flat input @ weights + bias."""

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.flat = Flat(spec)
        self.head = nn.Linear(spec.flat, spec.outputs)

    def forward(self, x: Tensor, category: Tensor | None = None) -> Tensor:
        out: Tensor = self.head(self.flat(x, category))
        return out  # (B, outputs)


def make(spec: InputSpec) -> nn.Module:
    return Linear(spec)
