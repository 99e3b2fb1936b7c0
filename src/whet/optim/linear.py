"""A linear model's weights: ridge or softmax regression, by L-BFGS; and how much shrinkage its rows ask for.

    x   numbers, standardised                                          (n, F)
    k   categories, each a place in one table for all columns          (n, K)
    y   class indices (n,), or values (n,)
    W   weights of the numbers (F, C), b intercepts (C,), T the table of the categories (sum of cardinalities, C)

    minimise  mean_i loss(x_i W + sum_j T[k_ij] + b, y_i) + shrink (|W|^2 + |T|^2) / 2n

With shrink = 1 the objective is that of scikit-learn's LogisticRegression and Ridge with their defaults. It is written with
torch, which a run has imported anyway; importing scikit-learn takes 1.3 s of one core.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from whet.optim.eager import eager

CONVERGED = 1e-4
"""It has when no component of the gradient is larger: scikit-learn's `tol`."""
STRENGTHS = 10.0 ** torch.linspace(-2, 5, 29).double()
"""What is tried as shrinkage; columns are standardised."""
CLASS_STRENGTHS, FOLDS, ROUNDS_TO_JUDGE = (0.1, 0.3, 1.0, 3.0, 10.0, 100.0), 3, 30
"""The same for classes, where each strength is fitted to the rows outside of each fold."""
JUDGED_ROWS = 500
"""Rows from which the shrinkage is found: the best one does not grow with their number."""


class LinearFit:
    """The weights for these rows, fitted in stages. `target`: int64 class indices or float32 values."""

    def __init__(self, numbers: Tensor, places: Tensor, sizes: tuple[int, int], target: Tensor, shrink: float = 1.0):
        """`sizes`: (rows of the table of categories, C)."""
        self.numbers, self.places, self.target = numbers, places, target
        self.classify = not target.is_floating_point()
        table, outputs = sizes
        self.weights = [torch.zeros(n, outputs, requires_grad=True) for n in (numbers.shape[1], table, 1)]
        # Of two classes scikit-learn has one vector of weights: both of ours carry half of it.
        self.decay = shrink * (2.0 if self.classify and outputs == 2 else 1.0)
        self.solver = eager(torch.optim.LBFGS)(
            self.weights, history_size=10, tolerance_grad=CONVERGED, line_search_fn="strong_wolfe"
        )

    def go_on(self, rounds: int) -> None:
        """At most so many more steps of the solver; it stops by itself when it has converged."""
        self.solver.param_groups[0].update(max_iter=rounds, max_eval=2 * rounds)
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
        """(n, C) logits, or values."""
        weights, table, intercepts = self.weights
        said = numbers @ weights + intercepts
        return said + F.embedding_bag(places, table, mode="sum") if places.shape[1] else said


def shrinkage(design: Tensor, target: Tensor) -> float:
    """The strength of L2 with the least squared error of rows that are left out one at a time, in closed form.

    design (n, P), of at most `JUDGED_ROWS` rows: standardised columns; target (n, C): values, or ones at the class. With
    K = X X^T of centred columns and R = s (K + s I)^-1, the row i is missed by (R y)_i / (R_ii - 1/n) when it is left out,
    the intercept being fitted too (Allen 1974, "The relationship between variable selection and data augmentation").
    """
    x, y = design.double(), target.double()
    x, y = x - x.mean(0), y - y.mean(0)
    values, vectors = torch.linalg.eigh(x @ x.T)
    values, y = values.clamp(min=0.0), vectors.T @ y
    missed = [_left_out(vectors, s / (values + s), y) for s in STRENGTHS]
    return float(STRENGTHS[int(torch.stack(missed).argmin())])


def _left_out(vectors: Tensor, kept: Tensor, turned: Tensor) -> Tensor:
    """The mean squared error of left out rows. vectors (n, n); kept (n,): R's eigenvalues; turned (n, C): the target."""
    misses = vectors @ (kept[:, None] * turned)
    share = (vectors.square() @ kept)[:, None] - 1 / len(vectors)
    return (misses / share.clamp(min=1e-12)).square().mean()


def shrinkage_for_classes(numbers: Tensor, places: Tensor, sizes: tuple[int, int], target: Tensor) -> float:
    """The strength of L2 with the least log loss of held-out rows, a third after the other; `sizes` as in `LinearFit`.

    Ridge on ones and zeros, which has a closed form, is no stand-in: on a split of breast-cancer it asked for next to none,
    with twice the log loss of strength 1 on validation rows.
    """
    losses = torch.zeros(len(CLASS_STRENGTHS))
    for fold in range(FOLDS):
        held = torch.arange(len(target)) % FOLDS == fold
        seen, unseen = (numbers[~held], places[~held]), (numbers[held], places[held])
        for k, strength in enumerate(CLASS_STRENGTHS):
            fit = LinearFit(*seen, sizes, target[~held], strength)
            fit.go_on(ROUNDS_TO_JUDGE)
            losses[k] += F.cross_entropy(fit.said(*unseen).detach(), target[held], reduction="sum")
    return CLASS_STRENGTHS[int(losses.argmin())]
