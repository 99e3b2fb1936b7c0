"""A goal of the user's own: outputs and targets of any shape, judged by the user's loss on rows that are not trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from whet.tasks.goals import Goal
from whet.tasks.metrics import Metric

BLOCKS = 100
"""Parts of the rows whose losses are compared: one by one would cost a call of the loss for each row."""


@dataclass(frozen=True, eq=False)
class OwnTruth:
    """Targets, and the loss that judges outputs by them."""

    values: np.ndarray
    """(n, …)"""
    loss: Callable[[Tensor, Tensor], Tensor]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> OwnTruth:
        return OwnTruth(self.values[rows], self.loss)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"values": self.values}


def loss_of(y: OwnTruth, p: np.ndarray) -> float:
    """The loss of outputs (n, …)."""
    with torch.no_grad():
        return float(y.loss(torch.from_numpy(p), torch.from_numpy(y.values)))


def losses_of_blocks(y: OwnTruth, p: np.ndarray, scale: Any) -> np.ndarray:
    """The losses of up to `BLOCKS` runs of rows, in order."""
    return np.asarray([loss_of(y[rows], p[rows]) for rows in np.array_split(np.arange(len(y)), min(BLOCKS, len(y)))])


def as_it_is(said: Tensor, scale: Any) -> np.ndarray:
    """Outputs are the predictions."""
    return said.numpy()


METRICS = {"loss": Metric("loss", "min", loss_of)}
GOAL = Goal(
    "own",
    "outputs",
    METRICS,
    "loss",
    tuple(METRICS),
    "mse",
    as_it_is,
    losses_of_blocks,
    fit_loss=lambda truth, predicted, scale: loss_of(truth, predicted),
    traced=lambda said, scale: said,
)
