"""Whether mirror images keep their class here: asked of the data instead of assumed."""

from __future__ import annotations

import numpy as np

ROWS = 4000
"""Rows of each part that are looked at."""


def mirror_symmetry(x: np.ndarray, y: np.ndarray, train: np.ndarray, val: np.ndarray) -> tuple[float, float]:
    """How well mirrored validation images are still recognised, (left-right, upside-down): 1 is as well as before.

    Images are uint8 (n, H, W, C). The judge is the simplest there is, the nearest mean image of a class: what it says
    of a mirrored digit falls apart, what it says of a mirrored animal does not. Over 1 can happen by chance.
    """
    train, val = train[:: -(-len(train) // ROWS)], val[:: -(-len(val) // ROWS)]
    down, across = (-(-side // 32) for side in x.shape[1:3])  # thinned out to at most 32 pixels a side
    seen, truth = _flat(x[train, ::down, ::across]), y[train]
    classes = np.unique(truth)
    means = np.stack([seen[truth == c].mean(0) for c in classes])  # (classes, pixels)

    def accuracy(images: np.ndarray) -> float:
        flat = _flat(images)
        distance = (means**2).sum(1) - 2 * flat @ means.T  # squared, less what all classes share
        return float((classes[distance.argmin(1)] == y[val]).mean())

    images = x[val, ::down, ::across]
    straight = max(accuracy(images), 1 / len(classes))
    return accuracy(images[:, :, ::-1]) / straight, accuracy(images[:, ::-1]) / straight


def _flat(images: np.ndarray) -> np.ndarray:
    """(n, pixels) float32 in 0..1."""
    return images.reshape(len(images), -1).astype(np.float32) / 255
