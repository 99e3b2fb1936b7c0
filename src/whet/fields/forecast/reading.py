"""Any source of series -> rows per series: which column is the time, the series, what is forecast, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from whet.data.core import Problem, Roles
from whet.data.raw import RawTable, counted
from whet.data.table_kinds import Kind, conform, tidy
from whet.data.table_sources import PART_NAMES, name_of, raw_table
from whet.errors import DataError, UserError, did_you_mean, nearest
from whet.fields.forecast.grid import Rows
from whet.fields.forecast.stamps import read_stamps, time_column

MOST_SHARED = 0.2
"""With a larger share of rows whose time stamp another row has too, several series are mixed."""
STEP = "step"
"""What the time is called where the source has none."""


@dataclass(frozen=True, eq=False)
class Source:
    """Rows of one or many series, in the order in which they came."""

    name: str
    rows: tuple[Rows, ...]
    time: str
    """The time column; "" for arrays, whose rows are steps."""
    series: str
    """The series column; "" for none."""
    channels: tuple[str, ...]
    """What is forecast."""
    covariates: tuple[str, ...]
    """Other columns of numbers: known up to now only. They come behind the channels in `rows`."""
    problems: tuple[Problem, ...]
    said: tuple[str, ...]


def horizon_of(roles: Roles) -> int:
    """Raises UserError where the roles ask for no forecast, or for an impossible one."""
    if roles.horizon is None:
        raise UserError("A forecast needs to know how far.", "Say it in steps, such as --horizon 24.")
    for name, value in (("horizon", roles.horizon), ("lookback", roles.lookback)):
        if value is not None and value < 1:
            raise UserError(f"--{name} {value} is no number of steps.", "Use 1 or more.")
    return roles.horizon


def read(source: Any, target: str | None, holdout: Any, split: str | None, roles: Roles) -> Source:
    """The rows of a source. Raises DataError for what can't be read."""
    raw, timed = table_of(source)
    if holdout is not None:
        raw = _with_holdout(raw, table_of(holdout)[0])
        split = PART
    said = [*raw.said]
    time = "" if not timed else time_column(raw.frame, roles.time)[0]
    if timed and roles.time is None:
        said.append(time_column(raw.frame, None)[1])
    series = _named(raw.frame, roles.series, "the series") or ""
    part = _named(raw.frame, split, "the split") or ""
    values, channels, covariates = _values(raw, target, {time, series, part}, said)
    rows = rows_of(raw.frame, values, time, series, part, said)
    if not series:
        _refuse_mixed(rows[0], raw.frame, [c for c in raw.frame.columns if c not in (time, part, *channels)])
    return Source(name_of(source), rows, time, series, channels, covariates, raw.problems, tuple(said))


PART = "whet's part"
"""The column that says which rows came from the holdout."""


def table_of(source: Any) -> tuple[RawTable, bool]:
    """(the source as a table, whether it may have a time column: arrays are rows of steps)."""
    if hasattr(source, "detach"):
        source = source.detach().cpu().numpy()
    if isinstance(source, list):
        source = np.asarray(source, np.float64)
    if isinstance(source, np.ndarray):
        return raw_table(_two_dimensional(source)), False
    index = getattr(source, "index", None)
    if index is not None and type(index).__name__ == "DatetimeIndex":
        source = (source.to_frame() if source.ndim == 1 else source).rename_axis(index.name or "time").reset_index()
    return raw_table(source), True


def _two_dimensional(x: np.ndarray) -> np.ndarray:
    if x.ndim not in (1, 2) or not len(x):
        raise DataError(f"The array has shape {x.shape}.", "Series are (steps,) or (steps, channels).")
    return x[:, None] if x.ndim == 1 else x


def _with_holdout(raw: RawTable, held: RawTable) -> RawTable:
    """The table with the holdout's rows behind its own, and a column that tells them apart."""
    if missing := [c for c in raw.frame.columns if c not in held.frame.columns]:
        raise DataError(f"The holdout has no column {missing[0]!r}.", "Give a table with the same columns.")
    frames = [f.with_columns(pl.lit(part).alias(PART)) for f, part in ((raw.frame, "train"), (held.frame, "test"))]
    both = pl.concat([frames[0], frames[1].select(frames[0].columns)], how="vertical_relaxed")
    return RawTable(
        both, raw.name, raw.unit, raw.places, raw.order, (*raw.problems, *held.problems), raw.said, raw.decimal_comma
    )


def _named(frame: pl.DataFrame, name: str | None, what: str) -> str | None:
    if name is not None and name not in frame.columns:
        raise DataError(
            f"There is no column {name!r} for {what}.", did_you_mean(nearest(name, frame.columns), frame.columns)
        )
    return name


