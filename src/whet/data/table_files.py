"""Table files as frames: CSV and its kin are read as text, JSON and Parquet with the types they have.

Nothing is guessed here about what a column means (see table_kinds.py). What is worked out is the file's form: encoding,
separator, quoting, header. Rows that don't fit that form are counted and left out.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from whet.data.core import MOST_CORRUPT, Problem
from whet.errors import DataError

CSV_ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".data", ".psv")
JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
PARQUET_ENDINGS = (".parquet", ".pq")
TABLE_ENDINGS = (*CSV_ENDINGS, *JSON_ENDINGS, *PARQUET_ENDINGS)
SEPARATORS = (",", ";", "\t", "|")
LISTED = 1000
"""Corrupt rows that are listed one by one."""
INFLATED = 1 << 35
"""Bytes that a .gz may grow to."""
MAGIC = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"SQLite": "an SQLite database",
    b"\x1f\x8b": "gzip-compressed",
    b"\x93NUMPY": "a numpy array",
    b"\x7fELF": "a program",
}


@dataclass(frozen=True)
class RawTable:
    """A table as it stands in its source."""

    frame: pl.DataFrame
    name: str
    """Short, for sentences: "train.csv"."""
    unit: str
    """What `places` counts: "line" or "row"."""
    places: np.ndarray
    """(rows,) int64: where each row of the frame stands in the source, from 1."""
    order: np.ndarray
    """(rows,) int64: the row's number among all the data rows, from 0, corrupt ones included."""
    problems: tuple[Problem, ...] = ()
    said: tuple[str, ...] = ()
    decimal_comma: bool = False
    """Whether a comma may stand for the decimal point: in files separated by something else."""


def typed(frame: pl.DataFrame, name: str, unit: str = "row") -> RawTable:
    """A frame whose rows are all sound."""
    rows = np.arange(frame.height, dtype=np.int64)
    return RawTable(frame, name, unit, rows + 1, rows)


def is_table_name(path: Path) -> bool:
    """Whether the file's name ends like a table's, with or without .gz."""
    return ending(path) in TABLE_ENDINGS


def ending(path: Path) -> str:
    """The file's ending in lower case, without .gz."""
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes = suffixes[:-1]
    return suffixes[-1] if suffixes else ""


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
        raw = _json(as_utf8(data, path)[0], path)
    else:
        raw = _csv(data, path)
    if not raw.frame.height or not raw.frame.width:
        raise DataError(f"{path} has a header and no rows.", "Give a table with a row per example.")
    return raw


def read_file(path: Path) -> bytes:
    """The file's bytes, unpacked if they are gzip-compressed."""
    try:
        data = path.read_bytes()
    except IsADirectoryError:
        raise DataError(f"{path} is a folder, not a table file.", "Name the file inside it.") from None
    except FileNotFoundError:
        raise DataError(f"There is no file {path}.", "Check the path.") from None
    except PermissionError:
        raise DataError(f"{path} can't be read: permission denied.", "Check its permissions.") from None
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}.", "Check the path.") from None
    return _unpack(data, path) if data[:2] == b"\x1f\x8b" else data


def _unpack(data: bytes, path: Path) -> bytes:
    pieces, size = [], 0
    try:
        with gzip.open(io.BytesIO(data)) as file:
            while piece := file.read(1 << 24):
                size += len(piece)
                if size > INFLATED:
                    raise DataError(f"{path} unpacks to more than {INFLATED >> 30} GiB.", "Unpack and check it first.")
                pieces.append(piece)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is a broken gzip file: {error}.", "Compress or download it again.") from None
    return b"".join(pieces)


# -- text ----------------------------------------------------------------------------------------------------------


