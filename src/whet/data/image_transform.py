"""Images on their way to the network: what is fitted is the mean and spread of each channel, on training rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

MOST_ROWS = 10_000
"""Rows that the statistics are taken from, spread over all training rows."""
CHUNK_BYTES = 1 << 22
PIECE_BYTES = 1 << 26
"""Of resized images that are predicted at a time."""
LEAST_STD = 1 / 255
"""A constant channel is left alone rather than blown up."""


@dataclass(frozen=True)
class ImageTransform:
    """uint8 images of one shape; `mean` and `std` per channel, of values scaled to [0, 1]."""

    height: int
    width: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, x: np.ndarray, rows: np.ndarray | None = None, size: tuple[int, int] | None = None) -> ImageTransform:
        """The statistics of uint8 (n, height, width, channels), or of some rows of it. `size`: make them that small."""
        rows = np.arange(len(x)) if rows is None else np.sort(rows)
        rows = rows[:: -(-len(rows) // MOST_ROWS) or 1]
        mean, std = channel_statistics(x, rows)
        height, width = size or (int(n) for n in x.shape[1:3])
        channels = int(x.shape[3])
        return cls(height, width, channels, tuple(mean.tolist()), tuple(np.maximum(std, LEAST_STD).tolist()))

    def apply(self, x: np.ndarray) -> tuple[Tensor]:
        """One uint8 tensor (n, height, width, channels), in memory; of images that have that size no copy is made."""
        assert x.shape[3] == self.channels, f"{x.shape} does not fit {self}"
        return (as_tensor(resized(x, (self.height, self.width))),)

    def pieces(self, x: np.ndarray) -> Iterator[tuple[Tensor]]:
        """The same for so many rows at a time that what is resized never fills the memory."""
        whole = tuple(x.shape[1:3]) == (self.height, self.width)
        rows = max(1, len(x) if whole else PIECE_BYTES // (self.height * self.width * self.channels))
        return (self.apply(x[at : at + rows]) for at in range(0, max(1, len(x)), rows))

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W) of one image."""
        return self.channels, self.height, self.width

    def spec(self) -> dict[str, Any]:
        """What a network's `InputSpec` says of the inputs."""
        return {"domain": "image", "shape": self.shape}

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        """Random raw inputs by name: uint8 (rows, H, W, C)."""
        import torch

        size = (rows, self.height, self.width, self.channels)
        return {"image": torch.randint(0, 256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))}

    def to_dict(self) -> dict[str, Any]:
        return {
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> ImageTransform:
        return cls(**{**state, "mean": tuple(state["mean"]), "std": tuple(state["std"])})


def channel_statistics(x: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, std) per channel of some rows, of values scaled to [0, 1]."""
    total, squares = np.zeros((2, x.shape[3]))
    step = max(1, CHUNK_BYTES // max(1, x[:1].nbytes))
    for start in range(0, len(rows), step):
        block = x[rows[start : start + step]]
        for channel in range(x.shape[3]):
            values = block[..., channel].astype(np.float32).ravel() - np.float32(127.5)
            total[channel] += values.sum(dtype=np.float64)
            squares[channel] += float(values @ values)
    n = max(1, len(rows) * int(np.prod(x.shape[1:3])))
    mean = total / n
    return (mean + 127.5) / 255.0, np.sqrt(np.maximum(0.0, squares / n - mean**2)) / 255.0


def as_tensor(x: np.ndarray) -> Tensor:
    """The array as a tensor on the same memory. Of a memory map, `tensor.mapping` and `tensor.file` go with it."""
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # we only read it
        tensor = torch.from_numpy(x)
    if isinstance(x, np.memmap):
        tensor.mapping = x._mmap  # type: ignore[attr-defined]
        tensor.file = Path(x.filename) if x.filename else None  # type: ignore[attr-defined]
    return tensor


def resized(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 (n, height, width, channels) at another (height, width), antialiased; `x` itself if it has that size."""
    if tuple(x.shape[1:3]) == tuple(size):
        return x
    return np.concatenate([np.empty((0, *size, x.shape[3]), np.uint8), *resized_blocks(x, size)])


def resized_blocks(x: np.ndarray, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """The same, a few rows at a time."""
    from torch.nn import functional as F

    step = max(1, CHUNK_BYTES // max(1, x[:1].nbytes))
    for start in range(0, len(x), step):
        block = as_tensor(x[start : start + step]).permute(0, 3, 1, 2)  # (n, channels, height, width), channels last
        small = F.interpolate(block, size=tuple(size), mode="bilinear", antialias=True, align_corners=False)
        yield np.ascontiguousarray(small.permute(0, 2, 3, 1).numpy())
