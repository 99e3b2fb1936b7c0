"""Stamps as they come -> a regular grid: unsorted, doubled, missing and irregular ones are counted and put right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from whet.errors import DataError
from whet.fields.forecast.clock import Clock, Step, find_step, in_ticks

MOST_FILLED = 0.9
"""Where more of a grid than this would be filled in, the stamps follow no step."""


@dataclass
class Counts:
    """What was put right, over all series."""

    unsorted: int = 0
    """Rows that came before an earlier one."""
    doubled: int = 0
    """Rows that shared their series and stamp with another one."""
    irregular: int = 0
    """Stamps off the grid, moved to its nearest step."""
    missing: int = 0
    """Steps of the grid that no row had."""
    empty: int = 0
    """Numbers that were missing in rows that were there."""
    steps: int = 0
    """Of all grids."""


@dataclass(frozen=True, eq=False)
class Grid:
    """One series on its grid, with NaN where nothing was measured."""

    name: str
    clock: Clock
    values: np.ndarray
    """float64 (T, columns)."""
    part: np.ndarray | None
    """int8 (T,): the index of the part that its row named, -1 for none; None where no row names one."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one series in the order in which they came."""

    name: str
    stamps: np.ndarray
    """datetime64[us], or float64 numbers; (n,)."""
    values: np.ndarray
    """float64 (n, columns)."""
    part: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Gridded:
    """All series on one grid."""

    series: tuple[Grid, ...]
    step: Step
    counts: Counts = field(default_factory=Counts)


def gridded(every: Sequence[Rows], step: Step | None = None) -> Gridded:
    """The series on a grid of the commonest step, or of a known one. Raises DataError where the stamps follow none."""
    counts = Counts()
    tidy = [_sorted(rows, counts) for rows in every]
    step = step or _step_of(tidy)
    found = tuple(_on_grid(rows, step, counts) for rows in tidy)
    if counts.missing > MOST_FILLED * counts.steps:
        raise DataError(
            f"The time stamps follow no step: at the commonest distance, {step}, {counts.missing:,} of {counts.steps:,} "
            "steps have no row.",
            "Check the time column, or name the column of the series with --series.",
        )
    return Gridded(found, step, counts)


def _sorted(rows: Rows, counts: Counts) -> Rows:
    counts.unsorted += int((rows.stamps[1:] < rows.stamps[:-1]).sum())
    order = np.argsort(rows.stamps, kind="stable")
    part = None if rows.part is None else rows.part[order]
    return Rows(rows.name, rows.stamps[order], rows.values[order], part)


def _step_of(every: Sequence[Rows]) -> Step:
    if every[0].stamps.dtype.kind == "M":
        return find_step([np.unique(r.stamps) for r in every])
    gaps = np.concatenate([np.diff(np.unique(r.stamps)) for r in every])
    if len(gaps) and (gaps != gaps.round()).any():
        raise DataError(
            f"The time column holds the number {every[0].stamps[0]:g} and others that are neither dates nor whole steps.",
            "Give dates, seconds since 1970, or step numbers.",
        )
    found, often = np.unique(gaps, return_counts=True)
    return Step(int(found[often.argmax()]) if len(found) else 1, "number")


def _on_grid(rows: Rows, step: Step, counts: Counts) -> Grid:
    """Rows to their nearest step of the grid; those that meet on one are averaged."""
    ticks = in_ticks(rows.stamps, step)
    exact = (ticks - ticks[0]) / step.ticks
    place = np.rint(exact).astype(np.int64)
    _, first, sizes = np.unique(place, return_index=True, return_counts=True)
    length = int(place[-1]) + 1
    if length > 50 * len(place) + 1000:
        raise DataError(
            f"The time stamps follow no step: at the commonest distance, {step}, they would be {length:,} steps for "
            f"{len(place):,} rows.",
            "Check the time column.",
        )
    counts.irregular += int((exact != place).sum())
    counts.doubled += int((sizes - 1).sum())
    counts.steps += length
    counts.missing += length - len(sizes)
    counts.empty += int(np.isnan(rows.values).sum())
    values = np.full((length, rows.values.shape[1]), np.nan)
    values[place[first]] = _averaged(rows.values, first, sizes)
    part = None if rows.part is None else _carried(rows.part[first], place[first], length)
    return Grid(rows.name, Clock(int(ticks[0]), step), values, part)


def _averaged(values: np.ndarray, first: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The means of what was measured in each stretch of rows; NaN where nothing was."""
    if len(first) == len(values):
        return values
    known = np.isfinite(values)
    sums, counts = (np.add.reduceat(v, first) for v in (np.where(known, values, 0), known.astype(float)))
    found: np.ndarray = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return found


def _carried(part: np.ndarray, place: np.ndarray, length: int) -> np.ndarray:
    """The part of each step: its row's, or of a gap the row's before it."""
    found: np.ndarray = part[np.searchsorted(place, np.arange(length), "right") - 1]
    return found


def filled(values: np.ndarray) -> np.ndarray:
    """Gaps bridged by straight lines, and the ends by the nearest value; a column of nothing but NaN becomes 0."""
    out = values.copy()
    steps = np.arange(len(values))
    for column in out.T:
        known = np.isfinite(column)
        if known.all():
            continue
        column[:] = np.interp(steps, steps[known], column[known]) if known.any() else 0.0
    return out
