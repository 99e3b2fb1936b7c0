"""What the report shows of pictures: what each augmentation of the recipe does to three training examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from whet import augment
from whet.fields.base import Shown
from whet.figures import Figure, Pictures
from whet.recipe import Choice
from whet.rng import seed_for

EXAMPLES = 3
ABREAST = 4
"""Pictures in a row, about: two alone would each fill half of the page."""
SHOWABLE = (1, 3)
"""Channels that a picture in the report can have."""


def augmented(shown: Shown) -> Figure | None:
    """Of each example: as it is, under each augmentation alone, and under all of them together; whole examples in a row."""
    choices, pictures = shown.network.recipe.augment, shown.prepared.inputs[0]
    if not choices or pictures.shape[3] not in SHOWABLE:
        return None
    examples = pictures[some(shown.prepared.rows["train"])]
    stages = {"original": (), **{c.name: (c,) for c in choices}}
    if len(choices) > 1:
        stages["together"] = choices
    columns = [changed(examples, chosen, seed_for(shown.seed, "figure", i)) for i, chosen in enumerate(stages.values())]
    return Pictures(
        "What the augmentation does",
        [column[row] for row in range(len(examples)) for column in columns],
        [name for _ in examples for name in stages],
        columns=len(stages) * max(1, ABREAST // len(stages)),
        note="Training pictures, changed at random as in training: some stay as they are.",
    )


def some(rows: Tensor) -> Tensor:
    """A few of these rows, evenly spread."""
    return rows[torch.linspace(0, len(rows) - 1, min(EXAMPLES, len(rows))).long()]


def changed(x: Tensor, choices: Sequence[Choice], seed: int) -> np.ndarray:
    """uint8 (n, H, W, C) under these augmentations; the same for the same seed."""
    warp = augment.plan(tuple(choices), (x.shape[1], x.shape[2]))
    shares = warp(x.permute(0, 3, 1, 2).float() / 255, torch.Generator().manual_seed(seed))
    seen: np.ndarray = (255 * shares).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return seen
