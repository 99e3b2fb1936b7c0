"""Whether mirror images keep their class here: asked of the data instead of assumed.

A judge that learns in a moment is asked twice, once taught with the images and once with their mirror images besides. Where
left and right are what tells classes apart, the second one does worse on unseen images; where they are not, it has seen
twice as much.

The judge is a layer of random whitened patches, averaged over a grid of places, below a linear one (Coates, Lee & Ng 2011,
"An analysis of single-layer networks in unsupervised feature learning", section 3; the two-sided soft threshold is that of
Coates & Ng 2011, "The importance of encoding versus training with sparse coding and vector quantization", section 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from whet.data.taught import FOLDS, in_errors, right

PIXELS, SIDE = 1 << 20, 32
"""Of all images that are looked at, together; and of a side, to which larger images are made smaller."""
FILTERS, PATCH, PLACES = 48, 5, 3
SAMPLED = 4000
"""Patches by which whitening is known."""
THRESHOLD, DAMPING, CONTRAST = 0.25, 0.1, 10.0 / 255**2
"""Of the soft threshold; added to the patches' variances, whitened and as they are (there, of grey values in 0..1)."""

Features = Callable[[Tensor], Tensor]
NOTHING_KNOWN = (-math.inf, -math.inf)


def mirror_gain(x: np.ndarray, y: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
    """What (left-right, upside-down) mirror images add to the accuracy on unseen images, in standard errors of the
    difference; 0 where it makes none to a single image. From where they harm, `search.first.HARMFUL` says.

    Images are uint8 (n, H, W, C), `y` classes; `rows` those of the training part.
    """
    draw = torch.Generator().manual_seed(0)
    most = PIXELS // math.prod(min(side, SIDE) for side in x.shape[1:3])
    rows = rows[torch.randperm(len(rows), generator=draw)[:most].numpy()]
    if len(rows) < FOLDS or min(x.shape[1:3]) < 2:
        return NOTHING_KNOWN
    images, truth = small(x[rows]), torch.from_numpy(np.unique(y[rows], return_inverse=True)[1])
    features = judge_of(images, draw)
    straight = features(images)
    plain = right(truth, straight)
    across, upside = (right(truth, straight, features(images.flip(dim))) for dim in (3, 2))
    return in_errors(across - plain), in_errors(upside - plain)


def small(x: np.ndarray) -> Tensor:
    """(n, C, H, W) float32 in 0..1, no side longer than SIDE."""
    images = torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255
    shrink = min(1.0, SIDE / max(images.shape[2:]))
    height, width = (max(2, round(side * shrink)) for side in images.shape[2:])
    return F.adaptive_avg_pool2d(images, (height, width))


def judge_of(images: Tensor, draw: torch.Generator) -> Features:
    """The features of images (n, C, H, W), with filters that are patches of these: images -> (n, features)."""
    side = min(PATCH, *images.shape[2:])
    patches = levelled(sampled_patches(images, side, draw))
    centre = patches.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(patches.T))
    whiten = vectors @ torch.diag((values + DAMPING).rsqrt()) @ vectors.T
    chosen = F.normalize((patches[:FILTERS] - centre) @ whiten, dim=1) @ whiten
    offset = (chosen @ centre)[:, None, None]
    filters = (chosen - chosen.mean(1, keepdim=True)).view(FILTERS, -1, side, side)  # of a patch less its mean

    def features(part: Tensor) -> Tensor:
        found = F.conv2d(part, filters) / contrasts(part, side) - offset
        sided = torch.cat([F.relu(found - THRESHOLD), F.relu(-found - THRESHOLD)], 1)
        return torch.cat([F.adaptive_avg_pool2d(seen, PLACES).flatten(1) for seen in (sided, part)], 1)

    return lambda whole: torch.cat([features(part) for part in whole.split(100)])


def contrasts(images: Tensor, side: int) -> Tensor:
    """(n, 1, H - side + 1, W - side + 1): what `levelled` divides each patch by."""
    size = images.shape[1] * side**2
    mean, square = (F.avg_pool2d(power.mean(1, keepdim=True), side, 1) for power in (images, images**2))
    return ((square - mean**2).clamp(min=0) * size / (size - 1) + CONTRAST).sqrt()


def sampled_patches(images: Tensor, side: int, draw: torch.Generator) -> Tensor:
    """(SAMPLED, C side side) from random images at random places."""
    n, _, height, width = images.shape
    image = torch.randint(n, (SAMPLED,), generator=draw)
    down, right = (torch.randint(length - side + 1, (SAMPLED,), generator=draw) for length in (height, width))
    offsets = torch.arange(side)
    rows, columns = down[:, None, None] + offsets[:, None], right[:, None, None] + offsets
    return images[image[:, None, None], :, rows, columns].permute(0, 3, 1, 2).flatten(1)


def levelled(patches: Tensor) -> Tensor:
    """(…, values): each patch less its mean, by its contrast."""
    patches = patches - patches.mean(-1, keepdim=True)
    return patches / (patches.var(-1, keepdim=True) + CONTRAST).sqrt()
