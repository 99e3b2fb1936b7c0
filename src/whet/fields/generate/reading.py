"""Any source of pictures -> what a generator learns from: classes where there are any, and none where there are not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from whet.data import images, pictures, sources
from whet.data.core import Data
from whet.data.sources import Source, identify
from whet.errors import DataError

FEWEST = 50
"""Pictures below which nothing but copies could be learned."""
FEWEST_EACH = 5
"""Pictures of a class, on average, below which labels name pictures rather than classes: they are left out."""
SIDE = 32
"""Pixels of the shorter side that larger pictures are brought down to."""
FOLD = 4
"""Sides are brought to a multiple of this: networks halve them twice."""


def is_pictures(source: Any) -> bool:
    """Whether a source holds pictures rather than a table."""
    if isinstance(source, np.ndarray) or hasattr(source, "detach"):
        return bool(source.ndim in (3, 4))
    try:
        found = identify(source)
    except DataError:
        return False
    if found.kind == "bundled":
        return bool(found.value == "digits")
    if found.kind in ("npz", "pairs"):
        return holds_pictures(found)
    return found.kind in ("folder", "picture", "hub", "idx")


def holds_pictures(found: Source) -> bool:
    """Of arrays: by their shape."""
    from whet.data.array_files import read_npz
    from whet.data.arrays import is_picture

    if found.kind == "pairs":
        return all(is_picture(x) for x, _ in found.value.values())
    file = read_npz(found.value)
    return any(file[name].ndim in (3, 4) for name in file)


def load(source: Any, *, target: str | None, holdout: Any, split: Any) -> Data:
    """Pictures as `Data`. Raises DataError, in one clear line, for what can't be learned from."""
    if isinstance(source, np.ndarray) or hasattr(source, "detach"):
        source = (source, np.zeros(len(source), np.int64))
    data = unlabelled(source) if holdout is None and split is None else None
    if data is None:
        options = {"target": target, "task": "classification", "holdout": holdout, "split": split}
        data = sources.load(source, **options, check=False)
    if len(data) < FEWEST:
        raise DataError(f"{data.name} has {len(data)} pictures.", f"Give {FEWEST} or more: fewer would be copied.")
    if not any((data.x[i] != data.x[0]).any() for i in range(1, len(data))):
        raise DataError(f"All {len(data)} pictures of {data.name} are the same.", "Give different ones.")
    return as_generation(data)


def unlabelled(source: Any) -> Data | None:
    """A folder of pictures without class folders; None for anything else."""
    if not isinstance(source, str | Path) or not Path(source).is_dir() or identify(source).kind != "folder":
        return None
    found = images.walk(Path(source))
    if not found.images or any("/" in name for name in found.images) or images.split_table(found.root, None):
        return None
    names = found.images
    said = [f"{found.root.resolve().name} has no class folders: pictures are made without classes."]
    listing = images.files_listing(
        found.root.resolve().name, found.root, names, [""] * len(names), None, found.problems, said
    )
    return pictures.read(listing, task="classification", check=False)


def as_generation(data: Data) -> Data:
    """The same pictures, with the goal to make more of them."""
    classes, said = data.classes, []
    if len(classes) > 1 and len(data) < FEWEST_EACH * len(classes):
        said.append(f"{len(classes)} classes of {len(data)} pictures are names, not classes: they are left out.")
        classes = ()
    classes = classes if len(classes) > 1 else ()
    y = data.y if classes else np.zeros(len(data), np.int64)
    height, width = size_of(data.x.shape[1:3])
    if (height, width) != tuple(data.x.shape[1:3]):
        said.append(
            f"Pictures are made {width} x {height} pixels large; they are {data.x.shape[2]} x {data.x.shape[1]}."
        )
    sentences = (*data.said, *said)
    return dataclasses.replace(data, domain="pictures", goal="generate", y=y, classes=classes, said=sentences)


def size_of(size: tuple[int, ...]) -> tuple[int, int]:
    """(height, width) that pictures of this size are learned at."""
    share = min(1.0, SIDE / min(size))
    height, width = (max(2 * FOLD, round(side * share / FOLD) * FOLD) for side in size)
    return height, width
