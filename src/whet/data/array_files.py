"""Files of arrays: .npz, and IDX as MNIST has it. Pictures in them go to the cache as uint8."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.lib import format as npy
from numpy.lib.npyio import NpzFile

from whet.data import cache, labels, pictures
from whet.data.arrays import Pair, Scale, assembled, check_pairs, is_picture, pixels_of
from whet.data.core import Data
from whet.errors import DataError

CHUNK_BYTES = 1 << 20
SMALL = 1 << 22
"""Bytes up to which an array is simply read into memory."""
NPZ_NAMES = (("x", "y"), ("data", "target"), ("images", "labels"), ("features", "labels"), ("image", "label"))
"""What the arrays of inputs and targets may be called, without a part's name."""
NPZ_PARTS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
NPZ_LIKE = "Save it with numpy.savez(file, x=…, y=…)."
IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
IDX_PARTS = {"train": "train", "t10k": "test", "test": "test", "val": "val", "valid": "val", "validation": "val"}


# -- .npz ----------------------------------------------------------------------------------------------------------


def read_npz(path: Path) -> Mapping[str, np.ndarray]:
    """The arrays of an .npz file, read when asked for. Objects in it are refused: unpickling can run code."""
    try:
        if not zipfile.is_zipfile(path):  # numpy would leave the file open
            raise DataError(f"{path} is no .npz file, or an incomplete one.", NPZ_LIKE)
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} can't be read as an .npz file: {_line(error)}.", NPZ_LIKE) from None


def member(npz: Mapping[str, np.ndarray], name: str, path: Path) -> np.ndarray:
    """One array of an .npz file. Raises DataError for objects and damaged content."""
    try:
        return _streamed(npz, name) if isinstance(npz, NpzFile) else npz[name]
    except MemoryError:
        raise DataError(f"{name!r} in {path} needs more memory than there is.", "Use a folder of pictures.") from None
    except Exception as error:
        why = "it holds Python objects, which can run code" if "allow_pickle" in str(error) else _line(error)
        raise DataError(f"{name!r} in {path} can't be loaded: {why}.", "Save plain numbers or text.") from None


def _streamed(npz: NpzFile, name: str) -> np.ndarray:
    """A large array unpacked onto the disk rather than into memory; what is no plain numbers as numpy reads it."""
    archive = npz.zip
    assert archive is not None
    with archive.open(name if name in archive.namelist() else f"{name}.npy") as file:
        head = _npy_head(file)
        return npz[name] if head is None else laid_out(file, *head)


def _npy_head(file: IO[bytes]) -> tuple[np.dtype, tuple[int, ...]] | None:
    """Type and shape of an .npy file's plain numbers in C order, which follow; None for anything else."""
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    reader = readers.get(npy.read_magic(file))
    shape, columns_first, kind = reader(file) if reader else ((), True, np.dtype(float))
    return None if columns_first or kind.hasobject else (kind, shape)


def laid_out(file: IO[bytes], kind: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """The rest of a file as an array; a large one is mapped from a nameless file, beside the cache if that can be.

    Raises EOFError where the file ends early.
    """
    start, size = file.tell(), int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    for place in cache.scratch_folders() if size > SMALL else ():
        with contextlib.suppress(OSError):
            file.seek(start)
            return _mapped(file, kind, shape, place)
    file.seek(start)
    raw = file.read(size)
    file.read()  # to the end, where an archive compares its checksum
    check_size(len(raw), kind, shape)
    return np.frombuffer(raw, kind).reshape(shape)


def _mapped(file: IO[bytes], kind: np.dtype, shape: tuple[int, ...], place: Path) -> np.ndarray:
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=place) as spool:
        shutil.copyfileobj(file, spool, CHUNK_BYTES)
        check_size(spool.tell(), kind, shape)
        spool.flush()
        return np.memmap(spool, kind, "r", shape=shape)


def check_size(found: int, kind: np.dtype, shape: tuple[int, ...]) -> None:
    """Raises EOFError where there are fewer bytes than the array needs."""
    row = int(np.prod(shape[1:], dtype=np.int64)) * kind.itemsize
    if found < row * int(np.prod(shape[:1])):
        raise EOFError(f"it promises {shape[0]} rows and ends after {found // max(1, row)}")


def _line(error: Exception) -> str:
    if "allow_pickle" in str(error):
        return "it is no archive of arrays"
    return (" ".join(str(error).split())[:120] or type(error).__name__).rstrip(".")


def npz_names(names: Sequence[str], path: Path) -> dict[str, tuple[str, str]]:
    """part -> (name of x, name of y); the part is "" where there is one pair. Raises DataError if there is none."""
    lower = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in names}
    for x, y in NPZ_NAMES:
        found = {
            part: (lower[x + alias], lower[y + alias])
            for part, aliases in NPZ_PARTS.items()
            for alias in aliases
            if x + alias in lower and y + alias in lower
        }
        found |= {
            part: (lower[alias + x], lower[alias + y])
            for part, aliases in NPZ_PARTS.items()
            for alias in aliases
            if alias + x in lower and alias + y in lower
        }
        if "train" in found:
            return found
        if x in lower and y in lower:
            return {"": (lower[x], lower[y])}
    raise DataError(f"{path} holds {labels.listed(list(names))}, and no x and y.", f"{NPZ_LIKE} Or x_train, y_train, …")


