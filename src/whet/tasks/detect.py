"""Detecting anomalies: which rows are strange is said by scores, and judged by labels that training never saw.

y   (n,) 1 anomaly, 0 normal, NaN not known; or (n, 2) with the number of the row's series beside it
p   (n,) scores, the higher the stranger; or (n, 2 + columns): score, what the row cost in training, each column's share;
    of series one more, the last: the score that was said at the moment itself, where the first one was said in hindsight

Metrics are means over the series that have both kinds of rows. Never point-adjusted: a window that is hit once would count
as found whole, and random scores would look excellent (Kim et al. 2022, arXiv:2109.05257).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from whet.tasks.goals import Goal
from whet.tasks.metrics import Metric, auc

SCORE, COST, COLUMNS = 0, 1, 2
"""What a network says of a row: the score, the cost, then a number for each column."""


def scores_of(p: np.ndarray) -> np.ndarray:
    """(n,) scores."""
    return np.asarray(p[:, SCORE] if p.ndim == 2 else p, np.float64)


def at_the_moment(p: np.ndarray) -> np.ndarray:
    """(n,) scores of the steps of series that know nothing of later ones."""
    return np.asarray(p[:, -1] if p.ndim == 2 else p, np.float64)


def by_series(y: np.ndarray, p: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(labels, scores) of each series, rows with a label only, series with both labels only."""
    scores = scores_of(p)
    labels, series = (y[:, 0], y[:, 1]) if y.ndim == 2 else (y, np.zeros(len(y)))
    known = np.isfinite(labels) & np.isfinite(scores)
    parts = [known & (series == s) for s in np.unique(series)]
    return [(labels[rows] > 0, scores[rows]) for rows in parts if len(np.unique(labels[rows])) == 2]


def averaged(measure: Callable[[np.ndarray, np.ndarray], float]) -> Callable[[np.ndarray, np.ndarray], float]:
    """A metric of labels and scores as the mean over series; NaN where none has both labels."""

    def mean(y: np.ndarray, p: np.ndarray) -> float:
        found = [measure(labels, scores) for labels, scores in by_series(y, p)]
        return float(np.mean(found)) if found else float("nan")

    return mean


def precision_recall(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(precision, recall, threshold) with everything flagged that is at least the threshold, from the highest one down."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # equal scores are flagged together
    hits = np.cumsum(labels[order])[ends]
    return hits / (ends + 1), hits / max(1, int(labels.sum())), scores[order][ends]


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the precision-recall curve as steps: the sum of precision times what recall gains."""
    precision, recall, _ = precision_recall(labels, scores)
    return float(np.sum(precision * np.diff(recall, prepend=0.0)))


def f1(precision: Any, recall: Any) -> Any:
    """2 / (1 / precision + 1 / recall), 0 where both are 0."""
    total = np.maximum(precision + recall, 1e-300)
    return 2 * precision * recall / total


def best_f1(labels: np.ndarray, scores: np.ndarray) -> float:
    """The largest F1 that some threshold would have reached, had one known it."""
    precision, recall, _ = precision_recall(labels, scores)
    return float(f1(precision, recall).max())


def at_threshold(y: np.ndarray, p: np.ndarray, threshold: float) -> dict[str, float]:
    """F1, precision, recall and the rate of false alarms with everything flagged above the threshold, all rows together."""
    labels = y[:, 0] if y.ndim == 2 else y
    known = np.isfinite(labels)
    flagged, strange = scores_of(p)[known] > threshold, labels[known] > 0
    hits, n_strange, n_flagged = int((flagged & strange).sum()), int(strange.sum()), int(flagged.sum())
    precision = hits / n_flagged if n_flagged else float("nan")
    recall = hits / n_strange if n_strange else float("nan")
    return {
        "f1": 2 * hits / (n_flagged + n_strange) if n_strange else float("nan"),
        "precision": precision,
        "recall": recall,
        "false_alarm_rate": (n_flagged - hits) / max(1, len(strange) - n_strange),
    }


def mean_cost(y: np.ndarray, p: np.ndarray) -> float:
    """What rows cost in training, on average; needs no labels."""
    return float(np.mean(p[:, COST]))


def as_said(said: Tensor, scale: Any) -> np.ndarray:
    """Outputs are scores already."""
    found: np.ndarray = said.float().numpy()
    return found


JUDGED = {
    "auc_pr": Metric("auc_pr", "max", averaged(average_precision)),
    "auc_roc": Metric("auc_roc", "max", averaged(lambda labels, scores: auc(labels.astype(int), scores))),
    "best_f1": Metric("best_f1", "max", averaged(best_f1)),
}
WATCHED = Metric("cost", "min", mean_cost)

GOAL = Goal(
    "detect",
    "detection",
    {**JUDGED, "cost": WATCHED},
    "auc_pr",
    tuple(JUDGED),
    "surprise",
    as_said,
    lambda truth, predicted, scale: predicted[:, COST].astype(np.float64),
    traced=lambda said, scale: said,
    watched="cost",
)
