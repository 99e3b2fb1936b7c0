"""Runs that never happened, for the tests of their reports."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from whet.data.core import Problem, Row, Section
from whet.recipe import Choice, Edit, Recipe
from whet.record import Finding, Record, Step
from whet.report import PictureMistake, RowMistake, RunView, Tried

NAMES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
RECIPE = Recipe(
    family=Choice("fastconv", widths=(64, 128, 256)),
    activation=Choice("gelu"),
    optimizer=Choice("sgd", lr=0.4, momentum=0.85, nesterov=True),
    schedule=Choice("trapezoid", warmup=0.1),
    regularise=(Choice("ema", decay=0.99), Choice("label_smoothing", strength=0.1)),
    augment=(Choice("flip", p=0.5), Choice("crop", pad=2)),
    batch_size=256,
)


def record(
    trial: str, reach: float, until: float, n: int = 30, metric: str = "accuracy", falls: bool = False
) -> Record:
    """A trial that nears `reach` like an exponential."""
    g = np.random.default_rng(zlib.crc32(trial.encode()))
    steps = []
    for i in range(1, n + 1):
        t = until * i / n
        left = float(np.exp(-t / 9)) * (1 + 0.15 * g.normal())
        value = reach * (1 + left) if falls else reach - 0.5 * left + 0.004 * g.normal()
        losses = {"train/loss": 0.18 + 1.9 * left, "val/loss": 0.25 + 1.8 * left + 0.01 * g.normal()}
        steps.append(Step(i * 50, i / 4, t, t / until, {f"val/{metric}": value, **losses}))
    return Record(trial, RECIPE.hash, "image-classification", 0, tuple(steps))


def images(folder: Path, pictures: int = 12, size: int = 28, **more: Any) -> RunView:
    """A run on ten classes of images."""
    g = np.random.default_rng(0)
    matrix = np.diag(g.integers(860, 985, 10)) + g.integers(0, 12, (10, 10))
    matrix[6, 0], matrix[0, 6], matrix[2, 4] = 96, 71, 64
    matrix[np.arange(10) >= 7, 1] = 0
    value = float(np.trace(matrix) / matrix.sum())
    given: dict[str, Any] = {
        "name": "fashion-mnist",
        "folder": folder,
        "result": {
            "task": "image-classification",
            "metric": "accuracy",
            "direction": "max",
            "value": value,
            "ci95": [value - 0.0049, value + 0.0048],
            "n": 10000,
            "baselines": {"majority class": 0.1, "linear": 0.8432},
            "budget_s": 120.0,
            "seconds": 118.7,
            "seed": 0,
        },
        "records": (
            record("t0", 0.935, 92.0, 60),
            record("t1", 0.915, 24.0, 16),
            record("t2", 0.905, 12.0, 8),
            record("t3", 0.86, 12.0, 8),
        ),
        "recipes": {"t0": RECIPE, "t1": Recipe(family="resnet"), "t2": Recipe(family="textbook"), "t3": Recipe()},
        "winner": "t0",
        "why": "t0 reached 0.9128 on the validation part in the same time, against 0.9011 for t1.",
        "tried": (
            Tried("t0", "fastconv 64-128-256, gelu, sgd", 92.1, 0.9352, "won", "trained out"),
            Tried("t1", "resnet 10, relu, adamw", 24.2, 0.9011, "paused", "in round 2, clearly behind t0"),
            Tried("t2", "textbook, relu, adamw", 12.0, 0.8894, "paused", "in round 1"),
            Tried("t3", "textbook, relu, muon", 12.0, float("nan"), "diverged", "the loss became NaN at step 212"),
        ),
        "edits": tuple(
            Edit(e.path, e.old, e.new, "fast on a CPU" if e.path == "family" else "") for e in Recipe().diff(RECIPE)
        ),
        "findings": (
            Finding(
                "duplicates",
                "12 test images are also in the training part.",
                evidence={"count": 12, "share": 0.0012},
                severity="info",
                advice="They were left in; the score without them is the same.",
            ),
            Finding(
                "overfitting",
                "The training loss falls while the validation loss rises.",
                "from second 71",
                {"gap": 0.31, "threshold": 0.2},
                "warning",
                0.8,
                "More augmentation, or weight averaging.",
            ),
        ),
        "profile": (
            Section(
                "Size", (Row("images", "70\u202f000"), Row("pixels", "28 × 28, grey"), Row("classes", "10", "balanced"))
            ),
            Section(
                "Pixels", (Row("mean", "0.286"), Row("zero share", "50.2 %", "a shift is cheap: the border is empty"))
            ),
        ),
        "problems": (Problem("train/coat/000412.png", "truncated file"),),
        "classes": NAMES,
        "confusion": matrix,
        "pictures": tuple(picture(i, size) for i in range(pictures)),
        "timings": {
            "reading": 2.1,
            "baselines": 3.4,
            "plan": 1.6,
            "race": 31.0,
            "training": 72.8,
            "test": 4.1,
            "report": 0.9,
        },
        "versions": {"whet": "0.1.0", "torch": "2.13.0", "python": "3.11.9", "numpy": "2.4.1"},
        "machine": {"processor": "AMD EPYC 9R14", "cores": 2, "memory": "23 GB", "threads": 2, "system": "Linux 6.8"},
    }
    return RunView(**{**given, **more})


def picture(i: int, size: int, channels: int = 1) -> PictureMistake:
    """A blurry blob, as a picture that was taken for another."""
    g = np.random.default_rng(i)
    yy, xx = np.mgrid[0:size, 0:size] / size
    blobs = sum(np.exp(-((xx - a) ** 2 + (yy - b) ** 2) / 0.03) for a, b in g.uniform(0.2, 0.8, (4, 2)))
    noisy = 255 * np.clip(blobs[..., None] + 0.1 * g.normal(size=(size, size, channels)), 0, 1)
    return PictureMistake(
        noisy.astype(np.uint8), NAMES[i % 10], NAMES[(3 * i + 1) % 10], 0.999 - 0.01 * i, f"test/{i:05}.png"
    )


def regression(folder: Path, **more: Any) -> RunView:
    """A run on a table with a value to predict."""
    g = np.random.default_rng(1)
    true = np.clip(g.gamma(3, 0.7, 4000), 0.15, 5.0)
    off = 0.3 * g.standard_t(4, 4000)
    row = {
        "MedInc": 3.87,
        "HouseAge": 29,
        "AveRooms": 5.43,
        "AveBedrms": 1.0967,
        "Population": 1425,
        "AveOccup": 3.07,
        "Latitude": 35.63,
        "Longitude": -119.57,
        "ocean": "NEAR BAY",
    }
    given: dict[str, Any] = {
        "name": "california-housing",
        "folder": folder,
        "result": {
            "task": "table-regression",
            "metric": "rmse",
            "direction": "min",
            "value": 0.4712,
            "ci95": [0.4561, 0.4871],
            "n": 4128,
            "baselines": {"mean": 1.1532, "linear": 0.7271, "boosted trees": 0.4910},
            "budget_s": 60.0,
            "seconds": 59.2,
            "seed": 0,
            "target": "MedHouseVal",
        },
        "records": (record("t0", 0.47, 40, 40, "rmse", True), record("t1", 0.5, 9, 9, "rmse", True)),
        "recipes": {"t0": Recipe(family="tabular")},
        "winner": "t0",
        "tried": (Tried("t0", "tabular 256x2", 40.0, 0.4698, "won"), Tried("t1", "mlp", 9.0, 0.5123, "paused")),
        "edits": Recipe().diff(Recipe(family="tabular")),
        "values": (true, true + off),
        "rows": tuple(RowMistake(row, 5.0 - i / 4, 1.2345 + i / 3) for i in range(8)),
        "timings": {"reading": 0.6, "baselines": 5.2, "race": 14.0, "training": 36.2, "test": 0.4},
        "versions": {"whet": "0.1.0", "torch": "2.13.0"},
    }
    return RunView(**{**given, **more})
