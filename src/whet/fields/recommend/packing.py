"""Arrays as text: task.json holds no other kind of file."""

from __future__ import annotations

import base64
import zlib

import numpy as np


def pack(array: np.ndarray) -> str:
    """Whole numbers."""
    return _text(array.astype("<i4"))


def unpack(text: str) -> np.ndarray:
    return np.frombuffer(_bytes(text), "<i4").astype(np.int64)


def pack_floats(array: np.ndarray) -> str:
    """Single precision; the shape is not kept."""
    return _text(array.astype("<f4"))


def unpack_floats(text: str, rows: int) -> np.ndarray:
    """(rows, …) float32."""
    return np.frombuffer(_bytes(text), "<f4").astype(np.float32).reshape(rows, -1)


def _text(array: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(array.tobytes(), 6)).decode()


def _bytes(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))
