"""Arrays as data: numpy pairs, .npz and IDX files, torch Datasets. Pictures where they have 3 or 4 axes."""

from __future__ import annotations

import gzip
import hashlib
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from whet.data import cache, labels, pictures
from whet.data.core import Data
from whet.data.decode import LONGEST_SIDE, common_size, white_for
from whet.errors import DataError

CHUNK_BYTES = 1 << 24
NPZ_NAMES = (("x", "y"), ("data", "target"), ("images", "labels"), ("features", "labels"), ("image", "label"))
"""What the arrays of inputs and targets may be called, without a part's name."""
NPZ_PARTS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
NPZ_LIKE = "Save it with numpy.savez(file, x=…, y=…)."
IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
IDX_PARTS = {"train": "train", "t10k": "test", "test": "test", "val": "val", "valid": "val", "validation": "val"}

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Scale:
    """Which values are black and white."""

    black: float
    white: float

    @property
    def trivial(self) -> bool:
        return (self.black, self.white) == (0.0, 255.0)


def is_picture(x: np.ndarray) -> bool:
    """Whether an array's shape and type are those of pictures: (n, h, w) or (n, h, w, c) or (n, c, h, w)."""
    return x.ndim in (3, 4) and x.dtype.kind in "uifb" and min(x.shape[1:]) >= 1


# -- pairs in memory -----------------------------------------------------------------------------------------------


def load_pairs(
    name: str,
    pairs: Mapping[str, Pair],
    *,
    task: str | None = None,
    channels_first: bool = False,
    scale: Scale | None = None,
    check: bool = True,
) -> Data:
    """Pictures in memory as `Data`. `pairs` is part -> (x, y), with "" for a source without parts."""
    ys = check_pairs(pairs)
    x, scale, said = as_uint8({part: x for part, (x, _) in pairs.items()}, channels_first, scale)
    return assembled(name, x, ys, pixels_digest(x), task, said, scale, check=check)


def check_pairs(pairs: Mapping[str, Pair]) -> dict[str, np.ndarray]:
    """The targets by part. Raises DataError where an x and its y differ in length."""
    for part, (x, y) in pairs.items():
        if len(x) != len(y):
            raise DataError(
                f"x{part and '_' + part} has {len(x)} examples and y{part and '_' + part} has {len(y)}.",
                "Give one target per example.",
            )
    return {part: np.asarray(y) for part, (_, y) in pairs.items()}


def assembled(
    name: str,
    x: np.ndarray,
    ys: Mapping[str, np.ndarray],
    key: str,
    task: str | None,
    said: Sequence[str] = (),
    scale: Scale | None = None,
    names: Sequence[str] = (),
    check: bool = True,
) -> Data:
    """`Data` of uint8 pictures whose parts lie one behind the other in the order of `ys`."""
    y, goal, classes, more = labels.encode(np.concatenate(list(ys.values())), labels.goal_for(task))
    if len(names) > max((int(c) for c in classes if c.isdecimal()), default=len(names)):
        classes = tuple(names[int(c)] for c in classes)
    parts = [part for part, of_part in ys.items() for _ in range(len(of_part))]
    official = pictures.official_of(parts if any(ys) else None)
    if goal == "classify" and check:
        labels.check_classes(y, classes, official)
    return Data(
        name=name,
        domain="image",
        x=x,
        y=y,
        goal=goal,
        classes=classes,
        target="label",
        official=official,
        said=(*said, *more),
        fingerprint=pictures.fingerprint(key, y, classes, official),
        origin={
            "sizes": {f"{x.shape[2]}x{x.shape[1]}": len(x)},
            "modes": {"grey" if x.shape[3] == 1 else "RGB": len(x)},
            **({} if scale is None or scale.trivial else {"scale": [scale.black, scale.white]}),
        },
    )


def pixels_digest(x: np.ndarray) -> str:
    """sha256 of an array's shape and bytes."""
    digest = hashlib.sha256(repr((x.shape, str(x.dtype))).encode())
    for block in in_chunks(x):
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()


