"""Interactions that never happened: a user walks around a circle of items in small steps."""

from __future__ import annotations

import numpy as np
import polars as pl

from whet.data.core import Roles

ROLES = Roles(user="who", item="what", rating="stars", time="when")


def walks(users: int = 40, items: int = 30, seed: int = 0) -> pl.DataFrame:
    """who, what, stars, when: the next item is one to three places farther, and stars depend on both."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        at, seen = int(random.integers(items)), set()
        for step in range(int(random.integers(4, 14))):
            at = (at + int(random.integers(1, 4))) % items
            if at not in seen:
                stars = np.clip(3 + np.sin(at) + 0.5 * (user % 3 - 1) + 0.3 * random.normal(), 1, 5)
                rows.append((f"u{user}", f"m{at}", round(float(stars), 1), 1_000_000_000 + 10_000 * user + 60 * step))
                seen.add(at)
    random.shuffle(rows)
    return pl.DataFrame(rows, schema=["who", "what", "stars", "when"], orient="row")