def _values(
    raw: RawTable, target: str | None, taken: set[str], said: list[str]
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """(float64 (n, channels and covariates), names of the channels, names of the covariates)."""
    wanted = [w.strip() for w in target.split(",")] if target else []
    for name in wanted:
        _named(raw.frame, name, "the target")
    rest = raw.frame.select([c for c in raw.frame.columns if c not in taken])
    found = tidy(rest, decimal_comma=raw.decimal_comma)
    said += [s for s in found.said if "holds dates" not in s]
    columns = {s.name: numbers(s) for s in found.frame if s.dtype.is_numeric() or s.dtype == pl.Boolean}
    empty = [n for n, v in columns.items() if not np.isfinite(v).any()] + [
        s.name for s in found.frame if s.null_count() == len(s) and s.name not in columns
    ]
    for name in wanted:
        _refuse_column(name, rest[name] if name in rest.columns else None, name in columns, name in empty)
    channels = tuple(wanted or [n for n in columns if n not in empty])
    covariates = tuple(n for n in columns if n not in channels and n not in empty) if wanted else ()
    if not channels:
        raise DataError(
            f"{raw.name} has no column of numbers to forecast (columns {', '.join(raw.frame.columns[:8])}).",
            "Name one with --target.",
        )
    left = [n for n in rest.columns if n not in channels and n not in covariates and n not in empty]
    if empty:
        said.append(f"Without any value, and left out: {', '.join(map(repr, empty))}.")
    if left:
        said.append(f"Not numbers, and not used: {', '.join(map(repr, left))}.")
    if covariates:
        said.append(f"Known up to now, to forecast {', '.join(channels)} with: {', '.join(covariates)}.")
    return np.stack([columns[n] for n in (*channels, *covariates)], 1), channels, covariates


def numbers(series: pl.Series) -> np.ndarray:
    """float64 (n,) with NaN for what is missing or infinite."""
    found: np.ndarray = series.cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
    found[~np.isfinite(found)] = np.nan
    return found


def _refuse_column(name: str, column: pl.Series | None, is_number: bool, is_empty: bool) -> None:
    if column is None:
        raise DataError(f"Column {name!r} is the time, the series or the split, and can't be the target too.", "")
    if is_empty:
        raise DataError(f"Column {name!r} has no value: all {len(column):,} are missing.", "Name another --target.")
    if not is_number:
        shown = ", ".join(repr(v) for v in column.drop_nulls().head(3).to_list())
        raise DataError(
            f"Column {name!r} holds no numbers ({shown}).", "A forecast is of numbers: name another --target."
        )


def rows_of(
    frame: pl.DataFrame, values: np.ndarray, time: str, series: str, part: str, said: list[str]
) -> tuple[Rows, ...]:
    """The rows of each series, series in the order of their names."""
    n = frame.height
    stamps, known = read_stamps(frame[time], said) if time else (np.arange(n, dtype=np.float64), np.ones(n, bool))
    parts = _parts(frame[part]) if part else None
    if not series:
        return (_some_rows("", stamps, values, parts, known),)
    names = conform(frame[series], Kind("text"))[0]
    if unnamed := names.null_count():
        said.append(f"{counted(unnamed, 'row')} without a value in {series!r} left out.")
    found = []
    for (name,), group in pl.DataFrame({"name": names, "row": np.arange(n)}).group_by("name", maintain_order=True):
        here = group["row"].to_numpy()
        here = here[known[here]]
        if name is not None and len(here):
            found.append(_some_rows(str(name), stamps, values, parts, here))
    return tuple(sorted(found, key=lambda rows: rows.name))


def _some_rows(name: str, stamps: np.ndarray, values: np.ndarray, parts: np.ndarray | None, rows: np.ndarray) -> Rows:
    return Rows(name, stamps[rows], values[rows], None if parts is None else parts[rows])


def _parts(column: pl.Series) -> np.ndarray:
    """int8 (n,): 0, 1, 2 for train, val, test; -1 for anything else, which is not used."""
    text = column.cast(pl.String).fill_null("").str.strip_chars().str.to_lowercase()
    known = {name: i for i, names in enumerate(PART_NAMES.values()) for name in names}
    found = np.array([known.get(v, -1) for v in text.to_list()], np.int8)
    if not (found == 0).any():
        raise DataError(
            f"Column {column.name!r} names no training rows (values {', '.join(sorted(set(text.to_list()))[:5])}).",
            "Write train, val and test.",
        )
    return found


def _refuse_mixed(rows: Rows, frame: pl.DataFrame, others: Sequence[str]) -> None:
    """Raises DataError where many rows share their stamps: they are several series, and a column says which."""
    shared = len(rows.stamps) - len(np.unique(rows.stamps))
    if shared <= MOST_SHARED * len(rows.stamps):
        return
    text = [c for c in others if frame[c].n_unique() <= len(frame) / 2]
    step = f"Name it: --series {text[0]}." if text else "Give one row per time stamp."
    raise DataError(
        f"{shared:,} of {len(rows.stamps):,} rows share their time stamp with another one: several series are mixed, "
        "or rows are doubled.",
        step,
    )
