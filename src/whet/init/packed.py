"""Several linear layers of one shape in one tensor: a layer that every initialisation knows, beside torch's own."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Packed(nn.Module):
    """A linear layer for each of M members: (M, B, inputs) -> (M, B, outputs)."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.members, self.in_features, self.out_features = members, inputs, outputs
        bound = 1 / math.sqrt(max(1, inputs))  # as nn.Linear's default
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)
