"""What anomalies are looked for in: rows of typed columns, one or many series of them, or examples without an order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a table; rows of one series lie together, in the order of time."""

    frame: pl.DataFrame
    """Numbers as Float64, categories as String; null where a value is missing."""
    bounds: tuple[int, ...]
    """Where each series begins, and at last the number of rows: (0, n) for one series, or for a table."""
    names: tuple[str, ...]
    """What each series is called."""
    timed: bool
    """Whether rows follow each other in time: then each is judged with the rows before it."""
    stamps: np.ndarray | None = None
    """(n,) what the time column says, as text."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What a trained network's calibration says of scores; empty before."""

    def __len__(self) -> int:
        return self.frame.height

    @property
    def series(self) -> np.ndarray:
        """(n,) float64: the number of each row's series."""
        return np.repeat(np.arange(len(self.names)), np.diff(self.bounds)).astype(np.float64)

    def each(self) -> Iterator[tuple[str, int, int]]:
        """(name, first row, the first after it) of each series."""
        return zip(self.names, self.bounds[:-1], self.bounds[1:], strict=True)

    def __getitem__(self, rows: np.ndarray) -> Rows:
        """Some rows of a table, or whole series of series: single steps would lack what came before them."""
        if self.timed:
            raise TypeError("a step of a series is judged with the steps before it: score whole series")
        kept = self.frame[np.asarray(rows)]
        return Rows(kept, (0, kept.height), self.names, False, None, self.about)
