"""A label for each word: y (n, T) class indices, `UNKNOWN` behind a sentence's end, p (n, T, C) probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from whet.tasks.goals import Goal
from whet.tasks.metrics import Metric

UNKNOWN = -100
Span = tuple[int, int, str]
"""(first word, the word behind the last, kind)"""


def probabilities(said: Tensor, scale: Any) -> np.ndarray:
    """(n, T, C) from logits."""
    return said.softmax(-1).numpy()


def token_accuracy(y: np.ndarray, p: np.ndarray) -> float:
    """Share of the words whose most probable label is the true one."""
    known = y != UNKNOWN
    return float((p.argmax(-1) == y)[known].mean()) if known.any() else float("nan")


def token_log_loss(y: np.ndarray, p: np.ndarray) -> float:
    """Mean of -log of the true label's probability over words, in nats."""
    known = y != UNKNOWN
    right = np.take_along_axis(p, np.where(known, y, 0)[..., None], -1)[..., 0][known]
    return float(-np.log(right.clip(np.finfo(np.float32).eps)).mean()) if known.any() else float("nan")


def wrong_shares(truth: np.ndarray, predicted: np.ndarray, scale: Any) -> np.ndarray:
    """(n,) the share of each sentence's words that are wrong."""
    known = truth != UNKNOWN
    wrong = (predicted.argmax(-1) != truth) & known
    return np.asarray(wrong.sum(1) / np.maximum(1, known.sum(1)), np.float64)


def spans(labels: Sequence[str]) -> set[Span]:
    """What B-kind, I-kind and O mark (Ramshaw & Marcus 1995). An I that goes on with nothing begins a span."""
    found: set[Span] = set()
    start, kind = 0, ""
    for i, label in enumerate([*labels, "O"]):
        mark, _, now = label.partition("-")
        if kind and (mark != "I" or now != kind):
            found.add((start, i, kind))
            kind = ""
        if mark in ("B", "I") and not kind:
            start, kind = i, now
    return found


def span_scores(truth: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, float]:
    """Precision, recall and F1 of whole spans of the right kind, over all sentences, as the CoNLL tasks count them."""
    pairs = [(spans(t), spans(p)) for t, p in zip(truth, predicted, strict=True)]
    right = sum(len(t & p) for t, p in pairs)
    given, there = sum(len(p) for _, p in pairs), sum(len(t) for t, _ in pairs)
    precision, recall = right / max(1, given), right / max(1, there)
    return {"precision": precision, "recall": recall, "f1": 2 * right / max(1, given + there)}


def has_spans(classes: Sequence[str]) -> bool:
    """Whether labels are B-…, I-… and O."""
    return any(c.startswith("B-") for c in classes) and all(c == "O" or c[:2] in ("B-", "I-") for c in classes)


METRICS = {
    m.name: m
    for m in (Metric("token_accuracy", "max", token_accuracy), Metric("token_log_loss", "min", token_log_loss))
}
GOAL = Goal(
    "tag",
    "tagging",
    METRICS,
    "token_accuracy",
    tuple(METRICS),
    "step_cross_entropy",
    probabilities,
    wrong_shares,
    lambda truth, predicted, scale: token_log_loss(truth, predicted),
)
