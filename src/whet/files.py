"""Files that survive: written whole or not at all, appended and synced, checked on the way back."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from whet.errors import OutputError


@contextlib.contextmanager
def saying_where(path: Path, elsewhere: str = "Choose another folder with --out.") -> Iterator[None]:
    """Turns the system's "no space", "no permission" and the like into one clear OutputError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            why, step = "the disk is full", "Free some space and start the same command again: it goes on."
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            why, step = "there is no permission to write there", elsewhere
        elif error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
            why, step = "a file and a folder have the same name there", elsewhere
        elif error.errno in (errno.ENOENT, errno.ENAMETOOLONG, errno.EINVAL):
            why, step = "there can be nothing of that name", elsewhere
        else:
            raise
        raise OutputError(f"Can't write {path}: {why}.", step) from error


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes its name only when it is complete and synced; on an error nothing is left."""
    with saying_where(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                Path(name).chmod(0o666 & ~_umask())  # mkstemp's own mode lets nobody else read it
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise
        sync_folder(path.parent)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: Path, data: bytes) -> None:
    with atomic(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """JSON that every reader accepts: NaN and infinity become null."""
    write_text(path, json.dumps(finite(value), indent=2, allow_nan=False) + "\n")


def append_line(path: Path, value: Any, sync: bool = True) -> None:
    """Append one JSON line and sync it. A torn last line, left by a killed process, is cut off first."""
    with saying_where(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+b") as file:
            _cut_torn_line(file)
            file.write(json.dumps(finite(value), allow_nan=False).encode() + b"\n")
            file.flush()
            if sync:
                os.fsync(file.fileno())


def mend(path: Path) -> None:
    """Cut a torn last line off, if there is one: who reads the file now sees what the next append would leave."""
    if path.exists():
        with saying_where(path), open(path, "a+b") as file:
            _cut_torn_line(file)


def _cut_torn_line(file: IO[bytes]) -> None:
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return
    file.seek(end - 1)
    if file.read(1) == b"\n":
        return
    found = -1
    while end and found < 0:  # a block at a time, from the end
        start = max(0, end - (1 << 20))
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        end = start + found + 1
    file.truncate(end)
    file.seek(0, os.SEEK_END)


def finite(value: Any) -> Any:
    """`value` with None for every NaN and infinity in it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return value


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable; a no-op where folders can't be synced (Windows)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path, chunk: int = 1 << 20) -> str:
    """The hexadecimal checksum of a file's content."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(chunk):
            digest.update(block)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where decoded images and measured plans are kept: $WHET_CACHE, else the user's cache folder."""
    if given := os.environ.get("WHET_CACHE"):
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "whet"
