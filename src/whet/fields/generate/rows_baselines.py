"""What generators of rows are seen beside: the floor, columns without each other, and a Gaussian copula."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from whet.families.generate_rows import decided
from whet.fields.base import Wanted
from whet.rng import generator
from whet.tasks import Baseline


def baselines(wanted: Wanted) -> list[Baseline]:
    """Each in the place of the test rows, and beside them, as `tasks.generate` takes it."""
    prepared, data = wanted.prepared, wanted.data
    real = prepared.transform.apply(data.x[wanted.parts["test"]])[0].numpy()
    train = prepared.inputs[0][prepared.rows["train"]].numpy()
    random, n = generator(wanted.seed, "baseline rows"), len(real)
    makers: dict[str, Callable[[], np.ndarray]] = {
        "training_rows": lambda: train[random.choice(len(train), n, replace=len(train) < n)],
        "gaussian_copula": lambda: copula(train, n, random, prepared.transform.groups),  # type: ignore[attr-defined]
        "columns_alone": lambda: alone(train, n, random, wanted.prepared.transform.columns),  # type: ignore[attr-defined]
    }
    return [timed(name, make, real) for name, make in makers.items()]


def timed(name: str, make: Callable[[], np.ndarray], real: np.ndarray) -> Baseline:
    began = time.perf_counter()
    predicted = np.stack([make(), real], 1).astype(np.float32)
    return Baseline(name, predicted, time.perf_counter() - began)


def copula(train: np.ndarray, n: int, random: np.random.Generator, groups: tuple[tuple[int, int], ...]) -> np.ndarray:
    """A normal distribution of the normal scores (Nelsen 2006, section 2.3); the largest number of a group wins."""
    drawn = random.multivariate_normal(train.mean(0), np.cov(train.T, ddof=0).reshape(train.shape[1], -1), n, "ignore")
    return decided(torch.from_numpy(drawn), groups).numpy()


def alone(train: np.ndarray, n: int, random: np.random.Generator, columns: tuple[object, ...]) -> np.ndarray:
    """Each column as it is, and nothing that connects them."""
    found, at = [], 0
    for column in columns:
        size = sum(column.sizes)  # type: ignore[attr-defined]
        found.append(train[random.integers(0, len(train), n), at : at + size])
        at += size
    return np.concatenate(found, 1)