def as_utf8(data: bytes, path: Path) -> tuple[bytes, tuple[str, ...]]:
    """The text as UTF-8 without a byte order mark, and what is to be said about its encoding."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16").encode(), (f"{path.name} is encoded in UTF-16.",)
        except UnicodeError:
            raise _binary(data, path) from None
    data = data.removeprefix(b"\xef\xbb\xbf")
    if any(data.startswith(magic) for magic in MAGIC) or b"\0" in data:
        raise _binary(data, path)
    head = np.frombuffer(data, np.uint8, min(len(data), 1 << 16))
    control = ((head < 32) & ~np.isin(head, (9, 10, 12, 13))).mean()
    if control > 0.01:
        raise _binary(data, path)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        said = f"{path.name} is not UTF-8 (byte {error.start:,}); it is read as Latin-1."
        return data.decode("latin-1").encode(), (said,)
    return data, ()


def _binary(data: bytes, path: Path) -> DataError:
    what = next((f"it looks like {w}" for m, w in MAGIC.items() if data.startswith(m)), "it holds binary data")
    return DataError(f"{path} is no text table: {what}.", "Give a CSV, TSV, JSONL or Parquet file.")


# -- CSV -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rows:
    """Where the rows of a text lie: byte positions and the number of fields of each."""

    starts: np.ndarray
    ends: np.ndarray
    """Without the line end."""
    widths: np.ndarray
    torn: bool
    """Whether a quote was still open at the end."""


def _csv(data: bytes, path: Path) -> RawTable:
    data, said = as_utf8(data, path)
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    separator = sniff_separator(data[: 1 << 18], "\t" if ending(path) in (".tsv", ".tab") else ",")
    rows, quote = _best_rows(data, separator)
    expected = _expected_width(rows)
    blank = rows.starts == rows.ends
    good = (rows.widths == expected) & ~(blank if expected > 1 else _trailing(blank))
    bad = np.flatnonzero((rows.widths != expected) & ~blank)
    first = _records(data, rows, np.flatnonzero(good)[:200], separator, quote)
    head = _records(data, rows, np.flatnonzero(~blank)[:1], separator, quote)
    named = looks_like_header(head[0], first[1:] if head == first[:1] else first)
    header_row = int(np.flatnonzero(~blank)[0])
    if named:
        names, note = _names(head[0], expected, first[1:])
        good[header_row] = False
        bad = bad[bad != header_row]
    else:
        names, note = [f"column_{i + 1}" for i in range(expected)], ()
        said = (*said, f"{path.name} has no header line: its columns are called column_1 … column_{expected}.")
    keep = np.flatnonzero(good)
    if not keep.size and not bad.size:
        raise DataError(f"{path} has a header and no rows.", "Give a table with a row per example.")
    frame = _parse(_join(data, rows, keep), keep.size, expected, separator, quote, path)
    frame.columns = names
    newlines = np.flatnonzero(np.frombuffer(data, np.uint8) == 10) if quote else None
    lines = _line_numbers(rows.starts, newlines)
    problems = listed(
        f"{path.name} line", lines[bad], lambda i: f"{rows.widths[bad[i]]} fields instead of {expected}", bad.size
    )
    _refuse_spoilt(path, bad.size, keep.size + bad.size, problems)
    order = np.searchsorted(np.sort(np.concatenate([keep, bad])), keep).astype(np.int64)
    drop = [n for n in names if n == _NOTHING]
    return RawTable(
        frame.drop(drop),
        path.name,
        "line",
        lines[keep],
        order,
        problems,
        (*said, *note),
        decimal_comma=separator != ",",
    )


def sniff_separator(head: bytes, default: str) -> str:
    """The separator with which most lines, and the first, have the same number of fields, and more than one."""
    lines = head[: head.rfind(b"\n") + 1] or head
    best, best_score = default, (False, False, 0.0, 0)
    for separator in (default, *(s for s in SEPARATORS if s != default)):
        rows, _ = _best_rows(lines, separator, whole=False)
        widths = rows.widths[rows.ends > rows.starts][:500]
        if not widths.size:
            continue
        width, count = Counter(widths.tolist()).most_common(1)[0]
        share = count / widths.size
        score = (width > 1 and share >= 0.9, bool(widths[0] == width > 1), round(share, 1), width)
        if score > best_score:
            best, best_score = separator, score
    return best


def _best_rows(data: bytes, separator: str, whole: bool = True) -> tuple[_Rows, bool]:
    """The rows, and whether `"` quotes: stray quotes, as in 5" pipes, spoil more rows than they explain.

    A text that is not the `whole` one may end within quotes: its last row is left out then.
    """
    if b'"' not in data:
        return _scan(data, separator, quote=False), False
    quoted = _scan(data, separator, quote=True)
    if quoted.torn and not whole:
        quoted = _Rows(quoted.starts[:-1], quoted.ends[:-1], quoted.widths[:-1], torn=quoted.starts.size < 3)
    if not quoted.torn and _ragged(quoted) == 0:
        return quoted, True
    plain = _scan(data, separator, quote=False)
    return (quoted, True) if _ragged(quoted) <= _ragged(plain) and not quoted.torn else (plain, False)


def _ragged(rows: _Rows) -> float:
    filled = rows.widths[rows.ends > rows.starts]
    return float((filled != _expected_width(rows)).mean()) if filled.size else 0.0


def _expected_width(rows: _Rows) -> int:
    filled = rows.widths[rows.ends > rows.starts]
    return int(np.bincount(filled).argmax()) if filled.size else 0


def _trailing(blank: np.ndarray) -> np.ndarray:
    """Blank lines at the end; within a table of one column a blank line is a missing value."""
    last = np.flatnonzero(~blank)
    return np.arange(blank.size) > (last[-1] if last.size else -1)


def _scan(data: bytes, separator: str, quote: bool, chunk: int = 1 << 24) -> _Rows:
    """Positions of the rows and their field counts, in chunks of bytes; line ends inside quotes don't count."""
    ends, counts, open_quote, carried = [], [], 0, 0
    for start in range(0, len(data), chunk):
        piece = np.frombuffer(data, np.uint8, min(chunk, len(data) - start), start)
        is_end, is_separator = piece == 10, piece == ord(separator)
        if quote:
            inside = (np.cumsum(piece == 34, dtype=np.uint8) + np.uint8(open_quote)) & 1
            open_quote = int(inside[-1])
            is_end &= inside == 0
            is_separator &= inside == 0
        at, separators = np.flatnonzero(is_end), np.flatnonzero(is_separator)
        before = np.searchsorted(separators, at) + carried
        ends.append(at + start)
        counts.append(before)
        carried += separators.size
    end = np.concatenate(ends) if ends else np.empty(0, np.int64)
    before_end = np.concatenate(counts) if counts else np.empty(0, np.int64)
    if not data.endswith(b"\n") or open_quote:
        end, before_end = np.append(end, len(data)), np.append(before_end, carried)
    starts = np.concatenate([[0], end[:-1] + 1]).astype(np.int64)
    widths = np.diff(before_end, prepend=0) + 1
    buffer = np.frombuffer(data, np.uint8)
    returns = (end > starts) & (buffer[np.maximum(end - 1, 0)] == 13)
    return _Rows(starts, (end - returns).astype(np.int64), widths.astype(np.int64), bool(open_quote))


