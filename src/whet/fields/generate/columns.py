"""A table's columns as numbers that look normal, and back: quantiles for numbers, one number per value for categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

GRID = 1000
"""Quantiles that a column of numbers is known by."""
MOST_LEVELS = 60
"""Values of a category that are told apart; rarer ones are made as the last of them, `REST`."""
REST = "(other)"
MOST_DECIMALS = 9
"""Numbers with more decimals are not rounded: they were computed, not written down."""
REPEATED = 0.5
"""Where fewer than this share of a column's values are distinct, only seen values are made; else also what lies between."""


@dataclass(frozen=True)
class Numbers:
    """Numbers or dates by their rank: Phi^-1 of the share of training values below. Missing ones have a group of their own."""

    name: str
    dtype: str
    grid: tuple[float, ...]
    between: bool
    missing: bool
    decimals: int | None = None
    """That the values are written with; None: more than `MOST_DECIMALS`."""

    @classmethod
    def fit(cls, series: pl.Series) -> Numbers:
        values = np.sort(plain(series.drop_nulls()))
        values = values if len(values) else np.zeros(1)
        at = np.linspace(0, len(values) - 1, min(GRID, len(values))).round().astype(np.int64)
        between = series.dtype.is_float() and len(np.unique(values)) > REPEATED * len(values)
        dtype = "Datetime" if series.dtype.is_temporal() else str(series.dtype)
        grid, missing = tuple(values[at].tolist()), series.null_count() > 0
        return cls(series.name, dtype, grid, between, missing, decimals_of(values) if between else None)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers, then the size of a group."""
        return (1, 2) if self.missing else (1,)

    def encode(self, series: pl.Series) -> np.ndarray:
        absent = series.is_null().to_numpy()
        grid = np.asarray(self.grid)
        values = np.nan_to_num(plain(series))
        middle = (np.searchsorted(grid, values, "left") + np.searchsorted(grid, values, "right")) / 2
        from scipy.special import ndtri  # 0.4 s, which no other data should wait for

        score = ndtri(np.clip(middle / len(grid), 0.5 / len(grid), 1 - 0.5 / len(grid)))
        score = np.where(absent, 0.0, score)[:, None]
        return np.concatenate([score, ~absent[:, None], absent[:, None]], 1) if self.missing else score

    def decode(self, x: np.ndarray) -> pl.Series:
        grid = np.asarray(self.grid)
        from scipy.special import ndtr

        place = ndtr(np.asarray(x[:, 0], np.float64)) * len(grid)
        if self.between:
            values = np.interp(place - 0.5, np.arange(len(grid)), grid)
            values = values if self.decimals is None else values.round(self.decimals)
        else:
            values = grid[np.clip(place.astype(np.int64), 0, len(grid) - 1)]
        found = pl.Series(self.name, values)
        found = found.cast(pl.Int64).cast(pl.Datetime("us")) if self.dtype == "Datetime" else found
        found = found.round(0).cast(pl.Int64) if self.dtype.startswith("Int") else found
        return found.set(pl.Series(x[:, 2] > x[:, 1]), None) if self.missing else found


@dataclass(frozen=True)
class Levels:
    """Words, or booleans, one number each; a missing value is a level too."""

    name: str
    dtype: str
    levels: tuple[str | None, ...]

    @classmethod
    def fit(cls, series: pl.Series) -> Levels:
        counts = dict(series.cast(pl.String).value_counts(sort=True).iter_rows())
        levels = sorted(counts, key=lambda level: (-counts[level], str(level)))
        kept = levels if len(levels) <= MOST_LEVELS else [*levels[: MOST_LEVELS - 1], REST]
        return cls(series.name, str(series.dtype), tuple(kept))

    @property
    def sizes(self) -> tuple[int, ...]:
        return (0, len(self.levels))

    def encode(self, series: pl.Series) -> np.ndarray:
        codes = {level: i for i, level in enumerate(self.levels)}
        rest = codes.get(REST, 0)
        found = np.zeros((len(series), len(self.levels)))
        found[np.arange(len(series)), [codes.get(v, rest) for v in series.cast(pl.String).to_list()]] = 1.0
        return found

    def decode(self, x: np.ndarray) -> pl.Series:
        found = pl.Series(self.name, [self.levels[i] for i in x.argmax(1)], dtype=pl.String)
        return found == "true" if self.dtype == "Boolean" else found


Column = Numbers | Levels


def fit(frame: pl.DataFrame) -> tuple[Column, ...]:
    return tuple((Levels if s.dtype in (pl.String, pl.Boolean) else Numbers).fit(s) for s in frame)


def plain(series: pl.Series) -> np.ndarray:
    """float64, NaN where a value is missing; dates as microseconds."""
    series = series.cast(pl.Datetime("us")).cast(pl.Int64) if series.dtype.is_temporal() else series
    return series.cast(pl.Float64).to_numpy()


def decimals_of(values: np.ndarray) -> int | None:
    """The fewest decimals that hold all of these numbers; None if `MOST_DECIMALS` don't."""
    return next((d for d in range(MOST_DECIMALS + 1) if np.allclose(values.round(d), values, 1e-12, 0)), None)


def to_dict(columns: Sequence[Column]) -> list[dict[str, Any]]:
    return [{**asdict(c), "kind": type(c).__name__} for c in columns]


def from_dict(states: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    found: list[Column] = []
    for state in states:
        kept: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in state.items() if k != "kind"}
        found.append(Numbers(**kept) if state["kind"] == "Numbers" else Levels(**kept))
    return tuple(found)
