"""Pictures of bars, lying and standing."""

from __future__ import annotations

import numpy as np


def bars(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(uint8 (n, 8, 8), 0 lying or 1 standing)."""
    random = np.random.default_rng(seed)
    x = random.integers(0, 30, (n, 8, 8), dtype=np.uint8)
    y = np.arange(n) % 2
    for i in range(n):
        at = random.integers(1, 6)
        x[i, :, at : at + 2] = 230
        x[i] = x[i] if y[i] else x[i].T
    return x, y