def load_npz(path: Path, *, task: str | None = None, check: bool = True) -> Data | dict[str, Pair]:
    """Pictures as `Data`; where x is a table, the pairs by part for the tables' own loader."""
    npz = read_npz(path)
    chosen = npz_names(list(npz), path)
    key = hashlib.sha256(f"npz {pictures.VERSION}".encode() + pictures.files_digest([path])).hexdigest()[:40]
    ys = {part: member(npz, y, path) for part, (_, y) in chosen.items()}
    found = cache.find(key)
    if found is None:
        pairs = {part: (member(npz, x, path), ys[part]) for part, (x, _) in chosen.items()}
        if not all(is_picture(x) for x, _ in pairs.values()):
            return pairs
        check_pairs(pairs)
        found = store(key, {part: x for part, (x, _) in pairs.items()})
    return stored(path.stem, found, ys, key, task, check=check)


def store(key: str, parts: Mapping[str, np.ndarray]) -> cache.Entry:
    """The pictures as uint8 in the cache."""
    pixels = pixels_of(parts)

    def blocks(notes: dict[str, Any]) -> Iterator[np.ndarray]:
        notes.update(scale=[pixels.scale.black, pixels.scale.white], said=pixels.said())
        return pixels.blocks()

    return cache.entry(key, pixels.row, len(pixels), blocks)


def stored(
    name: str,
    entry: cache.Entry,
    ys: Mapping[str, np.ndarray],
    key: str,
    task: str | None,
    names: Sequence[str] = (),
    check: bool = True,
) -> Data:
    """`Data` of a cached set of pictures."""
    said = [*entry.notes.get("said", []), *entry.said]
    return assembled(name, entry.x, ys, key, task, said, Scale(*entry.notes["scale"]), names, check)


# -- IDX -----------------------------------------------------------------------------------------------------------


def is_idx_name(name: str) -> bool:
    return re.search(r"(idx[1-4]|-ubyte)(\.gz)?$", name.lower()) is not None


def idx_pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    """part -> (pictures, labels) of the IDX files in a folder. Raises DataError where they don't pair up."""
    names = sorted(p.name for p in folder.iterdir() if is_idx_name(p.name) and p.is_file())
    found: dict[str, tuple[Path, Path]] = {}
    for name in names:
        if "label" in name.lower():
            continue
        stem = re.split(r"[-_.]?(images?|idx)", name.lower())[0]
        mates = [n for n in names if "label" in n.lower() and re.split(r"[-_.]?labels?", n.lower())[0] == stem]
        if not mates:
            raise DataError(f"{folder / name} has no labels beside it.", f"Put {stem}-labels-idx1-ubyte there.")
        part = next((IDX_PARTS[word] for word in re.split(r"[-_.]", stem) if word in IDX_PARTS), "")
        if part in found and found[part][0].name.removesuffix(".gz") != name.removesuffix(".gz"):
            raise DataError(f"{folder} holds several sets: {found[part][0].name} and {name}.", "Keep one of them.")
        found[part] = (folder / name, folder / mates[0])
    if not found:
        raise DataError(f"{folder} holds labels and no pictures: {labels.listed(names)}.", "Add the pictures' file.")
    order = ("train", "val", "test", "")
    return {part: found[part] for part in sorted(found, key=order.index)}


def read_idx(path: Path) -> np.ndarray:
    """An IDX file as an array, gzipped or not."""
    try:
        with _open(path) as file:
            return laid_out(file, *_idx_head(file, path))
    except (OSError, EOFError, MemoryError, OverflowError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise DataError(f"{path} can't be read: {_line(error)}.", "It may be damaged or incomplete.") from None


def _open(path: Path) -> IO[bytes]:
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path, "rb")) if zipped else open(path, "rb")


def _idx_head(file: IO[bytes], path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in IDX_TYPES or not 1 <= magic[3] <= 4:
        raise DataError(f"{path} is no IDX file: it begins with {magic.hex() or 'nothing'}.", "Look at the file.")
    raw = file.read(4 * magic[3])
    if len(raw) < 4 * magic[3]:
        raise DataError(f"{path} ends within its header.", "It is incomplete.")
    return np.dtype(IDX_TYPES[magic[2]]), tuple(int(n) for n in np.frombuffer(raw, ">u4"))


def load_idx(source: Path, *, task: str | None = None, check: bool = True) -> Data | dict[str, Pair]:
    """A folder of IDX files, or the pair that one of them belongs to, as `Data`."""
    pairs = idx_pairs(source if source.is_dir() else source.parent)
    if source.is_file():
        pairs = {"": next(pair for pair in pairs.values() if source in pair)}
    name = (source if source.is_dir() else source.parent).resolve().name
    ys = {part: read_idx(y).astype(np.int64) for part, (_, y) in pairs.items()}
    files = [x for x, _ in pairs.values()]
    key = hashlib.sha256(f"idx {pictures.VERSION}".encode() + pictures.files_digest(files)).hexdigest()[:40]
    found = cache.find(key)
    if found is None:
        xs = {part: read_idx(x) for part, (x, _) in pairs.items()}
        if not all(is_picture(x) for x in xs.values()):
            return {part: (x.reshape(len(x), -1), ys[part]) for part, x in xs.items()}
        check_pairs({part: (x, ys[part]) for part, x in xs.items()})
        found = store(key, {part: _native(x) for part, x in xs.items()})
    return stored(name, found, ys, key, task, class_names(source if source.is_dir() else source.parent), check)


def _native(x: np.ndarray) -> np.ndarray:
    return x if x.dtype.itemsize == 1 else x.astype(x.dtype.newbyteorder("="))


def class_names(folder: Path) -> list[str]:
    """The lines of classes.txt, if the folder has it."""
    file = folder / "classes.txt"
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return [labels.printable(line.strip()) for line in lines if line.strip()]
