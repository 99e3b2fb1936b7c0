"""Arrays as data: numpy pairs and torch Datasets. Pictures where they have 3 or 4 axes."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whet.data import labels, pictures
from whet.data.core import Data
from whet.data.decode import LONGEST_SIDE, common_size, white_for
from whet.errors import DataError

CHUNK_BYTES = 1 << 24

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
    pixels = pixels_of({part: x for part, (x, _) in pairs.items()}, channels_first, scale)
    x = as_uint8(pixels)
    return assembled(name, x, ys, pixels_digest(x), task, pixels.said(), pixels.scale, check=check)


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
        findings=labels.alike(classes),
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


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pictures on their way to uint8: parts (n, height, width, channels) of one shape, one behind the other."""

    parts: tuple[np.ndarray, ...]
    scale: Scale
    size: tuple[int, int]
    """(height, width) that comes out."""

    def __len__(self) -> int:
        return sum(len(x) for x in self.parts)

    @property
    def row(self) -> tuple[int, int, int]:
        """The shape of a picture that comes out."""
        channels = self.parts[0].shape[3]
        return (*self.size, 3 if channels == 4 else channels)

    def blocks(self) -> Iterator[np.ndarray]:
        """The pictures as uint8 (k, *row), in order; memory holds one block at a time."""
        from whet.data.image_transform import resized

        return (resized(to_uint8(block, self.scale), self.size) for x in self.parts for block in in_chunks(x))

    def said(self) -> list[str]:
        """What is done to them."""
        done = []
        if not self.scale.trivial:
            done.append(f"Pixel values from {self.scale.black:g} to {self.scale.white:g} are scaled to 0 to 255.")
        if self.size != self.parts[0].shape[1:3]:
            done.append(f"The pictures are large: each is resized to {self.size[1]} x {self.size[0]}.")
        return done


def pixels_of(parts: Mapping[str, np.ndarray], channels_first: bool = False, scale: Scale | None = None) -> Pixels:
    """The parts' pictures; all are scaled as the first part is. Raises DataError for shapes that are no pictures."""
    shaped = tuple(nhwc(x, channels_first) for x in parts.values())
    shapes = sorted({x.shape[1:] for x in shaped})
    if len(shapes) > 1:
        raise DataError(f"The parts have pictures of several shapes: {shapes}.", "Bring them to one shape.")
    if 0 in shapes[0] or not sum(len(x) for x in shaped):
        raise DataError(f"The arrays hold no pictures: their shape is {shaped[0].shape}.", "Give one or more.")
    height, width = (int(n) for n in shapes[0][:2])
    size = common_size([(width, height)]) if max(height, width) > LONGEST_SIDE else (height, width)
    return Pixels(shaped, scale or value_scale(shaped[0]), size)


def as_uint8(pixels: Pixels) -> np.ndarray:
    """uint8 (n, height, width, 1 or 3) in memory; a single part that is all right already is given back as it is."""
    x = pixels.parts[0]
    if len(pixels.parts) == 1 and x.shape[1:] == pixels.row and x.dtype == np.uint8 and pixels.scale.trivial:
        return np.ascontiguousarray(x)
    return np.concatenate(list(pixels.blocks()))


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


def with_channels(x: np.ndarray, channels: int) -> np.ndarray:
    """uint8 pictures with 1 or 3 channels: grey is repeated, colour is weighed as ITU-R 601 does."""
    if x.shape[3] == channels:
        return x
    if channels == 3:
        return np.repeat(x, 3, axis=3)
    weights = np.asarray([0.299, 0.587, 0.114], np.float32)
    return np.concatenate([(block @ weights + 0.5).astype(np.uint8)[..., None] for block in in_chunks(x)])


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
