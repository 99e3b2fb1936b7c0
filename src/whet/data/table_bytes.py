"""The bytes of a table's file, unpacked, and as UTF-8."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import numpy as np

from whet.errors import DataError

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


def ending(path: Path) -> str:
    """The file's ending in lower case, without .gz."""
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes = suffixes[:-1]
    return suffixes[-1] if suffixes else ""


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
