"""Whether a table that nobody called series looks like some: regular stamps in order, numbers that vary, and little else."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

import numpy as np
import polars as pl

from whet.fields.forecast.clock import commonest, find_step, in_ticks
from whet.fields.forecast.stamps import SECONDS

FEWEST = 20
"""Rows below which nothing is inferred."""
REGULAR = 0.75
"""Share of neighbouring stamps that are a step apart: days without weekends have 0.8."""
VARIED = 20
"""Different values, or a fifth of the rows where these are fewer, below which a column of numbers is a category."""
TIME_NAMES = ("time", "timestamp", "date", "datetime", "ts", "ds")
AHEAD = {"day": 7, "hour": 24, "minute": 60, "month": 12}
"""Steps that are proposed as a horizon, by the step's unit."""


def likeness(head: pl.DataFrame) -> str:
    """What it looks like and what to type, in a sentence; empty for anything but series. `head` is tidied."""
    times = [c.name for c in head if c.dtype == pl.Datetime or counts_seconds(c)]
    if len(times) != 1 or head.height < FEWEST or head[times[0]].null_count():
        return ""
    time, rest = times[0], [c for c in head if c.name != times[0]]
    values = [c.name for c in rest if is_measured(c)]
    names = [c.name for c in rest if c.name not in values]
    if not values or len(names) > 1:
        return ""
    moments = head[time] if head[time].dtype == pl.Datetime else (head[time] * 1e6).cast(pl.Int64)
    groups = [moments] if not names else apart(moments, head[names[0]])
    unit = regular([g.cast(pl.Int64).to_numpy().astype("datetime64[us]") for g in groups])
    if not unit:
        return ""
    shown = ", ".join([time, *names, *values[:3]]) + ", …" * (len(values) > 3)
    what, named = ("several time series", f" --series {quote(names[0])}") if names else ("a time series", "")
    return f"This looks like {what} ({shown}): --task forecast --time {quote(time)}{named} --horizon {unit}."


def counts_seconds(column: pl.Series) -> bool:
    """Whether a column with a usual name counts seconds since 1970."""
    if not column.dtype.is_numeric() or column.name.strip().lower() not in TIME_NAMES or column.null_count():
        return False
    return bool(SECONDS[0] <= float(column.min()) and float(column.max()) <= SECONDS[1])  # type: ignore[arg-type]


def is_measured(column: pl.Series) -> bool:
    """Numbers that vary as measurements do, and don't count the rows."""
    if not column.dtype.is_numeric():
        return False
    filled = column.drop_nulls()
    if filled.n_unique() < max(5, min(VARIED, filled.len() / 5)):
        return False
    return not (column.dtype == pl.Int64 and filled.diff().drop_nulls().n_unique() == 1)


def apart(moments: pl.Series, names: pl.Series) -> list[pl.Series]:
    """The stamps of each name."""
    frame = pl.DataFrame({"at": moments, "name": names})
    return [group["at"] for _, group in frame.group_by("name", maintain_order=True)]


def regular(groups: Sequence[np.ndarray]) -> int:
    """Steps to propose as a horizon where stamps of each group are in order, different and mostly a step apart; else 0."""
    longer = [g for g in groups if len(g) > 1]
    gaps = [np.diff(g.astype(np.int64)) for g in longer]
    in_order = all((g > 0).all() for g in gaps) or all((g < 0).all() for g in gaps)
    if 2 * sum(map(len, longer)) < sum(map(len, groups)) or sum(map(len, gaps)) < FEWEST - 1 or not in_order:
        return 0
    longer = [np.sort(g) for g in longer]
    step = find_step(longer)
    ticks = [in_ticks(g, step) for g in longer]
    every = np.concatenate([np.diff(t) for t in ticks])
    if (every == commonest(ticks)).mean() < REGULAR:
        return 0
    return next((steps for name, steps in AHEAD.items() if name in str(step)), 10)
