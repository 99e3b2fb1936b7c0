"""What the result says beside the Frechet distance: copies of training pictures, a likelihood bound, sheets to look at."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from whet.data.prepared import at_size
from whet.fields.base import Shown
from whet.fields.generate.making import make
from whet.fields.generate.transform import pixels
from whet.figures import Figure, Grid, Pictures
from whet.rng import seed_for
from whet.tasks.generate import distances

SHEET_ROWS = 10
"""Classes, or rows, of the sheet."""
SHEET_COLUMNS = 8
LOOKED_UP = 10_000
"""Training pictures among which the nearest is looked for."""
CHECKED = 200
"""Made pictures that are looked up."""
BOUNDED = 1_000
LEVEL = math.log2(2 / 255)
"""From densities of values from -1 to 1 to probabilities of their 256 levels, in bits."""


def outcome(shown: Shown) -> dict[str, Any]:
    """Further entries of result.json."""
    judge = shown.prepared.scale
    found: dict[str, Any] = {"judged_in": f"the features of {judge.described()}"}  # type: ignore[union-attr]
    found |= {"bounds": ["training_pictures"], "memorised": memorised(shown)}
    if hasattr(shown.network.model, "bound"):
        found["bits_per_dim_bound"] = bits(shown)
    return found


def memorised(shown: Shown) -> dict[str, float]:
    """How near made pictures come to training ones, against how near test pictures do, by the root mean square of pixels.

    A generator that copies has a median far below that of the test pictures.
    """
    x, train = pictures_of(shown), looked_up(shown)
    codes = shown.data.y[shown.parts["test"]][:CHECKED]
    made = make(shown.network, codes, shown.seed)
    near = [nearest(some, train)[1] for some in (made, x[shown.parts["test"][:CHECKED]])]
    copies = float((near[0] < np.quantile(near[1], 0.01)).mean())
    return {"made": float(np.median(near[0])), "test": float(np.median(near[1])), "nearer_than_1_in_100": copies}


def bits(shown: Shown) -> float:
    """An upper bound of the bits per number of test pictures, spread evenly over each level (Theis et al. 2016)."""
    rows = shown.parts["test"][:BOUNDED]
    draw = torch.Generator().manual_seed(seed_for(shown.seed, "generate"))
    x = pixels(torch.from_numpy(pictures_of(shown)[rows]))
    x = x + (torch.rand(x.shape, generator=draw) - 0.5) * (2 / 255)
    noise = torch.randn(x.shape, generator=draw)
    with torch.inference_mode():
        nats = shown.network.model.eval().bound(x, torch.from_numpy(shown.data.y[rows]), noise)
    return float(nats.mean()) / math.log(2) - LEVEL


def pictures_of(shown: Shown) -> np.ndarray:
    """uint8 (n, H, W, C) as they are learned."""
    return at_size(shown.data, shown.network.transform.shape[1:]).x


def looked_up(shown: Shown) -> np.ndarray:
    """Training pictures, evenly spread."""
    rows = shown.parts["train"]
    return pictures_of(shown)[rows[:: -(-len(rows) // LOOKED_UP) or 1]]


def nearest(some: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(which is nearest, at which root mean square distance in levels)."""
    flat = [p.reshape(len(p), -1).astype(np.float32) for p in (some, among)]
    far = distances(*flat) / math.sqrt(flat[0].shape[1])
    at = far.argmin(1)
    return at, far[np.arange(len(at)), at]


def figures(shown: Shown) -> tuple[Figure, ...]:
    return (sheet(shown), beside_nearest(shown), beside(shown))


def sheet(shown: Shown) -> Pictures:
    """Made pictures, a row of each class."""
    classes = shown.task.classes
    rows = np.repeat(np.arange(min(SHEET_ROWS, max(1, len(classes)))), SHEET_COLUMNS)
    codes = rows if classes else np.zeros(SHEET_COLUMNS**2, np.int64)
    made = make(shown.network, codes, shown.seed)
    captions = [classes[c] for c in codes] if classes else ()
    note = "Drawn one after the other, none left out." + (" One row per class." if classes else "")
    return Pictures("Made by the network", list(made), captions, SHEET_COLUMNS, note)


def beside_nearest(shown: Shown) -> Pictures:
    """Made pictures, each with the training picture that is nearest to it."""
    codes = np.arange(SHEET_COLUMNS * 2) % max(1, len(shown.task.classes))
    made, train = make(shown.network, codes, shown.seed + 1), looked_up(shown)
    at, far = nearest(made, train)
    pairs = [picture for i, m in enumerate(made) for picture in (m, train[at[i]])]
    captions = [said for d in far for said in ("made", f"nearest, {d:.0f} off")]
    note = f"Each with the nearest of {len(train):,} training pictures; distance: root mean square of pixels, of 255."
    return Pictures("Is it copied?", pairs, captions, SHEET_COLUMNS, note)


def beside(shown: Shown) -> Grid:
    """Every metric of the network and the baselines."""
    everyone = {"this network": shown.predicted, **shown.baselines}
    rows = [[name, *shown.task.scores(shown.truth, p).values()] for name, p in everyone.items()]
    header = ["", *shown.task.scores(shown.truth[:5], shown.predicted[:5])]
    note = f"{next(iter(shown.baselines))} is the floor of the distance: real ones against other real ones."
    return Grid("Every metric", header, rows, note=note)
