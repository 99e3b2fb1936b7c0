"""Small generated pictures and folders of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def noise(seed: int, height: int = 12, width: int = 16, channels: int = 3) -> np.ndarray:
    """uint8 (height, width, channels) without the last axis for one channel."""
    x = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return x if channels > 1 else x[..., 0]


def encoded(x: np.ndarray | Image.Image, form: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    (x if isinstance(x, Image.Image) else Image.fromarray(x)).save(stream, form, **options)
    return stream.getvalue()


def save(path: Path, x: np.ndarray | Image.Image, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (x if isinstance(x, Image.Image) else Image.fromarray(x)).save(path, **options)
    return path


def tree(root: Path, classes: tuple[str, ...] = ("cat", "dog"), each: int = 6, **options: Any) -> Path:
    """root/class/0.png …, every picture another one."""
    for c, name in enumerate(classes):
        for i in range(each):
            save(root / name / f"{i}.png", noise(1000 * c + i, **options))
    return root
