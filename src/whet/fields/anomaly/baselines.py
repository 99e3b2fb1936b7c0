"""What an expert tries first: isolation forest, principal components, near neighbours, and of series the matrix profile.

Each is fitted on the training rows (and the held-out ones: they choose nothing here) and scores the test rows. Steps of a
series are judged by the window that ends at them, as the network judges them; the isolation forest sees single rows too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from whet.fields.anomaly.profiles import matrix_profile
from whet.fields.anomaly.windows import places
from whet.fields.base import Wanted
from whet.rng import seed_for
from whet.tasks import Baseline

FITTED = 4000
"""Rows at most that a baseline is fitted on, evenly spread."""
NEIGHBOURS = 5
PER_STEP = 4e-9
"""Seconds of the matrix profile for each pair of steps and column (one core of a busy machine)."""

Scorer = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""(rows to fit on, rows to score, seed) -> scores."""


def baselines(wanted: Wanted) -> list[Baseline]:
    """Each with its time; the matrix profile is skipped where it would take longer than all may."""
    fit, test = tensors(wanted, "fit"), tensors(wanted, "test")
    makers: dict[str, Scorer] = {"pca": components, "knn": neighbours, "isolation_forest": forest}
    made = [timed(name, partial(maker, fit, test, wanted.seed)) for name, maker in makers.items()]
    return [*made, *profiles(wanted)]


def timed(name: str, make: Callable[[], np.ndarray]) -> Baseline:
    began = time.perf_counter()
    scores = make()
    return Baseline(name, scores, time.perf_counter() - began)


def tensors(wanted: Wanted, part: str) -> np.ndarray:
    """(rows, numbers) as the network sees them."""
    transform: Any = wanted.prepared.transform
    rows = np.union1d(wanted.parts["train"], wanted.parts["val"]) if part == "fit" else wanted.parts["test"]
    if part == "fit" and len(rows) > FITTED:
        rows = rows[np.linspace(0, len(rows) - 1, FITTED).astype(np.int64)]
    at = places(rows, wanted.data.x.bounds, transform.window) if transform.window else rows
    found: np.ndarray = wanted.prepared.inputs[0].index_select(0, torch.from_numpy(at)).flatten(1).numpy()
    return found


def components(fit: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Squared distance from the mean in units of each principal component's variance, the least of them left out."""
    mean = fit.mean(0)
    values, axes = np.linalg.eigh(np.cov((fit - mean).T, ddof=0).reshape(fit.shape[1], -1))
    values, axes = values[::-1].clip(min=0), axes[:, ::-1]
    kept = max(1, int(np.searchsorted(np.cumsum(values), 0.999 * values.sum())) + 1)
    inside = (test - mean) @ axes[:, :kept]
    found: np.ndarray = (inside**2 / np.maximum(values[:kept], 1e-12)).sum(1)
    return found


def neighbours(fit: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Distance to the k-th nearest row."""
    from sklearn.neighbors import NearestNeighbors

    k = min(NEIGHBOURS + 1, len(fit))  # a training row finds itself too
    found: np.ndarray = NearestNeighbors(n_neighbors=k).fit(fit).kneighbors(test)[0][:, -1]
    return found


def forest(fit: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.ensemble import IsolationForest

    trees = IsolationForest(random_state=seed_for(seed, "baseline") % 2**31).fit(fit)
    found: np.ndarray = -trees.score_samples(test)
    return found


def profiles(wanted: Wanted) -> list[Baseline]:
    """Of series only."""
    transform: Any = wanted.prepared.transform
    rows = wanted.data.x
    if not transform.window:
        return []
    longest = max(end - start for _, start, end in rows.each())
    cost = PER_STEP * len(rows) * longest * len(transform.features)
    if cost > wanted.seconds:
        return [Baseline("matrix_profile", None, 0.0, f"skipped: about {cost:.0f} s, more than there is")]
    values = transform.standard(rows).numpy().astype(np.float64)

    def make() -> np.ndarray:
        parts = [matrix_profile(values[start:end], transform.window) for _, start, end in rows.each()]
        return np.concatenate(parts)[wanted.parts["test"]]

    return [timed("matrix_profile", make)]
