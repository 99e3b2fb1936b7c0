"""The matrix profile without normalisation: how far each window of a series is from the nearest other one.

x     (n, columns) a series
w     steps in a window, m = n - w + 1 windows
QT    (m,) the inner products of one window with all
"""

from __future__ import annotations

import numpy as np


def matrix_profile(x: np.ndarray, w: int) -> np.ndarray:
    """(n,) for each step the distance of the window that ends there to the nearest that begins w / 2 or more steps away.

    The first w - 1 steps have the first window's. Row by row: QT of a window follows from that of the one before by one
    product less and one more (STOMP, Zhu et al. 2016, table 1); the first one is a convolution (MASS, Mueen et al.).
    Distances without normalisation: Akbarinia & Cloez 2019, AAMP, arXiv:1901.05708.
    """
    m, zone = len(x) - w + 1, max(1, w // 2)
    if m <= zone:
        return np.zeros(len(x))
    squares = (np.lib.stride_tricks.sliding_window_view(x, w, axis=0) ** 2).sum((1, 2))  # (m,)
    first = products(x, w)
    qt, found = first.copy(), np.empty(m)
    for i in range(m):
        if i:
            follow(qt, x, i, w, first[i])
        distance = squares + (squares[i] - 2 * qt)
        distance[max(0, i - zone + 1) : i + zone] = np.inf
        found[i] = distance.min()
    return np.concatenate([np.full(w - 1, found[0]), found]).clip(min=0) ** 0.5


def products(x: np.ndarray, w: int) -> np.ndarray:
    """(m,) inner products of the first window with all, by FFT."""
    size = len(x) + w
    spectrum = np.fft.rfft(x, size, axis=0) * np.fft.rfft(x[:w][::-1], size, axis=0)
    found: np.ndarray = np.fft.irfft(spectrum, size, axis=0).sum(1)[w - 1 : len(x)]
    return found


def follow(qt: np.ndarray, x: np.ndarray, i: int, w: int, start: float) -> None:
    """QT of window i - 1 becomes that of window i, in place; `start`: the product of window i with the first."""
    m = len(qt)
    qt[1:] = qt[:-1] - x[: m - 1] @ x[i - 1] + x[w : m - 1 + w] @ x[i + w - 1]
    qt[0] = start
