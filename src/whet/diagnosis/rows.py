"""Numbers about a set-up's data, from at most some thousand rows of each part; and what simple methods reach on them."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from whet.diagnosis.evidence import DataFacts
from whet.rng import generator
from whet.setups import Criterion, Setup
from whet.setups.training import is_classes

ROWS = 2_000
"""Rows of each part that are looked at."""
NEIGHBOURS = 7
FEATURES = 4_096
"""Features of a row above which distances are taken in a random projection of so many."""
TINY = 1e-12


def facts(setup: Setup, criterion: Criterion) -> DataFacts:
    """What the rows look like."""
    train, val = setup.parts
    (inputs, y), (val_inputs, val_y) = train.some(ROWS), val.some(ROWS)
    known = targets(y, val_y, is_classes(y, criterion))
    found: dict[str, Any] = {"rows": len(train), "val_rows": len(val), **known}
    if len(inputs) != 1 or not inputs[0].is_floating_point():
        return DataFacts(**found, numbers=False)
    x, xv = flat(inputs[0]), flat(val_inputs[0])
    found |= {"numbers": True, **values(x, xv)}
    if setup.val is not None:
        found["copies"] = copies(x, xv)
    if known["classes"]:
        found["disagreement"] = disagreement(x, labels(y), xv, labels(val_y))
        if train.loader is not None:
            found["sorted_runs"] = runs(labels(y))
    return DataFacts(**found)


def flat(x: Tensor) -> np.ndarray:
    return x.reshape(len(x), -1).double().numpy()


def labels(y: Tensor) -> np.ndarray:
    if y.dim() > 1 and y.shape[1] > 1:
        return y.argmax(1).numpy()
    return y.reshape(-1).long().numpy()


def values(x: np.ndarray, xv: np.ndarray) -> dict[str, float]:
    """Of the inputs: scales, offsets, and how far the validation part lies from the training part."""
    fine = np.isfinite(x)
    if not fine.all():
        return {"bad": float(1 - fine.mean())}
    mean, std = x.mean(0), x.std(0)
    within = float(np.sqrt((std**2).mean()))
    moving = std > TINY
    typical = float(np.median(std[moving])) if moving.any() else 1.0
    spread = np.sqrt(std**2 + (0.05 * within) ** 2) + TINY
    apart = (xv.mean(0) - mean) / spread if np.isfinite(xv).all() else np.full(len(mean), np.nan)
    return {
        "mean": float(x.mean()),
        "std": float(x.std()),
        "offset": float(np.abs(mean).max() / max(within, TINY)),
        "scales": float(std.max() / max(typical, TINY)),
        "largest": float(np.abs(x).max()),
        "constant": float(1 - moving.mean()),
        "shift": float(np.sqrt((apart**2).mean())),
        "stretch": float(np.sqrt((xv.std(0) ** 2).mean()) / max(within, TINY)),
    }


def targets(y: Tensor, val_y: Tensor, classes: bool) -> dict[str, float]:
    if not classes:
        v = y.double()
        return {
            "classes": 0,
            "target_mean": float(v.mean()),
            "target_std": float(v.std(correction=0)),
            "target_low": float(v.min()),
            "target_high": float(v.max()),
        }
    known, counts = np.unique(labels(y), return_counts=True)
    seen, val_counts = np.unique(labels(val_y), return_counts=True)
    return {
        "classes": max(len(known), len(seen)),
        "majority": float(val_counts.max() / val_counts.sum()),
        "imbalance": float(counts.max() / counts.min()),
        "unseen": len(set(seen.tolist()) - set(known.tolist())),
        "target_low": float(known.min()),
        "target_high": float(known.max()),
    }


def copies(x: np.ndarray, xv: np.ndarray) -> float:
    """Share of validation rows that are training rows too, among those that are looked at."""
    known = {row.tobytes() for row in x}
    return float(np.mean([row.tobytes() in known for row in xv])) if len(x) else 0.0


def runs(y: np.ndarray) -> float:
    """How much more often neighbours share a class than by chance, in [0, 1]."""
    if len(y) < 2:
        return 0.0
    shares = np.bincount(y) / len(y)
    chance = float((shares**2).sum())
    same = float((y[1:] == y[:-1]).mean())
    return max(0.0, (same - chance) / max(1 - chance, TINY))


def standard(x: np.ndarray, xv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both by the mean and spread of the first; very many features as a random projection."""
    mean, std = x.mean(0), x.std(0)
    std = np.where(std > TINY, std, 1.0)
    x, xv = (x - mean) / std, (xv - mean) / std
    if x.shape[1] > FEATURES:
        project = generator(0, "projection").standard_normal((x.shape[1], FEATURES)) / FEATURES**0.5
        x, xv = x @ project, xv @ project
    return x, xv


