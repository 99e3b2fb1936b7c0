"""Which items go together, whenever they were had: EASE^R (Steck 2019, arXiv:1905.03375), in closed form.

    X   users x items, 1 where a user had an item          B = I - P / diag(P),  P = (X'X + ridge I)^-1     (equation 8)

Scores of a history h, 0 and 1 for each item, are h B. With fewer users than items P is applied by Woodbury's identity,
P = (I - X'(XX' + ridge I)^-1 X) / ridge.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from whet.rng import generator
from whet.tasks.rank import KEPT, best, gains, ranks

MOST_CELLS = 60_000_000
"""Users times items up to which X is made: 240 MB. Of more users as many are drawn for a network."""
MOST_ITEMS = 3_000
"""Items that are weighed against each other for a network, the most frequent ones: of rarer ones the ridge leaves little."""
NEAR = 200
"""Weights that are kept of an item, the largest ones."""
RIDGES = (200.0, 50.0, 1000.0)
"""The best by NDCG@100 on the validation rows; the first alone where there is no time for more."""
FOLDS = 5
"""Parts of the users that a network is trained on with the weights of the others: else weights know the answers."""

Scores = Callable[[np.ndarray], np.ndarray]
"""(B, I) histories as 0 and 1 -> (B, I) scores."""


@dataclass(frozen=True, eq=False)
class Near:
    """The weights of a history's items on others; item 0 stands for none."""

    index: np.ndarray
    """(items + 1, K) int64 codes + 1; 0: none."""
    weight: np.ndarray
    """(items + 1, K) float32."""


@dataclass(frozen=True, eq=False)
class Eased:
    """What a network is given."""

    near: Near
    folds: tuple[Near, ...]
    """Each of all users but those of one fold."""
    fold: np.ndarray
    """(users + 1,) int64: whose weights a user's training rows meet; user 0 stands for none."""


def eased(user: np.ndarray, item: np.ndarray, trained: np.ndarray, sizes: tuple[int, int], width: int) -> Eased:
    """Of who had what, codes (n,) from 0, and whether that is trained on, (n,) bool: the other rows choose the ridge."""
    users, items = sizes
    kept = np.sort(np.argsort(-np.bincount(item[trained], minlength=items), kind="stable")[:MOST_ITEMS])
    order = generator(0, "folds").permutation(users)
    fold = np.argsort(order) % FOLDS
    seen = order[: max(FOLDS, MOST_CELLS // len(kept))]
    u, i = place_of(seen, users)[user], place_of(kept, items)[item]
    known, held = (u >= 0) & (i >= 0) & trained, (u >= 0) & (i >= 0) & ~trained
    x = matrix(u[known], i[known], len(seen), len(kept))
    ridge = chosen_ridge(x, u[held], i[held])
    others = (x[fold[seen] != k] for k in range(FOLDS))
    folds = tuple(near(part, ridge * len(part) / len(x), kept, items, width) for part in others)
    return Eased(near(x, ridge, kept, items, width), folds, np.concatenate([[0], fold]))


def place_of(chosen: np.ndarray, count: int) -> np.ndarray:
    """(count,) each code's place among the chosen ones; -1: none."""
    found = np.full(count, -1)
    found[chosen] = np.arange(len(chosen))
    return found


def matrix(user: np.ndarray, item: np.ndarray, users: int, items: int) -> np.ndarray:
    """X, float32."""
    x = np.zeros((users, items), np.float32)
    x[user, item] = 1
    return x


def chosen_ridge(x: np.ndarray, user: np.ndarray, item: np.ndarray, until: float = math.inf) -> float:
    """The ridge that ranks these users' held-out items best, of those that there is time for; the first where there is none."""
    found: dict[float, float] = {}
    for ridge in RIDGES if len(user) and time.monotonic() < until else ():
        began = time.monotonic()
        found[ridge] = gains(ranks(item, top(ease(x, ridge)(x[user]), x[user])), KEPT).mean()
        if time.monotonic() + (time.monotonic() - began) > until:
            break
    return max(found, key=lambda ridge: found[ridge], default=RIDGES[0])


def top(scores: np.ndarray, had: np.ndarray) -> np.ndarray:
    """The best items that a user has not had."""
    return best(np.where(had > 0, -np.inf, scores))


def ease(x: np.ndarray, ridge: float) -> Scores:
    """Scores by all weights; with fewer users than items no matrix of items by items is made."""
    users, items = x.shape
    if users < items:
        inner, diagonal = woodbury(x, ridge)
        return lambda h: h - (h - (h @ x.T) @ inner) / ridge / diagonal
    p = inverse(x, ridge)
    return lambda h: h - h @ p / np.diag(p)


def near(x: np.ndarray, ridge: float, kept: np.ndarray, items: int, width: int) -> Near:
    """The `width` largest weights of each item; the columns of x are the items `kept`."""
    index, weight = np.zeros((items + 1, width), np.int64), np.zeros((items + 1, width), np.float32)
    few = min(width, len(kept))
    for at, rows in weights(x, ridge):
        largest = np.argpartition(-np.abs(rows), few - 1, axis=1)[:, :few]
        own = kept[at : at + len(rows)] + 1
        index[own, :few], weight[own, :few] = kept[largest] + 1, np.take_along_axis(rows, largest, 1)
    return Near(index, weight)


def weights(x: np.ndarray, ridge: float, each: int = 1000) -> Iterator[tuple[int, np.ndarray]]:
    """(first item, B of this and the following items (rows, I)), so many items at a time."""
    users, items = x.shape
    if users < items:
        inner, diagonal = woodbury(x, ridge)
    else:
        p = inverse(x, ridge)
        diagonal = np.diag(p)
    for at in range(0, items, each):
        rows = -(x[:, at : at + each].T @ inner) / ridge if users < items else p[at : at + each].copy()
        here = np.arange(len(rows))
        rows[here, at + here] = 0
        yield at, -rows / diagonal


def inverse(x: np.ndarray, ridge: float) -> np.ndarray:
    """P, (items, items)."""
    found: np.ndarray = np.linalg.inv(x.T @ x + ridge * np.eye(x.shape[1], dtype=np.float32))
    return found


def woodbury(x: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """((XX' + ridge I)^-1 X (users, items), the diagonal of P (items,))."""
    users = len(x)
    inner = np.linalg.solve(x @ x.T + ridge * np.eye(users, dtype=np.float32), x)
    return inner, (1 - np.einsum("ui,ui->i", x, inner)) / ridge
