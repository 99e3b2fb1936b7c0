"""Is this source made of texts, and which columns hold them? Decided by looking at its first rows, and said aloud.

A column is running text where its values have several words and hardly one is repeated. A table is a text source where
such columns stand beside a target and little else: beside further columns of numbers or categories it stays a table,
unless --text names the column or --task says text.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from whet.data.checks import CAMEL_ID, ID_NAME, WORDS
from whet.data.json_files import as_text
from whet.data.separated import sniff_separator
from whet.data.table_bytes import ending
from whet.data.table_files import CSV_ENDINGS, JSON_ENDINGS, PARQUET_ENDINGS
from whet.data.table_sources import PART_NAMES
from whet.data.table_splits import SPLIT_COLUMNS
from whet.data.targets import TARGET_NAMES
from whet.errors import DataError
from whet.fields.text.words import WITHOUT_SPACES

GLANCE = 300
"""Rows that are looked at."""
HEAD = 1 << 18
"""Bytes that the separator is guessed from."""
FEWEST = 6
"""With fewer rows nothing is inferred: --text names the column."""
DISTINCT = 0.5
"""The share of different values from which on a column is running text."""
UNSPACED = 12.0
"""Characters of scripts without spaces that count as much as several words."""
FURTHER = 2
"""Columns of text that may stand beside text and target, such as a second label."""
FOLDS = ("fold", "folds", "cv", "cv_fold", "kfold")
LABELS = (*TARGET_NAMES, "sentiment", "category", "intent", "topic", "rating", "stars", "score", "emotion", "polarity")
"""Names of columns that say what a text is."""
TEXT_TASKS = ("text", "text-classification", "text-regression", "text-multilabel", "multilabel", "multi-label")


def is_text_task(task: str | None) -> bool:
    return (task or "").lower() in TEXT_TASKS


def running_text(column: pl.Series) -> bool:
    """Whether these values are sentences rather than categories."""
    if column.dtype != pl.String:
        return False
    filled = column.drop_nulls()
    filled = filled.filter(filled.str.strip_chars() != "")
    if filled.len() < FEWEST or filled.n_unique() <= DISTINCT * filled.len():
        return False
    spaced = filled.str.count_matches(r"\S+").mean()
    unspaced = filled.str.count_matches(f"[{WITHOUT_SPACES}]").mean()
    return float(spaced) >= WORDS or float(unspaced) >= UNSPACED  # type: ignore[arg-type]


def text_columns(frame: pl.DataFrame) -> list[str]:
    """The columns that hold running text."""
    return [c.name for c in frame if running_text(c)]


def label_column(frame: pl.DataFrame, texts: Sequence[str]) -> str | None:
    """The column that says what the texts are: by its name, else the last that is neither text, number of a row, nor part."""
    lower = {c.strip().lower(): c for c in reversed(frame.columns) if c not in texts}
    named = next((lower[name] for name in LABELS if name in lower), None)
    left = [c for c in frame.columns if c not in texts and not is_aside(frame.get_column(c))]
    return named or (left[-1] if left else None)


def is_aside(column: pl.Series) -> bool:
    """Whether a column names rows, or parts of a split."""
    name = column.name.strip().lower()
    return bool(name in (*SPLIT_COLUMNS, *FOLDS) or ID_NAME.search(column.name) or CAMEL_ID.search(column.name))


def is_text_table(frame: pl.DataFrame, target: str | None = None) -> bool:
    """Whether texts and a label are all there is, rows' names and parts apart."""
    texts = [c for c in text_columns(frame) if c != target]
    label = target or label_column(frame, texts)
    if not texts or label is None or label not in frame.columns:
        return False
    further = [c for c in frame if c.name not in (*texts, label) and not is_aside(c)]
    return len(further) <= FURTHER and all(is_category(c) for c in further)


