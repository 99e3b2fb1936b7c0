"""Wide random networks, sampled: what theory is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sampled:
    lengths: list[float]
    correlations: list[float]
    gradients: list[float]
    """Of squared norms: layer l over the last."""


def sample(
    value: Callable[[np.ndarray], np.ndarray],
    slope: Callable[[np.ndarray], np.ndarray],
    depth: int,
    sigma_w: float,
    sigma_b: float,
    width: int = 1000,
    draws: int = 8,
    inputs: int = 12,
) -> Sampled:
    """Means over `draws` networks and over orthogonal inputs of second moment 1 and their pairs."""
    lengths, products, gradients = np.zeros((3, depth, draws))
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        basis = np.linalg.qr(rng.standard_normal((width, inputs)))[0] * np.sqrt(width)  # (unit, input)
        layers, pre = [], []
        x = basis
        for layer in range(depth):
            w = rng.standard_normal((width, width), dtype=np.float32) * np.float32(sigma_w / np.sqrt(width))
            h = w @ x + sigma_b * rng.standard_normal((width, 1))
            layers.append(w)
            pre.append(h)
            lengths[layer, draw] = (h**2).mean()
            gram = h.T @ h / width
            products[layer, draw] = (gram.sum() - np.trace(gram)) / (inputs * (inputs - 1))
            x = value(h)
        g = rng.standard_normal((width, 1))
        norms = [(g**2).sum()]
        for layer in range(depth - 1, 0, -1):
            g = slope(pre[layer - 1][:, :1]) * (layers[layer].T @ g)
            norms.append((g**2).sum())
        gradients[:, draw] = np.array(norms[::-1]) / norms[0]
    q = lengths.mean(1)
    return Sampled(q.tolist(), (products.mean(1) / q).tolist(), gradients.mean(1).tolist())
