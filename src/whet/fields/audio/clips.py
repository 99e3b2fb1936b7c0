"""Recordings of any lengths, one after the other in one array of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Clips:
    """n recordings: number i is `samples[starts[i] : starts[i] + lengths[i]]`. Rows are taken without a copy."""

    samples: np.ndarray
    """(total,) int16, one channel; possibly a read-only memory map."""
    starts: np.ndarray
    """(n,) int64"""
    lengths: np.ndarray
    """(n,) int64, in samples."""
    rate: int
    """Samples per second."""

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, rows: Any) -> Clips:
        return Clips(self.samples, self.starts[rows], self.lengths[rows], self.rate)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.clip(i) for i in range(len(self)))

    def clip(self, i: int) -> np.ndarray:
        """(length,) int16 of one recording."""
        start = int(self.starts[i])
        return self.samples[start : start + int(self.lengths[i])]

    @property
    def seconds(self) -> np.ndarray:
        """(n,) how long each is."""
        return self.lengths / self.rate


def loudest(clip: np.ndarray, size: int) -> int:
    """Where the `size` samples with the most energy begin; 0 for a clip that is no longer."""
    if len(clip) <= size:
        return 0
    energy = np.concatenate([[0.0], np.cumsum(clip.astype(np.float64) ** 2)])
    return int(np.argmax(energy[size:] - energy[:-size]))


def groups(clips: Clips) -> np.ndarray:
    """(n,) int64: rows with the same number have exactly the same samples."""
    hashes = np.fromiter((hash(clip.tobytes()) for clip in clips), np.int64, len(clips))
    return np.unique(hashes, return_inverse=True)[1]
