"""CSV and its kin as frames of text: separator, quotes and header are worked out, and rows that don't fit are left out."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from whet.data.raw import RawTable, listed, refuse_spoilt, unique_names
from whet.data.table_bytes import as_utf8, ending
from whet.errors import DataError

SEPARATORS = (",", ";", "\t", "|")
_NOTHING = "\0nothing"


@dataclass(frozen=True)
class _Rows:
    """Where the rows of a text lie: byte positions and the number of fields of each."""

    starts: np.ndarray
    ends: np.ndarray
    """Without the line end."""
    widths: np.ndarray
    torn: bool
    """Whether a quote was still open at the end."""


def read_separated(data: bytes, path: Path) -> RawTable:
    """The rows as text. Raises DataError where there is none, or too many are corrupt."""
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
    refuse_spoilt(path, bad.size, keep.size + bad.size, problems)
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
