"""Several raw tables as one, each row with the name of its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import polars as pl

from whet.data.core import Problem
from whet.data.json_files import as_text
from whet.data.raw import RawTable
from whet.data.table_kinds import plain_column
from whet.errors import DataError, did_you_mean, nearest


class Places(Sequence[str]):
    """What each row is called: "train.csv line 17". Made when asked for: tables are long."""

    def __init__(self, names: Sequence[str], table: np.ndarray, place: np.ndarray) -> None:
        self.names, self.table, self.place = tuple(names), table, place

    def __len__(self) -> int:
        return len(self.place)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[str]: ...
    def __getitem__(self, row: int | slice) -> str | Sequence[str]:
        if isinstance(row, slice):
            return [self[i] for i in range(len(self))[row]]
        return f"{self.names[self.table[row]]} {self.place[row]}"

    def at(self, rows: np.ndarray) -> Places:
        """The places of some rows."""
        return Places(self.names, self.table[rows], self.place[rows])


@dataclass(frozen=True)
class Joined:
    """Several raw tables as one; the parts that they are in `part` and `names`."""

    frame: pl.DataFrame
    places: Places
    part: np.ndarray
    """(rows,) the index into `names` of the table that each row comes from."""
    names: tuple[str, ...]
    """The part that each table is: "" for a table that is no part."""
    order: np.ndarray
    problems: tuple[Problem, ...]
    said: tuple[str, ...]
    decimal_comma: bool

    def rows(self, keep: np.ndarray) -> Joined:
        """The table with the rows where `keep` is true."""
        at = np.flatnonzero(keep)
        return Joined(
            self.frame.filter(pl.Series(keep)),
            self.places.at(at),
            self.part[at],
            self.names,
            self.order[at],
            self.problems,
            self.said,
            self.decimal_comma,
        )


def join(parts: list[tuple[str, RawTable]], target: str, strict: bool) -> Joined:
    """One table of all, with the columns of the first in their order. A test part without the target can't be scored:
    it is left out, and that is said; `strict`: refused, since it was asked for."""
    first = parts[0][1]
    kept, said = [parts[0]], list(first.said)
    for part, raw in parts[1:]:
        if target not in raw.frame.columns:
            if part == "test" and not strict:
                said.append(f"{raw.name} has no column {target!r}: it can't be scored and is left out.")
                continue
            raise DataError(
                f"{raw.name} has no column {target!r}.",
                did_you_mean(nearest(target, raw.frame.columns), raw.frame.columns),
            )
        known = set(first.frame.columns)
        extra = [c for c in raw.frame.columns if c not in known]
        if extra:
            said.append(f"{raw.name} has columns that {first.name} lacks; they are ignored: {names_of(extra)}.")
        kept.append((part, raw))
        said += raw.said
    frames = _same_types([_select(raw, first) for _, raw in kept])
    tables = [np.full(f.height, i, np.int64) for i, f in enumerate(frames)]
    table = np.concatenate(tables)
    return Joined(
        pl.concat(frames),
        Places([f"{raw.name} {raw.unit}" for _, raw in kept], table, np.concatenate([r.places for _, r in kept])),
        table,
        tuple(part for part, _ in kept),
        np.concatenate([r.order for _, r in kept]),
        tuple(p for _, r in kept for p in r.problems),
        tuple(said),
        any(r.decimal_comma for _, r in kept),
    )


def _select(raw: RawTable, first: RawTable) -> pl.DataFrame:
    wanted, there = first.frame.columns, set(raw.frame.columns)
    missing = [c for c in wanted if c not in there]
    if missing:
        raise missing_columns(raw, missing)
    return raw.frame.select(wanted)


def missing_columns(raw: RawTable, missing: Sequence[str]) -> DataError:
    columns = raw.frame.columns
    near = nearest(missing[0], columns)
    return DataError(
        f"{raw.name} lacks the column{'s' * (len(missing) > 1)} {names_of(missing)}.",
        did_you_mean(near, columns) if near else f"It has: {names_of(columns)}.",
    )


def names_of(columns: Sequence[str], show: int = 8) -> str:
    more = f" and {len(columns) - show} more" if len(columns) > show else ""
    return ", ".join(repr(c) for c in columns[:show]) + more


def _same_types(frames: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """The frames with equal column types: numbers widen, anything else that differs becomes text."""
    schemas = [f.schema for f in frames]  # made anew each time it is asked for: 3 s of 2,000 columns
    wanted: dict[str, Any] = {}
    for name in schemas[0]:
        types = {schema[name] for schema in schemas}
        if len(types) > 1:
            wanted[name] = pl.Float64 if all(t.is_numeric() for t in types) else pl.String
    return [f.with_columns(_as_type(f.get_column(name), kind) for name, kind in wanted.items()) for f in frames]


def _as_type(series: pl.Series, wanted: Any) -> pl.Series:
    plain = plain_column(series)
    if plain is None:
        return pl.Series(series.name, [None if v is None else as_text(v) for v in series.to_list()], pl.String)
    return plain.cast(wanted, strict=False)
