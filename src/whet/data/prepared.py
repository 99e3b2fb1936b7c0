"""Raw data and its split, made into what batches are cut from. Everything that is fitted is fitted on training rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from whet import files
from whet.data import cache
from whet.data.core import Data
from whet.data.image_transform import ImageTransform, as_tensor, resized, resized_blocks
from whet.data.judge import Judge
from whet.data.transforms import TableTransform, TargetScale
from whet.data.units import Units

T = TypeVar("T")
RESIZING = "resized 1"
"""Of the cache's resized images; a change of what pixels come out must change it."""


class Transform(Protocol):
    """Raw rows -> inputs. What it knows was fitted on training rows; nothing that it meets later changes it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example."""

    def apply(self, x: Any) -> tuple[Tensor, ...]:
        """Inputs, rows first, of raw rows as `Data.x` has them."""

    def pieces(self, x: Any) -> Iterator[tuple[Tensor, ...]]:
        """The same, so many rows at a time that they never fill the memory."""

    def spec(self) -> dict[str, Any]:
        """What a network's `InputSpec` says of the inputs: domain, shape, …"""

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        """Random inputs by name, of the right shapes, types and ranges: what an export is tried on."""

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and texts; the field's `transform_from` reads it."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Tensors of the rows that training may see, and the fitted transforms."""

    domain: str
    inputs: tuple[Tensor, ...]
    """Rows first. image: one uint8 (n, height, width, channels); table: float32 (n, F) and int64 (n, K)."""
    target: Tensor
    """Rows first. (n,) int64 class index, or the float32 value standardised with `scale`."""
    raw_target: np.ndarray
    """The same in the target's own units; or what else a goal's metrics compare with, made of arrays (see `Truth`)."""
    rows: Mapping[str, Tensor]
    """"train" and "val" -> indices into the above. Of pictures the above holds all rows, mapped from the disk; the test
    rows are not named here and are opened once, at the end."""
    transform: Transform
    scale: TargetScale | Units | Judge | None = None
    """How outputs become what was asked for; None: they are logits of classes."""
    said: tuple[str, ...] = ()
    """What went another way than planned, to be printed."""
    _once: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    def once(self, name: Hashable, make: Callable[[], T]) -> T:
        """What `make` finds of these rows, under this name: it is asked once in a process, for all networks."""
        if name not in self._once:
            self._once[name] = make()
        found: T = self._once[name]
        return found

    def save(self, folder: Path) -> None:
        """Write everything for other processes; see `Prepared.load`."""
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*.npy"):  # by a killed process; it may share its content with the cache
            left.unlink()
        arrays = {f"input{i}": x.numpy() for i, x in enumerate(self.inputs) if not linked(x, folder / f"input{i}.npy")}
        truth = {"": self.raw_target} if isinstance(self.raw_target, np.ndarray) else self.raw_target.arrays()
        arrays |= {"target": self.target.numpy(), **{f"raw_target{name}": array for name, array in truth.items()}}
        arrays |= {f"rows_{name}": rows.numpy() for name, rows in self.rows.items()}
        windows = {name: layout for name, array in arrays.items() if (layout := overlapping(array))}
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", spanned(array) if name in windows else array, allow_pickle=False)
        scale = self.scale.to_dict() if self.scale else None
        meta = {
            "domain": self.domain,
            "inputs": len(self.inputs),
            "transform": self.transform.to_dict(),
            "scale": scale,
            "truth": list(truth),
            "windows": windows,
        }
        files.write_json(folder / "prepared.json", meta)

    @classmethod
    def load(cls, folder: Path, transform_from: Callable[[str, Mapping[str, Any]], Transform]) -> Prepared:
        """What `save` wrote, mapped from the disk: processes share its memory.

        `transform_from`: (domain, what a transform's `to_dict` wrote) -> the transform.
        """
        meta = json.loads((folder / "prepared.json").read_text())

        def plain(name: str) -> np.ndarray:
            found: np.ndarray = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            shape, strides = meta["windows"].get(name, (None, None))
            return found if shape is None else np.lib.stride_tricks.as_strided(found, shape, strides)

        def array(name: str) -> Tensor:
            return as_tensor(plain(name))

        transform = transform_from(meta["domain"], meta["transform"])
        truth = {name: plain(f"raw_target{name}") for name in meta["truth"]}
        return cls(
            domain=meta["domain"],
            inputs=tuple(array(f"input{i}") for i in range(meta["inputs"])),
            target=array("target"),
            raw_target=truth[""] if "" in truth else transform.truth(truth),  # type: ignore[attr-defined]
            rows={name: array(f"rows_{name}") for name in ("train", "val")},
            transform=transform,
            scale=scale_from(meta["scale"]),
        )

    @property
    def n_train(self) -> int:
        return len(self.rows["train"])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example, as a network takes it: (C, H, W), (F,), …"""
        return self.transform.shape


class Truth(Protocol):
    """What a goal's metrics compare predictions with, where that is more than one array; the field's transform has a
    method `truth` that makes it of the same arrays."""

    def arrays(self) -> dict[str, np.ndarray]: ...
    def __getitem__(self, rows: Any) -> Any: ...
    def __len__(self) -> int: ...


def overlapping(array: np.ndarray) -> tuple[list[int], list[int]] | None:
    """(shape, strides in bytes) of a view of windows that share their memory; None for an array without such."""
    low, high = np.lib.array_utils.byte_bounds(array)
    return (list(array.shape), list(array.strides)) if array.nbytes > high - low else None


def spanned(array: np.ndarray) -> np.ndarray:
    """The memory that such a view lies in, from its first element on, (n,)."""
    low, high = np.lib.array_utils.byte_bounds(array)
    return np.lib.stride_tricks.as_strided(array, ((high - low) // array.itemsize,), (array.itemsize,))


def scale_from(state: Mapping[str, Any] | None) -> TargetScale | Units | Judge | None:
    """What `to_dict` of one of them wrote; None for None."""
    if not state:
        return None
    if "judge" in state:
        return Judge.from_dict(state)
    return Units.from_dict(state) if "names" in state else TargetScale.from_dict(state)


def linked(x: Tensor, path: Path) -> bool:
    """Give the file that a tensor is mapped from a second name; False where it is no whole .npy file, or can't be done."""
    file = getattr(x, "file", None)
    if file is None:
        return False
    try:
        if file.stat().st_size != cache.HEADER + x.nbytes:
            return False
        path.hardlink_to(file)
    except OSError:  # another disk
        return False
    return True


