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

    Without a `bias` where windows are centred: it would learn by how much the training part drifted, and go on so. On
    ETTh1 at 720 steps, trained on its first 5,760 rows, the error on the next 2,880 fell from 0.510 to 0.488 without it.
    In float32 whatever the plan says: a forecast is a sum of hundreds of products that cancel.
    """

    def __init__(self, lookback: int, horizon: int, channels: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, lookback, horizon), 1 / lookback))
        self.bias = nn.Parameter(torch.zeros(1, channels, horizon)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            shared = len(self.weight) == 1
            said = x @ self.weight[0] if shared else torch.bmm(x.transpose(0, 1), self.weight).transpose(0, 1)
            return said if self.bias is None else said + self.bias


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
    channels, uncentred = sizes.channels if individual else 1, FORMS[form][0] == "none"
    maps = [Map(sizes.lookback, sizes.ahead, channels, uncentred) for _ in range(2)]
    core = TrendAndRest(min(kernel, sizes.lookback), *maps) if form == "dlinear" else maps[0]
    return Forecaster(nn.Sequential(nn.Dropout(dropout), core), sizes, *FORMS[form], calendar)
