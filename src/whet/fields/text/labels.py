"""Several labels for each text: a column with a delimiter, a column of lists, or a column of 0 and 1 for each label."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from whet.data.labels import listed, natural
from whet.data.targets import Target
from whet.errors import DataError

DELIMITERS = ("|", ";", ",", " ")
"""What may stand between labels; the first that occurs is taken. "[" stands for lists."""
YES, NO = ("1", "true", "yes", "1.0"), ("0", "false", "no", "0.0", "")
FEWEST = 2
"""Rows that must have a label."""
OPEN = "|;,"
"""What shows without being told that several labels stand together: a space stands within names too."""


def many_labels(frame: pl.DataFrame, where: Callable[[int], str]) -> Target:
    """(n, C) zeros and ones. Raises DataError where they can't be read, or name one label only."""
    y, names, how = from_columns(frame, where) if frame.width > 1 else from_lists(frame.to_series())
    often = y.sum(0)
    kept = np.flatnonzero((often >= FEWEST) & (often < len(y)))
    if not len(kept):
        raise DataError(f"Target {frame.columns[0]!r} has no label that divides the rows.", "Give at least two labels.")
    said = [f"{how}: {len(kept)} labels, {y[:, kept].sum(1).mean():.1f} a row on average."]
    if gone := [names[i] for i in range(len(names)) if i not in set(kept.tolist())]:
        said.append(f"Left out, being in all rows or in fewer than {FEWEST}: {listed(gone)}.")
    keep = np.ones(len(y), bool)
    return Target(y[:, kept].astype(np.float64), "multilabel", tuple(names[i] for i in kept), keep, (), tuple(said))


def from_columns(frame: pl.DataFrame, where: Callable[[int], str]) -> tuple[np.ndarray, list[str], str]:
    """A column for each label."""
    columns = []
    for column in frame:
        values = ["" if v is None else str(v).strip().lower() for v in column.to_list()]
        strange = next((i for i, v in enumerate(values) if v not in (*YES, *NO)), None)
        if strange is not None:
            raise DataError(
                f"Target {column.name!r} holds {values[strange]!r} in {where(strange)}.",
                "Several targets must hold 0 and 1.",
            )
        columns.append([v in YES for v in values])
    return np.array(columns).T, list(frame.columns), f"{frame.width} columns of 0 and 1 are the labels"


def from_lists(column: pl.Series) -> tuple[np.ndarray, list[str], str]:
    """A column in which several labels stand."""
    delimiter = delimiter_of(column)
    rows = [split_labels(value, delimiter) for value in column.to_list()]
    names = sorted({name for row in rows for name in row}, key=natural)
    index = {name: i for i, name in enumerate(names)}
    y = np.zeros((len(rows), len(names)), bool)
    for line, row in zip(y, rows, strict=True):
        line[[index[name] for name in row]] = True
    between = {"[": "lists", "": "single labels"}.get(delimiter, f"labels with {delimiter!r} between them")
    return y, names, f"Column {column.name!r} holds {between}"


def delimiter_of(column: pl.Series) -> str:
    """What stands between the labels of this column; "[" for lists, "" for nothing."""
    values = [str(v).strip() for v in column.drop_nulls().head(1000).to_list()]
    if values and all(v.startswith("[") and v.endswith("]") for v in values):
        return "["
    return next((d for d in DELIMITERS if any(d in v for v in values)), "")


def stand_together(column: pl.Series) -> bool:
    """Whether values look like several labels of a smaller set: with a delimiter, and fewer parts than there are values.

    "Smith, John" and "arts, leisure" have as many parts as values, or more; numbers with a decimal comma are no labels.
    """
    delimiter = delimiter_of(column)
    if not delimiter or delimiter not in OPEN:
        return False
    values = {str(v).strip() for v in column.drop_nulls().to_list()}
    parts = {part for value in values for part in split_labels(value, delimiter)}
    return len(parts) < len(values) and not all(part.lstrip("+-").isdecimal() for part in parts)


def split_labels(value: Any, delimiter: str) -> list[str]:
    if value is None:
        return []
    text = str(value).strip()
    if delimiter == "[":
        try:
            return [str(v) for v in json.loads(text)]
        except ValueError:
            return [part.strip(" '\"") for part in text[1:-1].split(",") if part.strip(" '\"")]
    parts = text.split(delimiter) if delimiter else [text]
    return [part.strip() for part in parts if part.strip()]