def _join(data: bytes, rows: _Rows, keep: np.ndarray) -> bytes:
    """The text of the kept rows; the given bytes themselves where the kept rows are one block."""
    if not keep.size:
        return b""
    if keep[-1] - keep[0] + 1 == keep.size:
        last = int(keep[-1])
        until = int(rows.starts[last + 1]) if last + 1 < rows.starts.size else len(data)
        return data[int(rows.starts[keep[0]]) : until]
    view = memoryview(data)
    return b"\n".join(view[a:b] for a, b in zip(rows.starts[keep].tolist(), rows.ends[keep].tolist(), strict=True))


def _records(data: bytes, rows: _Rows, which: np.ndarray, separator: str, quote: bool) -> list[list[str]]:
    """A few rows as lists of cells."""
    text = [data[rows.starts[i] : rows.ends[i]].decode() for i in which]
    return [_cells(t, separator, quote) for t in text]


def _cells(text: str, separator: str, quote: bool) -> list[str]:
    if not quote:
        return [c.strip() for c in text.split(separator)]
    try:
        return [c.strip() for row in csv.reader([text], delimiter=separator) for c in row]
    except csv.Error:
        return [c.strip() for c in text.split(separator)]


def looks_like_header(head: list[str], body: list[list[str]]) -> bool:
    """Whether the first row holds names: over a column of numbers stands a word, or nowhere stands a number."""
    if any(row == head for row in body[:1]) or not any(head):
        return False
    words = numbers = 0
    for i, cell in enumerate(head):
        below = [row[i] for row in body if i < len(row) and not _is_missing(row[i])]
        if below and all(_is_number(b) for b in below):
            numbers += _is_number(cell) or _is_missing(cell)
            words += not (_is_number(cell) or _is_missing(cell))
    if words or not numbers:
        return True
    counted = [str(i) for i in range(len(head))]
    return head == counted or (head[0] == "" and head[1:] == counted[:-1])


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _is_missing(cell: str) -> bool:
    return cell.strip().lower() in ("", "?", "na", "n/a", "nan", "null", "none", "-")


