"""The linear yardstick: softmax regression or ridge, with scikit-learn's default regularisation (`whet.optim.linear`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from whet.optim.linear import LinearFit
from whet.tasks.features import IMAGE_ROWS, Baseline, Features, Wanted
from whet.tasks.timed import fit_in_time

ROUNDS = 100
"""Steps of the solver, scikit-learn's `max_iter`; it stops by itself when it has converged."""
IMAGE_ROUNDS = 20
"""The same on pixels, where more of them over-fit: Fashion-MNIST 0.825 after 20 steps, 0.803 after 100."""
CHUNK = 5_000
"""Rows that are predicted at once."""


def linear(train: Features, y: np.ndarray, test: Features, wanted: Wanted) -> Baseline:
    """Logistic regression or ridge on standardised numbers and one-hot categories, or on pixels."""

    def begin(rows: np.ndarray) -> Linear:
        return Linear(train.rows(rows), y[rows], wanted)

    rounds, most = (IMAGE_ROUNDS, IMAGE_ROWS) if train.is_images else (ROUNDS, len(train))
    with _one_thread():
        return fit_in_time("linear", begin, y, test, wanted, rounds, most)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """The products are too small for threads that wait for each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Linear:
    """A linear model of these rows, fitted in stages."""

    def __init__(self, train: Features, y: np.ndarray, wanted: Wanted) -> None:
        self.columns, self.classify = Columns.of(train), wanted.goal == "classify"
        self.centre, self.scale = (0.0, 1.0) if self.classify else (float(y.mean()), float(y.std()) or 1.0)
        target = torch.from_numpy(y.astype(np.int64) if self.classify else self.standardised(y))
        self.fit = LinearFit(*self.columns(train), (sum(train.cardinalities), wanted.outputs), target)

    def standardised(self, y: np.ndarray) -> np.ndarray:
        return ((y - self.centre) / self.scale).astype(np.float32)

    def until(self, rounds: int, more: int) -> None:
        self.fit.go_on(more)

    @torch.no_grad()
    def predict(self, test: Features) -> np.ndarray:
        starts = range(0, max(1, len(test)), CHUNK)
        said = torch.cat([self.fit.said(*self.columns(test.rows(slice(at, at + CHUNK)))) for at in starts]).double()
        return said.softmax(1).numpy() if self.classify else said[:, 0].numpy() * self.scale + self.centre


@dataclass(frozen=True, eq=False)
class Columns:
    """Features -> standardised numbers (n, F), and the places of their categories (n, K) in one table."""

    mean: np.ndarray
    spread: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, train: Features) -> Columns:
        numbers = train.numbers()
        spread = numbers.std(0)
        if train.is_images:  # pixels share one scale: the dark ones at the rim would be blown up otherwise
            spread = np.full_like(spread, spread.mean())
        return cls(numbers.mean(0), np.where(spread < 1e-6, 1, spread), np.cumsum([0, *train.cardinalities])[:-1])

    def __call__(self, features: Features) -> tuple[Tensor, Tensor]:
        numbers = (features.numbers() - self.mean) / self.spread
        return torch.from_numpy(numbers.astype(np.float32)), torch.from_numpy(features.category + self.offsets)
