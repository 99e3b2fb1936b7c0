"""A fit that keeps to its time: a small one tells how many rows, and how many rounds, there is time for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from whet.rng import generator
from whet.tasks.features import Baseline, Features, Wanted, no_time

PILOT_ROWS = 2000
FEWEST_ROWS = 200
"""With fewer affordable rows a baseline is skipped."""
FEW_ROUNDS = 10
"""Rounds of the pilot and of the first stage."""


class Fit(Protocol):
    """A model that is fitted in stages, each going on where the one before stopped."""

    def until(self, rounds: int, more: int) -> None:
        """Go on to `rounds` rounds in all, `more` than before."""

    def predict(self, test: Features) -> np.ndarray:
        """Probabilities (n, C) or values (n,)."""


def fit_in_time(
    name: str,
    begin: Callable[[np.ndarray], Fit],
    y: np.ndarray,
    test: Features,
    wanted: Wanted,
    rounds: int,
    most: int,
) -> Baseline:
    """Pilot on few rows -> as many rows as there is time for, a few rounds -> as many rounds as there is time for.

    `begin` makes a fit of some rows, `rounds` and `most` are the most rounds and rows.
    """
    began = time.perf_counter()

    def left() -> float:
        return wanted.seconds - (time.perf_counter() - began)

    order = generator(wanted.seed, "baseline").permutation(len(y))
    if wanted.goal == "classify":
        order = _every_class_first(order, y)
    begin(order[:FEWEST_ROWS]).until(1, 1)  # the first call is slower
    few, pilot = min(rounds, FEW_ROUNDS), order[:PILOT_ROWS]
    cost = _seconds(begin(pilot), few, few)
    rows = min(most, len(y), int(len(pilot) * left() / (2 * cost)))
    if rows < min(FEWEST_ROWS, len(y)):
        return Baseline(name, None, wanted.seconds - left(), no_time(wanted.seconds))
    fit = begin(order[:rows])
    cost, done = _seconds(fit, few, few), few
    while done < rounds and (more := min(rounds - done, int(few * left() / (1.2 * cost)))) >= few:
        fit.until(done + more, more)
        done += more
    predicted = fit.predict(test)
    return Baseline(name, predicted, wanted.seconds - left(), _cut(rows, len(y), done if done < rounds else 0))


def _seconds(fit: Fit, rounds: int, more: int) -> float:
    began = time.perf_counter()
    fit.until(rounds, more)
    return max(1e-6, time.perf_counter() - began)


def _every_class_first(order: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The order with a row of each class at its start, so that every small fit knows all classes."""
    shuffled = y[order]
    first = np.unique(shuffled, return_index=True)[1]
    rest = np.ones(len(order), bool)
    rest[first] = False
    return np.concatenate([order[first], order[rest]])


def _cut(rows: int, of: int, rounds: int) -> str:
    parts = [f"{rows:,} of {of:,} rows"] * (rows < of) + [f"{rounds} rounds"] * (rounds > 0)
    return f"cut to {' and '.join(parts)}" if parts else ""
