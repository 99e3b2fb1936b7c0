"""Whether a table that nobody called interactions looks like some: by usual names, and little beside them."""

from __future__ import annotations

from shlex import quote

import polars as pl

from whet.fields.recommend.reading import usual

BESIDE = 1
"""Columns that may stand beside user, item, rating and time, such as the kind of an event."""
REPEATED = 0.9
"""With a larger share of different users and of different items among the first rows nobody has had several things."""
PAIRS = 0.9
"""With a smaller share of different pairs the rows are something else, such as measurements."""


def likeness(head: pl.DataFrame) -> str:
    """What it looks like and what to type, in a sentence; empty for anything but interactions."""
    found: dict[str, str] = {}
    for role in ("user", "item", "rating", "time"):
        column = usual(role, head.columns, list(found.values()))
        if column:
            found[role] = column
    if not {"user", "item"} <= set(found) or head.width > len(found) + BESIDE or head.width < 2:
        return ""
    if "rating" not in found and head.width > len(found):
        return ""  # users, items and a number of another name: a table of something
    pairs = head.select(found["user"], found["item"]).drop_nulls()
    users, items = (pairs[found[role]].n_unique() for role in ("user", "item"))
    few = 0 < min(users, items) <= REPEATED * pairs.height
    if not few or pairs.n_unique() < PAIRS * pairs.height:
        return ""
    what = "ratings" if "rating" in found else "interactions"
    columns, asked = ", ".join(found.values()), f"--user {quote(found['user'])} --item {quote(found['item'])}"
    return f"This looks like {what} ({columns}): --task recommend {asked}."
