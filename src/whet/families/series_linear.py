"""Linear forecasts: one map from the look-back to the horizon (Zeng et al. 2023, "Are Transformers Effective for Time
Series Forecasting?", arXiv:2205.13504; Li et al. 2023, arXiv:2305.10721), for all channels or for each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.errors import RecipeError
from whet.families.series import Forecaster, Sizes
from whet.families.spec import InputSpec


class Map(nn.Module):
    """(B, C, L) -> (B, C, H): where it starts and what it learns, for all channels, for each, or in part for each.

    start + change, or with `own` k: start + change + k own_c for channel c. A penalty on weights then shrinks what a channel
    has of its own by 1 / k^2 as much as what all share (Evgeniou & Pontil 2004, doi:10.1145/1014052.1014067, section 2.2), and
    all of it towards the start.

    Without a `bias` where windows are centred: it would learn by how much the training part drifted, and go on so. On
    ETTh1 at 720 steps, trained on its first 5,760 rows, the error on the next 2,880 fell from 0.510 to 0.488 without it.
    In float32 whatever the plan says: a forecast is a sum of hundreds of products that cancel.
    """

    start: Tensor
    """(L, H)"""

    def __init__(self, start: Tensor, channels: int, individual: bool, own: float, bias: bool) -> None:
        super().__init__()
        self.register_buffer("start", start, persistent=False)
        self.change = nn.Parameter(torch.zeros(channels if individual else 1, *start.shape))
        self.factor, apart = own, own and channels > 1 and not individual
        self.own = nn.Parameter(torch.zeros(channels, *start.shape)) if apart else None
        self.bias = nn.Parameter(torch.zeros(1, channels if individual else 1, start.shape[1])) if bias else None

    def weight(self) -> Tensor:
        """(1 or C, L, H)"""
        shared = self.start + self.change
        return shared if self.own is None else shared + self.factor * self.own

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            weight = self.weight()
            shared = len(weight) == 1
            said = x @ weight[0] if shared else torch.bmm(x.transpose(0, 1), weight).transpose(0, 1)
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


def mean(lookback: int, horizon: int, season: int) -> Tensor:
    """(L, H): the mean of the look-back, whatever the step."""
    return torch.full((lookback, horizon), 1 / lookback)


def season(lookback: int, horizon: int, season: int) -> Tensor:
    """(L, H): for each step the mean of the look-back's values that are whole seasons before it."""
    if not 1 < season <= lookback:
        found = f"of {season} steps" if season > 1 else "at all"
        raise RecipeError(f"No season {found} fits into a look-back of {lookback}.", 'Set family.start = "mean".')
    before = torch.arange(lookback, lookback + horizon) - torch.arange(lookback)[:, None]
    there = (before % season == 0).float()
    return there / there.sum(0)


STARTS = {"mean": mean, "season": season, "solved": mean}
"""What a map says before it has learned anything: with "solved" what `Solved` finds on the training windows."""
RIDGE = 1e-4
"""Of a map that is solved, relative to the mean square of its inputs."""
SOLVED_NUMBERS = 20_000_000
"""Of examples that a map is solved on, 0.3 GB with copies. An example has L C + (L + H) K of them, with K calendar features
and no covariates: of 7 channels by the hour (K = 4) at 336 + 96 steps 4,080, so 4,900 of ETTh1's 8,200 windows are taken;
of one channel 2,064, so all are."""
PIECE = 4_000
"""Windows that are centred in float64 at a time."""


class Solved(Forecaster):
    """A map of centred windows that begins at its least squares on the training windows, a little shrunk.

    Units of a window's own spread drop out: a linear map of them, undone at the end, is one of the centred window.
    """

    solves = True
    shrink = 0.0
    """By how much it is drawn to earlier seasons, in units of a window; 0: not at all."""
    window = 1
    """Numbers of an example."""

    @property
    def counted_rows(self) -> int:
        """Training windows that it is solved on."""
        return max(1, SOLVED_NUMBERS // self.window)

    def solved(self, target: Tensor, past: Tensor, *known: Tensor) -> Tensor:
        """(L, H) of target (n, H C), step by step, and past (n, L, C). Steps whose value is missing count as the centre."""
        start: Any = self.core[1].start[:, : target.shape[1] // past.shape[2]].double()  # type: ignore[index]
        squares, products, n = torch.zeros(len(start), len(start)).double(), torch.zeros_like(start), 0
        for x, y in zip(past.split(PIECE), target.split(PIECE), strict=True):
            x, y = self.centred(x, y)
            squares, products, n = squares + x.T @ x, products + x.T @ y, n + len(x)
        shrink = self.shrink * n + RIDGE * squares.diagonal().mean() + 1e-9 * n
        begun = start if self.shrink else torch.zeros_like(start)
        left = squares + shrink * torch.eye(len(squares), dtype=squares.dtype)
        return begun + torch.linalg.solve(left, products - squares @ begun)

    def centred(self, past: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """(x (n C, L), y (n C, H)), float64, less each window's centre."""
        x = past.transpose(1, 2).double()  # (n, C, L)
        y = target.unflatten(1, (-1, x.shape[1])).transpose(1, 2).double()
        _, middle, _ = self.instance(x)
        return (x - middle).flatten(0, 1), torch.nan_to_num(y - middle, nan=0.0).flatten(0, 1)

    @torch.no_grad()
    def begin_at(self, line: Tensor) -> None:
        """Take the map that was solved; of quantiles each one begins there."""
        one: Any = self.core[1]  # type: ignore[index]
        one.change.copy_((line.repeat(1, one.start.shape[1] // line.shape[1]) - one.start).to(one.change))


def make(
    spec: InputSpec,
    form: str = "rlinear",
    start: str = "mean",
    shrink: float = 0.0,
    own: float = 0.0,
    kernel: int = 25,
    individual: bool = False,
    dropout: float = 0.0,
    calendar: bool = False,
) -> nn.Module:
    """`form`: one of FORMS. `start`: one of STARTS. `kernel`: steps of DLinear's moving average.

    `shrink`: of a map that is solved, see `Solved`.
    `individual`: a map for each channel. `own`: how much each has of its own beside a shared one, see `Map`; 0: nothing.
    """
    sizes = Sizes.of(spec)
    if form not in FORMS:
        raise RecipeError(f"There is no linear form {form!r}.", f"Choose one of {', '.join(FORMS)}.")
    if start not in STARTS:
        raise RecipeError(f"There is no start {start!r} of a linear map.", f"Choose one of {', '.join(STARTS)}.")
    if own < 0:
        raise RecipeError(f"series_linear.own={own} is negative.", "Use 0 or more.")
    if shrink < 0 or (shrink and start != "solved"):
        raise RecipeError(f"series_linear.shrink={shrink} draws a map that is solved.", 'Use 0, or start = "solved".')
    begin = season if shrink else STARTS[start]
    begun = begin(sizes.lookback, sizes.horizon, sizes.season).repeat(1, sizes.ahead // sizes.horizon)
    uncentred = FORMS[form][0] == "none"
    maps = [Map(begun, sizes.channels, individual, own, uncentred) for _ in range(2)]
    core = TrendAndRest(min(kernel, sizes.lookback), *maps) if form == "dlinear" else maps[0]
    if start == "solved" and uncentred:
        raise RecipeError(f"Only maps of centred windows begin solved, {form} is none.", "Use nlinear or rlinear.")
    made = nn.Sequential(nn.Dropout(dropout), core), sizes, *FORMS[form], calendar
    if start != "solved":
        return Forecaster(*made)
    network = Solved(*made)
    network.shrink, network.window = shrink, sizes.numbers
    return network
