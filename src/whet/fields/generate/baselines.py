"""What generators of pictures are seen beside: the floor, and two simple distributions of pixels."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from whet.data.judge import Judge
from whet.data.prepared import at_size
from whet.fields.base import Wanted
from whet.rng import generator
from whet.tasks import Baseline

FITTED = 1_000
"""Training pictures that the distributions are fitted on."""
COMPONENTS = 64
"""Principal components that are kept."""


def baselines(wanted: Wanted) -> list[Baseline]:
    """Each in the place of the test rows, and beside them, as `tasks.generate` takes it."""
    judge, transform = wanted.prepared.scale, wanted.prepared.transform
    assert isinstance(judge, Judge)
    x = at_size(wanted.data, transform.shape[1:]).x  # type: ignore[arg-type]
    test = wanted.parts["test"]
    real = judge.of_pixels(x[test])
    random = generator(wanted.seed, "baseline rows")
    train = wanted.parts["train"]
    fitted = x[np.sort(random.choice(train, min(FITTED, len(train)), replace=False))]
    makers: dict[str, Callable[[], np.ndarray]] = {
        "training_pictures": lambda: x[np.sort(random.choice(train, len(test), replace=len(train) < len(test)))],
        "pca_gaussian": lambda: components(fitted, len(test), random),
        "gaussian_pixels": lambda: alone(fitted, len(test), random),
    }
    return [timed(name, make, judge, real) for name, make in makers.items()]


def timed(name: str, make: Callable[[], np.ndarray], judge: Judge, real: np.ndarray) -> Baseline:
    began = time.perf_counter()
    predicted = np.stack([judge.of_pixels(make()), real], 1)
    return Baseline(name, predicted, time.perf_counter() - began)


def alone(x: np.ndarray, n: int, random: np.random.Generator) -> np.ndarray:
    """Each pixel from a normal distribution of its own."""
    flat = x.reshape(len(x), -1).astype(np.float32)
    return as_uint8(flat.mean(0) + flat.std(0) * random.standard_normal((n, flat.shape[1])), x)


def components(x: np.ndarray, n: int, random: np.random.Generator) -> np.ndarray:
    """From the normal distribution of the principal components, found from the rows' inner products."""
    flat = x.reshape(len(x), -1).astype(np.float64)
    mean = flat.mean(0)
    rows = np.linalg.eigh((flat - mean) @ (flat - mean).T)[1]
    rows = rows[:, ::-1][:, : min(COMPONENTS, flat.shape[1])]  # (rows, kept), of the largest values
    spread = rows.T @ (flat - mean) / np.sqrt(len(x))  # each component times its standard deviation
    return as_uint8(mean + random.standard_normal((n, len(spread))) @ spread, x)


def as_uint8(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    return values.round().clip(0, 255).astype(np.uint8).reshape(-1, *like.shape[1:])
