"""Decoded and resized images, kept as memory-mapped uint8 .npy files that are named by their content.

A file appears whole or not at all, is written block by block (memory stays flat), and is opened as a read-only map.
When the cache folder can't be written the images go to a temporary folder for this process, and in the last resort
into memory; which of the three it was is said. The files used least recently are removed above `LIMIT`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from whet import files
from whet.errors import OutputError

LIMIT = 20 << 30
"""Bytes that decoded images may take in the cache folder; $WHET_CACHE_GIB changes it."""
HEADER = 128
"""Bytes of a .npy header as written here; fixed, so that the number of rows can be filled in at the end."""
SPARE = 1 << 26
"""Bytes of the disk that are left free."""

Blocks = Callable[[dict[str, Any]], Iterator[np.ndarray]]
"""Yields uint8 (k, *row) blocks, in order; puts what else is worth keeping into the JSON-able dict that it is given."""


@dataclass(frozen=True)
class Entry:
    """A decoded source."""

    x: np.ndarray
    """uint8 (n, *row); a read-only memory map unless it had to be kept in memory."""
    notes: dict[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()


def entry(key: str, row: tuple[int, ...], n_most: int, blocks: Blocks) -> Entry:
    """The decoded source named `key`: opened if it is there, else made from at most `n_most` rows of `blocks`."""
    found = find(key)
    return found or _make(key, row, n_most, blocks)


def folder() -> Path:
    return files.cache_folder() / "images"


def find(key: str) -> Entry | None:
    """The entry of that key; None where there is none, or a damaged one."""
    for place in (folder(), _temporary() if _temporary.cache_info().currsize else None):
        if place is not None and (found := _open(place, key)):
            return found
    return None


def _open(place: Path, key: str) -> Entry | None:
    try:
        path = place / f"{key}.npy"
        notes = json.loads((place / f"{key}.json").read_bytes())
        x = np.load(path, mmap_mode="r", allow_pickle=False)
        if x.dtype != np.uint8 or path.stat().st_size != HEADER + x.size:
            return None
    except (OSError, ValueError):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # used now: the trimming goes by this
    return Entry(x, notes)


def _make(key: str, row: tuple[int, ...], n_most: int, blocks: Blocks) -> Entry:
    need = HEADER + n_most * int(np.prod(row))
    said: tuple[str, ...] = ()
    for place in (folder, _temporary):
        try:
            made = _write(place(), key, row, need, blocks)
        except (OutputError, OSError) as error:
            why = error.what if isinstance(error, OutputError) else str(error)
            said = (*said, why)
            continue
        if place is folder:
            trim(keep=key)
            return made
        return Entry(made.x, made.notes, (f"{said[0]} The images are kept in {place()} for this run only.",))
    notes: dict[str, Any] = {}
    x = np.concatenate([np.empty((0, *row), np.uint8), *blocks(notes)])
    return Entry(x, notes, (f"{said[0]} The images are kept in memory ({need >> 20} MiB).",))


def _write(place: Path, key: str, row: tuple[int, ...], need: int, blocks: Blocks) -> Entry:
    with files.saying_where(place):
        place.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(place).free
    if free < need + SPARE:
        raise OutputError(f"The cache {place} needs {need >> 20} MiB and its disk has {free >> 20} MiB free.")
    notes: dict[str, Any] = {}
    n = 0
    with files.atomic(place / f"{key}.npy") as file:
        file.write(_header(0, row))
        for block in blocks(notes):
            assert block.dtype == np.uint8, block.dtype
            assert block.shape[1:] == row, (block.shape, row)
            file.write(np.ascontiguousarray(block).data)
            n += len(block)
        file.seek(0)
        file.write(_header(n, row))
    files.write_text(place / f"{key}.json", json.dumps(notes))
    made = _open(place, key)
    if made is None:
        raise OutputError(f"The cache {place} doesn't keep what is written.")
    return made


def _header(n: int, row: tuple[int, ...]) -> bytes:
    """A .npy header (version 1.0) padded to `HEADER` bytes."""
    text = repr({"descr": "|u1", "fortran_order": False, "shape": (n, *row)})
    return b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little") + f"{text:<{HEADER - 11}}\n".encode()


def scratch_folders() -> Iterator[Path]:
    """Where something large may lie as long as this process lives: the cache, else a temporary folder."""
    yield folder()
    yield _temporary()


@cache
def _temporary() -> Path:
    """A folder for this process, removed when it ends."""
    place = Path(tempfile.mkdtemp(prefix="whet-images-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place


def limit() -> int:
    """Bytes that the cache may take."""
    try:
        return int(float(os.environ["WHET_CACHE_GIB"]) * (1 << 30))
    except (KeyError, ValueError):
        return LIMIT


def trim(keep: str) -> None:
    """Remove the entries used least recently until the rest, `keep` included, takes at most `limit()`."""
    with contextlib.suppress(OSError):
        found = [(path.stat().st_mtime, path.stat().st_size, path) for path in folder().glob("*.npy")]
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= limit():
                return
            if path.stem != keep:
                total -= size
                path.with_suffix(".json").unlink(missing_ok=True)
                path.unlink(missing_ok=True)


# -- what a set of files is called ---------------------------------------------------------------------------------


def remembered(stamp: str) -> str | None:
    """The content key that files with this stamp (names, sizes, times) had when they were last read."""
    try:
        return str(json.loads((folder() / f"{stamp}.key").read_bytes())["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(stamp: str, key: str) -> None:
    """Note the content key of files with this stamp. A cache that can't be written remembers nothing."""
    with contextlib.suppress(OutputError, OSError):
        files.write_text(folder() / f"{stamp}.key", json.dumps({"key": key}))
