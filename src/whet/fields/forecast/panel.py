"""A panel: series on a regular grid, one after the other in one array. Windows are named by their first step.

    N   steps of all series together        L   look-back       K   calendar features
    C   channels to be forecast             H   horizon         P   covariates

Window s looks back on the steps s to s + L - 1 and forecasts s + L to s + L + H - 1. Nothing is copied for it: inputs,
targets and truths are views over the panel's arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from whet.fields.forecast.clock import Clock
from whet.tasks.forecast import Futures, Units


@dataclass(frozen=True, eq=False)
class Panel:
    """Series in standard units (see `whet.tasks.forecast`), gaps filled."""

    values: np.ndarray
    """float32 (N, C)."""
    known: np.ndarray
    """bool (N, C): False where a gap was filled."""
    covariates: np.ndarray
    """float32 (N, P): known up to the end of the look-back only."""
    calendar: np.ndarray
    """float32 (N, K): known ahead."""
    bounds: np.ndarray
    """int64 (S + 1,): series i is the steps bounds[i] to bounds[i + 1] - 1."""
    clocks: tuple[Clock, ...]
    """When each series' first step is."""
    names: tuple[str, ...]
    """Of the series; ("",) for the one series of a table without a series column."""
    channels: tuple[str, ...]
    units: Units
    lookback: int
    horizon: int
    season: int
    """Steps; 1: none."""
    helpers: tuple[str, ...] = ()
    """Names of the covariates."""
    helper_units: tuple[np.ndarray, np.ndarray] = (np.empty((0, 0)), np.empty((0, 0)))
    """Their (mean, standard deviation), (S, P) each."""

    @property
    def windows(self) -> int:
        """First steps that a window can have, across series too: `starts` says which are windows of one series."""
        return len(self.values) - self.lookback - self.horizon + 1

    @property
    def series(self) -> np.ndarray:
        """int64 (windows,): the series of each first step."""
        return np.searchsorted(self.bounds, np.arange(self.windows), "right") - 1

    def futures(self) -> Futures:
        """What came after each window."""
        truth = np.where(self.known, self.values, np.float32(np.nan))
        return Futures(_views(truth, self.windows, self.lookback, self.horizon), self.series, self.units)

    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """(look-backs (n, L, C), their covariates (n, L, P), the calendar of look-back and horizon (n, L + H, K))."""
        n, back, whole = self.windows, self.lookback, self.lookback + self.horizon
        views = _views(self.values, n, 0, back), _views(self.covariates, n, 0, back), _views(self.calendar, n, 0, whole)
        return tuple(torch.from_numpy(v) for v in views)  # type: ignore[return-value]

    def target(self) -> Tensor:
        """(n, H C): the steps after each window, as a network says them."""
        n, channels = self.windows, len(self.channels)
        flat = self.values[self.lookback :]
        step = flat.strides[0]
        return torch.from_numpy(
            np.lib.stride_tricks.as_strided(flat, (n, self.horizon * channels), (step, flat.itemsize))
        )


def _views(array: np.ndarray, windows: int, first: int, steps: int) -> np.ndarray:
    """(windows, steps, columns): windows that begin `first` steps after 0, 1, …; a view."""
    columns = array.shape[1]
    if not columns:
        return np.empty((windows, steps, 0), array.dtype)
    rest = array[first:]
    return np.lib.stride_tricks.as_strided(rest, (windows, steps, columns), (rest.strides[0], *rest.strides))


@dataclass(frozen=True, eq=False)
class Windows:
    """Some windows of a panel: what `Data.x` and `Inputs.x` are."""

    panel: Panel
    starts: np.ndarray
    """int64 (n,)"""
    more: Mapping[str, Any]
    """What was noticed on the way, for the profile; of data to predict, the widths of the intervals."""

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, rows: Any) -> Windows:
        return Windows(self.panel, self.starts[rows], self.more)

    def pieces(self, most: int) -> Iterator[Windows]:
        """So many windows at a time."""
        return (self[at : at + most] for at in range(0, max(1, len(self)), most))