def nearest(x: np.ndarray, xv: np.ndarray, k: int, others: bool = False) -> np.ndarray:
    """(rows of xv, k) the indices of the nearest rows of x; with `others` a row is not its own neighbour."""
    distance = (x**2).sum(1)[None, :] - 2 * xv @ x.T
    if others:
        np.fill_diagonal(distance, np.inf)
    k = min(k, len(x) - (1 if others else 0))
    return np.argpartition(distance, k - 1, axis=1)[:, :k]


def voted(y: np.ndarray, near: np.ndarray, classes: int) -> np.ndarray:
    votes = np.zeros((len(near), classes))
    for column in near.T:
        votes[np.arange(len(near)), y[column]] += 1
    return votes.argmax(1)


def disagreement(x: np.ndarray, y: np.ndarray, xv: np.ndarray, yv: np.ndarray) -> float:
    """How much more often training labels are contradicted by their neighbours than by chance of a clean part.

    Labels that were shuffled are contradicted by nearly all of their neighbours; the share that cleanly labelled data
    shows is estimated from how often neighbours get validation labels wrong, which stay as they are.
    """
    if not (np.isfinite(x).all() and np.isfinite(xv).all()) or len(x) < 10 * NEIGHBOURS:
        return 0.0
    a, b = standard(x, xv)
    classes = int(max(y.max(), yv.max())) + 1
    inside = float((voted(y, nearest(a, a, NEIGHBOURS, others=True), classes) != y).mean())
    outside = float((voted(y, nearest(a, b, NEIGHBOURS), classes) != yv).mean())
    return max(0.0, inside - outside)


def yardsticks(setup: Setup, criterion: Criterion) -> dict[str, float]:
    """name -> what a simple method reaches by the set-up's own metric, where that is a known one."""
    (inputs, y), (val_inputs, val_y) = setup.parts[0].some(ROWS), setup.parts[1].some(ROWS)
    if setup.val is None or not isinstance(setup.metric, str) or setup.metric == "loss":
        return {}
    classes = is_classes(y, criterion)
    if classes != (setup.metric == "accuracy") or (classes and y.dim() > 1 and y.shape[1] > 1):
        return {}
    found = {"guess": guessed(y, val_y, setup.metric)}
    if len(inputs) != 1 or not inputs[0].is_floating_point():
        return found
    x, xv = standard(flat(inputs[0]), flat(val_inputs[0]))
    if not (np.isfinite(x).all() and np.isfinite(xv).all()):
        return found
    near = nearest(x, xv, min(NEIGHBOURS, len(x)))
    if classes:
        a, b = labels(y), labels(val_y)
        count = int(max(a.max(), b.max())) + 1
        found["neighbours"] = float((voted(a, near, count) == b).mean())
        found["linear"] = float((ridge(x, np.eye(count)[a], xv).argmax(1) == b).mean())
        return found
    v, w = y.reshape(len(y), -1)[:, 0].double().numpy(), val_y.reshape(len(val_y), -1)[:, 0].double().numpy()
    found["neighbours"] = scored(w, v[near].mean(1), setup.metric)
    found["linear"] = scored(w, ridge(x, v[:, None], xv)[:, 0], setup.metric)
    return found


def guessed(y: Tensor, val_y: Tensor, metric: str) -> float:
    """The most frequent class, or the mean."""
    if metric == "accuracy":
        return float((labels(val_y) == np.bincount(labels(y)).argmax()).mean())
    w = val_y.reshape(-1).double().numpy()
    return scored(w, np.full(len(w), float(y.double().mean())), metric)


def scored(truth: np.ndarray, said: np.ndarray, metric: str) -> float:
    error = said - truth
    if metric == "mae":
        return float(np.abs(error).mean())
    if metric == "rmse":
        return float(np.sqrt((error**2).mean()))
    return float(1 - (error**2).mean() / max(TINY, truth.var()))


def ridge(x: np.ndarray, y: np.ndarray, xv: np.ndarray) -> np.ndarray:
    """Predictions of ridge regression with an intercept; the penalty is the one that generalises best (leave-one-out).

    By the singular values: one decomposition serves all penalties (Golub, Heath & Wahba 1979).
    """
    mean, centre = x.mean(0), y.mean(0)
    u, s, vt = np.linalg.svd(x - mean, full_matrices=False)
    rotated = u.T @ (y - centre)
    best, chosen = np.inf, 1.0
    for penalty in np.geomspace(1e-3, 1e3, 7) * max(float((s**2).mean()), TINY):
        shrink = s**2 / (s**2 + penalty)
        residual = (y - centre) - u @ (shrink[:, None] * rotated)
        leverage = (u**2 * shrink).sum(1)
        error = float(((residual / np.maximum(1e-6, 1 - leverage)[:, None]) ** 2).mean())
        if error < best:
            best, chosen = error, float(penalty)
    weights = vt.T @ ((s / (s**2 + chosen))[:, None] * rotated)
    found: np.ndarray = (xv - mean) @ weights + centre
    return found
