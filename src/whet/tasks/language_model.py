"""What comes next in a text: y (n,) characters of each piece of text, p (n, T) log-probabilities of its tokens, in nats.

Behind a piece's last token p is NaN. Models with other tokens can be compared by bits per character, not by perplexity.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from whet.tasks.goals import Goal
from whet.tasks.metrics import Metric


def log_probabilities(said: Tensor, scale: Any) -> np.ndarray:
    """As the network gives them."""
    return said.numpy()


def bits_per_character(y: np.ndarray, p: np.ndarray) -> float:
    """-log2 of the probability of all that was written, divided by its characters."""
    return float(-np.nansum(p, dtype=np.float64) / math.log(2) / max(1.0, float(y.sum())))


def perplexity(y: np.ndarray, p: np.ndarray) -> float:
    """exp of the mean -log p of a token: among so many equally likely ones the next would have to be guessed."""
    return float(np.exp(min(700.0, -np.nanmean(p, dtype=np.float64))))


def bits_of_rows(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(n,) bits per character of each piece."""
    return np.asarray(-np.nansum(p, 1, dtype=np.float64) / math.log(2) / np.maximum(1, y))


METRICS = {
    m.name: m
    for m in (Metric("bits_per_character", "min", bits_per_character), Metric("perplexity", "min", perplexity))
}
GOAL = Goal(
    "language-model",
    "language-model",
    METRICS,
    "bits_per_character",
    tuple(METRICS),
    "step_cross_entropy",
    log_probabilities,
    lambda truth, predicted, scale: bits_of_rows(truth, predicted),
    traced=lambda said, scale: said,
)
