"""Which columns of a table say anything of the target: a test per column, and one per pair of columns.

    column alone       does its correlation with the target, or the target's mean over its bins, differ from chance?
    pair of columns    does their product's correlation with the target?

Columns that matter only together have no effect of their own: the pairs find them. What many columns of noise reach by
chance is allowed for: Benjamini and Hochberg 1995 for columns, Bonferroni for pairs. Ideas: Fan and Lv 2008, "Sure
independence screening"; Hao and Zhang 2014, "Interaction screening for ultrahigh-dimensional data".

Shapes: n rows, F columns, C targets (one for values, one per class).
"""

from __future__ import annotations

import numpy as np

BINS = 8
"""Of a column, for a target that rises and falls with it."""
ROWS_PER_BIN = 10
FALSE_SHARE = 0.1
"""Of the columns that are found alone, what share may be chance."""
FALSE_PAIRS = 0.05
"""The chance that any pair is found where none matters."""
MOST_WORK = 4e9
"""Multiply-adds that pairs may cost, about a second; of more columns none are tried."""


def informative(
    numeric: np.ndarray, category: np.ndarray, y: np.ndarray, classify: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (n, F), categories (n, K) and targets (n,) of training rows -> which of the F and of the K columns matter."""
    target = _targets(y, classify)  # (n, C)
    ranks = _ranks(numeric)
    alone = [_chance_of_bins(_bins(column), target) for column in ranks.T]
    straight = _chance_of(ranks, target)
    chances = [2 * min(p, q) for p, q in zip(alone, straight, strict=True)]
    chances += [_chance_of_bins(column, target) for column in category.T]
    found = _discovered(np.asarray(chances))
    numbers, categories = np.split(found, [numeric.shape[1]])
    return numbers | _in_pairs(ranks, target), categories


def _targets(y: np.ndarray, classify: bool) -> np.ndarray:
    """(n, C) of mean 0: ones at the class, or ranks of the values, in which no outlier counts for more than others."""
    columns = (
        (y[:, None] == np.unique(y)).astype(np.float64) if classify else _ranks(np.asarray(y, np.float64)[:, None])
    )
    if columns.shape[1] == 2:
        columns = columns[:, :1]  # the other says the same
    return columns - columns.mean(0)


def _ranks(columns: np.ndarray) -> np.ndarray:
    """(n, F) ranks of each column, ties together, with mean 0 and spread 1; zeros where nothing varies."""
    found = np.empty(columns.shape)
    for k, column in enumerate(columns.T):
        _, places, counts = np.unique(column, return_inverse=True, return_counts=True)
        found[:, k] = (np.cumsum(counts) - counts / 2)[places]
    found -= found.mean(0)
    spread = found.std(0)
    return found / np.where(spread > 0, spread, 1.0)


def _bins(ranks: np.ndarray) -> np.ndarray:
    """(n,) the bin of each row: at most `BINS` of about equally many."""
    bins = int(np.clip(len(ranks) // ROWS_PER_BIN, 2, BINS))
    order = np.argsort(ranks, kind="stable")
    edges = ranks[order[np.arange(1, bins) * len(ranks) // bins]]
    return np.searchsorted(np.unique(edges), ranks, side="right")


def _chance_of(columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(F,) how rarely chance makes a column's correlation with one of the C targets as strong as it is."""
    sums, squares = columns.T @ target, np.square(columns).T @ np.square(target)
    return _rarity(sums, squares, target.shape[1]).min(1)


def _rarity(sums: np.ndarray, squares: np.ndarray, tries: int) -> np.ndarray:
    """The chance that a sum of n terms of mean 0, whose squares sum to this, is as far from 0; Bonferroni over `tries`."""
    from scipy.special import ndtr

    size = np.abs(sums) / np.sqrt(np.maximum(squares, 1e-12))
    return np.minimum(1.0, 2 * ndtr(-size) * tries)


def _chance_of_bins(bins: np.ndarray, target: np.ndarray) -> float:
    """How rarely chance makes means over the bins differ so much: an analysis of variance (Fisher 1925)."""
    from scipy.special import fdtrc

    _, places, counts = np.unique(bins, return_inverse=True, return_counts=True)
    freedom = len(counts) - 1, len(bins) - len(counts)
    if min(freedom) < 1:
        return 1.0
    sums = np.stack([np.bincount(places, column) for column in target.T], 1)  # (bins, C)
    between, total = (np.square(sums) / counts[:, None]).sum(0), np.square(target).sum(0)
    ratio = (between / freedom[0]) / np.maximum((total - between) / freedom[1], 1e-12)
    return min(1.0, float(fdtrc(*freedom, ratio).min()) * target.shape[1])


def _discovered(chances: np.ndarray) -> np.ndarray:
    """Which of these are found, with at most `FALSE_SHARE` of them by chance: Benjamini and Hochberg's step-up rule."""
    order = np.argsort(chances)
    passed = chances[order] <= FALSE_SHARE * np.arange(1, len(chances) + 1) / max(1, len(chances))
    found = np.zeros(len(chances), bool)
    found[order[: 1 + np.flatnonzero(passed).max(initial=-1)]] = True
    return found


def _in_pairs(ranks: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(F,) whether the column's product with another one goes with the target."""
    rows, columns = ranks.shape
    found = np.zeros(columns, bool)
    if rows * columns**2 * target.shape[1] > MOST_WORK or columns < 2:
        return found
    pairs = columns * (columns - 1) // 2
    squares = np.square(ranks)
    for wanted in target.T:
        sums = ranks.T @ (ranks * wanted[:, None])  # (F, F)
        spread = squares.T @ (squares * np.square(wanted)[:, None])
        rare = np.triu(_rarity(sums, spread, pairs * target.shape[1]) <= FALSE_PAIRS, 1)
        found |= rare.any(0) | rare.any(1)
    return found
