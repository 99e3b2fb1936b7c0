"""A table as it stands in its source, and what is said of rows that are corrupt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from whet.data.core import MOST_CORRUPT, Problem
from whet.errors import DataError

LISTED = 1000
"""Corrupt rows that are listed one by one."""


@dataclass(frozen=True)
class RawTable:
    """A table as it stands in its source."""

    frame: pl.DataFrame
    name: str
    """Short, for sentences: "train.csv"."""
    unit: str
    """What `places` counts: "line" or "row"."""
    places: np.ndarray
    """(rows,) int64: where each row of the frame stands in the source, from 1."""
    order: np.ndarray
    """(rows,) int64: the row's number among all the data rows, from 0, corrupt ones included."""
    problems: tuple[Problem, ...] = ()
    said: tuple[str, ...] = ()
    decimal_comma: bool = False
    """Whether a comma may stand for the decimal point: in files separated by something else."""


def typed(frame: pl.DataFrame, name: str, unit: str = "row") -> RawTable:
    """A frame whose rows are all sound."""
    rows = np.arange(frame.height, dtype=np.int64)
    return RawTable(frame, name, unit, rows + 1, rows)


def unique_names(names: list[str], said: list[str]) -> list[str]:
    """The names with each repeated one numbered, and each empty one named by its place."""
    taken: set[str] = set()
    result = []
    for i, name in enumerate(names):
        base = new = name or f"unnamed_{i + 1}"
        count = 1
        while new in taken or (new != name and new in names):
            count += 1
            new = f"{base}_{count}"
        if count > 1:
            said.append(f"Two columns are named {base!r}: the later one is called {new!r}.")
        taken.add(new)
        result.append(new)
    return result


def listed(where: str, places: np.ndarray, why: Callable[[int], str], count: int) -> tuple[Problem, ...]:
    """A Problem per corrupt row: the first `LISTED` ones, then one for all the others."""
    shown = tuple(Problem(f"{where} {places[i]}", why(i)) for i in range(min(count, LISTED)))
    return shown if count <= LISTED else (*shown, Problem(where, f"{count - LISTED:,} more corrupt rows"))


def refuse_spoilt(path: Path, bad: int, total: int, problems: tuple[Problem, ...]) -> None:
    if total and bad > MOST_CORRUPT * total:
        first = problems[0]
        raise DataError(
            f"{path}: {bad:,} of {total:,} rows are corrupt (first: {first.where}: {first.why}).",
            f"Up to {MOST_CORRUPT:.0%} would be skipped. Check its separators and quotes.",
        )


def counted(count: int, what: str) -> str:
    """ "1 row", "2,000 rows"."""
    return f"{count:,} {what}{'s' * (count != 1)}"
