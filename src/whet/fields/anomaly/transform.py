"""Rows -> standardised numbers, with the windows that end at them where rows follow each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from whet.families.anomaly import Reconstructing
from whet.fields.anomaly.rows import Rows
from whet.fields.anomaly.windows import windows

BLOCK = 8192
"""Rows whose windows are copied at once when they are predicted."""
FARTHEST = 50.0
"""Standard deviations to which values are cut, so that one broken value stays a finite one."""
EVERY = ""
"""The name under which the units of all series together are kept, for series that training has not seen."""


@dataclass(frozen=True, eq=False)
class AnomalyTransform:
    """Fitted on training rows alone. Missing values: the last known one in a series, else the mean."""

    numbers: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    """Category column -> the values that training rows have; others become a column of their own."""
    window: int
    """Steps that are judged together; 0: rows have no order."""
    centre: Mapping[str, tuple[float, ...]]
    """Series -> mean of each column of numbers."""
    spread: Mapping[str, tuple[float, ...]]
    rows: int
    """Training rows, from which a network's memory is cut evenly."""

    @classmethod
    def fit(cls, rows: Rows, train: np.ndarray, window: int) -> AnomalyTransform:
        """Means and standard deviations of the training rows, of each series by itself."""
        texts = [s.name for s in rows.frame if s.dtype == pl.String]
        numbers = tuple(s.name for s in rows.frame if s.dtype != pl.String)
        levels = {n: tuple(sorted(rows.frame[n][train].drop_nulls().unique().to_list())) for n in texts}
        values = matrix(rows.frame, numbers)
        centre, spread = {}, {}
        for name, start, end in ((EVERY, 0, len(rows)), *rows.each()):
            seen = values[train[(train >= start) & (train < end)]]
            centre[name], spread[name] = units(seen)
        return cls(numbers, levels, window, centre, spread, len(train))

    @property
    def features(self) -> tuple[str, ...]:
        """The column behind each feature."""
        return (*self.numbers, *(name for name, known in self.levels.items() for _ in range(len(known) + 1)))

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.features), self.window) if self.window else (len(self.features),)

    def standard(self, x: Rows) -> Tensor:
        """(rows, features) float32."""
        values = matrix(x.frame, self.numbers)
        for name, start, end in x.each():
            centre, spread = (np.asarray(u.get(name, u[EVERY])) for u in (self.centre, self.spread))
            part = (values[start:end] - centre) / spread
            values[start:end] = filled(part) if self.window else np.nan_to_num(part)
        hot = [one_hot(x.frame[name], known) for name, known in self.levels.items()]
        whole = np.concatenate([np.clip(values, -FARTHEST, FARTHEST), *hot], axis=1)
        return torch.from_numpy(whole.astype(np.float32))

    def apply(self, x: Rows) -> tuple[Tensor, ...]:
        """Windows (see `windows.windows` for their order), or plain rows."""
        values = self.standard(x)
        return (windows(values, x.bounds, self.window) if self.window else values,)

    def pieces(self, x: Rows) -> Iterator[tuple[Tensor, ...]]:
        values = self.standard(x)
        for _, start, end in x.each():
            part = values[start:end]
            seen = windows(part, (0, end - start), self.window) if self.window else part
            for at in range(0, len(seen), BLOCK):
                yield (seen[at : at + BLOCK],)

    def spec(self) -> dict[str, Any]:
        more = {"around": Reconstructing, "output_shape": self.shape, "rows": self.rows}
        return {"domain": "anomaly", "shape": self.shape, "more": more, "example": self.example}

    def example(self) -> tuple[Tensor, ...]:
        return (torch.randn(2, *self.shape, generator=torch.Generator().manual_seed(0)),)

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        return {"rows": torch.randn(rows, *self.shape, generator=torch.Generator().manual_seed(seed))}

    def to_dict(self) -> dict[str, Any]:
        lists = {name: list(known) for name, known in self.levels.items()}
        found: dict[str, Any] = {
            "numbers": list(self.numbers),
            "levels": lists,
            "window": self.window,
            "rows": self.rows,
        }
        for name in ("centre", "spread"):
            found[name] = {series: list(values) for series, values in getattr(self, name).items()}
        return found

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> AnomalyTransform:
        levels = {name: tuple(known) for name, known in state["levels"].items()}
        centre, spread = ({k: tuple(v) for k, v in state[name].items()} for name in ("centre", "spread"))
        return cls(tuple(state["numbers"]), levels, state["window"], centre, spread, state["rows"])


def matrix(frame: pl.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """(rows, names) float64, NaN for what is missing."""
    columns = [frame[n].cast(pl.Float64).fill_null(np.nan).to_numpy() for n in names]
    return np.stack(columns, axis=1) if columns else np.empty((frame.height, 0))


def units(seen: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(mean, standard deviation) of each column; (0, 1) of an empty one, and 1 where nothing varies."""
    known = np.isfinite(seen)
    count = np.maximum(known.sum(0), 1)
    centre = np.where(known, seen, 0.0).sum(0) / count
    spread = np.sqrt((np.where(known, seen - centre, 0.0) ** 2).sum(0) / count)
    return tuple(centre.tolist()), tuple(np.where(spread > 1e-12 * (1 + np.abs(centre)), spread, 1.0).tolist())


def filled(x: np.ndarray) -> np.ndarray:
    """The last known value in place of a missing one, 0 before the first: nothing is looked up in the future."""
    steps = np.arange(len(x))[:, None]
    last = np.maximum.accumulate(np.where(np.isfinite(x), steps, -1), axis=0)
    found: np.ndarray = np.where(last >= 0, np.take_along_axis(x, np.maximum(last, 0), axis=0), 0.0)
    return found


def one_hot(column: pl.Series, known: tuple[str, ...]) -> np.ndarray:
    """(rows, known + 1) of 0 and 1, the last for values that training has not seen; all 0 where it is missing."""
    codes = {name: i for i, name in enumerate(known)}
    found = np.zeros((len(column), len(known) + 1))
    for row, value in enumerate(column.to_list()):
        if value is not None:
            found[row, codes.get(value, len(known))] = 1.0
    return found
