"""New pictures from a trained network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from whet.fields.generate.transform import as_pictures
from whet.rng import seed_for
from whet.train.plan import autocast

AT_ONCE = 250


def make(network: Any, codes: np.ndarray, seed: int) -> np.ndarray:
    """uint8 (n, H, W, C) of these classes; the same seed gives the same pictures, however many are made behind them."""
    draw = torch.Generator().manual_seed(seed_for(seed, "generate"))
    model, shape = network.model.eval(), network.transform.shape
    made = []
    with torch.inference_mode(), autocast(network.plan):
        for start in range(0, len(codes), AT_ONCE):
            label = torch.from_numpy(codes[start : start + AT_ONCE])
            noise = torch.stack([torch.randn(shape, generator=draw) for _ in label])
            made.append(as_pictures(model.made(label, noise)).numpy())
    return np.concatenate(made) if made else np.empty((0, *shape[1:], shape[0]), np.uint8)
