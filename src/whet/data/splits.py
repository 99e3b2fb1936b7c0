"""Which rows are for training, which for choosing, and which are opened once, at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from whet.data.core import Data
from whet.errors import DataError
from whet.record import Finding
from whet.rng import generator

if TYPE_CHECKING:
    import polars as pl

TEST_SHARE = 0.2
VAL_SHARE = 0.15
VAL_SHARE_LARGE = 0.1
LARGE = 5_000
"""From this many training rows on, `VAL_SHARE_LARGE` is enough …"""
MOST_VAL = 3_000
"""… and never more than this many rows."""
HANDFUL = 12
"""With fewer rows than this there are none to spare for validation."""
BINS = 10
"""Regression is stratified by this many quantiles of the target."""
GLIMPSE = 2_048
"""Bytes of an image that are hashed first; images that agree in them are compared in full."""


def split(data: Data, *, seed: int, val_share: float | None = None) -> dict[str, np.ndarray]:
    """{"train", "val", "test"} -> sorted int64 rows. The source's own parts are kept; the missing ones are drawn.

    Stratified by class (or by quantiles of the target) and seeded: the same data and seed give the same rows.
    `val_share` is the share of the training rows, in (0, 1); None: chosen by their number.
    """
    if val_share is not None and not 0 < val_share < 1:
        raise DataError(f"val_share={val_share} is no share.", "Give a number between 0 and 1.")
    random = generator(seed, "split")
    strata = data.y if data.goal == "classify" else quantiles(data.y)
    official = data.official
    taken = np.zeros(len(data.y), bool)
    for part in ("val", "test"):
        taken[official.get(part, [])] = True
    pool = np.asarray(official.get("train", np.flatnonzero(~taken)), np.int64)
    test = official.get("test")
    if test is None:
        pool, test = carve(pool, strata[pool], TEST_SHARE, None, random, at_least_one=data.goal == "classify")
    val = official.get("val")
    if val is None:
        share = val_share or (VAL_SHARE if len(pool) < LARGE else VAL_SHARE_LARGE)
        most = None if val_share else MOST_VAL
        pool, val = carve(pool, strata[pool], share, most, random, at_least_one=False)
    if not len(val) and "test" not in official and len(test) > 1:  # hardly more examples than classes
        val, test = np.array_split(random.permutation(test), 2)
    parts = {"train": pool, "val": np.asarray(val, np.int64), "test": np.asarray(test, np.int64)}
    if empty := [part for part, rows in parts.items() if not len(rows)]:
        counts = ", ".join(f"{len(rows)} {part}" for part, rows in parts.items())
        raise DataError(f"{len(data.y)} rows are too few: the {empty[0]} part is empty ({counts}).", "Add examples.")
    return {part: np.sort(rows) for part, rows in parts.items()}


def train_and_val(data: Data, seed: int) -> dict[str, np.ndarray]:
    """{"train", "val"} of all rows, for who keeps test rows elsewhere. Of a handful of rows both have all."""
    rows, strata = np.arange(len(data)), data.y if data.goal == "classify" else quantiles(data.y)
    if len(rows) < HANDFUL:
        return {"train": rows, "val": rows}
    share, most = (VAL_SHARE, None) if len(rows) < LARGE else (VAL_SHARE_LARGE, MOST_VAL)
    train, val = carve(rows, strata, share, most, generator(seed, "split"), at_least_one=False)
    return {"train": np.sort(train), "val": np.sort(val)}


def carve(
    rows: np.ndarray,
    strata: np.ndarray,
    share: float,
    most: int | None,
    random: np.random.Generator,
    at_least_one: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """(what is left, what is carved out): a share of the rows, of each stratum about the same, never a whole one."""
    wanted = max(1, round(share * len(rows)))
    wanted = wanted if most is None else min(wanted, most)
    order = random.permutation(len(rows))
    order = order[np.argsort(strata[order], kind="stable")]  # by stratum, shuffled within
    _, sizes = np.unique(strata, return_counts=True)
    counts = quotas(sizes, wanted, at_least_one)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    within = np.arange(len(rows)) - np.repeat(starts, sizes)
    carved = order[within < np.repeat(counts, sizes)]
    left = np.ones(len(rows), bool)
    left[carved] = False
    return rows[left], np.sort(rows[carved])


def quotas(sizes: np.ndarray, wanted: int, at_least_one: bool) -> np.ndarray:
    """How many to take of each stratum: by largest remainder, leaving one or more of each, and, if asked for and
    possible, taking one or more, which may come to more than `wanted`."""
    exact = sizes * (wanted / max(1, sizes.sum()))
    low = np.minimum(1, sizes - 1) if at_least_one else np.zeros_like(sizes)
    counts = np.clip(np.floor(exact).astype(np.int64), low, sizes - 1)
    for i in np.argsort(counts - exact, kind="stable"):
        if counts.sum() >= wanted:
            break
        counts[i] = min(counts[i] + 1, sizes[i] - 1)
    return counts


def quantiles(y: np.ndarray) -> np.ndarray:
    """The target's quantile, 0 to at most `BINS` - 1; fewer where the rows are few."""
    bins = int(np.clip(len(y) // 10, 1, BINS))
    rank = np.argsort(np.argsort(y, kind="stable"), kind="stable")
    return rank * bins // max(1, len(y))


# -- duplicates ----------------------------------------------------------------------------------------------------


def duplicates(data: Data, parts: Mapping[str, np.ndarray], groups: np.ndarray | None = None) -> Finding | None:
    """A finding if rows of the validation or test part are exactly rows of the training part; None if not.

    `groups` are the `row_groups` of the data, where they are known already.
    """
    groups = row_groups(data.x) if groups is None else groups
    train = np.unique(groups[parts["train"]])
    counts = {part: int(np.isin(groups[parts[part]], train).sum()) for part in ("val", "test") if part in parts}
    if not any(counts.values()):
        return None
    shares = {part: n / max(1, len(parts[part])) for part, n in counts.items()}
    said = " and ".join(f"{n:,} of the {len(parts[part]):,} {part} rows" for part, n in counts.items() if n)
    return Finding(
        name="duplicates-across-splits",
        cause=f"{said} are exact copies of training rows: the score is better than it will be on new data.",
        evidence={**{f"{part}_copies": n for part, n in counts.items()}, "share": max(shares.values())},
        severity="warning" if max(shares.values()) > 0.01 else "info",
        advice="Remove the copies, or keep all copies of a row in one part.",
    )


def row_groups(x: np.ndarray | pl.DataFrame) -> np.ndarray:
    """(n,) int64: rows with the same number have exactly the same content."""
    if isinstance(x, np.ndarray):
        return _image_groups(x)
    hashes = x.hash_rows(seed=0).to_numpy()
    return np.unique(hashes, return_inverse=True)[1]


def _image_groups(x: np.ndarray) -> np.ndarray:
    """By a hash of the middle of each image; where that agrees, by a hash of the whole. Reads little of large data."""
    flat = x.reshape(len(x), -1)
    width = flat.shape[1]
    start = max(0, (width - GLIMPSE) // 2)
    first = _hashes(flat, np.arange(len(flat)), slice(start, start + GLIMPSE))
    groups, counts = np.unique(first, return_inverse=True, return_counts=True)[1:]
    again = np.flatnonzero(counts[groups] > 1)
    if width <= GLIMPSE or not len(again):
        return groups
    first[again] ^= _hashes(flat, again, slice(None))
    return np.unique(first, return_inverse=True)[1]


def _hashes(flat: np.ndarray, rows: np.ndarray, columns: slice) -> np.ndarray:
    return np.fromiter((hash(flat[i, columns].tobytes()) for i in rows), np.int64, len(rows))
