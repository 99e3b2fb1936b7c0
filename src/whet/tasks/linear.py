"""The linear yardstick: softmax regression or ridge, fitted by L-BFGS.

The objective is that of scikit-learn's LogisticRegression and Ridge with their defaults. It is written with torch, which
a run has imported anyway; importing scikit-learn takes 1.3 s of one core.

    x   numbers, standardised on the training rows                     (n, F)
    k   categories, each a place in one table for all columns          (n, K)
    y   class indices (n,), or values (n,) standardised likewise
    W   weights of the numbers (F, C), b intercepts (C,), T the table of the categories (sum of cardinalities, C)

    minimise  mean_i loss(x_i W + sum_j T[k_ij] + b, y_i) + (|W|^2 + |T|^2) / 2n
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from whet.optim.eager import eager
from whet.tasks.features import IMAGE_ROWS, Baseline, Features, Wanted
from whet.tasks.timed import fit_in_time

ROUNDS = 100
"""Steps of the solver, scikit-learn's `max_iter`; it stops by itself when it has converged."""
IMAGE_ROUNDS = 20
"""The same on pixels, where more of them over-fit: Fashion-MNIST 0.825 after 20 steps, 0.803 after 100."""
CONVERGED = 1e-4
"""It has when no component of the gradient is larger: scikit-learn's `tol`."""
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
        self.target = torch.from_numpy(y.astype(np.int64) if self.classify else self.standardised(y))
        self.numbers, self.places = self.columns(train)
        sizes = self.numbers.shape[1], sum(train.cardinalities), 1
        self.weights = [torch.zeros(n, wanted.outputs, requires_grad=True) for n in sizes]
        # Of two classes scikit-learn has one vector of weights: both of ours carry half of it.
        self.decay = 2.0 if self.classify and wanted.outputs == 2 else 1.0
        self.solver = eager(torch.optim.LBFGS)(
            self.weights, history_size=10, tolerance_grad=CONVERGED, line_search_fn="strong_wolfe"
        )

    def standardised(self, y: np.ndarray) -> np.ndarray:
        return ((y - self.centre) / self.scale).astype(np.float32)

    def until(self, rounds: int, more: int) -> None:
        self.solver.param_groups[0].update(max_iter=more, max_eval=2 * more)
        with torch.enable_grad():
            self.solver.step(self.loss)

    def loss(self) -> Tensor:
        """The objective, with its gradient in the weights."""
        self.solver.zero_grad()
        said = self.said(self.numbers, self.places)
        fits = F.cross_entropy(said, self.target) if self.classify else F.mse_loss(said[:, 0], self.target) / 2
        squares = torch.stack([w.square().sum() for w in self.weights[:2]]).sum()
        loss = fits + self.decay * squares / (2 * len(self.target))
        loss.backward()
        return loss

    def said(self, numbers: Tensor, places: Tensor) -> Tensor:
        """(n, C) logits, or standardised values."""
        weights, table, intercepts = self.weights
        said = numbers @ weights + intercepts
        return said + F.embedding_bag(places, table, mode="sum") if places.shape[1] else said

    @torch.no_grad()
    def predict(self, test: Features) -> np.ndarray:
        starts = range(0, max(1, len(test)), CHUNK)
        said = torch.cat([self.said(*self.columns(test.rows(slice(at, at + CHUNK)))) for at in starts]).double()
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
