"""A forecaster as a judge: what the steps before could not tell is strange (Hundman et al. 2018, arXiv:1802.04431)."""

from __future__ import annotations

from torch import Tensor, nn

from whet.families.anomaly import begin_at_zero, layers, verdict
from whet.families.anomaly_autoencoder import timed
from whet.families.spec import InputSpec


class Forecaster(nn.Module):
    """The last `ahead` steps from the ones before them: a straight path that starts at the last known value, and a bent one."""

    def __init__(self, spec: InputSpec, width: int, depth: int, ahead: int) -> None:
        super().__init__()
        columns, steps = timed(spec, "forecaster")
        self.ahead = max(1, min(ahead, steps - 1))
        known, asked = columns * (steps - self.ahead), columns * self.ahead
        self.straight = nn.Linear(known, asked)
        self.bent = layers([known, *[width] * depth, asked], spec)
        begin_at_zero(self.straight)
        begin_at_zero(self.bent[-1])

    def forward(self, x: Tensor) -> Tensor:  # (B, F, W)
        past, future = x[..., : -self.ahead], x[..., -self.ahead :]
        flat = past.flatten(1)
        said = past[..., -1:] + (self.straight(flat) + self.bent(flat)).view_as(future)
        columns = (said - future).square().mean(2)
        return verdict(columns.mean(1), columns)


def make(spec: InputSpec, width: int = 64, depth: int = 1, ahead: int = 1) -> nn.Module:
    made: nn.Module = Forecaster(spec, width, depth, ahead)
    return made
