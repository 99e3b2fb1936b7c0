"""Table files as frames: CSV and its kin are read as text, JSON and Parquet with the types they have.

Nothing is guessed here about what a column means (see table_kinds.py). What is worked out is the file's form: encoding,
separator, quoting, header. Rows that don't fit that form are counted and left out.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import polars as pl

from whet.data.json_files import read_json
from whet.data.raw import RawTable, typed
from whet.data.separated import read_separated
from whet.data.table_bytes import as_utf8, ending, read_file
from whet.errors import DataError

CSV_ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".data", ".psv")
JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
PARQUET_ENDINGS = (".parquet", ".pq")
TABLE_ENDINGS = (*CSV_ENDINGS, *JSON_ENDINGS, *PARQUET_ENDINGS)


def is_table_name(path: Path) -> bool:
    """Whether the file's name ends like a table's, with or without .gz."""
    return ending(path) in TABLE_ENDINGS


def read_table(path: Path) -> RawTable:
    """The rows of a table file. Raises DataError for anything that is no table, is empty, or is too spoilt."""
    data = read_file(path)
    if not data.strip():
        raise DataError(f"{path} is empty.", "Give a table with a header line and a row per example.")
    kind = ending(path)
    if data[:4] == b"PAR1":
        raw = _parquet(data, path)
    elif kind in PARQUET_ENDINGS:
        raise DataError(f"{path} is no Parquet file: it starts with {data[:8]!r}.", "Check how it was written.")
    elif kind in JSON_ENDINGS or (kind not in CSV_ENDINGS and data.lstrip()[:1] == b"{"):
        raw = read_json(as_utf8(data, path)[0], path)
    else:
        raw = read_separated(data, path)
    if not raw.frame.height or not raw.frame.width:
        raise DataError(f"{path} has a header and no rows.", "Give a table with a row per example.")
    return raw


def _parquet(data: bytes, path: Path) -> RawTable:
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, OSError) as error:
        reason = re.sub(r"\s+", " ", str(error))[:120]
        raise DataError(f"{path} is a broken Parquet file: {reason}.", "Write or download it again.") from None
    return typed(frame, path.name)
