"""Any number of labels for each row: y (n, C) zeros and ones, p (n, C) probabilities, one per label."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from whet.tasks.goals import Goal
from whet.tasks.metrics import Metric

THRESHOLD = 0.5
"""Probability from which on a label is given."""


def probabilities(said: Tensor, scale: Any) -> np.ndarray:
    """(n, C) from logits, each label on its own."""
    return said.sigmoid().numpy()


def micro_f1(y: np.ndarray, p: np.ndarray) -> float:
    """2 TP / (2 TP + FP + FN) over all labels of all rows at once; 0 where nothing is right."""
    given = p >= THRESHOLD
    right = float((given & (y > 0)).sum())
    return 2 * right / max(1.0, float(given.sum() + (y > 0).sum()))


def mean_average_precision(y: np.ndarray, p: np.ndarray) -> float:
    """The mean over labels of the average precision of rows ranked by its probability; labels without a row left out."""
    found = [average_precision(y[:, c] > 0, p[:, c]) for c in range(y.shape[1]) if (y[:, c] > 0).any()]
    return float(np.mean(found)) if found else float("nan")


def average_precision(right: np.ndarray, score: np.ndarray) -> float:
    """sum over ranks of (recall gained) times precision; rows of equal scores count as one rank (Manning et al. 2008, 8.4)."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(right[order])
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # the end of each group of equal scores
    precision, recall = hits[last] / (last + 1), hits[last] / hits[-1]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def exact(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(n,) whether all labels of a row are right."""
    return np.asarray(((p >= THRESHOLD) == (y > 0)).all(1), np.float64)


def surprise(truth: np.ndarray, predicted: np.ndarray, scale: Any) -> np.ndarray:
    """(n,) the mean over labels of -log of what was right, in nats."""
    step = np.finfo(np.float32).eps
    right = np.where(truth > 0, predicted, 1 - predicted).clip(step, 1)
    return np.asarray(-np.log(right).mean(1), np.float64)


METRICS = {
    m.name: m
    for m in (
        Metric("micro_f1", "max", micro_f1),
        Metric("mean_average_precision", "max", mean_average_precision),
        Metric("exact_match", "max", lambda y, p: float(exact(y, p).mean()), exact),
    )
}
GOAL = Goal(
    "multilabel",
    "multilabel",
    METRICS,
    "micro_f1",
    tuple(METRICS),
    "one_vs_rest",
    probabilities,
    surprise,
    traced=lambda said, scale: said.sigmoid(),
)