_NOTHING = "\0nothing"


def _names(head: list[str], width: int, body: list[list[str]]) -> tuple[list[str], tuple[str, ...]]:
    """Column names, as many as there are fields; a row may have one field more at its start (an index) or its end."""
    said: list[str] = []
    if len(head) == width - 1:
        if all(not row[-1] for row in body):
            head = [*head, _NOTHING]
        else:
            head = ["unnamed_1", *head]
    elif len(head) == width + 1 and head[-1] == "":
        head = head[:-1]
    if len(head) != width:
        raise DataError(
            f"The header has {len(head)} names ({', '.join(head[:6])}, …) and most rows have {width} fields.",
            "Check the separator and the quotes.",
        )
    return unique_names(head, said), tuple(said)


def unique_names(names: list[str], said: list[str]) -> list[str]:
    """The names with each repeated one numbered, and each empty one named by its place."""
    taken: set[str] = set()
    result = []
    for i, name in enumerate(names):
        base = new = name or f"unnamed_{i + 1}"
        count = 1
        while new in taken or (new != name and new in names):
            count += 1
            new = f"{base}_{count}"
        if count > 1:
            said.append(f"Two columns are named {base!r}: the later one is called {new!r}.")
        taken.add(new)
        result.append(new)
    return result


def _parse(text: bytes, height: int, width: int, separator: str, quote: bool, path: Path) -> pl.DataFrame:
    if not height:
        return pl.DataFrame({str(i): [] for i in range(width)}, schema={str(i): pl.String for i in range(width)})
    try:
        frame = pl.read_csv(
            text,
            has_header=False,
            separator=separator,
            quote_char='"' if quote else None,
            infer_schema=False,
            schema={f"{i}": pl.String for i in range(width)},
        )
        if frame.shape == (height, width):
            return frame
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError):
        pass
    return _parse_slowly(text, height, width, separator, quote, path)


