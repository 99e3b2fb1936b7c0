"""Small trainings for tests: a real recipe on generated images or rows, through the real builder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import torch

from whet.build import build
from whet.data.core import Data
from whet.data.prepared import Prepared, prepare
from whet.recipe import Choice, Recipe
from whet.runners.trial import Validator
from whet.tasks import Task, make_task
from whet.train.horizon import Horizon
from whet.train.loop import Training
from whet.train.plan import Plan

PARTS = {"train": np.arange(96), "val": np.arange(96, 128), "test": np.arange(0)}


def images(seed: int = 0, side: int = 8, channels: int = 3) -> Data:
    """Four classes: which quarter of a noisy image is bright."""
    random = np.random.default_rng(seed)
    x = random.integers(0, 120, (128, side, side, channels), dtype=np.uint8)
    y = random.integers(0, 4, 128)
    half = side // 2
    for i, c in enumerate(y):
        row, column = divmod(int(c), 2)
        x[i, row * half : (row + 1) * half, column * half : (column + 1) * half] += 100
    return Data("quarters", "image", x, y.astype(np.int64), "classify", ("a", "b", "c", "d"), "label")


def rows(seed: int = 0, goal: str = "regress") -> Data:
    """y = 3 a - b + the category's own shift, or its sign."""
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, 128))
    kind = random.integers(0, 3, 128)
    y = 3 * a - b + kind
    frame = pl.DataFrame({"a": a, "b": b, "kind": [f"k{k}" for k in kind]})
    if goal == "regress":
        return Data("line", "table", frame, y, goal, (), "y")
    return Data("line", "table", frame, (y > 0).astype(np.int64), goal, ("no", "yes"), "y")


SMALL = Recipe(
    family=Choice("fastconv", widths=(8, 8)),
    optimizer=Choice("sgd", lr=0.05),
    schedule=Choice("linear"),
    batch_size=16,
    augment=(Choice("crop", pad=1), Choice("brightness", amount=0.1)),
)
TABLE = Recipe(family=Choice("tabular", width=16, depth=1, members=2), norm=Choice("none"), batch_size=16)


def task_of(data: Data) -> Task:
    return make_task(data.domain, data.goal, data.classes, data.target)


def training(
    recipe: Recipe = SMALL,
    data: Data | None = None,
    *,
    steps: int = 24,
    seed: int = 0,
    plan: Plan | None = None,
    listeners: tuple[object, ...] = (),
) -> Training:
    data = data or images()
    task, prepared = task_of(data), prepare(data, PARTS)
    parts = build(recipe, task, prepared, seed, plan or Plan())
    return Training(
        parts,
        Horizon(steps=steps),
        seed,
        validate=Validator(task, prepared, parts),
        metric=task.metric,
        higher_is_better=task.direction == "max",
        listeners=listeners,
    )


def prepared_of(data: Data) -> Prepared:
    return prepare(data, PARTS)


def weights(one: Training) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in one.parts.model.state_dict().items()}


def same_bits(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def folder_names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())