def prepare(data: Data, parts: Mapping[str, np.ndarray], size: tuple[int, int] | None = None) -> Prepared:
    """Fit the transforms on the training rows, and apply them to the training and validation rows.

    `size`: (height, width) to which images are made smaller; None: as they are.
    """
    train, val = parts["train"], parts["val"]
    scale = TargetScale.fit(data.y[train]) if data.goal == "regress" else None
    if data.domain == "image":
        transform = ImageTransform.fit(data.x, train, size)
        rows = {"train": torch.from_numpy(train), "val": torch.from_numpy(val)}
        images = at_size(data, (transform.height, transform.width))
        inputs, said = (as_tensor(images.x),), images.said
        # Images stay where they are, mapped from the disk: the parts only name their rows.
        return Prepared("image", inputs, _target(data.y, scale), data.y, rows, transform, scale, said)
    fitted = TableTransform.fit(data.x[train], data.y[train], data.goal)
    seen = np.concatenate([train, val])
    rows = {"train": torch.arange(len(train)), "val": torch.arange(len(train), len(seen))}
    y = data.y[seen]
    return Prepared("table", fitted.apply(data.x[seen]), _target(y, scale), y, rows, fitted, scale)


def at_size(data: Data, size: tuple[int, int]) -> cache.Entry:
    """The data's images at this (height, width); resized ones lie in the cache, if that is where the images lie."""
    x = data.x
    assert isinstance(x, np.ndarray)
    if tuple(x.shape[1:3]) == size or not (isinstance(x, np.memmap) and data.fingerprint):
        return cache.Entry(resized(x, size))
    key = hashlib.sha256(f"{RESIZING} {data.fingerprint} {size}".encode()).hexdigest()[:40]
    return cache.entry(key, (*size, x.shape[3]), len(x), lambda notes: resized_blocks(x, size))


def _target(y: np.ndarray, scale: TargetScale | None) -> Tensor:
    return torch.from_numpy(y.astype(np.int64)) if scale is None else scale.apply(y)
