"""A panel on its way to the network: windows, cut when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from whet.augment.series import Reshaping
from whet.fields.forecast.panel import Windows
from whet.tasks.forecast import Futures

PIECE = 4_000_000
"""Numbers of windows that are cut at a time."""


@dataclass(frozen=True)
class Reshaped:
    """Windows as the network takes them: changed by the recipe's augmentation where a generator is given."""

    steps: tuple[Reshaping, ...]

    def __call__(
        self, inputs: tuple[Tensor, ...], target: Tensor, generator: torch.Generator | None, progress: float = 0.0
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        if generator is None:
            return inputs, target
        past, *others = inputs
        for step in self.steps:
            past, target = step(past, target, generator)
        return (past, *others), target


@dataclass(frozen=True)
class SeriesTransform:
    """The sizes of a window. What values are scaled by belongs to the panel: every series has its own."""

    lookback: int
    horizon: int
    channels: int
    covariates: int
    calendar: int
    season: int
    levels: tuple[float, ...] = ()
    """The quantiles that the network says; none: one number."""

    @classmethod
    def of(cls, x: Windows) -> SeriesTransform:
        p = x.panel
        return cls(p.lookback, p.horizon, len(p.channels), p.covariates.shape[1], p.calendar.shape[1], p.season)

    @property
    def shape(self) -> tuple[int, ...]:
        """(L, C)"""
        return self.lookback, self.channels

    def apply(self, x: Windows) -> tuple[Tensor, ...]:
        """(past (n, L, C), covariates (n, L, P), calendar (n, L + H, K)) of these windows, in standard units."""
        rows = torch.from_numpy(x.starts)
        return tuple(view[rows] for view in x.panel.inputs())

    def pieces(self, x: Windows) -> Iterator[tuple[Tensor, ...]]:
        each = self.lookback * (self.channels + self.covariates) + (self.lookback + self.horizon) * self.calendar
        return (self.apply(some) for some in x.pieces(max(1, PIECE // each)))

    def spec(self) -> dict[str, Any]:
        """What a network's `InputSpec` says of the inputs."""
        return {
            "domain": "series",
            "shape": self.shape,
            "more": asdict(self),
            "example": lambda: tuple(self.drawn(2, 0).values()),
        }

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        """Random inputs by name: standard normal numbers."""
        draw = torch.Generator().manual_seed(seed)
        whole = self.lookback + self.horizon
        return {
            "past": torch.randn(rows, *self.shape, generator=draw),
            "covariates": torch.randn(rows, self.lookback, self.covariates, generator=draw),
            "calendar": torch.randn(rows, whole, self.calendar, generator=draw),
        }

    def truth(self, arrays: Mapping[str, np.ndarray]) -> Futures:
        """What metrics compare with, as other processes are given it."""
        return Futures.of(arrays)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> SeriesTransform:
        return cls(**{**state, "levels": tuple(state.get("levels", ()))})
