"""The precision that a network computes in, whatever surrounds it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


class Computed(nn.Module):
    """A network with weights in float32 that computes in this type, and answers in float32."""

    def __init__(self, network: nn.Module, dtype: str) -> None:
        super().__init__()
        self.network, self.dtype = network.float(), dtype

    def forward(self, *inputs: Tensor) -> Tensor:
        wide = tuple(x.float() if x.is_floating_point() else x for x in inputs)
        half = self.dtype != "float32"
        with torch.autocast(inputs[0].device.type, dtype=getattr(torch, self.dtype) if half else None, enabled=half):
            said: Tensor = self.network(*wide)
        return said.float()


@dataclass(frozen=True)
class ComputeIn:
    """Weights in float32, and the network's layers in this type."""

    dtype: str
    """"float32" or "bfloat16"."""

    def __call__(self, model: nn.Module) -> nn.Module:
        return Computed(model, self.dtype).train(model.training)

    def code(self) -> list[str]:
        return [f"model = whet.setups.precision.ComputeIn({self.dtype!r})(model)  # weights in float32"]
