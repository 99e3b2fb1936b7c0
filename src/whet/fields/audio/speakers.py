"""Who speaks in which part: a network that knows a voice already is judged too well."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from whet.data.splits import TEST_SHARE, VAL_SHARE
from whet.record import Finding
from whet.rng import generator

FEWEST = 3
"""Speakers that are needed to give each part its own."""


def leak(speakers: np.ndarray | None, official: Mapping[str, np.ndarray]) -> Finding | None:
    """A finding if the source's own test part has voices that its training part has too."""
    if speakers is None or "test" not in official:
        return None
    known = official.get("train", np.setdiff1d(np.arange(len(speakers)), np.concatenate([*official.values()])))
    train, test = set(speakers[known]), speakers[official["test"]]
    heard = np.isin(test, sorted(train))
    if not heard.any():
        return None
    both = sorted(train & set(test))
    return Finding(
        name="speakers-across-splits",
        cause=f"{int(heard.sum()):,} of the {len(test):,} test recordings are of speakers whom training hears too "
        f"({len(both)} of {len(set(test))} speakers): the score holds for these voices, not for new ones.",
        evidence={"speakers": len(both), "recordings": int(heard.sum()), "share": float(heard.mean())},
        severity="warning",
        advice="Leave --split out for a test part with speakers of its own.",
    )


def way_of_splitting(speakers: np.ndarray | None, official: Mapping[str, np.ndarray]) -> list[str]:
    """What is said of speakers before the split is made."""
    if speakers is None or "test" in official:
        return []
    count = len(set(speakers))
    if count < FEWEST:
        return [f"{count} speakers are too few to give each part its own: the parts share them."]
    return [f"{count} speakers are named: the test and the validation part have speakers that training never hears."]


def apart(
    speakers: np.ndarray, official: Mapping[str, np.ndarray], seed: int, y: np.ndarray | None
) -> dict[str, np.ndarray] | None:
    """{"train", "val", "test"} -> sorted rows, no speaker in two of them; None where that can't be done.

    Whole speakers are drawn until a part has its share. Of several seeded draws the first is taken whose training part
    has every class in `y`.
    """
    test = official.get("test")
    pool = official.get("train", np.setdiff1d(np.arange(len(speakers)), test if test is not None else []))
    parts = [("val", VAL_SHARE)] if test is not None else [("test", TEST_SHARE), ("val", VAL_SHARE)]
    if len(set(speakers[pool])) <= len(parts):
        return None
    for attempt in range(20):
        random, left, found = generator(seed, "speakers", attempt), pool, {}
        for part, share in parts:
            found[part], left = drawn(speakers, left, share, random)
        if y is None or len(np.unique(y[left])) == len(np.unique(y[pool])):
            whole = {"train": left, **found, **({"test": test} if test is not None else {})}
            return {part: np.sort(whole[part]).astype(np.int64) for part in ("train", "val", "test")}
    return None


def drawn(
    speakers: np.ndarray, pool: np.ndarray, share: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(rows of some whole speakers, the rest): at least one speaker, never all, as near to the share as they come."""
    names, counts = np.unique(speakers[pool], return_counts=True)
    order = random.permutation(len(names))
    sizes = np.cumsum(counts[order])[: len(names) - 1]
    count = 1 + int(np.argmin(np.abs(sizes - share * len(pool))))
    chosen = np.isin(speakers[pool], names[order[:count]])
    return pool[chosen], pool[~chosen]


def shared(speakers: np.ndarray, official: Mapping[str, np.ndarray]) -> bool:
    """Whether the source's own test part has voices that its other rows have too: then validation may as well."""
    test = official.get("test")
    if test is None:
        return False
    others = np.setdiff1d(np.arange(len(speakers)), test)
    return bool(np.isin(speakers[test], speakers[others]).any())