def is_category(column: pl.Series) -> bool:
    """Words, not numbers: a column of numbers beside a text is something that a table's network can use."""
    if column.dtype != pl.String:
        return False
    filled = column.drop_nulls()
    return bool(filled.len()) and filled.cast(pl.Float64, strict=False).null_count() > filled.len() / 2


# -- the first rows ------------------------------------------------------------------------------------------------


def first_rows(source: Any) -> pl.DataFrame | None:
    """The first rows of a table; None where this is no table, or can't be read as one."""
    if isinstance(source, pl.DataFrame):
        return source.head(GLANCE)
    if isinstance(source, str | os.PathLike):
        path = table_of(Path(source))
        try:
            return None if path is None else rows_of_file(path)
        except (OSError, ValueError, EOFError, csv.Error, pl.exceptions.PolarsError, DataError, RecursionError):
            return None
    if type(source).__module__.split(".")[0] == "pandas" and hasattr(source, "columns"):
        head = source.head(GLANCE)
        return pl.DataFrame({str(c): plain(head[c].tolist()) for c in head.columns}, strict=False)
    if isinstance(source, Mapping):
        lists = {
            str(k): v for k, v in source.items() if isinstance(v, list) and v and isinstance(v[0], str | int | float)
        }
        same = len({len(v) for v in lists.values()}) == 1
        return pl.DataFrame({k: plain(v[:GLANCE]) for k, v in lists.items()}) if same else None
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


def rows_of_file(path: Path) -> pl.DataFrame | None:
    """Its first rows as text, without reading the rest."""
    kind = ending(path)
    if kind in PARQUET_ENDINGS:
        return pl.read_parquet(path, n_rows=GLANCE)
    if kind not in (*CSV_ENDINGS, *JSON_ENDINGS):
        return None
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rb") as file:
        head = file.read(HEAD)
        if b"\0" in head or not head.strip():
            return None
        file.seek(0)
        text = io.TextIOWrapper(file, "utf-8", errors="replace", newline="")
        return json_rows(text, head) if kind in JSON_ENDINGS else csv_rows(text, head, "\t" if kind == ".tsv" else ",")


def csv_rows(text: io.TextIOWrapper, head: bytes, default: str) -> pl.DataFrame | None:
    separator = sniff_separator(head, default)
    rows = list(itertools.islice(csv.reader(text, delimiter=separator), 1 + GLANCE))
    if len(rows) < 2 or len(set(rows[0])) < len(rows[0]):
        return None
    body = [row for row in rows[1:] if len(row) == len(rows[0])]
    names = [name.strip() for name in rows[0]]
    return pl.DataFrame({name: [row[i] for row in body] for i, name in enumerate(names)}, schema_overrides=None)


def json_rows(text: io.TextIOWrapper, head: bytes) -> pl.DataFrame | None:
    if head.lstrip()[:1] == b"[":
        found = json.loads(text.read())[:GLANCE]
    else:
        found = [json.loads(line) for line in itertools.islice(text, GLANCE) if line.strip()]
    rows = [row for row in found if isinstance(row, dict)]
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    return pl.DataFrame({name: plain([row.get(name) for row in rows]) for name in names})


def plain(values: Sequence[Any]) -> pl.Series:
    """Text as text; numbers and anything else as text that shows what they are."""
    return pl.Series([None if v is None or v != v else as_text(v) for v in values], dtype=pl.String)


def tokens_and_tags(frame: pl.DataFrame) -> tuple[str, str] | None:
    """The columns of words and of their labels in a table of JSON lists; None where there are none."""
    lists = [
        c.name for c in frame if c.dtype == pl.String and re.match(r"\s*\[", str(c.drop_nulls().head(1).to_list()))
    ]
    words = [c for c in lists if c.lower() in ("tokens", "words")]
    tags = [c for c in lists if c.lower() in ("tags", "ner_tags", "labels", "pos_tags", "pos", "ner")]
    return (words[0], tags[0]) if words and tags else None
