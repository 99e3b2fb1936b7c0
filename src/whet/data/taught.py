"""A judge that learns in a moment: whether changed examples, learned from besides, help or harm on unseen ones."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

FOLDS, RIDGES = 4, (0.01, 0.1, 1.0)
"""Parts of which each is judged by the others; penalties, as shares of the features' mean square."""


def right(truth: Tensor, *views: Tensor) -> Tensor:
    """(n,) 1 where an example's class is told by ridge regression that the other folds have taught, with the best of the
    penalties. `views`: features (n, features) of the examples, and of changed ones that it is taught with besides."""
    wanted = F.one_hot(truth).float()
    centre, spread, target = views[0].mean(0), views[0].std(0) + 1e-3, wanted.mean(0)
    views = tuple((view - centre) / spread for view in views)
    told = torch.empty(len(RIDGES), len(truth), dtype=torch.long)
    for fold, weights in taught(views, wanted - target):
        told[:, fold] = (views[0][fold] @ weights + target).argmax(2)
    hits = (told == truth).float()
    return hits[hits.mean(1).argmax()]


def taught(views: tuple[Tensor, ...], wanted: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Each fold's places, and the weights (penalties, features, classes) that the other folds give."""
    folds = [torch.arange(first, len(wanted), FOLDS) for first in range(FOLDS)]
    squares = torch.stack([sum_of(view[fold].T @ view[fold] for view in views) for fold in folds])
    products = torch.stack([sum_of(view[fold].T @ wanted[fold] for view in views) for fold in folds])
    for i, fold in enumerate(folds):
        square, product = (whole.sum(0) - whole[i] for whole in (squares, products))
        size = square.diagonal().mean().clamp_min(1e-6)  # above 0 for examples that are all alike
        penalties = size * torch.tensor(RIDGES)
        damped = square + penalties[:, None, None] * torch.eye(len(square))
        factors = torch.linalg.cholesky(damped)
        yield fold, torch.cholesky_solve(product.expand(len(RIDGES), -1, -1), factors)


def sum_of(parts: Iterator[Tensor]) -> Tensor:
    return torch.stack(list(parts)).sum(0)


def in_errors(difference: Tensor) -> float:
    """The mean of paired differences in standard errors; 0 where all are 0."""
    error = float(difference.std()) / len(difference) ** 0.5
    return float(difference.mean()) / error if error else 0.0
