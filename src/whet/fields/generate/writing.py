"""Made pictures as files."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from whet import files


def write(made: Mapping[str, Any], out: Path) -> str:
    """By the name: .png is a sheet of all, .npz the arrays x and y, anything else a folder of pictures."""
    pictures, labels = made["pictures"], made["labels"]
    if out.suffix.lower() == ".png":
        files.write_bytes(out, png(sheet(pictures)))
        return f"{len(pictures)} pictures are in {out}, as one sheet."
    if out.suffix.lower() == ".npz":
        buffer = io.BytesIO()
        np.savez_compressed(buffer, x=pictures, y=np.asarray(labels))
        files.write_bytes(out, buffer.getvalue())
        return f"{len(pictures)} pictures are in {out}, with their classes."
    for i, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        folder = out / "".join(c if c.isalnum() or c in "-_. " else "_" for c in label)
        folder.mkdir(parents=True, exist_ok=True)
        files.write_bytes(folder / f"{i:05d}.png", png(picture))
    return f"{len(pictures)} pictures are in the folder {out}."


SEEN = 56
"""Pixels of a picture's height on a sheet, at least: smaller ones are shown larger."""


def sheet(pictures: np.ndarray, gap: int = 2) -> np.ndarray:
    """All of them side by side, in rows, with a white line between."""
    larger = max(1, SEEN // pictures.shape[1])
    pictures = pictures.repeat(larger, 1).repeat(larger, 2)
    n, height, width, channels = pictures.shape
    columns = next((c for c in (10, 8) if n % c == 0), math.ceil(math.sqrt(n)))
    rows = -(-n // columns)
    found = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        found[top : top + height, left : left + width] = picture
    return found


def png(picture: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(buffer, "PNG")
    return buffer.getvalue()
