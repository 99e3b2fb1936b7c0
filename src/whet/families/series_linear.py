"""Linear forecasts: one map from the look-back to the horizon (Zeng et al. 2023, "Are Transformers Effective for Time
Series Forecasting?", arXiv:2205.13504; Li et al. 2023, arXiv:2305.10721), for all channels or for each."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.errors import RecipeError
from whet.families.series import Forecaster, Sizes
from whet.families.spec import InputSpec


class Map(nn.Module):
    """(B, C, L) -> (B, C, H), shared by the channels, or one for each. Starts as the mean of the look-back.

    In float32 whatever the plan says: a forecast is a sum of hundreds of products that cancel.
    """

    def __init__(self, lookback: int, horizon: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, lookback, horizon), 1 / lookback))
        self.bias = nn.Parameter(torch.zeros(channels, 1, horizon))

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            if len(self.weight) == 1:
                return x @ self.weight[0] + self.bias[0]
            return torch.baddbmm(self.bias, x.transpose(0, 1), self.weight).transpose(0, 1)


class TrendAndRest(nn.Module):
    """DLinear: a moving average and what it leaves, a map each (section 4 of the paper)."""

    def __init__(self, kernel: int, trend: nn.Module, rest: nn.Module) -> None:
        super().__init__()
        self.kernel, self.trend, self.rest = kernel, trend, rest

    def forward(self, x: Tensor) -> Tensor:
        half = self.kernel // 2
        mean = F.avg_pool1d(F.pad(x, (half, self.kernel - 1 - half), mode="replicate"), self.kernel, 1)
        out: Tensor = self.trend(mean) + self.rest(x - mean)
        return out


FORMS = {"nlinear": ("last", False), "dlinear": ("none", False), "rlinear": ("mean", True)}
"""What a window is centred on, and whether it is scaled."""


def make(
    spec: InputSpec,
    form: str = "rlinear",
    kernel: int = 25,
    individual: bool = False,
    dropout: float = 0.0,
    calendar: bool = False,
) -> nn.Module:
    """`form`: one of FORMS. `kernel`: steps of DLinear's moving average. `individual`: a map for each channel."""
    sizes = Sizes.of(spec)
    if form not in FORMS:
        raise RecipeError(f"There is no linear form {form!r}.", f"Choose one of {', '.join(FORMS)}.")
    maps = [Map(sizes.lookback, sizes.horizon, sizes.channels if individual else 1) for _ in range(2)]
    core = TrendAndRest(min(kernel, sizes.lookback), *maps) if form == "dlinear" else maps[0]
    return Forecaster(nn.Sequential(nn.Dropout(dropout), core), sizes, *FORMS[form], calendar)