def _parse_slowly(text: bytes, height: int, width: int, separator: str, quote: bool, path: Path) -> pl.DataFrame:
    """The same by Python's csv module, which is more patient with odd quotes."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    limit = csv.field_size_limit(1 << 30)
    try:
        stream = io.StringIO(text.decode(), newline="")
        rows = [r for r in csv.reader(stream, delimiter=separator, quoting=quoting) if r or width == 1]
    except csv.Error as error:
        raise DataError(f"{path} can't be read as a table: {error}.", "Check its separators and quotes.") from None
    finally:
        csv.field_size_limit(limit)
    if len(rows) != height or any(len(r) != width for r in rows):
        if width > 1 or len(rows) != height:
            raise DataError(f"{path} can't be read as a table: its quotes don't match.", "Check its quotes.")
        rows = [r or [""] for r in rows]
    return pl.DataFrame(rows, schema={f"{i}": pl.String for i in range(width)}, orient="row")


def _line_numbers(starts: np.ndarray, newlines: np.ndarray | None) -> np.ndarray:
    """The line, from 1, at which each row starts; rows span several lines where line ends are quoted."""
    if newlines is None:
        return np.arange(1, starts.size + 1, dtype=np.int64)
    return (np.searchsorted(newlines, starts) + 1).astype(np.int64)


# -- JSON and Parquet ----------------------------------------------------------------------------------------------


def _json(data: bytes, path: Path) -> RawTable:
    """A JSON object per line, or one list of objects."""
    if data.lstrip()[:1] == b"[":
        objects, bad, total = _json_list(data, path)
        places = np.arange(1, total + 1, dtype=np.int64)
        unit = "row"
    else:
        lines = data.split(b"\n")
        filled = np.array([i for i, line in enumerate(lines) if line.strip()], np.int64)
        objects, bad = _parse_objects([lines[i] for i in filled])
        places, total, unit = filled + 1, filled.size, "line"
    problems = listed(f"{path.name} {unit}", places[list(bad)], lambda i: list(bad.values())[i], len(bad))
    _refuse_spoilt(path, len(bad), total, problems)
    keep = np.array([i for i in range(total) if i not in bad], np.int64)
    columns: dict[str, list[Any]] = {str(name): [] for row in objects for name in row}
    for row in objects:
        for name, column in columns.items():
            column.append(row.get(name))
    frame = pl.DataFrame([plain_series(name, values) for name, values in columns.items()])
    return RawTable(frame, path.name, unit, places[keep], keep, problems)


def _parse_objects(lines: list[bytes]) -> tuple[list[dict[str, Any]], dict[int, str]]:
    objects, bad = [], {}
    for i, line in enumerate(lines):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            bad[i] = "not JSON"
            continue
        if isinstance(value, dict):
            objects.append(value)
        else:
            bad[i] = "not a JSON object"
    return objects, bad


def _json_list(data: bytes, path: Path) -> tuple[list[dict[str, Any]], dict[int, str], int]:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}.", "Give a JSON object per line, or a list of objects.") from None
    bad = {i: "not a JSON object" for i, v in enumerate(values) if not isinstance(v, dict)}
    return [v for v in values if isinstance(v, dict)], bad, len(values)


def plain_series(name: str, values: list[Any]) -> pl.Series:
    """A column of plain values: booleans, integers, floats or text; mixed ones become text, nested ones JSON text."""
    kinds = {type(v) for v in values if v is not None}
    if kinds <= {bool}:
        return pl.Series(name, values, pl.Boolean if kinds else pl.String)
    if kinds == {int} and all(v is None or -(1 << 63) <= v < 1 << 63 for v in values):
        return pl.Series(name, values, pl.Int64)
    if kinds <= {int, float}:
        return pl.Series(name, [None if v is None else _float(v) for v in values], pl.Float64)
    return pl.Series(name, [None if v is None else as_text(v) for v in values], pl.String)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def as_text(value: Any) -> str:
    """Any value as text; nested ones as JSON."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json.dumps(value, default=str, ensure_ascii=True) if isinstance(value, dict | list) else str(value)


def _parquet(data: bytes, path: Path) -> RawTable:
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, OSError) as error:
        reason = re.sub(r"\s+", " ", str(error))[:120]
        raise DataError(f"{path} is a broken Parquet file: {reason}.", "Write or download it again.") from None
    return typed(frame, path.name)


# -- corrupt rows --------------------------------------------------------------------------------------------------


def listed(where: str, places: np.ndarray, why: Callable[[int], str], count: int) -> tuple[Problem, ...]:
    """A Problem per corrupt row: the first `LISTED` ones, then one for all the others."""
    shown = tuple(Problem(f"{where} {places[i]}", why(i)) for i in range(min(count, LISTED)))
    return shown if count <= LISTED else (*shown, Problem(where, f"{count - LISTED:,} more corrupt rows"))


def _refuse_spoilt(path: Path, bad: int, total: int, problems: tuple[Problem, ...]) -> None:
    if total and bad > MOST_CORRUPT * total:
        first = problems[0]
        raise DataError(
            f"{path}: {bad:,} of {total:,} rows are corrupt (first: {first.where}: {first.why}).",
            f"Up to {MOST_CORRUPT:.0%} would be skipped. Check its separators and quotes.",
        )


def counted(count: int, what: str) -> str:
    """ "1 row", "2,000 rows"."""
    return f"{count:,} {what}{'s' * (count != 1)}"
