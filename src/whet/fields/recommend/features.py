"""What is known of users and items beside who had what: columns of a table as numbers.

    E   users or items      F   numbers that describe one

They are told by `--user-features` and `--item-features`: columns of the table of interactions, or a table of their own with
a row per user or item. Their scales and words are taken from all users or items: nothing of the interactions is in them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from whet.data.core import Roles
from whet.data.raw import RawTable, counted
from whet.data.table_kinds import blank_missing, tidy
from whet.data.table_sources import raw_table
from whet.errors import DataError, did_you_mean, nearest

MOST_WORDS = 200
"""Words, or values, that are kept of a column: the most frequent ones, …"""
LEAST_TIMES = 2
"""… that so many users or items have."""
MOST_CELLS = 50_000_000
"""E times F up to which all are kept (200 MB): of more users or items, fewer words."""
FREE = 0.5
"""Above this share of different values per filled row a column is read as free text, word by word."""
STEADY = 0.05
"""A column that differs between the rows of more than this share of the users (items) describes no user (item). Assumed."""
MANY = re.compile(r"[|;,]")
WORD = re.compile(r"\w+")
FARTHEST = 3.0
"""Standardised numbers are cut off there."""


@dataclass(frozen=True, eq=False)
class Features:
    """What describes each of the users, or of the items, in their order."""

    names: tuple[str, ...]
    """(F,) column, or column: word."""
    table: np.ndarray
    """(E, F) float32, zeros where nothing is known."""


@dataclass(frozen=True, eq=False)
class Asked:
    """The describing columns as they were read, a row per name."""

    frame: pl.DataFrame
    """Column `key` with names, as `names_in` writes them, each once; the others describe them."""
    own_table: bool
    """Whether it is a table of its own: whoever is in it is known, with or without interactions."""
    said: tuple[str, ...]


def asked_for(roles: Roles, role: str, tables: Sequence[RawTable], key: str, taken: Sequence[str]) -> Asked | None:
    """What `--user-features` or `--item-features` names; None if nothing was said. Raises DataError."""
    wanted = getattr(roles, f"{role}_features")
    if wanted is None:
        return None
    columns = [c.strip() for c in wanted.split(",")] if isinstance(wanted, str) else []
    there = tables[0].frame.columns
    if columns and all(c in there for c in columns):
        return of_columns(role, tables, key, columns, taken)
    if isinstance(wanted, str) and not Path(wanted).exists():
        missing = next(c for c in columns if c not in there)
        raise DataError(
            f"--{role}-features {wanted}: {missing!r} is neither a file nor a column of {tables[0].name}.",
            did_you_mean(nearest(missing, there), there),
        )
    return of_table(role, raw_table(wanted), key)


def of_columns(role: str, tables: Sequence[RawTable], key: str, columns: Sequence[str], taken: Sequence[str]) -> Asked:
    """Columns of the interactions: the first value of each user or item that is not missing."""
    if double := [c for c in columns if c in taken]:
        raise DataError(
            f"Column {double[0]!r} can't describe {role}s: it is used as something else.", "Name other columns."
        )
    frame = pl.concat([t.frame.select(key, *columns) for t in tables], how="vertical_relaxed")
    frame = frame.with_columns(names_in(frame[key]).alias("key")).drop_nulls("key").select("key", *columns)
    rows = frame.group_by("key", maintain_order=True)
    several = rows.agg(pl.col(columns).drop_nulls().n_unique() > 1, pl.len().alias("rows in all"))
    several = several.filter(pl.col("rows in all") > 1)
    said = []
    for column in columns:
        unsteady = int(several[column].sum())
        share = unsteady / max(1, several.height)
        if unsteady and share <= STEADY:
            said.append(
                f"Column {column!r} differs between the rows of {counted(unsteady, role)}: the first one counts."
            )
        if share > STEADY:
            raise DataError(
                f"Column {column!r} differs between the rows of one {role} for {share:.0%} of the {role}s: "
                f"it describes the interaction.",
                f"Name columns that say the same in all rows of one {role}.",
            )
    return Asked(rows.agg(pl.col(columns).drop_nulls().first()), False, tuple(said))


def of_table(role: str, raw: RawTable, key: str) -> Asked:
    """A table with a row per user or item, under the same name as in the interactions."""
    if key not in raw.frame.columns:
        step = did_you_mean(nearest(key, raw.frame.columns), raw.frame.columns)
        raise DataError(f"{raw.name} has no column {key!r} that names the {role}s.", step)
    frame = raw.frame.rename({key: "key"}) if key != "key" else raw.frame
    frame = frame.with_columns(names_in(frame["key"])).drop_nulls("key")
    once = frame.unique("key", keep="first", maintain_order=True)
    if once.width < 2 or not once.height:
        raise DataError(f"{raw.name} describes no {role}.", f"Give a table with {key!r} and columns beside it.")
    repeats = frame.height - once.height
    said = f"{raw.name}: of {counted(repeats, 'repeated row')} the first one of each {role} counts."
    return Asked(once, True, (said,) if repeats else ())


def names_in(column: pl.Series) -> pl.Series:
    """Users or items as text: 7, 7.0 and " 7 " are the same one; null where there is none."""
    if column.dtype.is_float() and (column.drop_nulls().drop_nans() % 1 == 0).all():
        column = column.fill_nan(None).cast(pl.Int64)
    return blank_missing(column.cast(pl.String))


def encode(role: str, asked: Asked, names: Sequence[str]) -> tuple[Features, tuple[str, ...]]:
    """The features of these users or items, in their order, and what is to be said of them. Raises DataError."""
    order = pl.DataFrame({"key": pl.Series(names, dtype=pl.String)})
    frame = order.join(asked.frame, on="key", how="left", maintain_order="left").drop("key")
    found = tidy(frame)
    most = max(1, min(MOST_WORDS, MOST_CELLS // (len(names) * max(1, frame.width))))
    blocks = [block for series in found.frame if (block := of_column(series, found.kinds[series.name].name, most))]
    if not blocks:
        raise DataError(
            f"Nothing in {', '.join(map(repr, frame.columns))} tells one {role} from another.", "Name other columns."
        )
    features = Features(
        tuple(name for block in blocks for name in block.names), np.hstack([block.table for block in blocks])
    )
    without = len(names) - int(order["key"].is_in(asked.frame["key"].implode()).sum())
    bare = f"; {counted(without, role)} without any" if without else ""
    said = f"{len(features.names)} features of {counted(len(names), role)} from {', '.join(frame.columns)}{bare}."
    return features, (*asked.said, *found.said, said)


def of_column(column: pl.Series, kind: str, most: int) -> Features | None:
    """A column's numbers; None where it says the same of all."""
    if column.drop_nulls().n_unique() < 2:
        return None
    if kind == "text":
        return of_words(column.name, parted(column.to_list()), most)
    number = (column.dt.epoch("s") if kind == "date" else column).cast(pl.Float64).to_numpy().astype(np.float64)
    spread = np.nanstd(number)
    table = np.clip((number - np.nanmean(number)) / spread, -FARTHEST, FARTHEST)
    return Features((column.name,), np.nan_to_num(table).astype(np.float32)[:, None])


def parted(values: Sequence[Any]) -> list[set[str]]:
    """Each row's values: separated by |, ; or commas; the words of free text where nearly every row says another thing."""
    parts = [{p.strip().lower() for p in MANY.split(v) if p.strip()} if v else set() for v in values]
    filled = sum(bool(p) for p in parts)
    if len(set().union(*parts)) <= FREE * filled:
        return parts
    return [set(WORD.findall(v.lower())) if v else set() for v in values]


def of_words(column: str, rows: Sequence[set[str]], most: int) -> Features | None:
    """One number for each frequent word: a row has length 1."""
    often = Counter(word for row in rows for word in sorted(row))
    kept = [word for word, times in often.most_common(most) if LEAST_TIMES <= times < len(rows)]
    if not kept:
        return None
    place = {word: i for i, word in enumerate(kept)}
    table = np.zeros((len(rows), len(kept)), np.float32)
    for i, row in enumerate(rows):
        table[i, [place[word] for word in row if word in place]] = 1
    table /= np.sqrt(np.maximum(table.sum(1, keepdims=True), 1))
    return Features(tuple(f"{column}: {word}" for word in kept), table)
