"""Which interactions are held out: the newest of each user, the newest of all, or a part of all ratings."""

from __future__ import annotations

import numpy as np
import polars as pl

from whet.data.core import Data
from whet.data.splits import split
from whet.errors import DataError
from whet.rng import generator

TEMPORAL = "temporal"
"""What `--split` may be beside a column: the newest interactions of all users are the test."""
TEMPORAL_PARTS = (0.8, 0.9)
"""Shares of the interactions in time order at which choosing and testing begin."""
MOST_VAL = 3_000
"""Users whose second-newest interaction is for choosing; of more users, those of others are trained on."""
MOST_LOGITS = 60_000_000
"""Users for choosing times items: a validation holds an answer for each (240 MB); …"""
LEAST_VAL = 300
"""… but so many users in any case."""


def parts_of(data: Data, seed: int) -> dict[str, np.ndarray]:
    """{"train", "val", "test"} -> rows. Ratings: at random. Rankings: leave-one-out in time order, if the source has no parts.

    Leave-one-out: a user's newest interaction is tested, the one before it is for choosing, the rest is trained on. Who
    has two gives the newest to the test; who has one is trained on only.
    """
    if data.goal == "regress":
        return split(data, seed=seed)
    users = data.x["user"].to_numpy()
    rows = np.arange(len(users))
    official = data.official
    test = official["test"] if "test" in official else from_the_end(users, rows, 0, 2)
    left = np.asarray(official.get("train", np.setdiff1d(rows, [*test, *official.get("val", [])])), np.int64)
    val = np.asarray(official["val"] if "val" in official else from_the_end(users[left], left, 0, 2), np.int64)
    most = min(MOST_VAL, max(LEAST_VAL, MOST_LOGITS // len(data.classes)))
    if len(val) > most:  # the others of a part that was given are newer than what is trained on: they are left out
        val = np.sort(generator(seed, "split").choice(val, most, replace=False))
    left = np.setdiff1d(left, val)
    parts = {"train": left, "val": np.asarray(val, np.int64), "test": np.asarray(test, np.int64)}
    if empty := [part for part, chosen in parts.items() if not len(chosen)]:
        counts = ", ".join(f"{len(chosen)} {part}" for part, chosen in parts.items())
        raise DataError(
            f"The {empty[0]} part has no interaction ({counts}).", "Give users with three interactions or more."
        )
    return {part: np.sort(chosen) for part, chosen in parts.items()}


def from_the_end(users: np.ndarray, rows: np.ndarray, place: int, least: int) -> np.ndarray:
    """The row that is so many places before the last of its user, of each user with at least so many rows.

    `users` in blocks, each block in time order.
    """
    ends = np.flatnonzero(np.append(users[1:] != users[:-1], True))
    sizes = np.diff(np.append(-1, ends))
    found: np.ndarray = rows[ends[sizes >= least] - place]
    return found


def by_time(time: pl.Series, column: str | None) -> pl.Series:
    """train, val or test for each row: the oldest, the next, and the newest, one time for all. Raises DataError.

    Rows of one time are in one part.
    """
    if column is None:
        raise DataError("--split temporal needs a column of times.", "Name it with --time.")
    when = time.to_numpy()
    val, test = np.quantile(when, TEMPORAL_PARTS, method="higher")
    if not when.min() < val < test:
        raise DataError(
            f"Column {column!r} has too few different times ({len(np.unique(when)):,}) to be split in time order.",
            "Split otherwise.",
        )
    return pl.Series(np.where(when >= test, "test", np.where(when >= val, "val", "train")))
