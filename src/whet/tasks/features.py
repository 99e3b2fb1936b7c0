"""What goes into a baseline, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PIXELS = 32
"""Images are thinned out to at most so many pixels a side for the linear baseline."""
IMAGE_ROWS = 10_000
"""The most images that it is fitted on."""


@dataclass(frozen=True, eq=False)
class Features:
    """What a baseline sees: a table's transformed columns, or images."""

    numeric: np.ndarray
    """(n, F) float, without missing values. Images: uint8 (n, height, width, channels)."""
    category: np.ndarray
    """(n, K) int64 indices, 0 for unseen; (n, 0) for images."""
    cardinalities: tuple[int, ...] = ()

    @classmethod
    def images(cls, x: np.ndarray) -> Features:
        """Images as features."""
        return cls(x, np.empty((len(x), 0), np.int64))

    def __len__(self) -> int:
        return len(self.numeric)

    @property
    def is_images(self) -> bool:
        return self.numeric.ndim == 4

    def rows(self, rows: np.ndarray | slice) -> Features:
        """Some of the rows."""
        return Features(self.numeric[rows], self.category[rows], self.cardinalities)

    def numbers(self) -> np.ndarray:
        """(n, F) float32; of images the pixels, thinned out, in 0..1."""
        x = self.numeric
        if self.is_images:
            down, across = (max(1, -(-side // PIXELS)) for side in x.shape[1:3])
            x = x[:, ::down, ::across].reshape(len(x), -1).astype(np.float32) / 255
        return x.astype(np.float32, copy=False)


@dataclass(frozen=True)
class Wanted:
    """What a baseline is to predict, and what it may cost."""

    goal: str
    """"classify" or "regress"."""
    outputs: int
    """Classes, or 1."""
    seconds: float
    threads: int = 1
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Baseline:
    """What a simple model predicts for the test rows."""

    name: str
    """"majority", "mean", "linear" or "trees"."""
    predicted: np.ndarray | None
    """(n, C) probabilities or (n,) values; None if it was skipped."""
    seconds: float
    note: str = ""
    """What was cut short, or why it was skipped; empty: nothing."""


def no_time(seconds: float) -> str:
    """Why a baseline is skipped that needs more than these seconds."""
    return f"skipped: it may take {max(0.0, seconds):.2g} s of this budget, which is too short for it"
