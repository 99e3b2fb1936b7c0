"""What forecasting networks share: a normalisation of each window that is undone at the end, and what else is known.

    B   windows     L   look-back       C   channels        K   calendar features
                    H   horizon         P   covariates          Q   quantiles, 1 of a network that says one number

    past        (B, L, C)           covariates  (B, L, P)           calendar  (B, L + H, K)

A core turns normalised windows (B, C, L) into forecasts (B, C, Q H), or (B, M, C, Q H) of M members; `Forecaster` does the
rest and gives (B, H C), step by step, or (B, M, H C) while it trains; of several quantiles (B, Q, H C) or (B, M, Q, H C).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families.spec import InputSpec

EPS = 1e-5
CENTRES = ("last", "mean", "none")


@dataclass(frozen=True)
class Sizes:
    """The lengths and widths of a forecast."""

    lookback: int
    horizon: int
    channels: int
    covariates: int
    calendar: int
    season: int
    levels: tuple[float, ...] = ()
    """The quantiles that are said; none: one number."""

    @classmethod
    def of(cls, spec: InputSpec) -> Sizes:
        more = spec.more
        lookback, channels = spec.shape
        named = (more["horizon"], channels, more["covariates"], more["calendar"], more["season"])
        return cls(lookback, *named, tuple(more.get("levels", ())))

    @property
    def numbers(self) -> int:
        """Of one example."""
        each = self.channels + self.covariates + self.calendar
        return self.lookback * each + self.horizon * self.calendar

    @property
    def ahead(self) -> int:
        """Q H: the numbers that a core says of a channel."""
        return max(1, len(self.levels)) * self.horizon


class Instance(nn.Module):
    """Reversible instance normalisation: each window less its centre, in units of its own spread; then back again.

    Kim et al. 2022, Reversible Instance Normalization, ICLR, without the learned scale. `centre` "last" without
    `scale` is NLinear's (Zeng et al. 2023, arXiv:2205.13504, section 4).
    """

    def __init__(self, centre: str, scale: bool) -> None:
        super().__init__()
        if centre not in CENTRES:
            raise RecipeError(f"A window can't be centred on {centre!r}.", f"Choose one of {', '.join(CENTRES)}.")
        self.centre, self.scale = centre, scale

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, L) -> (normalised, its centre, its spread), (B, C, 1) each."""
        middle = x[..., -1:] if self.centre == "last" else x.mean(-1, keepdim=True)
        middle = middle if self.centre != "none" else torch.zeros_like(middle)
        spread = (x.var(-1, keepdim=True, unbiased=False) + EPS).sqrt() if self.scale else torch.ones_like(middle)
        return (x - middle) / spread, middle, spread


class Aside(nn.Module):
    """What covariates and the calendar add to a forecast, in a window's own units; nothing at the start.

    Covariates: one map from look-back to horizon for all of them, then their mix for each channel. Calendar: a straight
    line of each future step's features.
    """

    def __init__(self, sizes: Sizes, calendar: bool) -> None:
        super().__init__()
        self.past = nn.Linear(sizes.lookback, sizes.horizon) if sizes.covariates else None
        self.mix = nn.Linear(sizes.covariates, sizes.channels, bias=False) if sizes.covariates else None
        self.dates = nn.Linear(sizes.calendar, sizes.channels, bias=False) if sizes.calendar and calendar else None
        for head in (self.mix, self.dates):
            if head is not None:
                nn.init.zeros_(head.weight)
        self.horizon = sizes.horizon

    def forward(self, covariates: Tensor | None, calendar: Tensor | None) -> Tensor | None:
        """(B, C, H), or None where nothing else is known."""
        added: Tensor | None = None
        if self.past is not None and self.mix is not None and covariates is not None:
            level = covariates - covariates[:, -1:]
            added = self.mix(self.past(level.transpose(1, 2)).transpose(1, 2)).transpose(1, 2)
        if self.dates is not None and calendar is not None:
            dates = self.dates(calendar[:, -self.horizon :]).transpose(1, 2)
            added = dates if added is None else added + dates
        return added


class Forecaster(nn.Module):
    """A core with its windows normalised, and what else is known added."""

    def __init__(self, core: nn.Module, sizes: Sizes, centre: str, scale: bool, calendar: bool = False) -> None:
        super().__init__()
        self.instance = Instance(centre, scale)
        self.core = core
        self.aside = Aside(sizes, calendar)
        self.apart = nn.Parameter(apart(sizes)) if sizes.levels else None
        if self.apart is not None:
            self.apart.no_decay = True  # type: ignore[attr-defined]

    def forward(self, past: Tensor, covariates: Tensor | None = None, calendar: Tensor | None = None) -> Tensor:
        x, middle, spread = self.instance(past.transpose(1, 2).float())
        said = self.core(x).float()  # (B, [M,] C, Q H)
        members = said.ndim == 4
        if self.apart is not None:
            said = said.unflatten(-1, (len(self.apart), -1)).transpose(-3, -2) + self.apart  # (B, [M,] Q, C, H)
        added = self.aside(covariates, calendar)
        said = said if added is None else said + beside(added, said)
        steps = (said * beside(spread, said) + beside(middle, said)).transpose(-1, -2).flatten(-2)
        if self.training:
            return steps
        steps = steps.mean(1) if members else steps
        return (
            steps.sort(1).values if self.apart is not None else steps
        )  # Chernozhukov et al. 2010: none crosses another


def apart(sizes: Sizes) -> Tensor:
    """(Q, 1, H): how far quantiles lie from the middle at first, those of a normal number with a window's own spread.

    A linear map of a centred window can't say it: without it the outer quantiles of two real series enclosed 4 and 9 %.
    """
    return torch.special.ndtri(torch.tensor(sizes.levels))[:, None, None].repeat(1, 1, sizes.horizon)


def beside(x: Tensor, said: Tensor) -> Tensor:
    """(B, C, n) as the last two dimensions of what was said, alike for all members and quantiles."""
    for _ in range(said.ndim - 3):  # a view would write the batch's size into an exported graph
        x = x.unsqueeze(1)
    return x


class Folded(nn.Module):
    """An encoder of sequences (n, features, L) -> (n, size), and a linear head on what it says.

    Channels are folded into the batch, or stay together as features where they are mixed.
    """

    def __init__(self, encoder: nn.Module, size: int, sizes: Sizes, mixing: bool, dropout: float) -> None:
        super().__init__()
        self.encoder, self.mixing, self.channels = encoder, mixing, sizes.channels
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(size, sizes.ahead * (sizes.channels if mixing else 1))

    def forward(self, x: Tensor) -> Tensor:  # (B, C, L) -> (B, C, H)
        sequences = x if self.mixing else x.reshape(-1, 1, x.shape[-1])
        said: Tensor = self.head(self.drop(self.encoder(sequences)))
        return said.view(len(x), self.channels, -1)


def features(sizes: Sizes, mixing: bool) -> int:
    return sizes.channels if mixing else 1
