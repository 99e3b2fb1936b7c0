"""The first rows of a table, without reading the rest: what a field looks at to tell whether a source is its own."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from whet.data.json_files import as_text
from whet.data.separated import sniff_separator
from whet.data.table_bytes import ending
from whet.data.table_files import CSV_ENDINGS, JSON_ENDINGS, PARQUET_ENDINGS
from whet.data.table_sources import PART_NAMES
from whet.errors import DataError

GLANCE = 300
"""Rows that are looked at, unless more are asked for."""
HEAD = 1 << 18
"""Bytes that the separator is guessed from."""


def first_rows(source: Any, rows: int = GLANCE) -> pl.DataFrame | None:
    """The first rows of a table; None where this is no table, or can't be read as one."""
    if isinstance(source, pl.DataFrame):
        return source.head(rows)
    if isinstance(source, str | os.PathLike):
        try:
            path = table_of(Path(source))
            return None if path is None else rows_of_file(path, rows)
        except (OSError, ValueError, EOFError, csv.Error, pl.exceptions.PolarsError, DataError, RecursionError):
            return None
    if type(source).__module__.split(".")[0] == "pandas" and hasattr(source, "columns"):
        head = source.head(rows)
        return pl.DataFrame({str(c): plain(head[c].tolist()) for c in head.columns}, strict=False)
    if isinstance(source, Mapping):
        lists = {
            str(k): v for k, v in source.items() if isinstance(v, list) and v and isinstance(v[0], str | int | float)
        }
        same = len({len(v) for v in lists.values()}) == 1
        return pl.DataFrame({k: plain(v[:rows]) for k, v in lists.items()}) if same else None
    return None


def table_of(path: Path) -> Path | None:
    """The file itself, or the training table of a folder."""
    if path.is_file():
        return path
    if not path.is_dir():
        return None
    tables = sorted(p for p in path.iterdir() if ending(p) in (*CSV_ENDINGS, *JSON_ENDINGS, *PARQUET_ENDINGS))
    tables = [p for p in tables if ending(p) not in (".txt", ".data")]
    train = [p for p in tables if p.name.split(".")[0].lower() in PART_NAMES["train"]]
    return train[0] if train else tables[0] if len(tables) == 1 else None


def rows_of_file(path: Path, rows: int) -> pl.DataFrame | None:
    """Its first rows as text, without reading the rest."""
    kind = ending(path)
    if kind in PARQUET_ENDINGS:
        return pl.read_parquet(path, n_rows=rows)
    if kind not in (*CSV_ENDINGS, *JSON_ENDINGS):
        return None
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rb") as file:
        head = file.read(HEAD)
        if b"\0" in head or not head.strip():
            return None
        file.seek(0)
        text = io.TextIOWrapper(file, "utf-8", errors="replace", newline="")
        if kind in JSON_ENDINGS:
            return json_rows(text, head, rows)
        return csv_rows(text, head, "\t" if kind == ".tsv" else ",", rows)


def csv_rows(text: io.TextIOWrapper, head: bytes, default: str, most: int) -> pl.DataFrame | None:
    separator = sniff_separator(head, default)
    rows = list(itertools.islice(csv.reader(text, delimiter=separator), 1 + most))
    if len(rows) < 2 or len(set(rows[0])) < len(rows[0]):
        return None
    body = [row for row in rows[1:] if len(row) == len(rows[0])]
    names = [name.strip() for name in rows[0]]
    return pl.DataFrame({name: [row[i] for row in body] for i, name in enumerate(names)}, schema_overrides=None)


def json_rows(text: io.TextIOWrapper, head: bytes, most: int) -> pl.DataFrame | None:
    if head.lstrip()[:1] == b"[":
        found = json.loads(text.read())[:most]
    else:
        found = [json.loads(line) for line in itertools.islice(text, most) if line.strip()]
    rows = [row for row in found if isinstance(row, dict)]
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    return pl.DataFrame({name: plain([row.get(name) for row in rows]) for name in names})


def plain(values: Sequence[Any]) -> pl.Series:
    """Text as text; numbers and anything else as text that shows what they are."""
    return pl.Series([None if v is None or v != v else as_text(v) for v in values], dtype=pl.String)
