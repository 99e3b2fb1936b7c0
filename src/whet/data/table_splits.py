"""The parts that a table was given in: a column of it, a file beside it, or a table for each part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from whet.data.table_files import read_table
from whet.data.table_joining import Joined
from whet.data.table_kinds import plain_column
from whet.data.table_sources import PART_NAMES
from whet.errors import DataError, did_you_mean, nearest

SPLIT_COLUMNS = ("split", "part", "subset", "partition", "set")
ROW_COLUMNS = ("row", "index", "row_index", "test_row", "id")


def split_column(
    joined: Joined, split: str | Path | None, target: str
) -> tuple[np.ndarray | None, list[str], tuple[str, ...]]:
    """(part of every row or None, columns that are used up by it, what is to be said)."""
    if split is None:
        return _own_split_column(joined, target)
    if str(split) in joined.frame.columns:
        return _parts_of(joined.frame.get_column(str(split)), str(split)), [str(split)], ()
    if Path(split).is_file():
        return _split_file(Path(split), joined), [], ()
    raise DataError(
        f"There is no column and no file {str(split)!r} to split by.",
        did_you_mean(nearest(str(split), joined.frame.columns), joined.frame.columns),
    )


def _own_split_column(joined: Joined, target: str) -> tuple[np.ndarray | None, list[str], tuple[str, ...]]:
    """A column named "split" that holds nothing but train, val and test is the table's own split."""
    for name in joined.frame.columns:
        if name.lower() in SPLIT_COLUMNS and name != target and joined.names == ("",):
            try:
                parts = _parts_of(joined.frame.get_column(name), name)
            except DataError:
                continue
            return parts, [name], (f"Column {name!r} is the table's own split into train, val and test.",)
    return None, [], ()


def _parts_of(column: pl.Series, name: str) -> np.ndarray:
    words = {word: part for part, names in PART_NAMES.items() for word in names}
    plain = plain_column(column)
    text = (column if plain is None else plain).cast(pl.String).str.strip_chars().str.to_lowercase()
    other = [v for v in text.unique(maintain_order=True).to_list() if v not in words]
    if other:
        seen = ", ".join(map(repr, other[:5]))
        raise DataError(f"Split column {name!r} has values other than train, val and test: {seen}.", "Choose another.")
    parts = np.array([words[v] for v in text.to_list()], dtype=object)
    if not (parts == "train").any():
        raise DataError(f"Split column {name!r} gives no row to train on.", "Mark some rows with 'train'.")
    return parts


def _split_file(path: Path, joined: Joined) -> np.ndarray:
    """The part of every row from a file: a split column as long as the table, or with a column of row numbers from 0."""
    raw = read_table(path)
    frame = raw.frame
    column = next((c for c in frame.columns if c.lower() in SPLIT_COLUMNS), frame.columns[-1])
    total = int(joined.order.max()) + 1
    row_column = next((c for c in frame.columns if c.lower() in ROW_COLUMNS and c != column), None)
    if row_column is not None:
        rows = frame.get_column(row_column).cast(pl.Int64, strict=False)
        if rows.null_count() or rows.min() < 0 or rows.max() >= total:  # type: ignore[operator]
            raise DataError(
                f"{path}: column {row_column!r} is not made of row numbers below {total:,}.", "Count from 0."
            )
        assigned = np.full(total, "train", dtype=object)
        assigned[rows.to_numpy()] = _parts_of(frame.get_column(column), column)
        return assigned[joined.order]
    parts = _parts_of(frame.get_column(column), column)
    if len(parts) < total:
        raise DataError(f"{path} splits {len(parts):,} rows; the table has {total:,}.", "Give one line per row.")
    return parts[joined.order]


def official_parts(joined: Joined, assigned: np.ndarray | None) -> dict[str, np.ndarray]:
    """part -> row indices; {} if the source has no parts of its own."""
    if assigned is None:
        named = {part: np.flatnonzero(joined.part == i) for i, part in enumerate(joined.names) if part}
    else:
        named = {part: np.flatnonzero(assigned == part) for part in PART_NAMES}
    named = {part: rows.astype(np.int64) for part, rows in named.items() if rows.size}
    if not named or set(named) == {"train"}:
        return {}
    if "train" not in named:
        raise DataError("No row with a target is left to train on.", "Check the training part.")
    return named
