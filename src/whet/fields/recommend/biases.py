"""What each user and each item adds to a rating, in closed form: damped means of what is left, in turn.

    b_ui = mean + b_u + b_i     (Koren, Factor in the Neighbors, 2010, section 2.1)

Networks that rate begin there, and "biases" among the baselines is this and nothing else.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

DAMPINGS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Ratings that pull a user's and an item's bias to 0: what fits depends on how much users and items differ, so it is chosen
by the validation ratings. MovieLens and six made-up sets chose 0.5 to 4 for
both; Koren has 10 and 25, for Netflix."""
SWEEPS = 10
TRIAL_SWEEPS = 4
"""Of each damping that is tried; the first sweeps do nearly all."""


@dataclass(frozen=True, eq=False)
class Biases:
    """In the unit of the ratings, 0 for who has none."""

    user: np.ndarray
    """(users,)"""
    item: np.ndarray
    """(items,)"""
    damping: tuple[float, float]
    """Of users and of items."""

    def of(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """What they add to the mean, for codes from 0."""
        found: np.ndarray = self.user[user] + self.item[item]
        return found


def fitted(user: np.ndarray, item: np.ndarray, left: np.ndarray, trained: np.ndarray, sizes: tuple[int, int]) -> Biases:
    """Of the trained rows, (n,) bool, damped as it rates the other rows best. `left`: ratings without their mean."""
    u, i, y = user[trained], item[trained], left[trained]
    others = ~trained

    def error(damping: tuple[float, float]) -> float:
        found = damped(u, i, y, sizes, damping, TRIAL_SWEEPS)
        return float(np.square(left[others] - found.of(user[others], item[others])).mean())

    return damped(u, i, y, sizes, min(itertools.product(DAMPINGS, DAMPINGS), key=error))


def damped(
    user: np.ndarray,
    item: np.ndarray,
    left: np.ndarray,
    sizes: tuple[int, int],
    damping: tuple[float, float],
    sweeps: int = SWEEPS,
) -> Biases:
    """Damped means of what is left, in turn."""
    users, items = sizes
    of_user, of_item = np.zeros(users), np.zeros(items)
    n_user, n_item = np.bincount(user, minlength=users) + damping[0], np.bincount(item, minlength=items) + damping[1]
    for _ in range(sweeps):
        of_item = np.bincount(item, left - of_user[user], items) / n_item
        of_user = np.bincount(user, left - of_item[item], users) / n_user
    return Biases(of_user, of_item, damping)
