"""A class for every step of a sequence; steps of class -100 are not known and count nowhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from whet.tasks.goals import Goal
from whet.tasks.metrics import Metric

UNKNOWN = -100


def probabilities(said: Tensor, scale: Any) -> np.ndarray:
    """(n, T, C) from logits."""
    return said.softmax(-1).numpy()


def step_accuracy(y: np.ndarray, p: np.ndarray) -> float:
    """Share of the known steps (n, T) whose most probable class is the true one."""
    known = y != UNKNOWN
    return float((p.argmax(-1) == y)[known].mean()) if known.any() else float("nan")


def step_log_loss(y: np.ndarray, p: np.ndarray) -> float:
    """Mean of -log of the true class's probability over the known steps, in nats."""
    known = y != UNKNOWN
    right = np.take_along_axis(p, np.where(known, y, 0)[..., None], -1)[..., 0][known]
    return float(-np.log(right.clip(np.finfo(np.float32).eps)).mean()) if known.any() else float("nan")


def wrong_shares(truth: np.ndarray, predicted: np.ndarray, scale: Any) -> np.ndarray:
    """(n,) the share of each sequence's known steps that are wrong."""
    known = truth != UNKNOWN
    wrong = (predicted.argmax(-1) != truth) & known
    return np.asarray(wrong.sum(1) / np.maximum(1, known.sum(1)), np.float64)


ACCURACY = Metric("step_accuracy", "max", step_accuracy)
LOG_LOSS = Metric("step_log_loss", "min", step_log_loss)
GOAL = Goal(
    "label-steps",
    "step-labelling",
    {m.name: m for m in (ACCURACY, LOG_LOSS)},
    ACCURACY.name,
    (ACCURACY.name, LOG_LOSS.name),
    "step_cross_entropy",
    probabilities,
    wrong_shares,
    lambda truth, predicted, scale: step_log_loss(truth, predicted),
    lambda said, scale: said.softmax(-1),
)