def in_chunks(x: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of `x`, about `CHUNK_BYTES` at a time."""
    rows = max(1, CHUNK_BYTES // max(1, x[:1].nbytes))
    return (x[i : i + rows] for i in range(0, len(x), rows))


# -- any pixels -> uint8 (n, height, width, channels) --------------------------------------------------------------


def as_uint8(
    parts: Mapping[str, np.ndarray], channels_first: bool = False, scale: Scale | None = None
) -> tuple[np.ndarray, Scale, list[str]]:
    """(uint8 (n, height, width, 1 or 3), the scale of the values, what was done): the parts one behind the other.

    All parts are scaled as the first one is. Raises DataError for NaN, and for shapes that are no pictures.
    """
    shaped = [nhwc(x, channels_first) for x in parts.values()]
    shapes = sorted({x.shape[1:] for x in shaped})
    if len(shapes) > 1:
        raise DataError(f"The parts have pictures of several shapes: {shapes}.", "Bring them to one shape.")
    if 0 in shapes[0] or not sum(len(x) for x in shaped):
        raise DataError(f"The arrays hold no pictures: their shape is {shaped[0].shape}.", "Give one or more.")
    scale = scale or value_scale(shaped[0])
    done = [_fitting(to_uint8(x, scale)) for x in shaped]
    said = []
    if not scale.trivial:
        said.append(f"Pixel values from {scale.black:g} to {scale.white:g} are scaled to 0 to 255.")
    if done[0].shape[1:3] != shaped[0].shape[1:3]:
        said.append(f"The pictures are large: each is resized to {done[0].shape[2]} x {done[0].shape[1]}.")
    return done[0] if len(done) == 1 else np.concatenate(done), scale, said


def nhwc(x: np.ndarray, channels_first: bool = False) -> np.ndarray:
    """A view of the shape (n, height, width, channels), with 1, 3 or 4 channels."""
    if x.ndim == 3:
        return x[..., None]
    if x.ndim == 4:
        last, first = x.shape[3] in (1, 3, 4), x.shape[1] in (1, 3, 4)
        if first and (channels_first or not last):
            return x.transpose(0, 2, 3, 1)
        if last:
            return x
    raise DataError(
        f"An array of the shape {x.shape} is no set of pictures.",
        "Give (n, height, width), (n, height, width, channels) or (n, channels, height, width); channels: 1, 3 or 4.",
    )


def value_scale(x: np.ndarray) -> Scale:
    """Black and white from the values' type and range: 0 to 255 for uint8, else the smallest usual range that fits."""
    if x.dtype == np.uint8:
        return Scale(0.0, 255.0)
    low = min(float(block.min()) for block in in_chunks(x))
    high = max(float(block.max()) for block in in_chunks(x))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError("The pictures hold NaN or infinite values.", "Repair or remove them.")
    if low < 0:
        return Scale(-1.0, 1.0) if low >= -1 and high <= 1 else Scale(low, max(high, low + 1.0))
    return Scale(0.0, white_for(high) if high > 0 else 255.0)


def to_uint8(x: np.ndarray, scale: Scale) -> np.ndarray:
    """uint8 (n, height, width, 1 or 3); uint8 values are passed through as they are, alpha is laid on white."""
    if x.dtype == np.uint8 and scale.trivial and x.shape[3] != 4:
        return np.ascontiguousarray(x)
    out = np.empty((*x.shape[:3], 3 if x.shape[3] == 4 else x.shape[3]), np.uint8)
    start = 0
    for block in in_chunks(x):
        values = (block.astype(np.float32) - scale.black) * np.float32(255.0 / (scale.white - scale.black))
        if x.shape[3] == 4:
            alpha = values[..., 3:] / 255.0
            values = values[..., :3] * alpha + 255.0 * (1.0 - alpha)
        if not np.isfinite(values).all():
            raise DataError("The pictures hold NaN or infinite values.", "Repair or remove them.")
        out[start : start + len(block)] = np.clip(values + 0.5, 0.0, 255.0)
        start += len(block)
    return out


def _fitting(x: np.ndarray) -> np.ndarray:
    """`x`, made smaller where a side is longer than `LONGEST_SIDE`."""
    if max(x.shape[1:3]) <= LONGEST_SIDE:
        return x
    from whet.data.image_transform import resized

    return np.asarray(resized(x, common_size([(x.shape[2], x.shape[1])])))


def with_channels(x: np.ndarray, channels: int) -> np.ndarray:
    """uint8 pictures with 1 or 3 channels: grey is repeated, colour is weighed as ITU-R 601 does."""
    if x.shape[3] == channels:
        return x
    if channels == 3:
        return np.repeat(x, 3, axis=3)
    weights = np.asarray([0.299, 0.587, 0.114], np.float32)
    return np.concatenate([(block @ weights + 0.5).astype(np.uint8)[..., None] for block in in_chunks(x)])


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
        return npz[name]
    except MemoryError:
        raise DataError(f"{name!r} in {path} needs more memory than there is.", "Use a folder of pictures.") from None
    except Exception as error:
        why = "it holds Python objects, which can run code" if "allow_pickle" in str(error) else _line(error)
        raise DataError(f"{name!r} in {path} can't be loaded: {why}.", "Save plain numbers or text.") from None


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
    x, scale, said = as_uint8(parts)

    def blocks(notes: dict[str, Any]) -> Iterator[np.ndarray]:
        notes.update(scale=[scale.black, scale.white], said=said)
        return in_chunks(x)

    return cache.entry(key, x.shape[1:], len(x), blocks)


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


def read_idx(path: Path, most: int | None = None) -> np.ndarray:
    """An IDX file as an array, gzipped or not; at most `most` rows of it."""
    try:
        with _open(path) as file:
            kind, shape = _idx_head(file, path)
            rows = shape[0] if most is None else min(most, shape[0])
            size = int(np.prod(shape[1:], dtype=np.int64)) * kind.itemsize
            raw = file.read(rows * size)
    except (OSError, EOFError, MemoryError, OverflowError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise DataError(f"{path} can't be read: {_line(error)}.", "It may be damaged or incomplete.") from None
    if len(raw) < rows * size:
        raise DataError(f"{path} promises {rows} rows and ends after {len(raw) // max(1, size)}.", "It is incomplete.")
    return np.frombuffer(raw, kind).reshape(rows, *shape[1:])


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


# -- torch ---------------------------------------------------------------------------------------------------------


def is_torch_data(source: Any) -> bool:
    """Whether this is a torch Dataset or DataLoader; torch is not imported to find out."""
    if "torch" not in sys.modules:
        return False
    from torch.utils.data import DataLoader, Dataset

    return isinstance(source, Dataset | DataLoader)


def from_torch(source: Any) -> Pair:
    """(x, y) of all the items of a torch Dataset, or of a DataLoader's dataset; x has the items' shape."""
    dataset = getattr(source, "dataset", source) if type(source).__module__.startswith("torch.utils.data") else source
    tensors = getattr(dataset, "tensors", None)
    if isinstance(tensors, tuple) and len(tensors) == 2 and type(dataset).__name__ == "TensorDataset":
        return as_array(tensors[0]), as_array(tensors[1])
    items = (dataset[i] for i in range(len(dataset))) if hasattr(dataset, "__len__") else iter(dataset)
    xs, ys = [], []
    for item in items:
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise DataError(f"The dataset gives a {type(item).__name__} per item.", "Let it give pairs (x, y).")
        xs.append(as_array(item[0]))
        ys.append(as_array(item[1]))
    shapes = sorted({x.shape for x in xs})
    if len(shapes) != 1:
        raise DataError(f"The dataset's items have {len(shapes)} shapes: {shapes[:4]}.", "Let them have one shape.")
    return np.stack(xs), np.stack(ys)


def as_array(value: Any) -> np.ndarray:
    """A numpy array of a tensor, a PIL picture, a list, …; on the CPU, without gradients."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":
            value = value.float()
        return np.asarray(value.numpy())
    return np.asarray(value)
