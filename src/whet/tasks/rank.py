"""Ranking: of everything that a user has not had, which item comes next? Metrics over all unseen items.

    n   held-out interactions      I   items      K   items that a shortened ranking keeps

The truth is the held-out item's code, (n,) int64. Predictions are probabilities of all items, (n, I) with 0 for what the
user had before, or the codes of the best K, (n, K) integers, the best first: what is not among them counts as a miss.
With one truth per row, HR@k (the hit ratio) and recall@k are the same number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from whet.tasks.goals import Goal
from whet.tasks.metrics import Metric

if TYPE_CHECKING:
    from torch import Tensor

KEPT = 100
"""Items that a shortened ranking keeps: enough for every metric here."""
MISSED = np.iinfo(np.int64).max
"""The rank of what is not among the kept."""


def ranks(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(n,) int64: how many items stand before the true one, 0 being the best place; ties count against it."""
    if p.dtype.kind == "f":
        own = p[np.arange(len(y)), y]
        before = (p > own[:, None]).sum(1) + (p == own[:, None]).sum(1) - 1
        return np.where(own > 0, before, MISSED)
    hit = p == y[:, None]
    return np.where(hit.any(1), hit.argmax(1), MISSED)


def best(p: np.ndarray, most: int = KEPT) -> np.ndarray:
    """(n, K) int64: the codes of the highest scores, the best first; of equal ones the first code."""
    most = min(most, p.shape[1])
    part = np.sort(np.argpartition(-p, most - 1, axis=1)[:, :most], axis=1)
    order = np.argsort(-np.take_along_axis(p, part, 1), axis=1, kind="stable")
    return np.take_along_axis(part, order, 1)


def hit(k: int) -> Metric:
    """HR@k: the share of rows whose item is among the first k."""

    def rows(y: np.ndarray, p: np.ndarray) -> np.ndarray:
        return (ranks(y, p) < k).astype(np.float64)

    return Metric(f"hr@{k}", "max", mean_of(rows), rows)


def gain(k: int) -> Metric:
    """NDCG@k with one relevant item: 1 / log2(place + 1) within the first k places, else 0 (Järvelin & Kekäläinen 2002)."""

    def rows(y: np.ndarray, p: np.ndarray) -> np.ndarray:
        return gains(ranks(y, p), k)

    return Metric(f"ndcg@{k}", "max", mean_of(rows), rows)


def gains(places: np.ndarray, k: int) -> np.ndarray:
    """(n,) 1 / log2(rank + 2) of ranks from 0; 0 from rank k on."""
    inside = places < k
    return np.where(inside, 1 / np.log2(np.where(inside, places, 0) + 2.0), 0.0)


def mean_of(rows: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], float]:
    """The mean over rows; NaN without any."""
    return lambda y, p: float(rows(y, p).mean()) if len(y) else float("nan")


def probabilities(said: Tensor, scale: Any) -> np.ndarray:
    """(n, I) probabilities from logits; what is masked with a very low one gets exactly 0."""
    return said.softmax(-1).numpy()


def unranked(truth: np.ndarray, predicted: np.ndarray, scale: Any) -> np.ndarray:
    """1 less the gain of the place among the first `KEPT`: finer than NDCG@10, which is 0 for most rows."""
    return 1 - gains(ranks(truth, predicted), KEPT)


def sampled_ranks(y: np.ndarray, scores: np.ndarray, seen: list[np.ndarray], count: int, seed: int) -> np.ndarray:
    """(n,) ranks of the true item among `count` unseen ones drawn uniformly: the protocol of He et al. 2017.

    `scores` (n, I). Numbers under it are much higher and can order methods otherwise (Krichene & Rendle 2020): they are
    for comparison with papers that have nothing else. Fewer are drawn where a user has fewer unseen items.
    """
    random = np.random.default_rng(seed)
    found = np.empty(len(y), np.int64)
    for i, (item, known) in enumerate(zip(y, seen, strict=True)):
        unseen = np.ones(scores.shape[1], bool)
        unseen[known] = unseen[item] = False
        free = np.flatnonzero(unseen)
        drawn = random.choice(free, min(count, len(free)), replace=False)
        found[i] = (scores[i, drawn] >= scores[i, item]).sum()
    return found


METRICS = {m.name: m for m in (gain(10), hit(10), hit(1), hit(20), hit(50), gain(100), hit(100))}
GOAL = Goal(
    "rank",
    "ranking",
    METRICS,
    "ndcg@10",
    tuple(METRICS),
    "cross_entropy",
    probabilities,
    unranked,
    watched="ndcg@100",
)
