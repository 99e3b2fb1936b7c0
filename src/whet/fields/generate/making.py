"""New examples from a trained network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from whet.fields.generate.transform import as_pictures
from whet.rng import seed_for
from whet.train.plan import autocast

AT_ONCE = 250


def draw(network: Any, codes: np.ndarray, seed: int) -> np.ndarray:
    """Examples of these classes, as the network says them; the same seed gives the same, however many are made."""
    draw = torch.Generator().manual_seed(seed_for(seed, "generate"))
    model, shape = network.model.eval(), network.transform.shape
    made = [np.empty((0, *shape), np.float32)]
    with torch.inference_mode(), autocast(network.plan):
        for start in range(0, len(codes), AT_ONCE):
            label = torch.from_numpy(codes[start : start + AT_ONCE])
            noise = torch.stack([torch.randn(shape, generator=draw) for _ in label])
            made.append(model.made(label, noise).float().numpy())
    return np.concatenate(made)


def make(network: Any, codes: np.ndarray, seed: int) -> np.ndarray:
    """The same as pictures, uint8 (n, H, W, C)."""
    return as_pictures(torch.from_numpy(draw(network, codes, seed))).numpy()
